"""Hyperparameters learned by marginal likelihood."""

import warnings
from contextlib import nullcontext

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ntk._engine.devices import host_array, to_cuda
from sklearn_ntk._engine.threads import single_threaded_blas
from sklearn_ntk._estimators.base import noise_of
from sklearn_ntk._estimators.marginal_likelihood import (
    alpha_slope,
    gram_slope,
    log_marginal_likelihood,
    minimized,
)
from sklearn_ntk._sklearn_private import InvalidParameterError
from sklearn_ntk.kernels import NNGP

__all__ = ["LearnedLikelihood"]

SMALL = 500  # rows below which threads of BLAS cost more than they gain


class LearnedLikelihood:
    """Mixin of a regressor that knows, and may maximise, its marginal likelihood.

    Its theta is that of its kernel, followed by log(alpha) where alpha is free: one
    positive number with bounds. A precomputed kernel has no theta of its own.
    """

    @property
    def log_marginal_likelihood_value_(self):
        """The log marginal likelihood at `theta_`."""
        check_is_fitted(self)
        return self._likelihood(self._factor, self._alpha)

    def log_marginal_likelihood(self, theta=None, eval_gradient=False):
        """The log marginal likelihood of the (standardised) targets of the fit.

        Parameters
        ----------
        theta : array-like of shape (n_dims,), default=None
            Logarithms of the free hyperparameters, laid out as `theta_`, which is
            what None means.
        eval_gradient : bool, default=False
            Whether to return the gradient in theta as well.

        Returns
        -------
        log_likelihood : float
            Summed over targets.
        log_likelihood_gradient : ndarray of shape (n_dims,)
            Only where `eval_gradient` is True.
        """
        check_is_fitted(self)
        if theta is None and not eval_gradient:
            return self.log_marginal_likelihood_value_
        theta = self.theta_ if theta is None else np.asarray(theta, dtype=np.float64)
        if theta.shape != self.theta_.shape:
            raise ValueError(
                f"theta must have shape {self.theta_.shape}, as theta_ has. Got "
                f"{theta.shape}."
            )
        return self._evaluate(theta, eval_gradient, self._factorize)

    def _evaluate(self, theta, eval_gradient, factorize):
        kernel, alpha = self._model(theta)
        K = self._train_gram(self._kind, getattr(kernel, "network", None))
        factor = factorize(K, noise_of(alpha, self._weight))
        value = self._likelihood(factor, alpha)
        return (value, self._slope(kernel, factor, alpha)) if eval_gradient else value

    def _likelihood(self, factor, alpha):
        return log_marginal_likelihood(factor, self._outputs(), alpha, self._weight)

    def _slope(self, kernel, factor, alpha):
        y = self._outputs()
        slope = gram_slope(factor, y)
        parts = [[]] if kernel is None else [self._contracted(kernel, slope)]
        if self._alpha_is_free():
            parts.append([alpha_slope(slope, alpha, self._weight, y.shape[1])])
        return np.concatenate(parts)

    def _contracted(self, kernel, slope):
        """The kernel's part, by the device that was asked for."""
        if self.device is None:
            return kernel.gradient_dot(self.X_fit_, slope)
        return host_array(kernel.gradient_dot(*map(to_cuda, (self.X_fit_, slope))))

    def _outputs(self):
        return self._y.reshape(len(self._y), -1)

    def _learn(self):
        self.kernel_ = None if self._is_precomputed() else NNGP(self.network_)
        self.theta_, bounds = self._free()
        if self.optimizer is not None and len(self.theta_):
            starts = [self.theta_, *self._random_starts(bounds)]
            small = len(self._y) < SMALL
            with single_threaded_blas() if small else nullcontext():
                best = minimized(self._objective, starts, bounds, self.optimizer)
            self.theta_ = np.array(best, dtype=np.float64)
            self._warn_at_bounds(bounds)
            self.kernel_, self._alpha = self._model(self.theta_)
            self.network_ = getattr(self.kernel_, "network", self.network_)

    def _alpha_of_more_rows(self, n_samples):
        learned = self.optimizer is not None and self._alpha_is_free()
        if learned:
            return np.full(n_samples, self.alpha_)
        return super()._alpha_of_more_rows(n_samples)

    def _finished(self):
        self.alpha_ = self._alpha if np.ndim(self.alpha) else float(self._alpha[0])
        return super()._finished()

    def _objective(self, theta, eval_gradient=True):
        """What is minimised; infinite where the kernel matrix is not sound."""
        try:
            found = self._evaluate(theta, eval_gradient, self._solver.factorize)
        except np.linalg.LinAlgError:
            return (np.inf, np.zeros_like(theta)) if eval_gradient else np.inf
        return (-found[0], -found[1]) if eval_gradient else -found

    def _free(self):
        """theta and its bounds before anything is learned."""
        theta, bounds = np.empty(0), np.empty((0, 2))
        if self.kernel_ is not None:
            theta = self.kernel_.theta
            bounds = np.reshape(self.kernel_.bounds, (-1, 2))
        if not self._alpha_is_free():
            return theta, bounds
        alpha_bounds = np.log(self._checked_alpha_bounds())
        return np.append(theta, np.log(self.alpha)), np.vstack([bounds, alpha_bounds])

    def _alpha_is_free(self):
        bounded = not isinstance(self.alpha_bounds, str)
        return bounded and np.ndim(self.alpha) == 0 and self.alpha > 0

    def _checked_alpha_bounds(self):
        bounds = np.asarray(self.alpha_bounds, dtype=np.float64)
        if bounds.shape != (2,) or not 0 < bounds[0] <= bounds[1] < np.inf:
            raise InvalidParameterError(
                f"The 'alpha_bounds' parameter of {type(self).__name__} must be a pair "
                "of floats 0 < low <= high or 'fixed'. Got "
                f"{self.alpha_bounds!r} instead."
            )
        return bounds

    def _model(self, theta):
        """The kernel, if there is one, and alpha per row at theta."""
        alpha = self._alpha
        if self._alpha_is_free():
            theta, alpha = theta[:-1], np.full_like(alpha, np.exp(theta[-1]))
        if self.kernel_ is None:
            return None, alpha
        return self.kernel_.clone_with_theta(theta), alpha

    def _random_starts(self, bounds):
        rng = check_random_state(self.random_state)
        for _ in range(self.n_restarts_optimizer):
            yield rng.uniform(bounds[:, 0], bounds[:, 1])

    def _names(self):
        """Of the elements of theta."""
        free = [] if self.kernel_ is None else self.kernel_.hyperparameters
        names = [h.name for h in free if not h.fixed for _ in range(h.n_elements)]
        return [*names, "alpha"] if self._alpha_is_free() else names

    def _warn_at_bounds(self, bounds):
        for name, value, ends in zip(self._names(), self.theta_, bounds, strict=True):
            for bound in ends[np.isclose(ends, value)]:
                warnings.warn(
                    f"The optimal value found for {name} is close to its bound "
                    f"{np.exp(bound):.4g}. Widening the bounds may find a better one.",
                    ConvergenceWarning,
                    stacklevel=4,
                )
