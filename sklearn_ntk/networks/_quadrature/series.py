"""Chebyshev series in t of pairs, whose coefficients are sums over nodes of rows.

The coefficient of degree d is ``w @ cell[d] @ w'``, with the rows' weights w and w'
in interpolation. Weights come with their derivatives, in an array (2, n, nodes), and
cells, W and S in one array, have the shape (2, degrees, nodes, nodes).
"""

import numpy as np
from numpy.polynomial import chebyshev

__all__ = ["BlockSeries", "PairSeries", "taken"]

_GROUP = 8  # pairs of one row in a matrix product
_CHUNK = 2**16  # numbers in an array of polynomials


def taken(a, part):
    """The elements of an array at flat indices, or all."""
    return a if part is None else a.ravel()[part]


def _last(cell):
    """The highest degree that counts."""
    size = np.abs(cell).max(axis=(1, 2))
    return np.flatnonzero(size >= 1e-17 * size.max())[-1]


class BlockSeries:
    """Series of the pairs of a block, or of some of them.

    A small matrix product and a step of Clenshaw's recurrence for each degree.

    Parameters
    ----------
    w_x, w_y : array of shape (2, n, nodes), (2, m, nodes)
    at : array of shape (n, m) or (n_some,)
        Where on [-1, 1] the series are summed.
    part : array of int or None
        Which pairs, in the flattened block.
    """

    def __init__(self, w_x, w_y, at, part):
        self.w_x, self.w_y, self.part = w_x, w_y, part
        self.at, self.twice = at, 2.0 * at

    def all(self, cell, gradient, width):
        """The values `SlopeTable.evaluate` returns, one after the other.

        `width` is that of the piece of t.
        """
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
        b1, b2 = np.zeros_like(self.at), np.zeros_like(self.at)
        spare = np.empty_like(self.at)
        for d in range(_last(cell), 0, -1):
            np.multiply(self.twice, b1, out=spare)
            spare -= b2
            spare += self._coefficient(cell[d], d_x, d_y)
            b1, b2, spare = spare, b1, b2
        return self.at * b1 - b2 + self._coefficient(cell[0], d_x, d_y)

    def _coefficient(self, matrix, d_x, d_y):
        return taken(self.w_x[d_x] @ matrix @ self.w_y[d_y].T, self.part)


class PairSeries:
    """Series of any pairs, by small matrix products of pairs that share a row of x.

    Pairs are in groups of `_GROUP`, some places of which may be empty.

    Parameters
    ----------
    w_x, w_y : array of shape (2, n, nodes), (2, m, nodes)
    i, j : array of int
        The rows of all pairs.
    at, part
        As of `BlockSeries`.
    """

    def __init__(self, w_x, w_y, i, j, at, part):
        self.w_x, self.w_y = w_x, w_y
        i, j = taken(i, part), taken(j, part)
        order = np.argsort(i, kind="stable")
        row = i[order]
        place = (np.arange(i.size) - np.searchsorted(row, row)) % _GROUP
        self.rows = row[place == 0]
        self.slots = np.empty_like(order)
        self.slots[order] = (np.cumsum(place == 0) - 1) * _GROUP + place
        self.at, self.j = self._spread(at), self._spread(j)

    def _spread(self, a):
        spread = np.zeros(self.rows.size * _GROUP, a.dtype)
        spread[self.slots] = a
        return spread.reshape(-1, _GROUP)

    def all(self, cell, gradient, width):
        """As that of `BlockSeries`, in one array."""
        count = max(map(_last, cell)) + 1
        forms = [(0, cell)]
        if gradient:
            turned = np.zeros_like(cell[1:])
            turned[0, :-1] = chebyshev.chebder(cell[1]) * (2.0 / width)
            forms += [(1, cell), (0, turned)]
        forms = [(d_x, form[:, :count]) for d_x, form in forms]
        step = max(1, _CHUNK // (count * _GROUP))
        found = [
            self._some(slice(start, start + step), forms, gradient)
            for start in range(0, len(self.rows), step)
        ]
        found = np.concatenate(found, axis=1)
        return found.reshape(len(found), -1)[:, self.slots]

    def _some(self, groups, forms, gradient):
        """The values of some groups, of shape (values, groups, `_GROUP`)."""
        rows, which = np.unique(self.rows[groups], return_inverse=True)
        coef = [_contracted(self.w_x[d_x, rows], form) for d_x, form in forms]
        coef = np.concatenate(coef, axis=2)
        n_rows, count, n_forms, n_nodes = coef.shape
        polynomials = _polynomials(self.at[groups], count)
        sums = polynomials @ coef.reshape(n_rows, count, -1)[which]
        sums = sums.reshape(-1, _GROUP, n_forms, n_nodes)
        w_y = self.w_y[:, self.j[groups]]
        values = np.einsum("gpfq,gpq->fgp", sums, w_y[0])
        if not gradient:
            return values
        d_y = np.einsum("gpfq,gpq->fgp", sums[:, :, :2], w_y[1])
        return np.concatenate((values[:4], d_y, values[4:]))


def _contracted(weights, form):
    """Coefficients of rows, (rows, degrees, forms, nodes of the other side)."""
    matrix = form.transpose(2, 1, 0, 3)
    product = weights @ matrix.reshape(len(matrix), -1)
    return product.reshape(-1, *matrix.shape[1:])


def _polynomials(at, count):
    """Chebyshev polynomials at an array (groups, pairs), (groups, pairs, count)."""
    T, twice = np.empty((count, *at.shape)), 2.0 * at
    T[0] = 1.0
    T[1:2] = at
    for d in range(2, count):
        np.multiply(twice, T[d - 1], out=T[d])
        T[d] -= T[d - 2]
    return T.transpose(1, 2, 0)
