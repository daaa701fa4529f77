"""Piecewise linear activations, and the sign."""

import math

import numpy as np

from sklearn_ntk._engine.forward_mode import Dual, chain, value_of
from sklearn_ntk.networks._activation import Homogeneous, angle_minus_sine
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._closed_forms import ANY, folded_angle
from sklearn_ntk.networks._pairs import small_gap

OPPOSED = -0.9  # cosine below which the two parts of a ReLU's kernel cancel

__all__ = ["ABReLU", "Abs", "LeakyReLU", "ReLU", "Sign"]


class _PiecewiseLinear(Homogeneous):
    r"""``a * u`` for ``u < 0`` and ``b * u`` for ``u > 0``.

    With :math:`\alpha = (a + b)/2, \beta = (b - a)/2` the function is
    :math:`\alpha u + \beta |u|`, and

    .. math:: f(c) = \alpha^2 c + \beta^2 \tfrac{2}{\pi} (s + c \arcsin c).
    """

    degree = 1

    @property
    def _slopes(self):
        """The slopes (a, b)."""
        raise NotImplementedError

    def __call__(self, u):
        a, b = self._slopes
        return np.where(np.asarray(u) < 0, a, b) * u

    def derivative(self, u):
        a, b = self._slopes
        u = np.asarray(u)
        return np.where(u < 0, a, np.where(u > 0, b, 0.5 * (a + b)))

    @property
    def gain(self):
        a, b = self._slopes
        return 0.5 * (a**2 + b**2)

    def profile(self, xp, cos, sin):
        linear, even = self._shares
        if value_of(even) == 0.0:
            return cos, sin, xp.ones_like(cos)
        gain = (2.0 / math.pi) * even
        turned = xp.atan2(cos, sin) + linear / gain
        slope = gain * turned
        if isinstance(gain, Dual):
            h = gain * (sin + cos * turned)
        else:  # the same, and its derivative is known
            h = gain * (value_of(sin) + value_of(cos) * value_of(turned))
            h = chain(h, (cos, value_of(slope)))
        opposed = cos < OPPOSED
        if xp.any(opposed):
            folded, rest = _rest(xp, cos, sin)
            h = xp.where(opposed, (even - linear) * folded + even * rest, h)

        def sine():
            folded, rest = _rest(xp, cos, sin)
            near, far = small_gap(folded, sin), 1.0 + folded
            positive = value_of(cos) >= 0
            below = linear * xp.where(positive, near, far) + even * (near - rest)
            above = linear * xp.where(positive, far, near) + even * (far + rest)
            return xp.sqrt(xp.where(below > 0, below, 0.0) * above)

        return h, sine, slope

    @property
    def _shares(self):
        """What the function's odd and its even part have of the gain."""
        a, b = self._slopes
        total = 2.0 * (a**2 + b**2)
        return (a + b) ** 2 / total, (b - a) ** 2 / total


def _rest(xp, cos, sin):
    """The folded cosine, and ``E|u||v|`` at unit variance less it, to all digits."""
    _, folded, angle = folded_angle(xp, cos, sin)
    gap = small_gap(folded, sin)
    return folded, (2.0 / math.pi) * (angle * gap - angle_minus_sine(xp, angle, sin))


class ReLU(_PiecewiseLinear):
    r"""The rectifier ``max(u, 0)``.

    .. math:: K = \frac{\sqrt{q q'}}{2 \pi}
        (\sin\vartheta + (\pi - \vartheta) \cos\vartheta), \quad
        \dot K = \frac{\pi - \vartheta}{2 \pi}

    References
    ----------
    .. [1] Cho, Saul (2009). Kernel methods for deep learning, eq. 3-6 with n = 1.

    Examples
    --------
    >>> from sklearn_ntk.networks import ReLU
    >>> ReLU()([-1.0, 2.0])
    array([-0.,  2.])
    """

    _slopes = (0.0, 1.0)


class Abs(_PiecewiseLinear):
    r"""The absolute value.

    .. math:: K = \frac{2}{\pi} \sqrt{q q'} (s + c \arcsin c), \quad
        \dot K = \frac{2}{\pi} \arcsin c

    Examples
    --------
    >>> from sklearn_ntk.networks import Abs
    >>> Abs()([-1.0, 2.0])
    array([1., 2.])
    """

    _slopes = (-1.0, 1.0)


class LeakyReLU(_PiecewiseLinear):
    """``negative_slope * u`` for ``u < 0``, and u otherwise.

    Parameters
    ----------
    negative_slope : float, default=0.01
    negative_slope_bounds : pair of floats or "fixed", default="fixed"
        Between which a positive slope may be learned.

    See Also
    --------
    ABReLU : Both slopes are free; its kernel is the one used here.

    Examples
    --------
    >>> from sklearn_ntk.networks import LeakyReLU
    >>> LeakyReLU(0.1)([-1.0, 2.0])
    array([-0.1,  2. ])
    """

    _parameter_constraints = {"negative_slope": ANY, "negative_slope_bounds": BOUNDS}

    def __init__(self, negative_slope=0.01, *, negative_slope_bounds="fixed"):
        self.negative_slope = negative_slope
        self.negative_slope_bounds = negative_slope_bounds

    @property
    def _slopes(self):
        return self.negative_slope, 1.0


class ABReLU(_PiecewiseLinear):
    r"""``a * u`` for ``u < 0`` and ``b * u`` for ``u > 0``.

    .. math:: K = \sqrt{q q'} \left[ \tfrac{(a + b)^2}{4} c
        + \tfrac{(b - a)^2}{2 \pi} (s + c \arcsin c) \right]

    Parameters
    ----------
    a, b : float, default=0.0 and 1.0
        Slopes; not both 0.
    a_bounds, b_bounds : pair of floats or "fixed", default="fixed"
        Between which a positive slope may be learned.

    References
    ----------
    .. [1] Tsuchida, Roosta-Khorasani, Gallagher (2018). Invariance of weight
       distributions in rectified MLPs.

    Examples
    --------
    >>> from sklearn_ntk.networks import ABReLU
    >>> ABReLU(-0.5, 2.0)([-1.0, 2.0])
    array([0.5, 4. ])
    """

    _parameter_constraints = {
        "a": ANY,
        "b": ANY,
        "a_bounds": BOUNDS,
        "b_bounds": BOUNDS,
    }

    def __init__(self, a=0.0, b=1.0, *, a_bounds="fixed", b_bounds="fixed"):
        self.a = a
        self.b = b
        self.a_bounds = a_bounds
        self.b_bounds = b_bounds

    def validate(self):
        super().validate()
        if self.a == 0 and self.b == 0:
            raise ValueError("The slopes 'a' and 'b' of ABReLU must not both be 0.")

    @property
    def _slopes(self):
        return self.a, self.b


class Sign(Homogeneous):
    r"""The sign of u; the sign of 0 is 0.

    .. math:: K = \frac{2}{\pi} \arcsin c, \quad \dot K = 0

    No gradient passes a sign, which is flat wherever it has a derivative.

    Examples
    --------
    >>> from sklearn_ntk.networks import Sign
    >>> Sign()([-3.0, 2.0])
    array([-1.,  1.])
    """

    degree = 0
    gain = 1.0

    def __call__(self, u):
        return np.sign(u)

    def derivative(self, u):
        return np.zeros_like(u)

    def profile(self, xp, cos, sin):
        sign, _, angle = folded_angle(xp, cos, sin)
        gap = (2.0 / math.pi) * angle
        return sign * (1.0 - gap), xp.sqrt(gap * (2.0 - gap)), xp.zeros_like(cos)
