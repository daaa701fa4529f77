"""Activations made of the error function."""

import math

import numpy as np
from scipy.special import erf, ndtr

from sklearn_ntk._engine.forward_mode import value_of
from sklearn_ntk.networks._activation import Activation, angle_minus_sine
from sklearn_ntk.networks._close import Part, stretched
from sklearn_ntk.networks._closed_forms import (
    Adjustable,
    arcsine_gap,
    parallel,
    with_unit_noise,
)
from sklearn_ntk.networks._pairs import ratio, sign_of, small_gap

__all__ = ["GELU", "Erf", "SigmoidLike"]


class Erf(Adjustable):
    r"""The error function, ``a * erf(b * u) + c``.

    .. math:: K = \frac{2 a^2}{\pi} \arcsin
        \frac{2 b^2 k}{\sqrt{(1 + 2 b^2 q)(1 + 2 b^2 q')}} + c^2, \quad
        \dot K = \frac{4 a^2 b^2}{\pi \sqrt{(1 + 2 b^2 q)(1 + 2 b^2 q')
        - 4 b^4 k^2}}

    Parameters
    ----------
    a, b, c : float, default=1.0, 1.0 and 0.0
    a_bounds, b_bounds, c_bounds : pair of floats or "fixed", default="fixed"
        Between which a positive value may be learned.

    References
    ----------
    .. [1] Williams (1997). Computing with infinite networks, eq. 11.

    Examples
    --------
    >>> from sklearn_ntk.networks import Erf
    >>> Erf()([0.0, 1.0]).round(4)
    array([0.    , 0.8427])
    """

    def __call__(self, u):
        return self.a * erf(self.b * np.asarray(u)) + self.c

    def derivative(self, u):
        b = self.b * np.asarray(u)
        return self.a * self.b * (2.0 / math.pi**0.5) * np.exp(-b * b)

    def moments(self, xp, std_x, std_y, cos, sin):
        b2 = self.b * self.b
        scale = (2.0 * b2) ** 0.5
        nx, ny, _, c, s = with_unit_noise(xp, std_x, std_y, cos, sin, scale)
        gain = (2.0 / math.pi) * self.a * self.a
        return gain * xp.atan2(c, s) + self.c * self.c, gain * (2.0 * b2) * nx * ny / s

    def parts(self, xp, std_x, std_y, cos, sin):
        scale = (2.0 * self.b * self.b) ** 0.5

        def residual(x, y, mean):
            near_zero = value_of(mean * scale) < 1.0
            _, _, c, s = parallel(xp, x, y, scale)
            small = ratio(xp, angle_minus_sine(xp, xp.atan2(c, s), c), c)
            large = (-2.0 / math.pi) * xp.atan2(s, c)
            return xp.log1p(xp.where(near_zero, small, large))

        def size(x):
            _, _, c, s = parallel(xp, x, x, scale)
            return xp.sqrt(xp.atan2(c, s))

        size_x, size_y = size(std_x), size(std_y)
        _, _, _, c, s = with_unit_noise(xp, std_x, std_y, cos, sin, scale)
        _, _, c1, s1 = parallel(xp, std_x, std_y, scale)
        turn = arcsine_gap(xp, c1, s1, c, s, small_gap(cos, sin))
        gap = stretched(xp, residual, std_x, std_y)
        gap = gap + ratio(xp, turn, size_x * size_y)
        root = abs(self.a) * (2.0 / math.pi) ** 0.5
        one = abs(self.c) * xp.ones_like(cos)
        odd = Part(root * size_x, root * size_y, gap)
        return odd, Part(one, one, xp.zeros_like(cos))


class SigmoidLike(Erf):
    """A sigmoid made of the error function, ``(1 + erf(u / 2.402)) / 2``.

    The scale 2.4020563531719796 makes it closest to the logistic sigmoid.

    Examples
    --------
    >>> from sklearn_ntk.networks import SigmoidLike
    >>> SigmoidLike()([0.0, 100.0])
    array([0.5, 1. ])
    """

    _parameter_constraints: dict = {}

    def __init__(self):
        super().__init__(0.5, 1.0 / 2.4020563531719796, 0.5)

    def _continuous(self):
        return []


class GELU(Activation):
    r"""The Gaussian error linear unit :math:`u \Phi(u)`.

    With :math:`D = (1 + q)(1 + q') - k^2, r = k / \sqrt{(1 + q)(1 + q')}`

    .. math:: K &= \frac{k}{4} + \frac{1}{2 \pi} \left[ k \arcsin r
        + \frac{q q' - k^2 + k^2 (\frac{1}{1 + q} + \frac{1}{1 + q'})}
        {\sqrt D} \right] \\
        \dot K &= \frac{1}{4} + \frac{1}{2 \pi} \left[ \arcsin r
        + \frac{k}{\sqrt D} \left( \frac{1}{1 + q} + \frac{1}{1 + q'}
        + \frac{1}{D} \right) \right]

    References
    ----------
    .. [1] Tsuchida, Pearce, van der Heide, Roosta, Gallagher (2021). Avoiding kernel
       fixed points: computing with ELU and GELU infinite networks.

    Examples
    --------
    >>> from sklearn_ntk.networks import GELU
    >>> GELU()([0.0, 1.0]).round(4)
    array([0.    , 0.8413])
    """

    def __call__(self, u):
        return np.asarray(u) * ndtr(u)

    def derivative(self, u):
        u = np.asarray(u)
        return ndtr(u) + u * np.exp(-0.5 * u * u) / (2.0 * math.pi) ** 0.5

    def moments(self, xp, std_x, std_y, cos, sin):
        nx, ny, signal, c, s = with_unit_noise(xp, std_x, std_y, cos, sin, 1.0)
        sign = sign_of(xp, cos)
        folded, r = sign * cos, sign * c
        angle = xp.atan2(s, r)
        noise, both = nx**2 + ny**2, (nx * ny) ** 2
        # The closed form less what its terms cancel for antipodal rows.
        rest = (
            s * (signal * sin**2 - folded * noise) / (1.0 + r)
            + folded * both / s
            - folded * angle_minus_sine(xp, angle, s)
        )
        k = 0.25 * (cos + folded) + (0.5 / math.pi) * rest
        derivative = 0.25 * (1.0 + sign) + (0.5 / math.pi) * sign * (
            r / s * (noise + both / s**2) - angle
        )
        return std_x * std_y * k, derivative

    def parts(self, xp, std_x, std_y, cos, sin):
        r"""Those of :math:`\tfrac u2 + \tfrac u2 \mathrm{erf}(u / \sqrt 2)`."""

        def residual(x, y, mean):
            near_zero = value_of(mean) < 1.0
            nx, ny, c, s = parallel(xp, x, y, 1.0)
            noise, both = nx**2 + ny**2, (nx * ny) ** 2
            power = (x * nx) ** 2 + (y * ny) ** 2
            small = ratio(xp, angle_minus_sine(xp, xp.atan2(c, s), c), c)
            below = xp.where(near_zero, s * (noise + 2.0 * s), 1.0)
            small = small - (power * (4.0 - power) - 4.0 * c * c) / below
            large = angle_minus_sine(xp, xp.atan2(s, c), s)
            large = large + s**3 / (1.0 + c) - c * both / s
            large = (-2.0 / math.pi) * large
            return xp.log1p(xp.where(near_zero, small / 3.0, large))

        def size(x):
            nx, ny, c, s = parallel(xp, x, x, 1.0)
            return xp.sqrt(xp.atan2(c, s) + c * (nx**2 + ny**2) / s)

        size_x, size_y = size(std_x), size(std_y)
        _, _, _, c, s = with_unit_noise(xp, std_x, std_y, cos, sin, 1.0)
        nx, ny, c1, s1 = parallel(xp, std_x, std_y, 1.0)
        noise, near = nx**2 + ny**2, small_gap(cos, sin)
        turn = arcsine_gap(xp, c1, s1, c, s, near) + xp.atan2(c, s) * near
        turn = turn + c1 * sin * (sin / s) * (
            c1 * c1 * noise / (s1 * (s + s1)) + noise - 1.0
        )
        gap = stretched(xp, residual, std_x, std_y)
        gap = gap + ratio(xp, turn, size_x * size_y)
        root = (0.5 / math.pi) ** 0.5
        return (
            Part(0.5 * std_x, 0.5 * std_y, near),
            Part(root * std_x * size_x, root * std_y * size_y, gap),
        )
