"""A program of images as calls of NumPy, on arrays of one shape that are there."""

from typing import Any, NamedTuple

import numpy as np

from sklearn_ntk._engine.image_sums import part_of
from sklearn_ntk._engine.numpy_program import FUNCTIONS
from sklearn_ntk._engine.tracing import Row

__all__ = ["Calls", "Table", "shape_of"]


class Table(NamedTuple):
    """Numbers of all rows of X or of Y.

    Attributes
    ----------
    values : array
    side : int
        0: of the rows of X. 1: of those of Y.
    axis : int
        Which axis is the rows.
    """

    values: Any
    side: int
    axis: int

    @classmethod
    def of_row(cls, row, space, dtype):
        """Numbers of the pixels of rows, to broadcast against a block."""
        table = row.table(space[0])
        table = table.astype(bool if table.dtype == bool else dtype)
        if row.axis == 0:
            return cls(table[:, :, None, None] if space[1] else table[:, :, None], 0, 1)
        table = table[None, None] if space[1] else table[:, None]
        return cls(table, 1, table.ndim - 1)

    def shape(self, block):
        """The shape of what a block of n rows and m columns needs."""
        shape = list(self.values.shape)
        shape[self.axis] = block[self.side]
        return tuple(shape)

    def part(self, rows, columns):
        """What a block needs."""
        span = (rows, columns)[self.side]
        return self.values[(slice(None),) * self.axis + (span,)]


class Calls:
    """The calls that compute a block of n rows and m columns.

    All their arguments are made before: with two threads the interpreter is taken and
    given back between calls, and the less it does there the less they wait.

    Parameters
    ----------
    program : ImageNumpyProgram
    shape : tuple of int
        n and m.
    scratch : tuple
        Buffers by kind, those for what is between the axes of a map, and those for
        numbers of pixels of some rows, by the id of their `Row`.
    """

    def __init__(self, program, shape, scratch):
        self.shape, (buffers, spares, self.parts) = shape, scratch
        self.factors, self.rows, self.calls, values = [], {}, [], {}

        def operand(a):
            if type(a) is int:
                return values[a]
            return self._row(program.tables, a) if isinstance(a, Row) else a

        for index, node, place in program.steps:
            space = program.spaces[index]
            buffer = buffers[node.is_mask, space][place]
            values[index] = out = part_of(buffer, shape_of(space, *shape))
            if node.op == "product":
                self.factors.append((out, space))
            elif node.op == "map":
                made = program.sums[index].calls(values[node.args[0]], out, spares)
                self.calls += [(*call, None) for call in made]
            elif node.op == "mix":
                a, weights = node.args
                part = self._row(program.tables, weights)
                made = _mixed(values[a], part, weights.axis, out, spares)
                self.calls += [(*call, None) for call in made]
            else:
                arguments = tuple(map(operand, node.args))
                guard = space if index in program.guards else None
                self.calls.append((FUNCTIONS[node.op], arguments, out, guard))
        outputs = (values[index] for index in program.outputs)
        self.outputs = [value.reshape(-1, *shape) for value in outputs]

    def run(self, x, y, rows, columns):
        """The outputs, (pixels, n, m), and which pairs of rows are guarded, or None.

        Parameters
        ----------
        x, y : array of shape (C, P, n)
            Features of pixels.
        rows, columns : slice
        """
        for table, part in self.rows.values():
            np.copyto(part, table.part(rows, columns))
        for out, space in self.factors:
            _product(x[:, :, rows], y[:, :, columns], space, out)
        guarded = None
        for function, arguments, out, guard in self.calls:
            function(*arguments, out=out)
            if guard is not None and out.any():
                marked = out.any(axis=(0, 2)) if guard[1] else out.any(axis=0)
                guarded = marked if guarded is None else guarded | marked
        return self.outputs, guarded

    def _row(self, tables, row):
        """A contiguous array of what a block needs of the numbers of rows."""
        if id(row) not in self.rows:
            table = tables[id(row)]
            part = part_of(self.parts[id(row)], table.shape(self.shape))
            self.rows[id(row)] = table, part
        return self.rows[id(row)][-1]


def _mixed(a, weights, side, out, spares):
    """Calls that write the sums of `a` over pixels of one side, weighted by row."""
    size, n, other, m = a.shape
    if side == 0:
        a, out = (b.reshape(size, n, other * m).transpose(1, 0, 2) for b in (a, out))
        yield np.matmul, (weights, a), out
        return
    # where rows of Y are along the last axis matrices would be copied one by one
    first, second = (part_of(b, (m, size * n, other)) for b in spares[:2])
    flat, turned = a.reshape(-1, m).T, first.reshape(m, -1)
    yield np.positive, (flat,), turned
    yield np.matmul, (first, weights.transpose(0, 2, 1)), second
    yield np.positive, (second.reshape(m, -1).T,), out.reshape(-1, m)


def shape_of(space, n, m):
    """The shape of numbers for all pairs of pixels of a space."""
    size, full = space
    return (size, n, size, m) if full else (size, n, m)


def _product(x, y, space, out):
    """Inner products of pixels, from features (C, P, n) and (C, P', m)."""
    if space[1]:
        x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
        np.matmul(x.T, y, out=out.reshape(x.shape[1], -1))
    else:
        np.matmul(x.transpose(1, 2, 0), y.transpose(1, 0, 2), out=out)
