"""What several closed forms share."""

from numbers import Real

import numpy as np

from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._pairs import ratio, sign_of

__all__ = [
    "ANY",
    "NON_NEGATIVE",
    "NON_POSITIVE",
    "Adjustable",
    "arcsine_gap",
    "folded_angle",
    "parallel",
    "with_unit_noise",
]

ANY = [Interval(Real, -np.inf, np.inf, closed="neither")]
NON_POSITIVE = [Interval(Real, -np.inf, 0, closed="right")]
NON_NEGATIVE = [Interval(Real, 0, np.inf, closed="left")]


def with_unit_noise(xp, std_x, std_y, cos, sin, scale):
    r"""The angle after independent unit noise is added to each of the scaled rows.

    Most Gaussian integrals are functions of
    :math:`D = (1 + b^2 q)(1 + b^2 q') - b^4 k^2`, which is
    :math:`(\sin / (\beta \beta'))^2` in the quantities returned here.

    Returns
    -------
    noise_x, noise_y : array
        :math:`\beta = 1 / \sqrt{1 + b^2 q}`.
    signal : array
        :math:`b^2 \sqrt{q q'} \beta \beta'`.
    cos, sin : array
        Of the angle.
    """
    scaled_x, scaled_y = std_x * scale, std_y * scale
    noise_x = 1.0 / xp.hypot(xp.ones_like(std_x), scaled_x)
    noise_y = 1.0 / xp.hypot(xp.ones_like(std_y), scaled_y)
    signal = (scaled_x * noise_x) * (scaled_y * noise_y)
    nx, ny = noise_x**2, noise_y**2
    sine = xp.sqrt((signal * sin) ** 2 + (nx + ny * (1.0 - nx)))
    return noise_x, noise_y, signal, signal * cos, sine


def parallel(xp, std_x, std_y, scale):
    """`with_unit_noise` where the angle is 0: noise_x, noise_y, cos, sin."""
    cos, sin = xp.ones_like(std_x), xp.zeros_like(std_x)
    noise_x, noise_y, _, cos, sin = with_unit_noise(xp, std_x, std_y, cos, sin, scale)
    return noise_x, noise_y, cos, sin


def arcsine_gap(xp, c1, s1, c, s, gap):
    """``arcsin(c1) - arcsin(c)`` where ``c = c1 * (1 - gap)``; s1, s the cosines."""
    apart = ratio(xp, c1 + c, c1 * s + c * s1)
    return xp.atan2(c1 * gap * apart, c1 * c + s1 * s)


class Adjustable(Activation):
    """An activation with an amplitude a, a frequency b and an offset c."""

    _parameter_constraints = {
        **dict.fromkeys(("a", "b", "c"), ANY),
        **dict.fromkeys(("a_bounds", "b_bounds", "c_bounds"), BOUNDS),
    }

    def __init__(
        self,
        a=1.0,
        b=1.0,
        c=0.0,
        *,
        a_bounds="fixed",
        b_bounds="fixed",
        c_bounds="fixed",
    ):
        self.a = a
        self.b = b
        self.c = c
        self.a_bounds = a_bounds
        self.b_bounds = b_bounds
        self.c_bounds = c_bounds


def folded_angle(xp, cos, sin):
    """The angle folded to [0, pi/2], and its cosine and sign."""
    sign = sign_of(xp, cos)
    folded = sign * cos
    return sign, folded, xp.atan2(sin, folded)
