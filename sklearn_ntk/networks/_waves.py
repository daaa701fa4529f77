"""Sines, cosines and the random Fourier feature."""

import math

import numpy as np

from sklearn_ntk._engine.forward_mode import value_of
from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._close import Part
from sklearn_ntk.networks._closed_forms import NON_NEGATIVE, Adjustable
from sklearn_ntk.networks._pairs import one_minus_cos, ratio, sign_of, small_gap

__all__ = [
    "RBF",
    "Cos",
    "Sin",
]


class Sin(Adjustable):
    r"""The sine ``a * sin(b * u + c)``.

    .. math:: K = \frac{a^2}{2} \left[ e^{-b^2 (q + q' - 2 k) / 2}
        - \cos(2 c)\, e^{-b^2 (q + q' + 2 k) / 2} \right]

    Parameters
    ----------
    a, b, c : float, default=1.0, 1.0 and 0.0
    a_bounds, b_bounds, c_bounds : pair of floats or "fixed", default="fixed"
        Between which a positive value may be learned.

    References
    ----------
    .. [1] Pearce, Tsuchida, Zaki, Brintrup, Neely (2019). Expressive priors in
       Bayesian neural networks: kernel combinations and periodic functions.

    Examples
    --------
    >>> from sklearn_ntk.networks import Sin
    >>> Sin(2.0)([0.0, 1.5707963267948966])
    array([0., 2.])
    """

    _is_cosine = False

    def __call__(self, u):
        return self.a * np.sin(self.b * np.asarray(u) + self.c)

    def derivative(self, u):
        return self.a * self.b * np.cos(self.b * np.asarray(u) + self.c)

    def moments(self, xp, std_x, std_y, cos, sin):
        x, y = self.b * std_x, self.b * std_y
        sign = sign_of(xp, cos)
        gap = small_gap(sign * cos, sin)
        larger = xp.exp(-0.5 * (x - y) ** 2 - x * y * gap)
        exponent = -2.0 * x * y * (sign * cos)
        even = 0.5 * larger * (1.0 + xp.exp(exponent))
        odd = -0.5 * sign * larger * xp.expm1(exponent)
        phase = self.c + xp.zeros_like(std_x)
        of_even, of_odd = xp.sin(phase) ** 2, xp.cos(phase) ** 2
        if self._is_cosine:
            of_even, of_odd = of_odd, of_even
        a2 = self.a * self.a
        return a2 * (of_even * even + of_odd * odd), a2 * self.b * self.b * (
            of_odd * even + of_even * odd
        )

    def parts(self, xp, std_x, std_y, cos, sin):
        x, y = abs(self.b) * std_x, abs(self.b) * std_y
        xx, yy = x * x, y * y
        below = -xp.expm1(-((x - y) ** 2) - 2.0 * x * y * small_gap(cos, sin))
        above = -xp.expm1(-((x - y) ** 2) - 2.0 * x * y * (1.0 + cos))
        apart = xp.exp(-xp.minimum(xx, yy)) * xp.expm1(-abs(x - y) * (x + y))
        even_x, even_y = 1.0 + xp.exp(-2.0 * xx), 1.0 + xp.exp(-2.0 * yy)
        odd_x, odd_y = -xp.expm1(-2.0 * xx), -xp.expm1(-2.0 * yy)
        even = (below * above + apart**2) / (even_x * even_y)
        odd = ratio(xp, below * above - apart**2, odd_x * odd_y)
        small = value_of(xx + yy) < 0.5
        if xp.any(small):
            odd = xp.where(small, _sine_of_sinh(xp, x, y, cos, sin), odd)
        phase = self.c + xp.zeros_like(std_x)
        of_even, of_odd = abs(xp.sin(phase)), abs(xp.cos(phase))
        if self._is_cosine:
            of_even, of_odd = of_odd, of_even
        root = abs(self.a) * 0.5**0.5
        of_even, of_odd = root * of_even, root * of_odd
        return (
            Part(of_odd * xp.sqrt(odd_x), of_odd * xp.sqrt(odd_y), _gap(xp, odd)),
            Part(of_even * xp.sqrt(even_x), of_even * xp.sqrt(even_y), _gap(xp, even)),
        )


def _gap(xp, sine_squared):
    """``1 - cos`` of an angle of at most pi/2."""
    inside = xp.minimum(sine_squared, xp.ones_like(sine_squared))
    inside = xp.maximum(inside, xp.zeros_like(inside))
    return inside / (1.0 + xp.sqrt(1.0 - inside))


def _sine_of_sinh(xp, x, y, cos, sin):
    """The squared sine of the kernel ``sinh(x * y * cos)``, by a series for small x, y.

    It is ``(C(A) - C(A - S) - C(A - T) + C(0)) / 2 sinh(x**2) sinh(y**2)`` with
    ``C(a) = cosh(sqrt(a))`` and powers of a whose differences do not cancel.
    """
    x, y = xp.minimum(x, xp.ones_like(x)), xp.minimum(y, xp.ones_like(y))
    xx, yy = x * x, y * y
    a, b = (xx + yy) ** 2, ((x - y) * (x + y)) ** 2
    c2, product = cos * cos, 4.0 * xx * yy
    c = product * c2
    term, b_power, c_power = sin * sin, 1.0, c2
    total, factorial = 0.5 * term, 2.0
    for k in range(2, 8):
        b_power = b_power * b
        # now b**(k - 1), and c_power is cos**2 * c**(k - 2)
        term = a * term + b_power + (b + product * sin * sin) * c_power
        c_power = c_power * c
        factorial *= (2 * k - 1) * (2 * k)
        total = total + term / factorial
    return 2.0 * total * _over_sinh(xp, xx) * _over_sinh(xp, yy)


def _over_sinh(xp, a):
    """``a / sinh(a)`` for a >= 0."""
    return xp.exp(-a) * ratio(xp, 2.0 * a, -xp.expm1(-2.0 * a))


class Cos(Sin):
    r"""The cosine ``a * cos(b * u + c)``.

    .. math:: K = \frac{a^2}{2} \left[ e^{-b^2 (q + q' - 2 k) / 2}
        + \cos(2 c)\, e^{-b^2 (q + q' + 2 k) / 2} \right]

    Parameters
    ----------
    a, b, c : float, default=1.0, 1.0 and 0.0
    a_bounds, b_bounds, c_bounds : pair of floats or "fixed", default="fixed"
        Between which a positive value may be learned.

    Examples
    --------
    >>> from sklearn_ntk.networks import Cos
    >>> Cos(2.0)([0.0])
    array([2.])
    """

    _is_cosine = True

    def __call__(self, u):
        return self.a * np.cos(self.b * np.asarray(u) + self.c)

    def derivative(self, u):
        return -self.a * self.b * np.sin(self.b * np.asarray(u) + self.c)


class RBF(Activation):
    r"""The random Fourier feature :math:`\sqrt 2 \sin(\sqrt{2 \gamma} u + \pi / 4)`.

    .. math:: K = e^{-\gamma (q + q' - 2 k)}, \quad \dot K = 2 \gamma K

    so that after a `Dense` without bias it is scikit-learn's RBF kernel.

    Parameters
    ----------
    gamma : float, default=1.0
    gamma_bounds : pair of floats or "fixed", default="fixed"
        Between which gamma may be learned.

    References
    ----------
    .. [1] Rahimi, Recht (2007). Random features for large-scale kernel machines.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, RBF, Sequential
    >>> NNGP(Sequential(Dense(1.0, 0.0), RBF(0.5)))([[0.0], [1.0]]).round(4)
    array([[1.    , 0.6065],
           [0.6065, 1.    ]])
    """

    _parameter_constraints = {"gamma": NON_NEGATIVE, "gamma_bounds": BOUNDS}

    def __init__(self, gamma=1.0, *, gamma_bounds="fixed"):
        self.gamma = gamma
        self.gamma_bounds = gamma_bounds

    def __call__(self, u):
        phase = math.sqrt(2.0 * self.gamma) * np.asarray(u) + 0.25 * math.pi
        return math.sqrt(2.0) * np.sin(phase)

    def derivative(self, u):
        phase = math.sqrt(2.0 * self.gamma) * np.asarray(u) + 0.25 * math.pi
        return 2.0 * math.sqrt(self.gamma) * np.cos(phase)

    def transform(self, xp, std_x, std_y, cos, sin):
        gap = one_minus_cos(xp, cos, sin)
        exponent = self.gamma * ((std_x - std_y) ** 2 + 2.0 * std_x * std_y * gap)
        nngp = xp.exp(-exponent)
        sine = xp.sqrt(-xp.expm1(-2.0 * exponent))
        one_x, one_y = xp.ones_like(std_x), xp.ones_like(std_y)
        return one_x, one_y, nngp, sine, 2.0 * self.gamma * nngp
