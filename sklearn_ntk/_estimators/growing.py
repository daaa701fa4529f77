"""More rows for a fitted estimator: `partial_fit`."""

import numpy as np
from scipy import sparse

from sklearn_ntk._estimators.base import NetworkEstimator, counting, noise_of
from sklearn_ntk._graphs import Graphs
from sklearn_ntk._solvers.block_update import extended
from sklearn_ntk._solvers.cholesky import CholeskyFactor

__all__ = ["GrowingEstimator", "takes_more_rows"]


def takes_more_rows(estimator):
    """Whether there is a `partial_fit`; if not, an AttributeError says why."""
    if estimator._is_precomputed():
        raise AttributeError(
            "partial_fit needs a network: a precomputed matrix does not hold the "
            "kernel between the rows of different calls."
        )
    return True


class GrowingEstimator(NetworkEstimator):
    """An estimator that takes more rows into its factorisation.

    A factor without a jitter, in which what the rows count stays the same, grows by a
    block. In all other cases the training starts again with all rows.
    """

    def _is_trained(self):
        return hasattr(self, "dual_coef_")

    def _validated_for_update(self, X, y, **options):
        return self._validated_for_fit(X, y, reset=False, **options)

    def _counting(self, X, sample_weight):
        """Those of more rows that count, their weights and alphas, and which they are.

        Nothing of the estimator changes.
        """
        weight, rows = counting(X, sample_weight)
        alpha = self._alpha_of_more_rows(X.shape[0])
        return X[rows], weight[rows], alpha[rows], rows

    def _alpha_of_more_rows(self, n_samples):
        return self._alpha_per_row(n_samples)

    def _blocks(self, X):
        """Kernels of more rows with those of the fit and with each other, if of use."""
        if not isinstance(self._factor, CholeskyFactor) or self._factor.jitter:
            return None
        (cross,) = self._cross_gram(X, self._kind)
        (block,) = self._gram(self.network_, X, kinds=(self._kind,))
        return cross, self._finite(block)

    def _append(self, X, weight, alpha):
        self.X_fit_ = _stacked(self.X_fit_, X)
        self._weight = np.concatenate([self._weight, weight])
        self._alpha = np.concatenate([self._alpha, alpha])

    def _retrained(self, blocks):
        """What training makes of targets, with the rows that were appended."""
        noise = noise_of(self._alpha, self._weight)
        factor = None if blocks is None else self._extended(blocks, noise)
        if factor is None:
            return self._trained(self._train_gram(self._kind, self.network_))
        self._noise = noise
        return factor

    def _extended(self, blocks, noise):
        n = len(self._noise)
        if not np.array_equal(noise[:n], self._noise):
            return None
        return extended(self._factor, *blocks, noise[n:])


def _stacked(X, more):
    """Rows below each other, CSR where either is; or graphs."""
    if isinstance(X, Graphs):
        return X.followed_by(more)
    if sparse.issparse(X) or sparse.issparse(more):
        return sparse.vstack([sparse.csr_array(X), sparse.csr_array(more)])
    return np.vstack([X, more])
