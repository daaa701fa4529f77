"""Forward-mode differentiation of formulas written against an array namespace.

A `Dual` is an array together with its derivatives along named directions, the
*tangents*. A formula that calls its namespace ``xp`` runs unchanged on plain
arrays and, with `DualNamespace` in the place of ``xp``, on duals; that is how a
layer's one formula yields the gradient in every hyperparameter.
"""

import math
from functools import partial

__all__ = [
    "Dual",
    "DualNamespace",
    "as_number",
    "bilinear",
    "concatenate",
    "gather",
    "linear",
    "part_of",
    "plain_namespace",
    "scatter",
    "tangents_of",
    "value_of",
]


def value_of(x):
    """The plain array of `x`, a `Dual` or already plain."""
    return x.value if isinstance(x, Dual) else x


def tangents_of(x):
    """The derivatives of `x` by direction; empty for a constant."""
    return x.tangents if isinstance(x, Dual) else {}


def as_number(x):
    """An array of one element as a Python float, which any library takes."""
    if not isinstance(x, Dual):
        return float(x)
    return Dual(float(x.value), {d: float(t) for d, t in x.tangents.items()})


def chain(value, *terms):
    """A `Dual` of `value` whose tangents are ``sum(partial * tangent)`` over `terms`.

    Each term is a pair (operand, partial derivative with respect to it).
    """
    tangents = {}
    for operand, slope in terms:
        for direction, tangent in tangents_of(operand).items():
            step = slope * tangent
            known = tangents.get(direction)
            tangents[direction] = step if known is None else known + step
    return Dual(value, tangents) if tangents else value


def linear(xp, function, x):
    """A linear function of an array, of the tangents as of the value."""
    if not isinstance(x, Dual):
        return function(x)
    tangents = {d: function(_filled(xp, x.value, t)) for d, t in x.tangents.items()}
    return Dual(function(x.value), tangents)


def bilinear(xp, function, a, b):
    """A function of two arrays that is linear in each, by the rule of products."""
    u, v = value_of(a), value_of(b)
    terms = [(d, function(_filled(xp, u, t), v)) for d, t in tangents_of(a).items()] + [
        (d, function(u, _filled(xp, v, t))) for d, t in tangents_of(b).items()
    ]
    tangents = {}
    for direction, term in terms:
        known = tangents.get(direction)
        tangents[direction] = term if known is None else known + term
    value = function(u, v)
    return Dual(value, tangents) if tangents else value


def _filled(xp, like, tangent):
    """A tangent at its full size, where it may be broadcast only."""
    filled = getattr(type(like), "filled", None)
    if filled is not None:  # a symbol
        return filled(like, tangent)
    tangent = xp.asarray(tangent, dtype=like.dtype, device=like.device)
    return xp.broadcast_to(tangent, like.shape)


def part_of(xp, x, key):
    """The part of an array that an index gives, of the tangents as of the value."""
    return linear(xp, lambda a: a[key], x)


def gather(xp, x, mask):
    """The elements of `x`, broadcast to the shape of `mask`, where `mask` is True."""

    def taken(a):
        return xp.broadcast_to(xp.asarray(a), mask.shape)[mask]

    if not isinstance(x, Dual):
        return taken(x)
    return Dual(taken(x.value), {d: taken(t) for d, t in x.tangents.items()})


def concatenate(xp, parts):
    """Arrays joined along their first axis."""
    values = [value_of(part) for part in parts]
    directions = {d: None for part in parts for d in tangents_of(part)}
    tangents = {
        d: xp.concat(
            [
                xp.zeros_like(value) + tangents_of(part).get(d, 0.0)
                for part, value in zip(parts, values, strict=True)
            ]
        )
        for d in directions
    }
    value = xp.concat(values)
    return Dual(value, tangents) if tangents else value


def scatter(xp, x, mask, elements):
    """A copy of `x` with `elements` in the places where `mask` is True."""

    def filled(a, new):
        dtype = value_of(x).dtype
        out = xp.zeros(mask.shape, dtype=dtype, device=mask.device) + a
        out[mask] = new
        return out

    old, new = tangents_of(x), tangents_of(elements)
    value = filled(value_of(x), value_of(elements))
    tangents = {d: filled(old.get(d, 0.0), new.get(d, 0.0)) for d in {**old, **new}}
    return Dual(value, tangents) if tangents else value


class Dual:
    """An array with derivatives along named directions.

    Parameters
    ----------
    value : array or float
    tangents : dict of str to array or float
        Each broadcasts against `value`. A direction that is missing is zero.
    """

    __array_ufunc__ = None  # NumPy arrays on the left leave the operation to us
    __slots__ = ("tangents", "value")

    def __init__(self, value, tangents):
        self.value = value
        self.tangents = tangents

    def __repr__(self):
        return f"Dual({self.value!r}, tangents={list(self.tangents)})"

    @property
    def shape(self):
        return self.value.shape

    @property
    def ndim(self):
        return self.value.ndim

    @property
    def dtype(self):
        return self.value.dtype

    @property
    def device(self):
        return self.value.device

    def __getitem__(self, key):
        part = {
            d: t[key] if hasattr(t, "shape") else t for d, t in self.tangents.items()
        }
        return Dual(self.value[key], part)

    def __neg__(self):
        return chain(-self.value, (self, -1.0))

    def __add__(self, other):
        return chain(self.value + value_of(other), (self, 1.0), (other, 1.0))

    __radd__ = __add__

    def __sub__(self, other):
        return chain(self.value - value_of(other), (self, 1.0), (other, -1.0))

    def __rsub__(self, other):
        return -(self - other)

    def __mul__(self, other):
        a, b = self.value, value_of(other)
        return chain(a * b, (self, b), (other, a))

    __rmul__ = __mul__

    def __truediv__(self, other):
        b = value_of(other)
        quotient = self.value / b
        return chain(quotient, (self, 1.0 / b), (other, -quotient / b))

    def __rtruediv__(self, other):
        quotient = other / self.value
        return chain(quotient, (self, -quotient / self.value))

    def __pow__(self, power):
        if power == 0:
            return self.value**0
        return chain(self.value**power, (self, power * self.value ** (power - 1)))

    def __rpow__(self, base):
        power = base**self.value
        return chain(power, (self, math.log(base) * power))

    def __abs__(self):
        sign = 1.0 - 2.0 * (self.value < 0)
        return chain(abs(self.value), (self, sign))

    def __gt__(self, other):
        return self.value > value_of(other)

    def __ge__(self, other):
        return self.value >= value_of(other)

    def __lt__(self, other):
        return self.value < value_of(other)

    def __le__(self, other):
        return self.value <= value_of(other)

    def __eq__(self, other):
        return self.value == value_of(other)

    def __ne__(self, other):
        return self.value != value_of(other)

    __hash__ = None


# Derivatives of functions of one variable, given it and the function's value.
SLOPES = {
    "exp": lambda xp, v, y: y,
    "expm1": lambda xp, v, y: y + 1.0,
    "log": lambda xp, v, y: 1.0 / v,
    "log1p": lambda xp, v, y: 1.0 / (1.0 + v),
    "sin": lambda xp, v, y: xp.cos(v),
    "cos": lambda xp, v, y: -xp.sin(v),
    "sinh": lambda xp, v, y: xp.cosh(v),
    "cosh": lambda xp, v, y: xp.sinh(v),
}


def plain_namespace(xp):
    """What a `DualNamespace` wraps, or the namespace itself."""
    return xp._xp if isinstance(xp, DualNamespace) else xp


class DualNamespace:
    """The array namespace `xp`, with functions that also differentiate.

    Only differentiable functions are wrapped; anything else (constants, dtypes,
    creation functions) is looked up in `xp` itself.
    """

    def __init__(self, xp):
        self._xp = xp

    def __getattr__(self, name):
        function = getattr(self._xp, name)
        return partial(self._applied, name, function) if name in SLOPES else function

    def _applied(self, name, function, x):
        if not isinstance(x, Dual):
            return function(x)
        value = function(x.value)
        return chain(value, (x, SLOPES[name](self._xp, x.value, value)))

    def sqrt(self, x):
        """Square root, with derivative 0 at 0.

        What reaches 0 here is the angle between a row and itself or a parallel
        one, which stays 0 whatever the hyperparameters.
        """
        xp = self._xp
        root = xp.sqrt(value_of(x))
        return chain(root, (x, self._over(0.5, root)))

    def _over(self, a, b):
        """``a / b`` for ``b >= 0``, and 0 where b is 0."""
        xp = self._xp
        zero = b == 0
        if not xp.any(zero):
            return a / b
        return xp.where(zero, 0.0, a / xp.where(zero, xp.ones_like(b), b))

    def hypot(self, a, b):
        xp = self._xp
        u, v = value_of(a), value_of(b)
        r = xp.hypot(u, v)
        return chain(r, (a, self._over(u, r)), (b, self._over(v, r)))

    def atan2(self, s, c):
        """Angle of (c, s), a point of the unit circle."""
        u, v = value_of(s), value_of(c)
        return chain(self._xp.atan2(u, v), (s, v), (c, -u))

    def reshape(self, x, shape):
        return linear(self._xp, lambda a: self._xp.reshape(a, shape), x)

    def matmul(self, a, b):
        """Matrix product, whose rule is that of products."""
        return bilinear(self._xp, self._xp.matmul, a, b)

    def abs(self, x):
        return abs(x) if isinstance(x, Dual) else self._xp.abs(x)

    def where(self, condition, a, b):
        xp = self._xp
        value = xp.where(condition, value_of(a), value_of(b))
        ta, tb = tangents_of(a), tangents_of(b)
        tangents = {
            d: xp.where(condition, ta.get(d, 0.0), tb.get(d, 0.0)) for d in {**ta, **tb}
        }
        return Dual(value, tangents) if tangents else value

    def maximum(self, a, b):
        return self.where(value_of(a) >= value_of(b), a, b)

    def minimum(self, a, b):
        return self.where(value_of(a) <= value_of(b), a, b)

    def zeros_like(self, x):
        return self._xp.zeros_like(value_of(x))

    def ones_like(self, x):
        return self._xp.ones_like(value_of(x))

    def chain(self, value, *terms):
        """`value` with tangents by given partial derivatives; see `chain`."""
        return chain(value, *terms)
