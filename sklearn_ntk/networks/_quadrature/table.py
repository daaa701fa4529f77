r"""Tables of E[phi'(u) phi'(v)], built as they are needed.

Standard deviations are cut into octaves and :math:`t = \tan(\vartheta/2)` into
pieces as fine as the octaves ask for. A *cell*, two octaves and a piece, holds a
polynomial in each variable. Where there are few pairs in a cell, or the standard
deviations are large, what the table is made of is computed for each pair.
"""

import threading
from collections import Counter
from functools import lru_cache, partial

import numpy as np
from numpy.polynomial import chebyshev

from sklearn_ntk._engine.forward_mode import Dual, DualNamespace
from sklearn_ntk.networks._quadrature.rules import chebyshev_nodes, chebyshev_transform
from sklearn_ntk.networks._quadrature.series import BlockSeries, PairSeries, taken

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


@lru_cache(maxsize=1)
def _slope_transform():
    """From values at nodes to coefficients of the interpolant's derivative."""
    return chebyshev.chebder(np.eye(_NODES)) @ chebyshev_transform(_NODES)


def std_weights(index, std):
    """Weights of the nodes of an octave in interpolation, and their derivatives."""
    _, top = _ends(index)
    if index == 0:
        x, slope = 2.0 * std / top - 1.0, np.full_like(std, 2.0 / top)
    else:
        x, slope = 2.0 * np.log2(std / top) + 1.0, 2.0 / (np.log(2.0) * std)
    angle = np.arccos(np.clip(x, -1.0, 1.0))
    basis = np.cos(angle[:, None] * np.arange(_NODES))
    turned = chebyshev.chebvander(x, _NODES - 2) @ _slope_transform()
    return basis @ chebyshev_transform(_NODES), turned * slope[:, None]


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

    def evaluate(
        self, coef, std_x, std_y, t, negative, skip, gradient=False, index=None
    ):
        """W and S of pairs.

        Parameters
        ----------
        coef : array of shape (powers,)
        std_x, std_y : array of shape (n,), (m,)
        t : array of shape (n, m) or (n_pairs,)
            Tangent of half the angle from parallel or antipodal.
        negative : array of bool
            Whether it is from antipodal.
        skip : array of bool
            Pairs that are of no interest.
        gradient : bool
        index : pair of array of int, of shape (n_pairs,), or None
            Rows of x and of y: the pairs, where they are not a block.

        Returns
        -------
        values : array of shape (2 or 7, *t.shape)
            W and S; then derivatives of both in std_x and in std_y, and of S in t.
        """
        values = np.zeros((7 if gradient else 2, *t.shape))
        missed = np.ones(t.shape, dtype=bool)
        of_x = _Interpolation(std_x)
        of_y = of_x if std_y is std_x else _Interpolation(std_y)
        for x in of_x.octaves:
            for y in of_y.octaves:
                where, series = _members(of_x, of_y, x, y, index)
                found = t[where]
                if found.size:
                    values[(slice(None), *where)], missed[where] = self._in_octaves(
                        coef, (x, y), series, found, negative[where], gradient
                    )
        missed &= ~skip
        mirrored = std_x is std_y and t.ndim == 2 and np.array_equal(t, t.T)
        if mirrored:  # a cell may have been built between a pair and its mirror image
            missed |= missed.T
        at = np.nonzero(np.triu(missed) if mirrored else missed)
        if at[0].size:
            i, j = at if index is None else (index[0][at], index[1][at])
            rows = std_x[i], std_y[j], t[at], negative[at]
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

    def _in_octaves(self, coef, octaves, series, t, negative, gradient):
        x, y = octaves
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
                at = (2.0 * taken(t, part) - (low + high)) / (high - low)
                cell = np.einsum("p,kp...->k...", coef, self.cell(x, y, (piece, end)))
                found = series(at, part).all(cell, gradient, high - low)
                for k, value in enumerate(found):
                    values[k][... if part is None else mask] = value
        return values, missed


def _cos_sin(t):
    """Of the angle whose half has the tangent t."""
    return (1.0 - t) * (1.0 + t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)


class _Interpolation:
    """Octaves of rows, and their weights there and derivatives of these."""

    def __init__(self, std):
        self.octave = octave(std)
        self.octaves = np.unique(self.octave[self.octave <= _LAST])
        self.weights = np.zeros((2, std.size, _NODES))
        for x in self.octaves:
            rows = self.octave == x
            self.weights[:, rows] = std_weights(x, std[rows])


def _members(of_x, of_y, x, y, index):
    """Where the pairs of two octaves are, and what makes their series."""
    is_x, is_y = of_x.octave == x, of_y.octave == y
    if index is None:
        rows, columns = np.flatnonzero(is_x), np.flatnonzero(is_y)
        weights = of_x.weights[:, rows], of_y.weights[:, columns]
        return np.ix_(rows, columns), partial(BlockSeries, *weights)
    i, j = index
    (where,) = np.nonzero(is_x[i] & is_y[j])
    weights = of_x.weights, of_y.weights
    return (where,), partial(PairSeries, *weights, i[where], j[where])
