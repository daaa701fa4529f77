r"""Kernels of activations made of the logistic function, as mixtures of closed forms.

A logistic variable is a normal one whose scale s is random, by Kolmogorov's law:

.. math:: \tanh u = E_s[\mathrm{erf}(u / (\sqrt 2 s))].

So each kernel is a double mixture, over s and s', of the closed forms known for the
error function and for GELU, and a Gauss rule for s has full accuracy at any standard
deviation and any angle.
"""

import math

import numpy as np

from sklearn_ntk._engine.forward_mode import Dual, chain, value_of
from sklearn_ntk.networks._activation import angle_minus_sine
from sklearn_ntk.networks._pairs import ratio
from sklearn_ntk.networks._quadrature.kolmogorov import scale_rule

__all__ = ["LogisticMixture"]

_FAR = 8.0  # times the noise's scale: angles beyond are smooth in its square
_CHUNK = 10000  # numbers in an array: larger ones get fresh pages each time
_TINIEST = 1e-70  # standard deviation: what follows squares two of them


class _Noise:
    """The noise of both rows, relative to the rows, over the nodes of a rule."""

    def __init__(self, std_x, std_y, rule):
        squares, weights = rule
        count = squares.size
        self.a = np.repeat(squares, count)[:, None] * (1.0 / (std_x * std_x))
        self.b = np.tile(squares, count)[:, None] * (1.0 / (std_y * std_y))
        self.both = self.a + self.b + self.a * self.b
        self.weights = np.outer(weights, weights).ravel()

    @property
    def shares(self):
        return self.a / (1.0 + self.a) + self.b / (1.0 + self.b)

    def mean(self, x):
        """The mixture: a weighted sum over nodes."""
        if isinstance(x, Dual):
            tangents = {d: self.weights @ t for d, t in x.tangents.items()}
            return Dual(self.weights @ x.value, tangents)
        return self.weights @ x


def _atan(x):
    """Many times faster than the arc tangent of two variables."""
    v = value_of(x)
    y = np.arctan(v)
    return chain(y, (x, 1.0 / (1.0 + v * v))) if isinstance(x, Dual) else y


def _tan_minus_angle(xp, e):
    """``e - arctan(e)``, without cancellation."""
    small = value_of(e) < 0.15
    square = e * e
    series = 1.0 / 17.0
    for k in (15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
        series = 1.0 / k - square * series
    return xp.where(small, e * square * series, e - _atan(e))


class LogisticMixture:
    r"""S = E[phi'(u) phi'(v)] and its mean W over cosines, see `SlopeTable`.

    Parameters
    ----------
    kind : {"sigmoid", "softplus", "silu"}
        Of 1 / (1 + exp(-u)), its integral, and u times it.
    scale, gain : float
        For ``gain * sigmoid(scale * u)``, and likewise.
    """

    powers = 1

    def __init__(self, kind, scale=1.0, gain=1.0):
        self.kind, self.scale, self.gain = kind, scale, gain

    def slopes(self, xp, std_x, std_y, cos, sin, negative):
        """W and S of pairs.

        Parameters
        ----------
        xp : namespace
            That of NumPy, or a `DualNamespace` around it.
        std_x, std_y, cos, sin : array of shape (n,)
            The angle in [0, pi/2] is that from parallel or antipodal.
        negative : array of bool
            Whether it is from antipodal.

        Returns
        -------
        W, S : array of shape (1, n)
        """
        x, y = (value_of(a) for a in (std_x, std_y))
        far = np.minimum(x, y) * value_of(sin) > (2.0 / self.scale) * _FAR
        collected = Collected(far.size)
        for mask, count, part in ((far, 9, self._far), (~far, 13, self._near)):
            members = np.flatnonzero(mask)
            step = _CHUNK // count**2
            for start in range(0, members.size, step):
                at = members[start : start + step]
                x, y, c, s = (a[at] for a in (std_x, std_y, cos, sin))
                tiny = _TINIEST * np.ones(at.size)
                x, y = (xp.maximum(0.5 * self.scale * a, tiny) for a in (x, y))
                W, S = part(xp, x, y, c, s)
                if self.kind == "sigmoid":
                    unit = 0.125 * (self.gain * self.scale) ** 2 / math.pi
                    W, S = (unit / (x * y) * a for a in (W, S))
                else:
                    unit, flip = 0.5 * self.gain**2, negative[at]
                    W, S = (a * (1.0 / math.pi) for a in (W, S))
                    W, S = (unit * xp.where(flip, a, 1.0 - a) for a in (W, S))
                collected.put(at, W, S)
        return collected.parts()

    def _near(self, xp, x, y, c, s):
        """Without cancellation at any angle."""
        noise = _Noise(x, y, scale_rule(13))
        square = s * s
        e, f = xp.sqrt(noise.both), xp.sqrt(square + noise.both)
        # the angles whose sines are 1 and c over this root differ by `angle`
        root = xp.sqrt(1.0 + noise.both)
        apart = 1.0 / (f + c * e)
        turn = square * apart
        cosine = (c + e * f) / (1.0 + noise.both)
        angle = 2.0 * _atan(turn / (1.0 + cosine))
        if self.kind == "sigmoid":
            small = value_of(turn) < 1e-3
            t2 = turn * turn
            series = 1.0 + t2 * (1.0 / 6.0 + t2 * (3.0 / 40.0))
            ratios = angle / xp.where(small, np.ones(small.shape), turn)
            stretch = xp.where(small, series, ratios)
            W = (1.0 + c) * noise.mean(stretch * apart)
            return W, noise.mean(1.0 / f)
        near = square / (1.0 + c) + 0.0 * e
        S = 2.0 * _atan(f / (root + c))
        rest = ratio(xp, angle_minus_sine(xp, angle, turn), near)
        W = S - rest - square * e * apart / (f + e)
        if self.kind == "silu":
            product = noise.a * noise.b / f
            W = W - (1.0 + c) / (e + f) * (product / e + noise.shares)
            S = S - c / f * (noise.shares + product / f)
        return noise.mean(W), noise.mean(S)

    def _far(self, xp, x, y, c, s):
        """In two parts, at the angle, where few nodes are enough, and at 0."""
        noise, still = _Noise(x, y, scale_rule(5, True)), _Noise(x, y, scale_rule(9))
        near = s * s / (1.0 + c)
        e, f = xp.sqrt(still.both), xp.sqrt(s * s + noise.both)
        root = xp.sqrt(1.0 + noise.both)
        half = f / (root + c)
        S = 2.0 * _atan(half)
        if self.kind == "sigmoid":
            return (noise.mean(S) - still.mean(_atan(e))) / near, noise.mean(1.0 / f)
        at_zero = _tan_minus_angle(xp, e)
        # f - c S, of the right triangle with legs f and c
        versine = 2.0 * half * half / (1.0 + half * half)
        W = root * (S * versine - angle_minus_sine(xp, S, f / root))
        if self.kind == "silu":
            product = noise.a * noise.b / f
            at_zero = at_zero - still.shares * e + still.a * still.b / e
            W = W - noise.shares * f + product
            S = S - c / f * (noise.shares + product / f)
        return (noise.mean(W) - still.mean(at_zero)) / near, noise.mean(S)


class Collected:
    """W and S of pairs that are computed a few at a time."""

    def __init__(self, size, powers=1):
        self.values, self.tangents = np.zeros((2, powers, size)), {}

    def put(self, at, *found):
        for k, part in enumerate(found):
            self.values[k][:, at] = value_of(part)
            if isinstance(part, Dual):
                for name, tangent in part.tangents.items():
                    if name not in self.tangents:
                        self.tangents[name] = np.zeros(self.values.shape)
                    self.tangents[name][k][:, at] = tangent

    def parts(self):
        if not self.tangents:
            return tuple(self.values)
        return tuple(
            Dual(value, {name: t[k] for name, t in self.tangents.items()})
            for k, value in enumerate(self.values)
        )
