"""Functions of one variable with their first two derivatives, on either side of 0."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

__all__ = ["ExpLinear", "Logistic", "LogisticLinear", "Ramp", "Tangent"]


def _bump(u):
    """Derivative of the logistic function."""
    e = np.exp(-np.abs(u))
    return e / (1.0 + e) ** 2


@dataclass(frozen=True)
class Logistic:
    """1 / (1 + exp(-u))."""

    degree = 0

    def value(self, u):
        return expit(u)

    def slope(self, u):
        return _bump(u)

    def curvature(self, u):
        return -_bump(u) * np.tanh(0.5 * u)


@dataclass(frozen=True)
class Tangent:
    """tanh(u)."""

    degree = 0

    def value(self, u):
        return np.tanh(u)

    def slope(self, u):
        return 4.0 * _bump(2.0 * u)

    def curvature(self, u):
        return -8.0 * _bump(2.0 * u) * np.tanh(u)


@dataclass(frozen=True)
class Ramp:
    """log(1 + exp(u))."""

    degree = 1

    def value(self, u):
        return np.logaddexp(0.0, u)

    def slope(self, u):
        return expit(u)

    def curvature(self, u):
        return _bump(u)


@dataclass(frozen=True)
class LogisticLinear:
    """u / (1 + exp(-u))."""

    degree = 1

    def value(self, u):
        return u * expit(u)

    def slope(self, u):
        return expit(u) + u * _bump(u)

    def curvature(self, u):
        return _bump(u) * (2.0 - u * np.tanh(0.5 * u))


@dataclass(frozen=True)
class ExpLinear:
    """u for u > 0 and alpha * (exp(u) - 1) for u < 0."""

    alpha: float

    degree = 1

    def value(self, u):
        return np.where(u > 0, u, self.alpha * np.expm1(np.minimum(u, 0.0)))

    def slope(self, u):
        return np.where(u > 0, 1.0, self.alpha * np.exp(np.minimum(u, 0.0)))

    def curvature(self, u):
        return np.where(u > 0, 0.0, self.alpha * np.exp(np.minimum(u, 0.0)))
