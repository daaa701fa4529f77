r"""The kernel of ELU, by integrals over an angle.

Where both variables are negative a Gaussian pair is, in polar coordinates, an
integral over a sector of

.. math:: T(x) = E_\rho[e^{-x \rho}] = 1 - x m(x), \quad
    m(x) = \sqrt{\pi / 2}\, \mathrm{erfcx}(x / \sqrt 2)

with :math:`\rho` the radius and x the sine of an angle times a standard deviation:
that of u, of v or of u + v. What the derivatives of ELU bring with the powers 0, 1
and 2 of alpha is computed separately, times :math:`2 \pi`.
"""

import math

import numpy as np
from scipy.special import erfcx

from sklearn_ntk._engine.forward_mode import (
    Dual,
    chain,
    tangents_of,
    value_of,
)
from sklearn_ntk.networks._activation import angle_minus_sine
from sklearn_ntk.networks._pairs import small_gap
from sklearn_ntk.networks._quadrature.mixture import Collected
from sklearn_ntk.networks._quadrature.rules import legendre

__all__ = ["ELUSlopes"]

_ROOT = math.sqrt(0.5 * math.pi)
_SMALL = 2.0  # sum of standard deviations
_TINY = 0.02  # the smaller of them, where the other is not small
_LEAST = 1e-100
_CHUNK = 256


def _mills(x):
    v = value_of(x)
    m = _ROOT * erfcx(v / math.sqrt(2.0))
    return chain(m, (x, v * m - 1.0)) if isinstance(x, Dual) else m


def _tail(x):
    return 1.0 - x * _mills(x)


def _total(x, axis=0):
    if isinstance(x, Dual):
        tangents = {d: t.sum(axis) for d, t in x.tangents.items()}
        return Dual(x.value.sum(axis), tangents)
    return x.sum(axis)


def _sinh_rule(low, high, scale):
    """Nodes and weights on [low, high], for what varies on `scale` near 0."""
    low, high = np.arcsinh(low / scale), np.arcsinh(high / scale)
    length = high - low
    nodes, weights = legendre(8 + 2 * math.ceil(1.3 * length.max(initial=0.0)))
    y = low + length * nodes[:, None]
    return scale * np.sinh(y), length * weights[:, None] * scale * np.cosh(y)


class _Side:
    """Nodes of one row's angle, from 0 to that between the rows."""

    def __init__(self, xp, std, other, angle, cos, sin):
        self.xp, self.std, self.other = xp, std, other
        self.angle, self.cos, self.sin = angle, cos, sin
        own, t = value_of(std), value_of(angle)
        first, w_first = _sinh_rule(0.0, 0.5 * t, np.minimum(1.0 / own, 1.0))
        ratio = np.minimum(value_of(other) / own, 1.0)
        bend = np.sqrt(ratio * (ratio + 2.0 * value_of(cos)))
        away, end = 0.5 * np.pi - t, 0.5 * (np.pi - t)
        last, w_last = _sinh_rule(np.maximum(away, 0.0), end, bend)
        self.half = len(first)
        self.u = np.concatenate((first, 0.5 * np.pi - last)) / t
        self.weights = np.concatenate((w_first, w_last)) / t
        rest = np.concatenate((t - first, last - away)) / t
        self.rest = np.maximum(rest, 0.0)

    def first_half(self):
        """As above, on half of the angle."""
        u, rest, weights = (a[: self.half] for a in (self.u, self.rest, self.weights))
        return self.angle * u, self.angle * rest, self.angle * weights

    def integrate(self):
        """The integrals of T alone."""
        xp, psi = self.xp, self.angle * self.u
        half, self.weight = 0.5 * self.angle * self.rest, self.angle * self.weights
        self.s, self.c = xp.sin(psi), xp.cos(psi)
        self.m = _mills(self.std * self.s)
        weighted = self.weight * (1.0 - self.std * self.s * self.m)
        self.drop = 2.0 * xp.sin(half + psi) * xp.sin(half)
        return _total(weighted), _total(self.drop * weighted)

    def integrate_third_side(self):
        """Those with the third side of a triangle whose first two are the rows."""
        along = self.std * self.cos
        base, near = self.other + along, self.std * self.c
        far = self.std * self.std * self.drop * (self.cos + self.c)
        D = self.xp.sqrt(base * base + far)
        sm = self.weight * self.s * self.m / D
        turned = (base + along) * _total(sm / (D + near))
        return self.std * _total(near * sm), turned


class ELUSlopes:
    """S = E[phi'(u) phi'(v)] and its mean W over cosines, by powers of alpha."""

    powers = 3

    def slopes(self, xp, std_x, std_y, cos, sin, negative):
        """W and S of pairs, of shape (3, n); see `LogisticMixture.slopes`."""
        x, y = (np.maximum(value_of(a), _LEAST) for a in (std_x, std_y))
        collected = Collected(x.size, self.powers)
        small, tiny = x + y < _SMALL, np.minimum(x, y) < _TINY
        kinds = negative + 2 * np.where(small, 2, tiny)
        size = np.abs(np.log(x / y)) + np.log(np.maximum(x, y))
        for kind in np.unique(kinds):
            members = np.flatnonzero(kinds == kind)
            members = members[np.argsort(size[members], kind="stable")]
            for start in range(0, members.size, _CHUNK):
                at = members[start : start + _CHUNK]
                rows = [a[at] for a in (std_x, std_y, cos, sin)]
                least = _LEAST * np.ones(at.size)
                for k in (0, 1, 3):
                    rows[k] = xp.maximum(rows[k], least)
                angle = xp.maximum(xp.atan2(rows[3], rows[2]), least)
                collected.put(at, *_slopes(xp, *rows, angle, kind))
        return collected.parts()


def _slopes(xp, x, y, cos, sin, angle, kind):
    negative, tiny, small = kind % 2 == 1, kind > 1, kind > 3
    near = small_gap(cos, sin)
    sides = _Side(xp, x, y, angle, cos, sin), _Side(xp, y, x, angle, cos, sin)
    (own, lost), (own_y, lost_y) = (side.integrate() for side in sides)
    own, lost = own + own_y, (lost + lost_y) / near
    flat = angle - angle_minus_sine(xp, angle, sin) / near
    if negative:
        whole = 2.0 * _ROOT * (_mills(x) + _mills(y))
        first, second = (flat, angle), (whole - lost, whole - own)
    else:
        first, second = (math.pi - flat, math.pi - angle), (lost, own)
    if small:
        third = _of_small(xp, x, y, angle, near, negative)
    elif negative:
        third = _of_difference(xp, x, y, sides, near, tiny)
    else:
        third = _of_sum(xp, x, y, cos, angle, near, sides)
    return [_stacked(parts) for parts in zip(first, second, third, strict=True)]


def _stacked(parts):
    """Arrays, or duals, along a new first axis, divided by 2 pi."""
    unit = 0.5 / math.pi
    value = unit * np.stack([value_of(p) for p in parts])
    names = {name: None for p in parts for name in tangents_of(p)}
    if not names:
        return value
    zero = np.zeros(value.shape[1:])

    def along(name):
        return unit * np.stack([tangents_of(p).get(name, 0.0) + zero for p in parts])

    return Dual(value, {name: along(name) for name in names})


def _of_sum(xp, x, y, cos, angle, near, sides):
    """The part in alpha**2 at an angle from parallel."""
    longest, R = x + y, xp.sqrt(x * x + y * y + 2.0 * x * y * cos)
    apart = 1.0 / (longest + R)
    nodes, weights = legendre(10)
    between = R + (2.0 * x * y * near * apart) * nodes[:, None]
    mean = _total(weights[:, None] * _tail(between))
    (shared, turned), (shared_y, turned_y) = (s.integrate_third_side() for s in sides)
    W = (turned + turned_y) / near - 4.0 * _ROOT * apart * mean
    return W, 2.0 * _ROOT * _mills(R) - angle + shared + shared_y


def _of_difference(xp, x, y, sides, near, tiny):
    """The part in alpha**2 at an angle from antipodal."""
    W = S = 0.0
    for side in sides:
        psi, left, weight = side.first_half()
        u, v = side.std * xp.sin(psi), side.other * xp.sin(left)
        both = _tail(u + v)
        S = S + _total(weight * both)
        if tiny:
            swap = side.std < side.other
            u, v = xp.where(swap, v, u), xp.where(swap, u, v)
            share = v / xp.minimum(side.std, side.other)
            product = share * _second_difference(u, v)
        else:
            product = u * _mills(u) + v * _mills(v) - (1.0 - both)
        W = W + _total(weight * product)
    size = xp.maximum(x, y) if tiny else x * y
    return W / (size * near), S


def _second_difference(u, v):
    """``1 - T(u) - T(v) + T(u + v)`` over v, for small v."""
    mean = 0.0
    for node, weight in zip(*legendre(6), strict=True):
        z = u + node * v
        m = _mills(z)
        mean = mean + weight * (m - z * (1.0 - z * m))
    return _mills(v) - mean


def _of_small(xp, x, y, angle, near, negative):
    """The part in alpha**2 where both rows are small."""
    nodes, weights = legendre(24)
    turns, shares = legendre(12)

    def at(angle):
        length = angle if negative else math.pi - angle
        tau = length * nodes.reshape((-1,) + (1,) * value_of(angle).ndim)
        other = angle - tau if negative else angle + tau
        T = _tail(x * xp.sin(tau) + y * xp.sin(other))
        w = weights.reshape((-1,) + (1,) * value_of(angle).ndim)
        return length * _total(w * T)

    phi = angle * turns[:, None]
    mean = _total(shares[:, None] * (xp.sin(phi) * at(phi)))
    return angle * mean / near, at(angle)
