"""What all estimators share: a network, its Gram matrices and a factorisation."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_ntk._default_network import DefaultNetwork, resolve_network
from sklearn_ntk._engine.gram import gram
from sklearn_ntk._graphs import checked_graphs
from sklearn_ntk._sklearn_private import (
    Interval,
    InvalidParameterError,
    StrOptions,
    _check_sample_weight,
)
from sklearn_ntk._solvers.cholesky import Cholesky
from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.large_gram import compute_gram
from sklearn_ntk.networks import Layer
from sklearn_ntk.networks._masks import allows_nan

__all__ = ["NetworkEstimator", "counting", "noise_of"]

KERNELS = {"nngp": NNGP, "ntk": NTK}
ASYMMETRY = 1e-8  # of a precomputed Gram matrix, relative to its largest entry


class NetworkEstimator(DefaultNetwork, BaseEstimator):
    """Base class of the estimators: from X, y and weights to a linear system.

    A subclass says which kernel it uses, ``_kind``. The system's matrix is
    ``G = K + diag(alpha / weight)``; rows of weight 0 take no part in it.
    """

    _kind: str
    _parameter_constraints: dict = {
        "network": [Layer, StrOptions({"precomputed"}), None],
        "alpha": [Interval(Real, 0, np.inf, closed="left"), "array-like"],
        "device": [StrOptions({"cuda"}), None],
        "n_jobs": [Integral, None],
    }

    @property
    def _solver(self):
        return Cholesky(device=self.device)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._is_precomputed()
        tags.input_tags.sparse = not (self._is_precomputed() or self._takes_graphs())
        tags.input_tags.allow_nan = self._allows_nan()
        return tags

    def _is_precomputed(self):
        return isinstance(self.network, str)

    def _validated_for_fit(self, X, y, *, reset=True, **options):
        """X as float64 or as graphs, and y; both may be views of what was given."""
        if not self._takes_graphs():
            options |= {"reset": reset, **self._accepted()}
            return validate_data(self, X, y, **options)
        X = self._graphs(X, reset=reset)
        y = validate_data(self, y=y, **options)
        check_consistent_length(X, y)
        return X, y

    def _validated(self, X):
        """X as float64 or as graphs, with the features of the fit."""
        check_is_fitted(self)
        if self._takes_graphs():
            return self._graphs(X, reset=False)
        return validate_data(self, X, reset=False, **self._accepted())

    def _allows_nan(self):
        return isinstance(self.network, Layer) and allows_nan(self.network)

    def _takes_graphs(self):
        """Whether a row is a graph."""
        network = self._first_network()
        return isinstance(network, Layer) and network.reads_graphs

    def _first_network(self):
        """The network, or the first of several, which all take the same data."""
        several = isinstance(self.network, list | tuple) and len(self.network)
        return self.network[0] if several else self.network

    def _graphs(self, X, *, reset):
        X, _ = checked_graphs(X, node_attribute=self._first_network().node_attribute)
        if reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"The nodes of X have {X.shape[1]} features, but "
                f"{type(self).__name__} is expecting {self.n_features_in_} features as "
                "input."
            )
        return X

    def _accepted(self):
        return {
            "accept_sparse": False if self._is_precomputed() else "csr",
            "dtype": np.float64,
            "ensure_all_finite": "allow-nan" if self._allows_nan() else True,
        }

    def _keep_rows(self, X, y, sample_weight):
        """Keep what counts of the training set, its weights and alphas; y of it."""
        weight, self._rows = counting(X, sample_weight)
        if self._is_precomputed():
            _check_gram(X)
            self.network_ = self.network
            self.X_fit_ = X[np.ix_(self._rows, self._rows)]
        else:
            self.network_ = resolve_network(self.network)
            self.network_.validate()
            self.X_fit_ = X[self._rows]
        alpha = self._alpha_per_row(X.shape[0])
        self._weight, self._alpha = weight[self._rows], alpha[self._rows]
        return y[self._rows]

    def _alpha_per_row(self, n_samples):
        alpha = np.asarray(self.alpha, dtype=np.float64)
        shaped = alpha.ndim == 0 or alpha.shape == (n_samples,)
        if not (shaped and np.all(np.isfinite(alpha)) and np.all(alpha >= 0)):
            raise InvalidParameterError(
                f"The 'alpha' parameter of {type(self).__name__} must be a float in "
                f"the range [0.0, inf) or an array of such floats of shape "
                f"({n_samples},), one per row of X. Got {self.alpha!r} instead."
            )
        return np.full(n_samples, alpha)

    def _gram(self, network, X, Y=None, *, kinds):
        """Kernel matrices, by the device that was asked for."""
        if self.device is None:
            return gram(network, X, Y, kinds=kinds, n_jobs=self.n_jobs)
        if self._takes_graphs():
            raise ValueError(
                f"The 'device' parameter of {type(self).__name__} must be None where X "
                f"is a list of graphs. Got {self.device!r}."
            )
        return tuple(
            compute_gram(KERNELS[kind](network), X, Y, device=self.device)
            for kind in kinds
        )

    def _train_gram(self, kind, network):
        """The kernel matrix of a network over the rows of the fit, fresh."""
        if self._is_precomputed():
            return self.X_fit_.copy()
        (K,) = self._gram(network, self.X_fit_, kinds=(kind,))
        return self._finite(K)

    def _cross_gram(self, X, *kinds):
        """Kernels, one for each of `kinds`, of new rows with the rows of the fit."""
        if self._is_precomputed():
            return (X[:, self._rows],)
        blocks = self._gram(self.network_, X, self.X_fit_, kinds=kinds)
        return tuple(map(self._finite, blocks))

    def _finite(self, K):
        if not np.all(np.isfinite(K)):
            raise ValueError(
                f"The kernel of {self.network_!r} is not finite on these rows. Scale X "
                "down, for example with StandardScaler."
            )
        return K

    def _trained(self, K):
        """What training makes of targets, ``.solve(y)``; K is overwritten."""
        self._noise = noise_of(self._alpha, self._weight)
        return self._factorize(K, self._noise)

    def _factorize(self, K, noise):
        """A factorisation of K + diag(noise), in the place of K; warns of a jitter."""
        size = np.mean(K.diagonal())
        factor = self._solver.factorize(K, noise)
        if factor.jitter:
            warnings.warn(
                f"alpha={np.min(noise):.2g} is too small for the conditioning of the "
                f"kernel matrix: a jitter of {factor.jitter:.1e} of its diagonal, "
                f"{factor.jitter * size:.1e} on average, was added to it. Increase "
                "alpha to at least that.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return factor


def noise_of(alpha, weight):
    """What alpha adds to the diagonal for rows that count `weight` times."""
    return alpha / np.maximum(weight, 1e-300)


def counting(X, sample_weight):
    """Weights of rows, and the indices of those that count."""
    weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    rows = np.flatnonzero(weight)
    if len(rows) == 0:
        raise ValueError("sample_weight must have a positive element. All are 0.")
    return weight, rows


def _check_gram(K):
    """Refuse a matrix that cannot be the Gram matrix of a training set."""
    if K.shape[0] != K.shape[1]:
        raise ValueError(
            "Precomputed matrix must be a square matrix. Input is a "
            f"{K.shape[0]}x{K.shape[1]} matrix."
        )
    gap, size = np.max(np.abs(K - K.T)), np.max(np.abs(K))
    if gap > ASYMMETRY * size:
        raise ValueError(
            f"Precomputed matrix must be symmetric. Entries differ by up to {gap:.2g} "
            "from those of its transpose."
        )
