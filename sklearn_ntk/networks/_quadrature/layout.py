"""Pairs of rows in blocks: one, or many where both sides share axes.

Arrays over pairs have the shape (n, m), or (blocks, n, m) with an index that says
which rows each block is of. There, rows of the same standard deviation are one.
"""

import math

import numpy as np

__all__ = ["RowPairs", "in_blocks"]

_CHUNK = 2**17  # numbers in an array that is gathered


def in_blocks(run, std_x, std_y, cos, sin):
    """Moments of pairs of any shape.

    Parameters
    ----------
    run : callable
        Takes standard deviations, (n,) and (m,), cosines, sines and the index of
        `RowPairs`. Returns `Moments` whose fields of rows have one axis.
    std_x, std_y, cos, sin : array
        Of shapes that broadcast.
    """
    shape = np.broadcast_shapes(std_x.shape, std_y.shape, cos.shape, sin.shape)
    axes = _Axes(shape, std_x.shape, std_y.shape)
    cos, sin = axes.pairs(cos), axes.pairs(sin)
    if len(cos) == 1:
        of_x, of_y = (np.arange(a.size).reshape(a.shape) for a in (std_x, std_y))
        moments = run(std_x.ravel(), std_y.ravel(), cos[0], sin[0], None)
    else:
        both = np.concatenate((std_x, std_y), axis=None)
        std, which = np.unique(both, return_inverse=True)
        of_x = which[: std_x.size].reshape(std_x.shape)
        of_y = which[std_x.size :].reshape(std_y.shape)
        index = axes.rows(of_x, axes.y), axes.rows(of_y, axes.x)
        moments = run(std, std, cos, sin, index)
    return _reshaped(moments, axes, of_x, of_y)


def _reshaped(moments, axes, of_x, of_y):
    """Moments of pairs in their shape, and of rows in that of standard deviations."""
    rows = {"out_x": of_x, "d_out_x": of_x, "out_y": of_y, "d_out_y": of_y}
    for name, field in vars(moments).items():
        if isinstance(field, tuple):
            field = tuple(map(axes.restored, field))
        elif field is not None:
            field = field[rows[name]] if name in rows else axes.restored(field)
        setattr(moments, name, field)
    return moments


class _Axes:
    """Which axes of pairs are of rows of x alone, of y alone, and shared."""

    def __init__(self, shape, shape_x, shape_y):
        self.shape, axes = shape, range(len(shape))
        in_x, in_y = (
            [n != 1 for n in (1,) * (len(shape) - len(s)) + s]
            for s in (shape_x, shape_y)
        )
        self.x = [k for k in axes if in_x[k] and not in_y[k]]
        self.y = [k for k in axes if in_y[k] and not in_x[k]]
        shared = [k for k in axes if in_x[k] == in_y[k]]
        self.order = [*shared, *self.x, *self.y]
        self.back = np.argsort(self.order)
        self.blocks, self.n, self.m = (
            math.prod(shape[k] for k in group) for group in (shared, self.x, self.y)
        )

    def pairs(self, a):
        """An array over pairs, of shape (blocks, n, m)."""
        a = np.broadcast_to(a, self.shape).transpose(self.order)
        return a.reshape(self.blocks, self.n, self.m)

    def rows(self, a, others):
        """An array over rows of one side, of shape (blocks, n) or (blocks, m)."""
        shape = [1 if k in others else n for k, n in enumerate(self.shape)]
        a = np.broadcast_to(a, shape).transpose(self.order)
        return a.reshape(self.blocks, self.m if others is self.x else self.n)

    def restored(self, a):
        """What `pairs` makes of an array, undone."""
        a = a.reshape([self.shape[k] for k in self.order])
        return np.ascontiguousarray(a.transpose(self.back))


class RowPairs:
    """The pairs of one block, or of many.

    Parameters
    ----------
    rows : callable
        From standard deviations to `Rows`.
    std_x, std_y : array of shape (n,), (m,)
        Of many blocks, those of all rows.
    cos, sin : array of shape (n, m) or (blocks, n, m)
    index : pair of array of int, of shapes (blocks, n) and (blocks, m), or None
        The rows of each block.
    """

    def __init__(self, rows, std_x, std_y, cos, sin, index):
        self.cos, self.sin, self.index = cos, sin, index
        self.negative = cos < 0
        self.sign = np.where(self.negative, -1.0, 1.0)
        along_x = self.along_x(std_x)
        parallel = (sin == 0) & ~self.negative
        self.itself = (along_x == self.along_y(std_y)) & (parallel | (along_x == 0))
        same = std_x is std_y or np.array_equal(std_x, std_y)
        self.x = rows(std_x)
        self.y = self.x if same else rows(std_y)

    def along_x(self, row):
        return (row if self.index is None else row[self.index[0]])[..., :, None]

    def along_y(self, row):
        return (row if self.index is None else row[self.index[1]])[..., None, :]

    @property
    def flat_index(self):
        """Which rows each pair is of, where blocks are many."""
        of_x, of_y = self.index[0][:, :, None], self.index[1][:, None, :]
        return [a.ravel() for a in np.broadcast_arrays(of_x, of_y)]

    def rows_at(self, where):
        """Which rows pairs are of that `np.nonzero` found."""
        if self.index is None:
            return where
        block, i, j = where
        return self.index[0][block, i], self.index[1][block, j]

    def products(self, left, right):
        """Products ``left[i] @ right[j]`` of the vectors of all pairs' rows."""
        if self.index is None:
            return left @ right.T
        of_x, of_y = self.index
        if len(left) * len(right) <= self.cos.size:
            return (left @ right.T)[of_x[:, :, None], of_y[:, None, :]]
        found = np.empty(self.cos.shape)
        step = max(1, _CHUNK // ((of_x.shape[1] + of_y.shape[1]) * left.shape[1]))
        for start in range(0, len(of_x), step):
            part = slice(start, start + step)
            other = right[of_y[part]].swapaxes(1, 2)
            np.matmul(left[of_x[part]], other, out=found[part])
        return found

    def expectations(self, left, right):
        """E[f(z) g(z)] of rows or, where the pair is `negative`, -E[f(z) g(-z)]."""
        left, out = np.concatenate(left, axis=1), np.zeros(self.cos.shape)
        for end in (False, True):
            mask = self.negative == end
            if np.any(mask):
                other = np.concatenate(right[::-1] if end else right, axis=1)
                out = np.where(mask, self.products(left, other), out)
        return self.sign * out

    def parallel_at(self, close):
        """Half the mean square of rows' difference, of the pairs of a mask.

        That is 1 - `expectations`, without cancellation.
        """
        out = np.zeros(np.count_nonzero(close))
        for part, i, j, sign in self._some(close):
            d = self.x.y[:, i] - _turned(self.y.y, j, sign)
            out[part] = 0.5 * np.einsum("snk,snk->n", d, d)
        return out

    def parallel_slopes_at(self, close):
        """Derivatives of the former in both standard deviations."""
        d_x, d_y = np.zeros((2, np.count_nonzero(close)))
        for part, i, j, sign in self._some(close):
            d = self.x.y[:, i] - _turned(self.y.y, j, sign)
            d_x[part] = np.einsum("snk,snk->n", d, self.x.d_y[:, i])
            d_y[part] = -np.einsum("snk,snk->n", d, _turned(self.y.d_y, j, sign))
        return d_x, d_y

    def _some(self, close):
        """The pairs of a mask, a few at a time: which, their rows, and their sign."""
        i, j = self.rows_at(np.nonzero(close))
        sign = self.sign[close][:, None]
        step = max(1, _CHUNK // self.x.y.shape[-1])
        for start in range(0, i.size, step):
            part = slice(start, start + step)
            yield part, i[part], j[part], sign[part]


def _turned(y, j, sign):
    """The values of rows j, those of antipodal pairs at -z and with their sign."""
    y = y[:, j]
    return sign * np.where(sign > 0, y, y[::-1])
