r"""Tables of E[phi'(u) phi'(v)], built as they are needed.

Standard deviations are cut into octaves and :math:`t = \tan(\vartheta/2)` into
pieces as fine as the octaves ask for. A *cell*, two octaves and a piece, holds a
polynomial in each variable. Evaluation in a block is one small matrix product
per degree in t and a Clenshaw step. Where there are few pairs in a cell, or the
standard deviations are large, what the table is made of is computed for each pair.
"""

import threading
from collections import Counter

import numpy as np
from numpy.polynomial import chebyshev

from sklearn_ntk._engine.forward_mode import Dual, DualNamespace
from sklearn_ntk.networks._quadrature.rules import chebyshev_nodes, chebyshev_transform

__all__ = ["SlopeTable", "octave"]

_LOWEST = 0.25
_NODES = 16
_WIDE, _NARROW = 33, 20
_FEW = 5000  # pairs a cell is asked for, in all, before it is built
_LAST = 7  # octave; beyond there is no table


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
    first = min(1.0, 1.0 / top)
    return np.concatenate(([0.0], 2.0 ** np.arange(np.log2(first), 1.0)))


class SlopeTable:
    r"""S = E[phi'(u) phi'(v)] and its mean W over the cosines up to a pair's own.

    W is what makes a kernel of S without cancellation:
    :math:`K(\vartheta) = K(0) - \sigma \sigma' (1 - \cos\vartheta) W`, and likewise
    from the antipodal end.

    Parameters
    ----------
    exact : object with ``powers`` and ``slopes``
        As in `LogisticMixture`. W and S are polynomials in a parameter of the
        function, and what is computed are their coefficients, `powers` of them.
    """

    def __init__(self, exact):
        self.exact = exact
        self._cells, self._asked = {}, Counter()
        self._lock = threading.Lock()

    def worth(self, x, y, place, count):
        """Whether `count` more pairs are worth a cell, or there is one already."""
        if max(x, y) > _LAST:
            return False
        key = (min(x, y), max(x, y), *place)
        self._asked[key] += count
        return key in self._cells or self._asked[key] > _FEW

    def cell(self, x, y, place):
        """Coefficients, (W or S, powers, degrees, nodes, nodes).

        Parameters
        ----------
        x, y : int
            Octaves.
        place : (int, bool)
            The piece of t, and whether that counts from antipodal.
        """
        key = (min(x, y), max(x, y), *place)
        with self._lock:
            if key not in self._cells:
                self._cells[key] = self._build(*key)
        found = self._cells[key]
        return found if x <= y else found.swapaxes(-1, -2)

    def _build(self, x, y, piece, negative):
        top = _ends(y)[1]
        low, high = pieces(top)[piece : piece + 2]
        count = _WIDE if piece == 0 else _NARROW
        t = low + 0.5 * (high - low) * (1.0 + chebyshev_nodes(count))
        grid = np.meshgrid(t, _std_nodes(x), _std_nodes(y), indexing="ij")
        t, std_x, std_y = (a.ravel() for a in grid)
        angle = _cos_sin(t)
        found = self.exact.slopes(np, std_x, std_y, *angle, np.full(t.shape, negative))
        values = np.stack(found).reshape(2, self.exact.powers, *grid[0].shape)
        return np.einsum("dm,...mij->...dij", chebyshev_transform(count), values)

    def evaluate(self, coef, std_x, std_y, t, negative, skip, gradient=False):
        """W and S of pairs.

        Parameters
        ----------
        coef : array of shape (powers,)
        std_x, std_y : array of shape (n,), (m,)
            Or both (n,), where t is.
        t : array of shape (n, m) or (n,)
            Tangent of half the angle from parallel or antipodal.
        negative : array of bool
            Whether it is from antipodal.
        skip : array of bool
            Pairs that are of no interest.
        gradient : bool

        Returns
        -------
        values : array of shape (2 or 7, *t.shape)
            W and S; then derivatives of both in std_x and in std_y, and of S in t.
        """
        values = np.zeros((7 if gradient else 2, *t.shape))
        missed = np.zeros(t.shape, dtype=bool)
        o_x, o_y = octave(std_x), octave(std_y)
        for x in np.unique(o_x[o_x <= _LAST]):
            for y in np.unique(o_y[o_y <= _LAST]):
                rows, columns, where = _members(o_x == x, o_y == y, t.ndim)
                if rows.size and columns.size:
                    w_x = std_weights(x, std_x[rows])
                    w_y = std_weights(y, std_y[columns])
                    values[(slice(None), *where)], missed[where] = self._in_octaves(
                        coef, (x, w_x), (y, w_y), t[where], negative[where], gradient
                    )
        wide_x, wide_y = o_x > _LAST, o_y > _LAST
        missed |= wide_x[:, None] | wide_y if t.ndim == 2 else wide_x | wide_y
        missed &= ~skip
        mirrored = std_x is std_y and t.ndim == 2 and np.array_equal(t, t.T)
        at = np.nonzero(np.triu(missed) if mirrored else missed)
        if at[0].size:
            rows = std_x[at[0]], std_y[at[-1]], t[at], negative[at]
            found = self._exactly(coef, *rows, gradient)
            values[(slice(None), *at)] = found
            if mirrored:
                swapped = (0, 1, 4, 5, 2, 3, 6)[: len(found)]
                values[(slice(None), *at[::-1])] = found[list(swapped)]
        return values

    def _exactly(self, coef, std_x, std_y, t, negative, gradient):
        """As `evaluate`, without a table."""
        cos, sin = _cos_sin(t)
        if not gradient:
            found = self.exact.slopes(np, std_x, std_y, cos, sin, negative)
            return coef @ np.stack(found)
        one = np.ones_like(t)
        pairs = (
            Dual(std_x, {"x": one}),
            Dual(std_y, {"y": one}),
            Dual(cos, {"angle": -sin}),
            Dual(sin, {"angle": cos}),
        )
        W, S = self.exact.slopes(DualNamespace(np), *pairs, negative)
        parts = [a for name in "xy" for a in (W.tangents[name], S.tangents[name])]
        last = S.tangents["angle"] * (2.0 / (1.0 + t * t))
        return coef @ np.stack((W.value, S.value, *parts, last))

    def _in_octaves(self, coef, row, column, t, negative, gradient):
        (x, w_x), (y, w_y) = row, column
        values = np.zeros((7 if gradient else 2, *t.shape))
        missed = np.zeros(t.shape, dtype=bool)
        ends = pieces(_ends(max(x, y))[1])
        which = np.searchsorted(ends[1:-1], t)
        for piece in np.unique(which):
            for end in (False, True):
                mask = (which == piece) & (negative == end)
                count = np.count_nonzero(mask)
                if count == 0:
                    continue
                if not self.worth(x, y, (piece, end), count):
                    missed |= mask
                    continue
                part = None if count == mask.size else np.flatnonzero(mask)
                low, high = ends[piece : piece + 2]
                at = (2.0 * _taken(t, part) - (low + high)) / (high - low)
                series = _Series(w_x, w_y, at, part, t.ndim == 2)
                cell = np.einsum("p,kp...->k...", coef, self.cell(x, y, (piece, end)))
                for k, value in enumerate(series.all(cell, gradient, high - low)):
                    values[k][... if part is None else mask] = value
        return values, missed


def _cos_sin(t):
    """Of the angle whose half has the tangent t."""
    return (1.0 - t) * (1.0 + t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)


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
