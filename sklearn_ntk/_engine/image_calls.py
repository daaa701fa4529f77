"""A program of images as calls of NumPy, on arrays of one shape that are there."""

import math
from typing import Any, NamedTuple

import numpy as np

from sklearn_ntk._engine.numpy_program import FUNCTIONS
from sklearn_ntk._engine.tracing import Row
from sklearn_ntk.networks._windows import Windows

__all__ = ["SPARES", "Calls", "Sums", "Table", "shape_of"]

SPARES = 3  # buffers of maps: two in turns, and one for what is moved
SHORT = 64  # numbers that lie together, below which a loop over them costs too much


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


class Sums(NamedTuple):
    """A map of pixels, on arrays with pairs of rows.

    Attributes
    ----------
    pixel_map : PixelMap
    sides : tuple of int
        Axes that are pixels.
    additions : list of Additions or None
        How sums over windows come about.
    """

    pixel_map: Any
    sides: tuple
    additions: list | None

    @classmethod
    def of(cls, pixel_map, space):
        """The map, on pairs of pixels of a space."""
        sides, n_dims = ((0, 2), 4) if space[1] else ((0,), 3)
        additions = None
        if isinstance(pixel_map, Windows):
            additions = list(pixel_map.additions(sides, n_dims))
        return cls(pixel_map, sides, additions)

    def between(self, shape):
        """The shapes of what there is after each axis of windows but the last."""
        if self.additions is None:
            return
        shape = self.pixel_map.expanded(shape, self.sides)
        for axis in self.additions[:-1]:
            shape = axis.shape(shape)
            yield shape

    def calls(self, a, more, out, spares):
        """Calls that write the sums of `a`, and what there is `more`, to `out`."""
        if self.additions is None or self._are_of_all:
            if self.additions is None:
                yield self._all, (a,), out
            else:
                yield np.add.reduce, (a, 0, None), out[0]
            for b in more:
                yield np.add, (out, b), out
            return
        a = a.reshape(self.pixel_map.expanded(a.shape, self.sides))
        for k, axis in enumerate(self.additions, start=1):
            shape, last = axis.shape(a.shape), k == len(self.additions)
            to = out.reshape(shape) if last else part_of(spares[k % 2], shape)
            begin = [] if axis.first is None else [a[axis.first]]
            if last:
                begin += [np.reshape(b, shape) if np.ndim(b) else b for b in more]
            if len(begin) == 2:
                yield np.add, tuple(begin), to
            else:
                yield np.positive, tuple(begin) or (0.0,), to
            for there, here in axis.others:
                if _is_short(axis, there, here, a, to):
                    yield from _moved(axis, there, here, a, to, spares[2])
                else:
                    yield np.add, (to[there], a[here]), to[there]
            a = to

    @property
    def _are_of_all(self):
        """Whether there is one window, over all pixels, of pairs at the same place."""
        if len(self.sides) > 1 or self.pixel_map.size(False)[0] > 1:
            return False
        places = np.sort(self.pixel_map.sources[0])
        return np.array_equal(places, np.arange(math.prod(self.pixel_map.shape)))

    def _all(self, a, out):
        out[...] = self.pixel_map.sums(np, a, self.sides).reshape(out.shape)


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
                a, _, *more = node.args
                more = list(map(operand, more))
                made = program.sums[index].calls(values[a], more, out, spares)
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
        self.outputs = [values[index].reshape(shape) for index in program.outputs]

    def run(self, x, y, rows, columns):
        """The outputs, and which pairs of rows have a guarded pair of pixels, or None.

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


def _is_short(axis, there, here, a, to):
    """Whether loops over what lies together are short, where a tap is moved to."""
    second = axis.axes[-1]
    return (
        len(axis.axes) == 2
        and a.shape[second] == to.shape[second]
        and there[second].step == here[second].step == 1
        and math.prod(a.shape[second:]) < SHORT
    )


def _moved(axis, there, here, a, to, spare):
    """Calls that add a tap along all but the first axis at once, as if it were one.

    What would come from one end to the other is made 0 before.
    """
    first, second = axis.axes
    inside = np.zeros(a.shape[first + 1 :], a.dtype)
    inside[here[first + 1 :]] = 1.0
    source, target = (
        b.reshape(math.prod(b.shape[:first]), b.shape[first], -1)[:, index[first]]
        for b, index in ((a, here), (to, there))
    )
    moved = part_of(spare, source.shape)
    yield np.multiply, (source, inside.reshape(-1)), moved
    by = there[second].start - here[second].start
    by *= math.prod(a.shape[second + 1 :])
    target, moved = target[..., max(by, 0) :], moved[..., max(-by, 0) :]
    n = min(target.shape[-1], moved.shape[-1])
    yield np.add, (target[..., :n], moved[..., :n]), target[..., :n]


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


def part_of(buffer, shape):
    """An array of a shape, at the beginning of a buffer."""
    return buffer[: math.prod(shape)].reshape(shape)


def _product(x, y, space, out):
    """Inner products of pixels, from features (C, P, n) and (C, P', m)."""
    if space[1]:
        x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
        np.matmul(x.T, y, out=out.reshape(x.shape[1], -1))
    else:
        np.matmul(x.transpose(1, 2, 0), y.transpose(1, 0, 2), out=out)
