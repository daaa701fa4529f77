"""Polynomial activations, by their finite Hermite series."""

import math
from functools import lru_cache
from numbers import Integral

import numpy as np
from numpy.polynomial import hermite_e, polynomial

from sklearn_ntk._sklearn_private import Interval, InvalidParameterError
from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._pairs import one_minus_cos, ratio

__all__ = ["Hermite", "Polynomial"]


class _Series(Activation):
    r"""An activation by a finite Hermite series at every standard deviation.

    With :math:`\phi(\sigma z) = \sum_n a_n(\sigma) h_n(z)` and z standard normal,

    .. math:: K = \sum_n a_n(\sigma) a_n(\sigma') \cos^n\vartheta.
    """

    @property
    def _coef(self):
        """Coefficients of the powers of u, ascending."""
        raise NotImplementedError

    def __call__(self, u):
        return polynomial.polyval(np.asarray(u), self._coef)

    def derivative(self, u):
        return polynomial.polyval(np.asarray(u), polynomial.polyder(self._coef))

    def transform(self, xp, std_x, std_y, cos, sin):
        out_x, terms_x = _unit_terms(xp, self._coef, std_x)
        out_y, terms_y = _unit_terms(xp, self._coef, std_y)
        out_cos = _dot(terms_x, terms_y, cos)
        below = _one_minus_dot(xp, terms_x, terms_y, cos, sin)
        mirrored = [t if n % 2 else -t for n, t in enumerate(terms_y)]
        above = _one_minus_dot(xp, terms_x, mirrored, -cos, sin)
        out_sin = xp.sqrt(below * above)
        slope = polynomial.polyder(self._coef)
        derivative = _dot(
            _terms(slope, std_x), _terms(slope, std_y), cos
        ) + xp.zeros_like(cos)
        return out_x, out_y, out_cos, out_sin, derivative


class Polynomial(_Series):
    r"""The polynomial ``coef[0] + coef[1] * u + coef[2] * u**2 + ...``.

    .. math:: K = \sum_n a_n(\sigma) a_n(\sigma') c^n, \quad
        a_n(\sigma) = \sum_k \mathrm{coef}_k \sigma^k E[z^k h_n(z)]

    with the normalised Hermite polynomials :math:`h_n` and z standard normal.

    Parameters
    ----------
    coef : array-like of float, default=(0.0, 1.0, 1.0)
        Ascending, at least one.

    Examples
    --------
    >>> from sklearn_ntk.networks import Polynomial
    >>> Polynomial([1.0, 0.0, 2.0])([0.0, 3.0])
    array([ 1., 19.])
    """

    _parameter_constraints = {"coef": ["array-like"]}

    def __init__(self, coef=(0.0, 1.0, 1.0)):
        self.coef = coef

    def validate(self):
        super().validate()
        coef = np.asarray(self.coef, dtype=float)
        if coef.ndim != 1 or coef.size == 0 or not np.all(np.isfinite(coef)):
            raise InvalidParameterError(
                "The 'coef' parameter of Polynomial must be a non-empty 1-D "
                f"array-like of finite floats. Got {self.coef!r} instead."
            )

    @property
    def _coef(self):
        return np.asarray(self.coef, dtype=float)


class Hermite(_Series):
    r"""The normalised Hermite polynomial :math:`He_n(u) / \sqrt{n!}`.

    .. math:: K = c^n \quad \text{where } q = q' = 1

    Parameters
    ----------
    degree : int, default=2

    References
    ----------
    .. [1] Daniely, Frostig, Singer (2016). Toward deeper understanding of neural
       networks: the power of initialization and a dual view on expressivity.

    Examples
    --------
    >>> from sklearn_ntk.networks import Hermite
    >>> Hermite(2)([1.0]).round(6)
    array([0.])
    """

    _parameter_constraints = {"degree": [Interval(Integral, 0, None, closed="left")]}

    def __init__(self, degree=2):
        self.degree = degree

    @property
    def _coef(self):
        unit = np.zeros(self.degree + 1)
        unit[-1] = 1.0 / math.sqrt(math.factorial(self.degree))
        return hermite_e.herme2poly(unit)


@lru_cache
def _projection(k, n):
    """E[z**k h_n(z)] for z standard normal."""
    if n > k or (k - n) % 2:
        return 0.0
    j = (k - n) // 2
    return math.factorial(k) / (2**j * math.factorial(j) * math.factorial(n) ** 0.5)


def _terms(coef, std):
    """The coefficients a_n(std) of the Hermite series."""
    terms = []
    for n in range(len(coef)):
        total = 0.0 * std
        for k in range(len(coef) - 1, -1, -1):
            total = total * std + float(coef[k]) * _projection(k, n)
        terms.append(total)
    return terms


def _unit_terms(xp, coef, std):
    """The norm of the series, and its coefficients divided by that."""
    terms = _terms(coef, std)
    largest = abs(terms[0])
    for term in terms[1:]:
        largest = xp.maximum(largest, abs(term))
    terms = [ratio(xp, term, largest) for term in terms]
    length = xp.sqrt(sum(term**2 for term in terms))
    return largest * length, [ratio(xp, term, length) for term in terms]


def _dot(terms_x, terms_y, cos):
    total = terms_x[-1] * terms_y[-1]
    for x, y in zip(terms_x[-2::-1], terms_y[-2::-1], strict=True):
        total = total * cos + x * y
    return total


def _one_minus_dot(xp, terms_x, terms_y, cos, sin):
    """``1 - sum(x_n * y_n * cos**n)`` for unit x and y, without cancellation."""
    gap = one_minus_cos(xp, cos, sin)
    square = cos * cos
    odd, even = gap, 0.0 * gap  # 1 - cos**n for odd and for even n
    total = 0.5 * sum((x - y) ** 2 for x, y in zip(terms_x, terms_y, strict=True))
    for n, (x, y) in enumerate(zip(terms_x, terms_y, strict=True)):
        if n == 0:
            continue
        if n % 2:
            total = total + x * y * odd
            even = sin * sin + square * even
        else:
            total = total + x * y * even
            odd = sin * sin + square * odd
    return xp.where(total > 0, total, 0.0)
