"""Training for a time that may be finite, in the estimators that have one."""

import warnings
from numbers import Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk._solvers.spectral import LOST, Spectrum

__all__ = ["GradientFlow", "checked_times"]


class GradientFlow:
    """Mixin of an estimator whose network is trained for `training_time`.

    To the end of training a Cholesky factorisation leads, which is faster. An
    eigendecomposition serves all other times; it is made when first needed.
    """

    _parameter_constraints: dict = {
        "training_time": [Interval(Real, 0, np.inf, closed="both")],
        "learning_rate": [Interval(Real, 0, np.inf, closed="neither")],
    }

    def _trained(self, K):
        self._spectrum = None
        if np.isinf(self.training_time):
            return super()._trained(K)
        return self._trained_from(self._decomposed(K))

    def _trained_from(self, spectrum):
        """As `_trained`, with an eigendecomposition that serves any time."""
        self._spectrum = spectrum
        self._warn_of_rounding(np.array([self.training_time]))
        time = self.learning_rate * self.training_time
        return spectrum.at(time, self._common_alpha())

    def _retrained(self, blocks):
        self._spectrum = None
        return super()._retrained(blocks)

    def _at(self, time):
        """What training for a time makes of targets, ``.solve(y)``."""
        if np.isinf(time) and np.isinf(self.training_time):
            return self._factor
        return self._spectral().at(self.learning_rate * time, self._common_alpha())

    def _spectral(self):
        if self._spectrum is None:
            K = self._train_gram(self._kind, self.network_)
            self._spectrum = self._decomposed(K)
        return self._spectrum

    def _decomposed(self, K):
        extra = self._alpha - self._common_alpha()
        options = {"overwrite": True, "device": self.device}
        return Spectrum.of(K, self._weight, extra, **options)

    def _common_alpha(self):
        """The part of alpha that shifts eigenvalues, being that of all rows."""
        return np.min(self._alpha)

    def _dual_coefs(self, y, times):
        """Dual coefficients for targets y at all times, (n_times, n_samples, k)."""
        spectrum = self._spectral()
        self._warn_of_rounding(times)
        return spectrum.dual_coef(y, self.learning_rate * times, self._common_alpha())

    def _warn_of_rounding(self, times):
        scaled = self.learning_rate * times
        rounding = self._spectrum.rounding(scaled, self._common_alpha())
        if np.max(rounding, initial=0.0) > LOST:
            worst = np.argmax(rounding)
            warnings.warn(
                f"At training time {times[worst]:.3g} a fit may be off by "
                f"{rounding[worst]:.0e} of the targets: the kernel matrix is too "
                "ill-conditioned for double precision. Increase alpha, or stop "
                "earlier.",
                ConvergenceWarning,
                stacklevel=4,
            )


def checked_times(training_times):
    """Times as an array of shape (n_times,); a ValueError says what is wrong."""
    times = np.asarray(training_times, dtype=np.float64)
    if times.ndim != 1 or not np.all(times >= 0):
        raise ValueError(
            "training_times must be an array-like of shape (n_times,) of floats in "
            f"the range [0.0, inf]. Got {training_times!r} instead."
        )
    return times
