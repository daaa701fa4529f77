"""Homogeneous activations: ReLU and its kin, monomials, sign."""

import math
from functools import lru_cache
from numbers import Integral, Real

import numpy as np

from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk.networks._activation import Homogeneous, angle_minus_sine
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._pairs import sign_of

__all__ = [
    "ABReLU",
    "Abs",
    "ExpNormalized",
    "LeakyReLU",
    "Monomial",
    "ReLU",
    "RectifiedMonomial",
    "Sign",
]

ANY = [Interval(Real, -np.inf, np.inf, closed="neither")]
DEGREE = [Interval(Integral, 0, None, closed="left")]


def _folded(xp, cos, sin):
    """The angle folded to [0, pi/2], and its cosine and sign."""
    sign = sign_of(xp, cos)
    folded = sign * cos
    return sign, folded, xp.atan2(sin, folded)


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
        a, b = self._slopes
        linear = 0.5 * (a + b) ** 2 / (a**2 + b**2)
        even = 0.5 * (b - a) ** 2 / (a**2 + b**2)
        sign, folded, angle = _folded(xp, cos, sin)
        # E|u||v| = folded + rest at unit variance
        gap = sin * sin / (1.0 + folded)
        rest = (2.0 / math.pi) * (angle * gap - angle_minus_sine(xp, angle, sin))
        h = (linear * cos + even * folded) + even * rest
        slope = (linear + even * sign) - (2.0 / math.pi) * even * sign * angle

        def sine():
            near, far = gap, 1.0 + folded
            positive = sign > 0
            below = linear * xp.where(positive, near, far) + even * (near - rest)
            above = linear * xp.where(positive, far, near) + even * (far + rest)
            return xp.sqrt(xp.where(below > 0, below, 0.0) * above)

        return h, sine, slope


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
        sign, _, angle = _folded(xp, cos, sin)
        gap = (2.0 / math.pi) * angle
        return sign * (1.0 - gap), xp.sqrt(gap * (2.0 - gap)), xp.zeros_like(cos)


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
        sign, folded, _ = _folded(xp, cos, sin)
        gap = sin * sin / (1.0 + folded)
        gap = xp.where(sign > 0, gap, 1.0 + folded)
        h = xp.exp(-self.gamma * gap)
        sine = xp.sqrt(-xp.expm1(-self.gamma * gap) * (1.0 + h))
        return h, sine, self.gamma * h


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
        gap = sin * sin / (1.0 + folded)
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
        sign, folded, angle = _folded(xp, cos, sin)
        positive = sign > 0
        gap = xp.where(positive, sin * sin / (1.0 + folded), 1.0 + folded)
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
