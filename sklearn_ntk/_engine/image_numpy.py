"""Programs of images run by NumPy, on all pairs of pixels of a few rows at a time."""

import math

import numpy as np

from sklearn_ntk._engine.image_plan import n_pairs
from sklearn_ntk._engine.numpy_program import FUNCTIONS, SMALL, allocated
from sklearn_ntk._engine.tracing import Row

__all__ = ["ImageNumpyProgram"]

ENTRIES = 2**18  # pairs of pixels in a block: few calls, and buffers stay in cache
WIDE = 64  # columns that inner loops are long enough with


class ImageNumpyProgram:
    """A program as a list of calls on arrays (P, n, P', m), (P, n, m) or (n, m).

    Rows come between the pixels of both images, where a matrix product leaves them.

    Parameters
    ----------
    program : ImageProgram
    dtype : dtype
    """

    def __init__(self, program, dtype):
        self.program, self.dtype = program, np.dtype(dtype)
        self.steps, self.counts = allocated(program, program.spaces)
        self.guards = set(program.guards)
        self.rows = {
            id(a): (a, _row(a, space, dtype))
            for node, space in zip(program.nodes, program.spaces, strict=True)
            for a in node.args
            if isinstance(a, Row)
        }
        self.factors = [_factor(a.astype(dtype)) for a in program.inputs[0]]
        pairs = max(1, ENTRIES // max(map(n_pairs, program.spaces)))
        width = min(pairs, max(WIDE, math.isqrt(pairs)))
        self.shape = pairs // width, width

    def scratch(self):
        """Buffers of one thread."""
        size = self.shape[0] * self.shape[1]
        return {
            kind: np.empty(
                (count, n_pairs(kind[1]) * size), bool if kind[0] else self.dtype
            )
            for kind, count in self.counts.items()
        }

    def run(self, rows, columns, scratch):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        rows, columns : slice
        scratch : dict

        Returns
        -------
        outputs : list of array of shape (n, m)
        guarded : array of bool or None
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        values, guarded = {}, None

        def operand(a):
            if type(a) is int:
                return values[a]
            if not isinstance(a, Row):
                return a
            row = self.rows[id(a)][1]
            part = row[:, rows] if a.axis == 0 else row[..., columns]
            return np.ascontiguousarray(part)  # for long inner loops

        size = np.setbufsize(SMALL)
        for index, node, place in self.steps:
            space = self.program.spaces[index]
            if node.op == "product":
                values[index] = _product(*self.factors, space, rows, columns)
                continue
            if node.op == "map":
                source, pixel_map = node.args
                values[index] = _mapped(
                    pixel_map, values[source], self.program.spaces[source], space
                )
                continue
            buffer = scratch[node.is_mask, space][place]
            full = _shape(space, *shape)
            out = buffer[: math.prod(full)].reshape(full)
            values[index] = out
            FUNCTIONS[node.op](*map(operand, node.args), out=out)
            if index in self.guards and out.any():
                out = _of_rows(out, space)
                guarded = out if guarded is None else guarded | out
        np.setbufsize(size)
        outputs = [values[index].reshape(shape) for index in self.program.outputs]
        for value in outputs:
            if not np.isfinite(np.sum(value)):
                wrong = ~np.isfinite(value)
                guarded = wrong if guarded is None else guarded | wrong
        return outputs, guarded


def _shape(space, n, m):
    size, full = space
    return (size, n, size, m) if full else (size, n, m)


def _sides(space):
    return (0, 2) if space[1] else (0,)


def _row(row, space, dtype):
    """Numbers of the pixels of all rows, to broadcast against a block."""
    table = row.table(space[0])
    table = table.astype(bool if table.dtype == bool else dtype)
    if row.axis == 0:
        return table[:, :, None, None] if space[1] else table[:, :, None]
    return table[None, None] if space[1] else table[:, None]


def _factor(pixels):
    """The features of the pixels of rows with rows last, (C, P, n)."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _product(x, y, space, rows, columns):
    x, y = x[:, :, rows], y[:, :, columns]
    if space[1]:
        product = x.reshape(len(x), -1).T @ y.reshape(len(y), -1)
        return product.reshape(_shape(space, x.shape[2], y.shape[2]))
    return np.matmul(x.transpose(1, 2, 0), y.transpose(1, 0, 2))


def _mapped(pixel_map, a, before, after):
    mapped = pixel_map.sums(np, a, _sides(before))
    return mapped.reshape(_shape(after, a.shape[1], a.shape[-1]))


def _of_rows(mask, space):
    """Which pairs of rows have a pair of pixels that is marked."""
    return mask.any(axis=(0, 2)) if space[1] else mask.any(axis=0)
