"""Monomials, whole and rectified."""

import math
from functools import lru_cache
from numbers import Integral

import numpy as np

from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk.networks._activation import Homogeneous
from sklearn_ntk.networks._closed_forms import folded_angle
from sklearn_ntk.networks._pairs import one_minus_cos, small_gap

__all__ = ["Monomial", "RectifiedMonomial"]

DEGREE = [Interval(Integral, 0, None, closed="left")]


class Monomial(Homogeneous):
    r"""The power :math:`u^n`.

    .. math:: K = (q q')^{n/2} \sum_k \frac{(n!)^2}{k!\, 4^j (j!)^2} c^k,
        \quad j = \tfrac{n - k}{2}, \quad \dot K = n^2 K_{n-1}

    where k runs over 0 <= k <= n of the parity of n.

    Parameters
    ----------
    degree : int, default=2

    Examples
    --------
    >>> from sklearn_ntk.networks import Monomial
    >>> Monomial(3)([-1.0, 2.0])
    array([-1.,  8.])
    """

    _parameter_constraints = {"degree": DEGREE}
    degree = None

    def __init__(self, degree=2):
        self.degree = degree

    def __call__(self, u):
        return np.asarray(u) ** self.degree

    def derivative(self, u):
        if self.degree == 0:
            return np.zeros_like(u)
        return self.degree * np.asarray(u) ** (self.degree - 1)

    @property
    def gain(self):
        return float(sum(_moment_polynomial(self.degree)))

    def profile(self, xp, cos, sin):
        coef = _moment_polynomial(self.degree)
        folded = abs(cos)
        gap = small_gap(folded, sin)
        gap = gap * _horner(_deflated(coef), folded) / self.gain
        h = _horner(coef, cos) / self.gain
        slope = _horner(_differentiated(coef), cos) / self.gain
        return h, xp.sqrt(gap * (2.0 - gap)) + xp.zeros_like(cos), slope

    def _std(self, xp, std):
        return std**self.degree * self.gain**0.5


class RectifiedMonomial(Homogeneous):
    r"""The power :math:`u^n` for u > 0, and 0 otherwise; the step for n = 0.

    .. math:: K = \frac{(q q')^{n/2}}{2 \pi} J_n(\vartheta), \quad
        \dot K = n^2 K_{n-1}

    with the arc-cosine kernels :math:`J_n = s\, p_n(c) + (\pi - \vartheta) q_n(c)`.

    Parameters
    ----------
    degree : int, default=2

    References
    ----------
    .. [1] Cho, Saul (2009). Kernel methods for deep learning, eq. 3-8.

    Examples
    --------
    >>> from sklearn_ntk.networks import RectifiedMonomial
    >>> RectifiedMonomial(2)([-1.0, 2.0])
    array([0., 4.])
    """

    _parameter_constraints = {"degree": DEGREE}
    degree = None

    def __init__(self, degree=2):
        self.degree = degree

    def __call__(self, u):
        u = np.asarray(u)
        return np.where(u > 0, np.maximum(u, 0.0) ** self.degree, 0.0)

    def derivative(self, u):
        if self.degree == 0:
            return np.zeros_like(u)
        return self.degree * RectifiedMonomial(self.degree - 1)(u)

    @property
    def gain(self):
        return 0.5 * float(sum(_moment_polynomial(self.degree)))

    def profile(self, xp, cos, sin):
        n = self.degree
        p, q = _arc_cosine_polynomials(n)
        sign, _, angle = folded_angle(xp, cos, sin)
        positive = sign > 0
        gap = one_minus_cos(xp, cos, sin)
        supplement = xp.where(positive, math.pi - angle, angle)
        angle = xp.where(positive, angle, math.pi - angle)
        value = sin * _horner(p, cos) + supplement * _horner(q, cos)
        full = math.pi * float(sum(q))
        # J(0) - J(theta), with the factor 1 - c taken out of q(1) - q(c)
        below = (
            math.pi * gap * _horner(_deflated(q), cos)
            + angle * _horner(q, cos)
            - sin * _horner(p, cos)
        ) / full
        h = value / full
        below = xp.where(below > 0, below, 0.0)
        return h, xp.sqrt(below * (1.0 + h)), self._slope(cos, sin, supplement) / full

    def _slope(self, cos, sin, supplement):
        n = self.degree
        if n == 0:
            return 0.0 * cos
        p, q = _arc_cosine_polynomials(n - 1)
        return n**2 * (sin * _horner(p, cos) + supplement * _horner(q, cos))


def _horner(coef, x):
    """A polynomial, coefficients in ascending order, at x."""
    value = 0.0 * x + float(coef[-1])
    for a in reversed(coef[:-1]):
        value = value * x + float(a)
    return value


def _differentiated(coef):
    return tuple(k * a for k, a in enumerate(coef))[1:] or (0,)


def _deflated(coef):
    """The polynomial (f(1) - f(x)) / (1 - x), whose terms are all of one sign."""
    partial = [sum(coef[k + 1 :]) for k in range(len(coef) - 1)]
    return tuple(partial) or (0,)


@lru_cache
def _moment_polynomial(n):
    """Coefficients in c of E[u**n v**n] at unit variances."""
    coef = [0] * (n + 1)
    for k in range(n, -1, -2):
        j = (n - k) // 2
        coef[k] = math.factorial(n) ** 2 // (
            math.factorial(k) * 4**j * math.factorial(j) ** 2
        )
    return tuple(coef)


@lru_cache
def _arc_cosine_polynomials(n):
    """Coefficients of p and q in J_n = s p(c) + (pi - theta) q(c).

    q is that of the whole monomial, and from ``dJ_n/dc = n**2 J_(n-1)`` follows
    ``(1 - c**2) p' - c p = n**2 (1 - c**2) p_(n-1) - q``, solved from the top.
    """
    q = _moment_polynomial(n)
    if n == 0:
        return (0,), q
    previous, _ = _arc_cosine_polynomials(n - 1)
    right = [-a for a in q] + [0, 0]
    for k, a in enumerate(previous):
        right[k] += n**2 * a
        right[k + 2] -= n**2 * a
    p = [0] * (n + 2)
    for k in range(n, 0, -1):
        p[k - 1] = ((k + 1) * p[k + 1] - right[k]) // k
    return tuple(p[:n]), q
