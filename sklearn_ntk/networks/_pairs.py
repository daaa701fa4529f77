"""The state that travels from layer to layer: what is known of pairs of inputs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sklearn_ntk._engine.forward_mode import Dual, chain, value_of

CLOSE = 1e-4  # of the squared sine: below, the cosine loses more than two digits
CLOSE_PIXELS = 1e-8  # likewise, of pixels, of which there are many: four digits

__all__ = [
    "CLOSE_PIXELS",
    "Pairs",
    "add_independent",
    "constant",
    "is_number",
    "one_minus_cos",
    "one_minus_product",
    "ratio",
    "shares",
    "sign_of",
    "small_gap",
    "where_nan",
]


@dataclass(frozen=True)
class Pairs:
    r"""Covariance of a network's features over pairs (x, x') of inputs.

    Beside the NNGP covariance itself there are two standard deviations and an angle,

    .. math:: K(x, x') = \sigma_x \sigma_{x'} \cos\vartheta,

    because the covariance alone loses half of the digits where rows nearly coincide:
    `cos` and `sin` are both carried, each with a small *relative* error; where they
    take work of their own it waits until a layer asks for them. All
    arrays broadcast against each other: for a block `std_x` has shape (n, 1),
    `std_y` (1, m) and the pair arrays (n, m); for a diagonal all have shape (n,).

    Parameters
    ----------
    xp : namespace
        Array namespace of the arrays, or a `DualNamespace` around it.
    nngp : array
        The NNGP covariance.
    std_x, std_y : array
        Standard deviations of the features of each row, >= 0.
    cosine : array or callable
        Cosine of the angle between the two rows' features, or a function without
        arguments that computes it; read it as the property `cos`.
    sine : array or callable
        Its sine, >= 0, or a function without arguments that computes it without
        cancellation; read it as the property `sin`.
    ntk : array, float or None
        Neural tangent kernel; None where only the NNGP kernel is wanted.
    same : array of bool or None
        Marks pairs of a row with itself. None: there are none.
    gaussian : bool
        Whether the features are Gaussian, as an activation needs them.
    independent : bool
        Whether the features went through a layer with weights of their own since
        the last fork into branches.
    width : int or None
        Number of features, where it is known; the standard parametrization needs it.
    pixels : Pixels or None
        How the axes of images or sequences are to be read; None for rows of features.
    """

    xp: Any
    nngp: Any
    std_x: Any
    std_y: Any
    cosine: Any
    sine: Any
    ntk: Any = 0.0
    same: Any = None
    gaussian: bool = False
    independent: bool = False
    width: int | None = None
    pixels: Any = None

    @property
    def cos(self):
        """Cosine of the angle."""
        if callable(self.cosine):
            object.__setattr__(self, "cosine", self.cosine())
        return self.cosine

    @property
    def sin(self):
        """Sine of the angle, from the cosine where that is exact enough."""
        if callable(self.sine):
            value = self._sine_of_cosine()
            value = self.sine() if value is None else value
            object.__setattr__(self, "sine", value)
        return self.sine

    def _sine_of_cosine(self):
        """The sine, or None where some cosine is too close to 1 or -1.

        Pairs of a row with itself do not count: their sine is 0.
        """
        xp, cos = self.xp, self.cos
        c = value_of(cos)
        squared = (1.0 - c) * (1.0 + c)
        close = squared <= (CLOSE if self.pixels is None else CLOSE_PIXELS)
        if self.same is not None:
            squared = xp.where(close & self.same, 0.0, squared)
            close = close & ~self.same
        if self.are_close(close, squared):
            return None
        sine = value_of(xp.sqrt(squared))
        if not isinstance(cos, Dual):
            return sine
        return chain(sine, (cos, -ratio(xp, c, sine)))

    def are_close(self, close, squared):
        """Whether any pair is, of a mask of those that are too close for a sine."""
        return self.xp.any(close)

    def replace(self, **changes):
        """A copy with some fields changed."""
        new = object.__new__(type(self))  # dataclasses.replace takes ten times as long
        new.__dict__.update(self.__dict__, **changes)
        return new

    def scaled(self, variance):
        """The pairs after multiplication of all features by ``sqrt(variance)``."""
        root = variance**0.5
        return self.replace(
            nngp=self.nngp * variance,
            std_x=self.std_x * root,
            std_y=self.std_y * root,
            ntk=None if self.ntk is None else self.ntk * variance,
        )

    def resolve(self):
        """These pairs themselves; `Inputs` answers with the pairs of its rows."""
        return self

    def forked(self):
        """These pairs, as a branch of a network sees them."""
        return self.replace(independent=False)

    def standard_row(self):
        """The state of one row whose features have variance 1, with itself."""
        one = self.xp.ones_like(self.xp.reshape(value_of(self.std_x), (-1,))[:1])
        return Pairs(
            self.xp,
            nngp=one,
            std_x=one,
            std_y=one,
            cosine=one,
            sine=self.xp.zeros_like(one),
            same=one > 0,
            gaussian=self.gaussian,
            width=self.width,
        )


def sign_of(xp, x):
    """1 where x is positive and -1 where it is negative, as a constant."""
    return xp.copysign(xp.ones_like(x), value_of(x))


def is_number(ntk):
    """Whether a tangent kernel is not wanted (None) or still 0 everywhere."""
    return ntk is None or isinstance(value_of(ntk), float)


def ratio(xp, a, b):
    """``a / b`` for ``b >= 0``, and 0 where b is 0."""
    zero = b <= 0
    if not xp.any(zero):
        return a / b
    return xp.where(zero, 0.0, a / xp.where(zero, xp.ones_like(b), b))


def where_nan(xp, x, instead):
    """x with `instead` where overflow (0 * inf, inf - inf) has left a NaN."""
    missing = xp.isnan(value_of(x))
    return xp.where(missing, instead, x) if xp.any(missing) else x


def small_gap(cos, sin):
    """``1 - cos`` of an angle of at most pi/2, without cancellation."""
    return sin * sin / (1.0 + cos)


def one_minus_cos(xp, cos, sin):
    """``1 - cos`` of any angle, without cancellation."""
    return _one_minus(xp, cos, sin * sin)


def one_minus_product(xp, c1, s1, c2, s2):
    """``1 - c1 * c2`` of two points (c, s) of the unit circle, without cancellation."""
    return _one_minus(xp, c1 * c2, s1 * s1 + (c1 * s2) ** 2)


def _one_minus(xp, cos, sine_squared):
    far = cos <= 0
    near = sine_squared / (1.0 + xp.where(far, 0.0, cos))
    return xp.where(far, 1.0 - cos, near)


def shares(xp, a, b, std_x, std_y):
    """Standard deviations of independent a and b, divided by those of their sum.

    Returns
    -------
    ax, ay, bx, by : array
    """
    ax, ay = ratio(xp, a.std_x, std_x), ratio(xp, a.std_y, std_y)
    return ax, ay, ratio(xp, b.std_x, std_x), ratio(xp, b.std_y, std_y)


def constant(like, variance, ntk):
    """The pairs of a feature that is the same for every row, such as a bias.

    Parameters
    ----------
    like : Pairs
        Gives the shapes.
    variance : float
        Its variance.
    ntk : float
        Its contribution to the neural tangent kernel.
    """
    xp = like.xp
    root = variance**0.5
    one = xp.ones_like(like.nngp)
    return like.replace(
        nngp=one * variance,
        std_x=xp.ones_like(like.std_x) * root,
        std_y=xp.ones_like(like.std_y) * root,
        cosine=one,
        sine=xp.zeros_like(like.nngp),
        ntk=None if like.ntk is None else one * ntk,
        gaussian=True,
    )


def add_independent(a, b):
    r"""The pairs of a sum of two independent feature maps: covariances add.

    With :math:`u = \sigma_a \sigma_a' / \sigma \sigma'` (and v for b) the cosine is
    :math:`u c_a + v c_b`, and every term of the squared sine is non-negative:

    .. math:: s^2 = u^2 s_a^2 + v^2 s_b^2
        + (\sigma_a \sigma_b' - \sigma_b \sigma_a')^2 / (\sigma \sigma')^2
        + 2 u v (1 - c_a c_b).
    """
    xp = a.xp
    std_x, std_y = xp.hypot(a.std_x, b.std_x), xp.hypot(a.std_y, b.std_y)

    @cache
    def parts():
        return shares(xp, a, b, std_x, std_y)

    @cache
    def cosine():
        ax, ay, bx, by = parts()
        return ax * ay * a.cos + bx * by * b.cos

    def sine():
        ax, ay, bx, by = parts()
        u, v = ax * ay, bx * by
        apart = one_minus_product(xp, a.cos, a.sin, b.cos, b.sin)
        return xp.sqrt(
            (u * a.sin) ** 2
            + (v * b.sin) ** 2
            + (ax * by - bx * ay) ** 2
            + 2.0 * u * v * apart
        )

    return a.replace(
        nngp=a.nngp + b.nngp,
        std_x=std_x,
        std_y=std_y,
        cosine=cosine,
        sine=sine,
        ntk=None if a.ntk is None else a.ntk + b.ntk,
        gaussian=a.gaussian and b.gaussian,
    )
