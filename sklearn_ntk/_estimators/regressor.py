"""What the regressors share: targets, the fit and predictions with their spread."""

import warnings

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from sklearn_ntk._engine.gram import diagonal, gram
from sklearn_ntk._estimators.base import NetworkEstimator, noise_of
from sklearn_ntk._estimators.targets import TargetScale
from sklearn_ntk._sklearn_private import _fit_context

__all__ = ["NetworkRegressor"]

ROUNDING = 1e-8  # of a variance, relative to the largest one of the prior


class NetworkRegressor(MultiOutputMixin, RegressorMixin, NetworkEstimator):
    """Base class of the regressors.

    A subclass says which kernels its covariance needs, ``_spread_kinds`` (that of
    the mean first), and how data change the prior covariance, ``_update``.
    """

    _spread_kinds: tuple
    _parameter_constraints: dict = {
        **NetworkEstimator._parameter_constraints,
        "normalize_y": ["boolean"],
    }

    def __init__(self, network=None, *, alpha=0.05, normalize_y=True, n_jobs=None):
        self.network = network
        self.alpha = alpha
        self.normalize_y = normalize_y
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; a Gram matrix of shape (n_samples, n_samples) where `network` is
            "precomputed". Standardise features of different units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts exactly as the row given twice, and one of
            weight 0 not at all.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data are not valid.
        numpy.linalg.LinAlgError
            If a precomputed matrix is not positive semi-definite.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If alpha is too small for the conditioning, with the jitter added.
        """
        X, y = self._validated_for_fit(X, y, multi_output=True, y_numeric=True)
        y = y.astype(np.float64, copy=False)
        y, self._weight, self._alpha = self._keep_rows(X, y, sample_weight)
        if self.normalize_y:
            self._targets = TargetScale.of(y, self._weight)
        else:
            self._targets = TargetScale.identity(y)
        self._y = self._targets.standardized(y)
        self._learn()
        K = self._train_gram(self._kind, self.network_)
        self._factor = self._factorize(K, noise_of(self._alpha, self._weight))
        self.dual_coef_ = self._factor.solve(self._y)
        return self

    def _learn(self):
        """Choose hyperparameters from the data; here there is nothing to choose."""

    def predict(self, X, return_std=False, return_cov=False):
        """Predict targets and, at will, how uncertain they are.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; where `network` is "precomputed" the kernel between them and all
            rows that were given to fit, one in a column.
        return_std : bool, default=False
            Whether to return standard deviations of the function's values. They do
            not contain the noise `alpha`.
        return_cov : bool, default=False
            Whether to return covariances of the function's values instead.

        Returns
        -------
        y_mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
        y_std : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Only where `return_std` is True.
        y_cov : ndarray of shape (n_samples, n_samples[, n_targets])
            Only where `return_cov` is True.

        Raises
        ------
        RuntimeError
            If both are asked for.
        ValueError
            If either is asked for and `network` is "precomputed".
        """
        if return_std and return_cov:
            raise RuntimeError(
                "At most one of return_std or return_cov can be requested."
            )
        X = self._validated(X)
        if not (return_std or return_cov):
            return self._mean(*self._cross_gram(X, self._kind))
        self._require_network()
        blocks = self._cross_gram(X, *self._spread_kinds)
        mean, update = self._mean(blocks[0]), self._update(*blocks)
        if return_std:
            return mean, self._targets.restored_std(self._variance(X, *update))
        return mean, self._targets.restored_covariance(self._covariance(X, *update))

    def _mean(self, cross):
        return self._targets.restored(cross @ self.dual_coef_)

    def _require_network(self):
        if self._is_precomputed():
            raise ValueError(
                "A standard deviation or covariance needs kernels that a precomputed "
                f"matrix does not hold. Give {type(self).__name__} a network instead "
                "of network='precomputed'."
            )

    def _variance(self, X, A, R):
        """diag(K** + A' R)."""
        (prior,) = diagonal(self.network_, X, kinds=("nngp",))
        return _clipped(prior + np.einsum("ij,ij->j", A, R), prior)

    def _covariance(self, X, A, R):
        """K** + (A' R + R' A) / 2."""
        (K,) = gram(self.network_, X, kinds=("nngp",), n_jobs=self.n_jobs)
        prior = K.diagonal().copy()
        update = A.T @ R
        K += 0.5 * (update + update.T)
        np.fill_diagonal(K, _clipped(K.diagonal(), prior))
        return K


def _clipped(variance, prior):
    """Variances of at least 0; warns where one was negative beyond rounding."""
    lowest = np.min(variance, initial=0.0)
    if lowest < -ROUNDING * np.max(prior, initial=0.0):
        warnings.warn(
            f"Predicted variances down to {lowest:.2g} of the standardised targets are "
            "negative beyond rounding: alpha is too small for the conditioning of the "
            "kernel matrix. They were set to 0.",
            stacklevel=4,
        )
    return np.maximum(variance, 0.0)
