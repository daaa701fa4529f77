"""Exponential activations."""

import math
from numbers import Real

import numpy as np

from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk.networks._activation import Activation, Homogeneous
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._closed_forms import ANY
from sklearn_ntk.networks._pairs import one_minus_cos

__all__ = ["Exp", "ExpNormalized"]


class Exp(Activation):
    r"""The exponential ``a * exp(b * u)``.

    .. math:: K = a^2 e^{b^2 (q + q' + 2 k) / 2}, \quad \dot K = b^2 K

    Its kernel overflows to inf where the exponent passes 709.

    Parameters
    ----------
    a, b : float, default=1.0
    a_bounds, b_bounds : pair of floats or "fixed", default="fixed"
        Between which a positive value may be learned.

    References
    ----------
    .. [1] Mairal, Koniusz, Harchaoui, Schmid (2014). Convolutional kernel networks.

    Examples
    --------
    >>> from sklearn_ntk.networks import Exp
    >>> Exp()([0.0])
    array([1.])
    """

    _parameter_constraints = {
        **dict.fromkeys(("a", "b"), ANY),
        **dict.fromkeys(("a_bounds", "b_bounds"), BOUNDS),
    }

    def __init__(self, a=1.0, b=1.0, *, a_bounds="fixed", b_bounds="fixed"):
        self.a = a
        self.b = b
        self.a_bounds = a_bounds
        self.b_bounds = b_bounds

    def __call__(self, u):
        return self.a * np.exp(self.b * np.asarray(u))

    def derivative(self, u):
        return self.b * self(u)

    def transform(self, xp, std_x, std_y, cos, sin):
        x, y = self.b * std_x, self.b * std_y
        gap = one_minus_cos(xp, cos, sin)
        exponent = 0.5 * (x - y) ** 2 + x * y * gap
        out_cos = xp.exp(-exponent)
        out_sin = xp.sqrt(-xp.expm1(-2.0 * exponent))
        derivative = self.b * self.b * self._nngp(xp, x, y, cos, sin)
        return self._std(xp, x), self._std(xp, y), out_cos, out_sin, derivative

    def _nngp(self, xp, x, y, cos, sin):
        gap = one_minus_cos(xp, -cos, sin)
        return self.a * self.a * xp.exp(0.5 * (x - y) ** 2 + x * y * gap)

    def _std(self, xp, x):
        """Kept finite: the angle stays defined where the covariance overflows."""
        return abs(self.a) * xp.exp(xp.minimum(x**2, 350.0 * xp.ones_like(x)))

    def propagate(self, pairs):
        p, out = pairs.resolve(), super().propagate(pairs)
        x, y = self.b * p.std_x, self.b * p.std_y
        return out.replace(nngp=self._nngp(p.xp, x, y, p.cos, p.sin))


class ExpNormalized(Homogeneous):
    r"""The kernel of an exponential on normalised features.

    .. math:: K = \sqrt{q q'} \exp(\gamma (c + \mathrm{shift})), \quad
        \dot K = \gamma \exp(\gamma (c + \mathrm{shift}))

    It is known by its kernel only; there is no function of one variable.

    Parameters
    ----------
    gamma : float, default=1.0
    shift : float, default=-1.0
        -1 keeps the variance.
    gamma_bounds : pair of floats or "fixed", default="fixed"
        Between which gamma may be learned.

    References
    ----------
    .. [1] Mairal, Koniusz, Harchaoui, Schmid (2014). Convolutional kernel networks.
    .. [2] Shankar et al. (2020). Neural kernels without tangents.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, ExpNormalized, Sequential
    >>> NNGP(Sequential(Dense(1.0, 0.0), ExpNormalized()))([[2.0]])
    array([[4.]])
    """

    _parameter_constraints = {
        "gamma": [Interval(Real, 0, np.inf, closed="left")],
        "shift": ANY,
        "gamma_bounds": BOUNDS,
    }
    degree = 1

    def __init__(self, gamma=1.0, shift=-1.0, *, gamma_bounds="fixed"):
        self.gamma = gamma
        self.shift = shift
        self.gamma_bounds = gamma_bounds

    @property
    def gain(self):
        return math.e ** (self.gamma * (1.0 + self.shift))

    def profile(self, xp, cos, sin):
        gap = one_minus_cos(xp, cos, sin)
        h = xp.exp(-self.gamma * gap)
        sine = xp.sqrt(-xp.expm1(-self.gamma * gap) * (1.0 + h))
        return h, sine, self.gamma * h
