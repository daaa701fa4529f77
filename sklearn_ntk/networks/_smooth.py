"""Smooth activations with closed forms: erf, GELU, sines, Gaussians, exponentials."""

import math
from numbers import Real

import numpy as np
from scipy.special import erf, ndtr

from sklearn_ntk._engine.forward_mode import value_of
from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk.networks._activation import Activation, angle_minus_sine
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._close import Part, small_gap, stretched, turned
from sklearn_ntk.networks._pairs import ratio, sign_of

__all__ = [
    "GELU",
    "RBF",
    "Cos",
    "Erf",
    "Exp",
    "Gabor",
    "Gaussian",
    "SigmoidLike",
    "Sin",
]

ANY = [Interval(Real, -np.inf, np.inf, closed="neither")]
NON_POSITIVE = [Interval(Real, -np.inf, 0, closed="right")]
NON_NEGATIVE = [Interval(Real, 0, np.inf, closed="left")]


def _one_minus_cos(xp, cos, sin):
    positive = cos > 0
    return xp.where(
        positive, sin * sin / (1.0 + xp.where(positive, cos, 1.0)), 1.0 - cos
    )


def _with_unit_noise(xp, std_x, std_y, cos, sin, scale):
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


def _parallel(xp, std_x, std_y, scale):
    """`_with_unit_noise` where the angle is 0: noise_x, noise_y, cos, sin."""
    cos, sin = xp.ones_like(std_x), xp.zeros_like(std_x)
    noise_x, noise_y, _, cos, sin = _with_unit_noise(xp, std_x, std_y, cos, sin, scale)
    return noise_x, noise_y, cos, sin


def _arcsine_gap(xp, c1, s1, c, s, gap):
    """``arcsin(c1) - arcsin(c)`` where ``c = c1 * (1 - gap)``; s1, s the cosines."""
    apart = ratio(xp, c1 + c, c1 * s + c * s1)
    return xp.atan2(c1 * gap * apart, c1 * c + s1 * s)


class _Adjustable(Activation):
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


class Erf(_Adjustable):
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
        nx, ny, _, c, s = _with_unit_noise(xp, std_x, std_y, cos, sin, scale)
        gain = (2.0 / math.pi) * self.a * self.a
        return gain * xp.atan2(c, s) + self.c * self.c, gain * (2.0 * b2) * nx * ny / s

    def parts(self, xp, std_x, std_y, cos, sin):
        scale = (2.0 * self.b * self.b) ** 0.5

        def residual(x, y, mean):
            near_zero = value_of(mean * scale) < 1.0
            _, _, c, s = _parallel(xp, x, y, scale)
            small = ratio(xp, angle_minus_sine(xp, xp.atan2(c, s), c), c)
            large = (-2.0 / math.pi) * xp.atan2(s, c)
            return xp.log1p(xp.where(near_zero, small, large))

        def size(x):
            _, _, c, s = _parallel(xp, x, x, scale)
            return xp.sqrt(xp.atan2(c, s))

        size_x, size_y = size(std_x), size(std_y)
        _, _, _, c, s = _with_unit_noise(xp, std_x, std_y, cos, sin, scale)
        _, _, c1, s1 = _parallel(xp, std_x, std_y, scale)
        turn = _arcsine_gap(xp, c1, s1, c, s, small_gap(cos, sin))
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
        nx, ny, signal, c, s = _with_unit_noise(xp, std_x, std_y, cos, sin, 1.0)
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
            nx, ny, c, s = _parallel(xp, x, y, 1.0)
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
            nx, ny, c, s = _parallel(xp, x, x, 1.0)
            return xp.sqrt(xp.atan2(c, s) + c * (nx**2 + ny**2) / s)

        size_x, size_y = size(std_x), size(std_y)
        _, _, _, c, s = _with_unit_noise(xp, std_x, std_y, cos, sin, 1.0)
        nx, ny, c1, s1 = _parallel(xp, std_x, std_y, 1.0)
        noise, near = nx**2 + ny**2, small_gap(cos, sin)
        turn = _arcsine_gap(xp, c1, s1, c, s, near) + xp.atan2(c, s) * near
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


class Sin(_Adjustable):
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
        gap = sin * sin / (1.0 + sign * cos)
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
        gap = _one_minus_cos(xp, cos, sin)
        exponent = self.gamma * ((std_x - std_y) ** 2 + 2.0 * std_x * std_y * gap)
        nngp = xp.exp(-exponent)
        sine = xp.sqrt(-xp.expm1(-2.0 * exponent))
        one_x, one_y = xp.ones_like(std_x), xp.ones_like(std_y)
        return one_x, one_y, nngp, sine, 2.0 * self.gamma * nngp


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
        nx, ny, _, c, s = _with_unit_noise(xp, std_x, std_y, cos, sin, scale)
        nngp = self.a * self.a * (nx * ny / s)
        return nngp, nngp * (-2.0 * self.b) * c * (nx * ny) / (s * s)

    def parts(self, xp, std_x, std_y, cos, sin):
        scale = (-2.0 * self.b) ** 0.5
        nx, ny, signal, _, s = _with_unit_noise(xp, std_x, std_y, cos, sin, scale)
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
        nx, ny, signal, c, s = _with_unit_noise(
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
            nx, ny, signal, s = _parallel(xp, x, y, math.sqrt(2.0))
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
        gap = _one_minus_cos(xp, cos, sin)
        exponent = 0.5 * (x - y) ** 2 + x * y * gap
        out_cos = xp.exp(-exponent)
        out_sin = xp.sqrt(-xp.expm1(-2.0 * exponent))
        derivative = self.b * self.b * self._nngp(xp, x, y, cos, sin)
        return self._std(xp, x), self._std(xp, y), out_cos, out_sin, derivative

    def _nngp(self, xp, x, y, cos, sin):
        gap = _one_minus_cos(xp, -cos, sin)
        return self.a * self.a * xp.exp(0.5 * (x - y) ** 2 + x * y * gap)

    def _std(self, xp, x):
        """Kept finite: the angle stays defined where the covariance overflows."""
        return abs(self.a) * xp.exp(xp.minimum(x**2, 350.0 * xp.ones_like(x)))

    def propagate(self, pairs):
        p, out = pairs.resolve(), super().propagate(pairs)
        x, y = self.b * p.std_x, self.b * p.std_y
        return out.replace(nngp=self._nngp(p.xp, x, y, p.cos, p.sin))
