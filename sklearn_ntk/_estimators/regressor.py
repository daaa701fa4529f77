"""What the regressors share: targets, the fit and predictions with their spread."""

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from sklearn_ntk._engine.gram import diagonal
from sklearn_ntk._estimators.growing import GrowingEstimator, takes_more_rows
from sklearn_ntk._estimators.targets import TargetScale
from sklearn_ntk._sklearn_private import _fit_context

__all__ = ["NetworkRegressor"]


class NetworkRegressor(MultiOutputMixin, RegressorMixin, GrowingEstimator):
    """Base class of the regressors.

    A subclass says what its covariance needs of the kernels, ``_spread(X, full)``.
    """

    _parameter_constraints: dict = {
        **GrowingEstimator._parameter_constraints,
        "normalize_y": ["boolean"],
    }

    def __init__(
        self,
        network=None,
        *,
        alpha=0.05,
        normalize_y=True,
        device=None,
        n_jobs=None,
    ):
        self.network = network
        self.alpha = alpha
        self.normalize_y = normalize_y
        self.device = device
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
        self._prepare(X, y, sample_weight)
        self._learn()
        self._factor = self._trained(self._train_gram(self._kind, self.network_))
        return self._finished()

    @available_if(takes_more_rows)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Fit the model to more rows, beside those it has been fitted to.

        The result is that of a fit to all rows, and the first call is such a fit. To
        the end of training the factorisation grows by a block, so that m rows more
        than n take of the order of :math:`n^2 m` operations; for a finite training
        time, or where a jitter is needed, it is made anew. The network, and what was
        learned of it and of `alpha`, stay as they are.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            More rows. There is no `partial_fit` for a precomputed matrix.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets. Centring and scaling are renewed with them.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights, as for `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not valid, or unlike those before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If alpha is too small for the conditioning, with the jitter added.
        """
        if not self._is_trained():
            return self.fit(X, y, sample_weight)
        X, y = self._validated_for_update(X, y, multi_output=True, y_numeric=True)
        if y.shape[1:] != self._y.shape[1:]:
            raise ValueError(
                f"y must have the shape {('n_samples', *self._y.shape[1:])} of the "
                f"targets before. Got {y.shape}."
            )
        X, weight, alpha, rows = self._counting(X, sample_weight)
        blocks = self._blocks(X)
        self._append(X, weight, alpha)
        self._set_targets(np.concatenate([self._y_fit, y[rows]]))
        self._factor = self._retrained(blocks)
        return self._finished()

    def _prepare(self, X, y, sample_weight):
        """Keep what counts of the training set, with standardised targets."""
        self._set_targets(self._keep_rows(X, y, sample_weight))

    def _set_targets(self, y):
        self._y_fit = y.astype(np.float64, copy=False)
        if self.normalize_y:
            self._targets = TargetScale.of(self._y_fit, self._weight)
        else:
            self._targets = TargetScale.identity(self._y_fit)
        self._y = self._targets.standardized(self._y_fit)

    def _finished(self):
        self.dual_coef_ = self._factor.solve(self._y)
        self._scale_spread()
        return self

    def _learn(self):
        """Choose hyperparameters from the data; here there is nothing to choose."""

    def _scale_spread(self):
        """Choose the units of standard deviations: those of the targets."""
        self._spread_scale = self._targets.scale

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
        self._check_options(return_std, return_cov)
        X = self._validated(X)
        if not (return_std or return_cov):
            (cross,) = self._cross_gram(X, self._kind)
            return self._targets.restored(cross @ self.dual_coef_)
        spread = self._spread(X, full=return_cov)
        return self._restored(spread, self.dual_coef_, self._spread_factor())

    def _check_options(self, return_std, return_cov):
        if return_std and return_cov:
            raise RuntimeError(
                "At most one of return_std or return_cov can be requested."
            )
        if (return_std or return_cov) and self._is_precomputed():
            raise ValueError(
                "A standard deviation or covariance needs kernels that a precomputed "
                f"matrix does not hold. Give {type(self).__name__} a network instead "
                "of network='precomputed'."
            )

    def _prior(self, kind, X, full):
        """Covariances, or only variances, of new rows before they see data."""
        if full:
            (K,) = self._gram(self.network_, X, kinds=(kind,))
        else:
            (K,) = diagonal(self.network_, X, kinds=(kind,))
        return K

    def _spread_factor(self):
        """What data make of the prior covariance."""
        return self._factor

    def _restored(self, spread, dual_coef, factor):
        """Mean and standard deviation or covariance in the targets' units.

        The latter have one more axis where there are several targets.
        """
        mean = self._targets.restored(spread.cross @ dual_coef)
        given = spread.given(factor)
        if given.ndim == 1:
            return mean, np.multiply.outer(np.sqrt(given), self._spread_scale)
        return mean, np.multiply.outer(given, self._spread_scale**2)
