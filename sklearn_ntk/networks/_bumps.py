"""Activations that vanish far from 0."""

import math

import numpy as np

from sklearn_ntk._engine.forward_mode import value_of
from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._close import Part, stretched, turned
from sklearn_ntk.networks._closed_forms import (
    ANY,
    NON_POSITIVE,
    parallel,
    with_unit_noise,
)
from sklearn_ntk.networks._pairs import ratio

__all__ = ["Gabor", "Gaussian"]


class Gaussian(Activation):
    r"""The bump ``a * exp(b * u**2)``, b <= 0.

    .. math:: K = \frac{a^2}{\sqrt D}, \quad \dot K = \frac{4 a^2 b^2 k}{D^{3/2}},
        \quad D = (1 - 2 b q)(1 - 2 b q') - 4 b^2 k^2

    Parameters
    ----------
    a, b : float, default=1.0 and -1.0
    a_bounds : pair of floats or "fixed", default="fixed"
        Between which a positive a may be learned.

    References
    ----------
    .. [1] Williams (1997). Computing with infinite networks, eq. 13.

    Examples
    --------
    >>> from sklearn_ntk.networks import Gaussian
    >>> Gaussian()([0.0])
    array([1.])
    """

    _parameter_constraints = {"a": ANY, "b": NON_POSITIVE, "a_bounds": BOUNDS}

    def __init__(self, a=1.0, b=-1.0, *, a_bounds="fixed"):
        self.a = a
        self.b = b
        self.a_bounds = a_bounds

    def __call__(self, u):
        return self.a * np.exp(self.b * np.square(u))

    def derivative(self, u):
        return 2.0 * self.b * np.asarray(u) * self(u)

    def moments(self, xp, std_x, std_y, cos, sin):
        scale = (-2.0 * self.b) ** 0.5
        nx, ny, _, c, s = with_unit_noise(xp, std_x, std_y, cos, sin, scale)
        nngp = self.a * self.a * (nx * ny / s)
        return nngp, nngp * (-2.0 * self.b) * c * (nx * ny) / (s * s)

    def parts(self, xp, std_x, std_y, cos, sin):
        scale = (-2.0 * self.b) ** 0.5
        nx, ny, signal, _, s = with_unit_noise(xp, std_x, std_y, cos, sin, scale)
        step, size = scale * (std_x - std_y), scale * (std_x + std_y)
        apart = (step * (nx * ny) / s) * (size * (nx * ny) / s)
        turn = (signal * sin / s) ** 2
        # the cosine is (D(q, q) D(q', q') / D(q, q')**2) ** (1 / 4)
        gap = -xp.expm1(0.25 * xp.log1p(-(apart**2) - turn * (2.0 - turn)))
        return None, Part(self._std(xp, std_x), self._std(xp, std_y), gap)


class Gabor(Activation):
    r"""The wavelet ``exp(-u**2) * sin(u)``.

    With :math:`D = (1 + 2 q)(1 + 2 q') - 4 k^2` and
    :math:`t = (q + q' + 4 (q q' - k^2)) / D`

    .. math:: K = \frac{e^{-t/2}}{\sqrt D} \sinh\frac{k}{D}

    Examples
    --------
    >>> from sklearn_ntk.networks import Gabor
    >>> Gabor()([0.0, 1.0]).round(4)
    array([0.    , 0.3096])
    """

    def __call__(self, u):
        return np.exp(-np.square(u)) * np.sin(u)

    def derivative(self, u):
        u = np.asarray(u)
        return np.exp(-u * u) * (np.cos(u) - 2.0 * u * np.sin(u))

    def moments(self, xp, std_x, std_y, cos, sin):
        nx, ny, signal, c, s = with_unit_noise(
            xp, std_x, std_y, cos, sin, math.sqrt(2.0)
        )
        root = nx * ny / s  # 1 / sqrt(D)
        shared = 0.5 * c * root / s  # k / D
        mx, my = 1.0 - nx**2, 1.0 - ny**2
        spread = (0.5 * (mx * ny**2 + my * nx**2) + (signal * sin) ** 2) / s**2
        decay = root * xp.exp(-0.5 * spread)
        nngp = decay * xp.sinh(shared)
        derivative = nngp * 4.0 * shared * (2.0 - spread) + decay * xp.cosh(shared) * (
            root**2 + 8.0 * shared**2
        )
        return nngp, derivative

    def parts(self, xp, std_x, std_y, cos, sin):
        def residual(x, y, mean):
            near_zero = value_of(mean) < 0.5
            nx, ny, signal, s = parallel(xp, x, y, math.sqrt(2.0))
            spread = 0.25 * signal**2 * (nx**2 + ny**2) / s**2
            log = xp.log1p(-xp.where(near_zero, signal**2, 0.0))
            log = log + xp.log(xp.where(near_zero, 1.0, s**2 / (nx * ny)))
            square = (0.5 * signal * nx * ny / s**2) ** 2
            series = 0.0
            for k in (5, 4, 3, 2, 1):
                series = (1.0 + series) * square / (2 * k * (2 * k + 1))
            return spread - 1.5 * log + xp.log1p(series)

        def slope(c, s):
            return self.moments(xp, std_x, std_y, c, s)[1]

        out_x, out_y = self._std(xp, std_x), self._std(xp, std_y)
        turn = turned(xp, slope, cos, sin)
        turn = ratio(xp, std_x, out_x) * turn * ratio(xp, std_y, out_y)
        return Part(out_x, out_y, stretched(xp, residual, std_x, std_y) + turn), None
