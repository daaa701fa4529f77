r"""Tables of E[phi'(u) phi'(v)], built as they are needed.

Standard deviations are cut into octaves and :math:`t = \tan(\vartheta/2)` into
pieces as fine as the octaves ask for. A *cell*, two octaves and a piece, holds a
polynomial in each variable. Evaluation in a block is one small matrix product
per degree in t and a Clenshaw step.
"""

import threading
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev

from sklearn_ntk.networks import _gauss_polar as polar
from sklearn_ntk.networks._gauss_rules import (
    chebyshev_nodes,
    chebyshev_transform,
    legendre,
)

__all__ = ["ELUTable", "SlopeTable", "octave"]

_LOWEST = 0.25
_NODES = 16
_NARROW = 20
_FEW = 32
_FEW_WIDE = 500
_SMOOTH_BELOW = 32.0
_SMALL = 5


def octave(std):
    """Index of the interval of standard deviations: [0, 1/4], [1/4, 1/2], ..."""
    return np.maximum(np.ceil(np.log2(np.maximum(std, _LOWEST) / _LOWEST)), 0).astype(
        int
    )


def _ends(index):
    top = _LOWEST * 2.0**index
    return (0.0 if index == 0 else 0.5 * top), top


def _std_nodes(index):
    _, top = _ends(index)
    x = chebyshev_nodes(_NODES)
    if index == 0:
        return 0.5 * top * (1.0 + x)
    return top * 2.0 ** (0.5 * (x - 1.0))


def std_weights(index, std):
    """Weights of the nodes of an octave in interpolation, and their derivatives."""
    _, top = _ends(index)
    if index == 0:
        x, slope = 2.0 * std / top - 1.0, np.full_like(std, 2.0 / top)
    else:
        x, slope = 2.0 * np.log2(std / top) + 1.0, 2.0 / (np.log(2.0) * std)
    transform = chebyshev_transform(_NODES)
    angle = np.arccos(np.clip(x, -1.0, 1.0))
    basis = np.cos(angle[:, None] * np.arange(_NODES))
    lower = chebyshev.chebder(np.eye(_NODES))
    turned = chebyshev.chebvander(x, _NODES - 2) @ lower
    return basis @ transform, (turned @ transform) * slope[:, None]


def pieces(top):
    """Ends of the pieces of t for standard deviations up to `top`."""
    first = min(1.0, 4.0 / top)
    return np.concatenate(([0.0], 2.0 ** np.arange(np.log2(first), 1.0)))


@lru_cache(maxsize=64)
def _integration(low, high, count):
    r"""The matrix from node values of S to :math:`\int_{low}^t 4t S/(1+t^2)^2 dt`.

    Divided by ``2 t**2 / (1 + t**2) = 1 - cos`` where ``low == 0``, which is exact
    at t = 0, too.
    """
    t = low + 0.5 * (high - low) * (1.0 + chebyshev_nodes(count))
    g, w = legendre(count + 8)
    at = low + (t - low)[:, None] * g
    if low == 0.0:
        density = 2.0 * g * (1.0 + t[:, None] ** 2) / (1.0 + at * at) ** 2
    else:
        density = 4.0 * at * (t - low)[:, None] / (1.0 + at * at) ** 2
    x = 2.0 * (at - low) / (high - low) - 1.0
    basis = chebyshev.chebvander(x, count - 1) @ chebyshev_transform(count)
    return np.einsum("tg,tgm->tm", density * w, basis)


class SlopeTable:
    r"""S = E[phi'(u) phi'(v)] and its mean W over the cosines up to a pair's own.

    W is what makes a kernel of S without cancellation:
    :math:`K(\vartheta) = K(0) - \sigma \sigma' (1 - \cos\vartheta) W`, and likewise
    from the antipodal end.

    Parameters
    ----------
    phi : object with ``slope`` and ``analytic``
    """

    def __init__(self, phi):
        self.phi = phi
        self._cells = {}
        self._lock = threading.Lock()

    def known(self, x, y, piece):
        """Whether a cell has been built already."""
        return (min(x, y), max(x, y), piece) in self._cells

    def cell(self, x, y, piece):
        """Coefficients, (2, 2, degrees, nodes, nodes): end, W or S, ..."""
        key = (min(x, y), max(x, y), piece)
        with self._lock:
            for p in range(piece + 1):
                if (*key[:2], p) not in self._cells:
                    self._cells[(*key[:2], p)] = self._build(*key[:2], p)
        found = self._cells[key][0]
        return found if x <= y else found.swapaxes(-1, -2)

    def _build(self, x, y, piece):
        low, high = pieces(_ends(y)[1])[piece : piece + 2]
        count = _NARROW
        if piece == 0:
            count = int(24 + 9 * min(_ends(y)[1], 4.0))
        t = low + 0.5 * (high - low) * (1.0 + chebyshev_nodes(count))
        S = self._nodes(_std_nodes(x), _std_nodes(y), 2.0 * np.arctan(t), _ends(y)[1])
        N = np.einsum("tm,...mij->...tij", _integration(low, high, count), S)
        if piece == 0:
            W = N
        else:
            below = self._cells[x, y, piece - 1][1]
            share = ((1.0 + t * t) / (2.0 * t * t))[:, None, None]
            W = share * (N + below[..., None, :, :])
        transform = chebyshev_transform(count)
        cell = np.einsum("dm,...mij->...dij", transform, np.stack((W, S), axis=-4))
        edge = 2.0 * high**2 / (1.0 + high**2) * cell[..., 0, :, :, :].sum(axis=-3)
        return cell, edge

    def _nodes(self, std_x, std_y, angles, top):
        """S at nodes, (ends, angles, nodes, nodes)."""
        if self.phi.analytic and top <= _SMOOTH_BELOW:
            return polar.smooth_slope_moments(self.phi, std_x, std_y, angles)
        values = [polar.slope_moments(self.phi, std_x, std_y, a) for a in angles]
        return np.stack(values, axis=1)

    def evaluate(self, std_x, std_y, t, negative, gradient=False):
        """W and S of pairs.

        Parameters
        ----------
        std_x, std_y : array of shape (n,), (m,)
            Or both (n,), where t is.
        t : array of shape (n, m) or (n,)
            Tangent of half the angle from parallel or antipodal.
        negative : array of bool
            Whether it is from antipodal.
        gradient : bool

        Returns
        -------
        values : array of shape (2 or 7, *t.shape)
            W and S; then derivatives of both in std_x and in std_y, and of S in t.
        missed : array of bool
            Pairs in cells not built, for there are too few to be worth it.
        """
        values = np.zeros((7 if gradient else 2, *t.shape))
        missed = np.zeros(t.shape, dtype=bool)
        o_x, o_y = octave(std_x), octave(std_y)
        for x in np.unique(o_x):
            for y in np.unique(o_y):
                rows, columns, where = _members(o_x == x, o_y == y, t.ndim)
                if rows.size and columns.size:
                    w_x = std_weights(x, std_x[rows])
                    w_y = std_weights(y, std_y[columns])
                    values[(slice(None), *where)], missed[where] = self._in_octaves(
                        (x, w_x), (y, w_y), t[where], negative[where], gradient
                    )
        return values, missed

    def _in_octaves(self, row, column, t, negative, gradient):
        (x, w_x), (y, w_y) = row, column
        values = np.zeros((7 if gradient else 2, *t.shape))
        missed = np.zeros(t.shape, dtype=bool)
        ends = pieces(_ends(max(x, y))[1])
        which = np.searchsorted(ends[1:-1], t)
        for piece in np.unique(which):
            for end in (0, 1):
                mask = (which == piece) & (negative == bool(end))
                count = np.count_nonzero(mask)
                if count == 0:
                    continue
                few = _FEW if max(x, y) <= _SMALL else _FEW_WIDE
                if count <= few and not self.known(x, y, piece):
                    missed |= mask
                    continue
                part = None if count == mask.size else np.flatnonzero(mask)
                low, high = ends[piece : piece + 2]
                at = (2.0 * _taken(t, part) - (low + high)) / (high - low)
                series = _Series(w_x, w_y, at, part, t.ndim == 2)
                cell = self.cell(x, y, piece)[end]
                for k, value in enumerate(series.all(cell, gradient, high - low)):
                    values[k][... if part is None else mask] = value
        return values, missed


class _ELUParts(SlopeTable):
    """Tables for ELU, one for each power of alpha."""

    def _nodes(self, std_x, std_y, angles, top):
        values = [polar.elu_slope_moments(std_x, std_y, a) for a in angles]
        return np.moveaxis(np.stack(values), 0, 2)


_elu_parts = _ELUParts(None)


class ELUTable(SlopeTable):
    """The table for ELU; what has to be built does not depend on alpha."""

    def known(self, x, y, piece):
        return _elu_parts.known(x, y, piece)

    def cell(self, x, y, piece):
        parts = _elu_parts.cell(x, y, piece)
        return np.tensordot(self.phi.alpha ** np.arange(3.0), parts, 1)


def _members(is_x, is_y, ndim):
    if ndim == 1:
        both = np.flatnonzero(is_x & is_y)
        return both, both, (both,)
    rows, columns = np.flatnonzero(is_x), np.flatnonzero(is_y)
    return rows, columns, np.ix_(rows, columns)


def _taken(a, part):
    return a if part is None else a.ravel()[part]


class _Series:
    """Chebyshev series in t of the pairs of two octaves."""

    def __init__(self, w_x, w_y, at, part, block):
        self.w_x, self.w_y, self.part, self.block = w_x, w_y, part, block
        self.at, self.twice = at, 2.0 * at

    def all(self, cell, gradient, width):
        """The values `SlopeTable.evaluate` returns, one after the other."""
        W, S = cell
        yield self.sum(W)
        yield self.sum(S)
        if gradient:
            yield self.sum(W, d_x=1)
            yield self.sum(S, d_x=1)
            yield self.sum(W, d_y=1)
            yield self.sum(S, d_y=1)
            yield self.sum(chebyshev.chebder(S) * (2.0 / width))

    def sum(self, cell, d_x=0, d_y=0):
        """Clenshaw's recurrence, the coefficients made as they are needed."""
        size = np.abs(cell).max(axis=(1, 2))
        last = np.flatnonzero(size >= 1e-17 * size.max())[-1]
        b1, b2 = np.zeros_like(self.at), np.zeros_like(self.at)
        spare = np.empty_like(self.at)
        for d in range(last, 0, -1):
            np.multiply(self.twice, b1, out=spare)
            spare -= b2
            spare += self._coefficient(cell[d], d_x, d_y)
            b1, b2, spare = spare, b1, b2
        return self.at * b1 - b2 + self._coefficient(cell[0], d_x, d_y)

    def _coefficient(self, matrix, d_x, d_y):
        left, right = self.w_x[d_x] @ matrix, self.w_y[d_y]
        if self.block:
            return _taken(left @ right.T, self.part)
        return _taken(np.einsum("ip,ip->i", left, right), self.part)
