"""A program of images as calls of NumPy, on arrays of one shape that are there."""

import math

import numpy as np

from sklearn_ntk._engine.numpy_program import FUNCTIONS
from sklearn_ntk._engine.tracing import Row
from sklearn_ntk.networks._windows import Windows

__all__ = ["Calls", "shape_of", "spares_of"]


class Calls:
    """The calls that compute a block of n rows and m columns.

    All their arguments are made before: with two threads the interpreter is taken and
    given back between calls, and the less it does there the less they wait.

    Parameters
    ----------
    steps : list of tuple
        Index, node and number of the buffer, in the order of the computation.
    spaces : list of tuple
    outputs, guards : collection of int
    tables : dict
        Numbers of the pixels of all rows, to broadcast against a block, by the id of
        the `Row`.
    shape : tuple of int
        n and m.
    scratch : tuple
        Buffers by kind, and those for what is between the axes of a map.
    """

    def __init__(self, steps, spaces, outputs, guards, tables, shape, scratch):
        self.shape, (buffers, self.spares) = shape, scratch
        self.factors, self.rows, self.calls, values = [], {}, [], {}

        def operand(a):
            if type(a) is int:
                return values[a]
            return self._row(tables[id(a)], a.axis) if isinstance(a, Row) else a

        for index, node, place in steps:
            space = spaces[index]
            full = shape_of(space, *shape)
            values[index] = out = _cut(buffers[node.is_mask, space][place], full)
            guard = space if index in guards else None
            if node.op == "product":
                self.factors.append((out, space))
            elif node.op == "map":
                source, pixel_map, *more = node.args
                self._add_map(
                    pixel_map, values[source], spaces[source], out, map(operand, more)
                )
            else:
                arguments = tuple(map(operand, node.args))
                self.calls.append((FUNCTIONS[node.op], arguments, out, guard))
        self.outputs = [values[index].reshape(shape) for index in outputs]

    def run(self, x, y, rows, columns):
        """The outputs, and which pairs of rows have a guarded pair of pixels, or None.

        Parameters
        ----------
        x, y : array of shape (C, P, n)
            Features of pixels.
        rows, columns : slice
        """
        for table, axis, part in self.rows.values():
            np.copyto(part, table[:, rows] if axis == 0 else table[..., columns])
        for out, space in self.factors:
            _product(x[:, :, rows], y[:, :, columns], space, out)
        guarded = None
        for function, arguments, out, guard in self.calls:
            function(*arguments, out=out)
            if guard is not None and out.any():
                marked = out.any(axis=(0, 2)) if guard[1] else out.any(axis=0)
                guarded = marked if guarded is None else guarded | marked
        return self.outputs, guarded

    def _row(self, table, axis):
        """A contiguous array of what a block needs of a table."""
        if id(table) not in self.rows:
            shape = list(table.shape)
            shape[1 if axis == 0 else -1] = self.shape[axis]
            self.rows[id(table)] = table, axis, np.empty(shape, table.dtype)
        return self.rows[id(table)][2]

    def _add_map(self, pixel_map, a, before, out, more):
        """Calls of a map, of which the result is added to what there is `more`."""
        sides = (0, 2) if before[1] else (0,)
        if not isinstance(pixel_map, Windows):

            def apply(a, out):
                out[...] = pixel_map.sums(np, a, sides).reshape(out.shape)

            self.calls.append((apply, (a,), out, None))
            for b in more:
                self.calls.append((np.add, (out, b), out, None))
            return
        a = a.reshape(pixel_map.expanded(a.shape, sides))
        axes = list(pixel_map.additions(a.shape, sides))
        for k, (shape, first, additions) in enumerate(axes, start=1):
            last = k == len(axes)
            to = out.reshape(shape) if last else _cut(self.spares[k % 2], shape)
            begin = [_in_shape(b, shape) for b in more] if last else []
            begin += [] if first is None else [a[first]]
            if len(begin) == 2:
                self.calls.append((np.add, tuple(begin), to, None))
            else:
                self.calls.append((_copied, tuple(begin) or (0.0,), to, None))
            for there, here in additions:
                self.calls.append((np.add, (to[there], a[here]), to[there], None))
            a = to


def shape_of(space, n, m):
    """The shape of numbers for all pairs of pixels of a space."""
    size, full = space
    return (size, n, size, m) if full else (size, n, m)


def spares_of(program, n, m):
    """How large what is between the axes of maps is, at most, for the first and second."""
    sizes = [0, 0]
    for node in program.nodes:
        if node.op == "map" and isinstance(node.args[1], Windows):
            space = program.spaces[node.args[0]]
            sides = (0, 2) if space[1] else (0,)
            shape = node.args[1].expanded(shape_of(space, n, m), sides)
            between = list(node.args[1].additions(shape, sides))[:-1]
            for k, (shape, *_) in enumerate(between, start=1):
                sizes[k % 2] = max(sizes[k % 2], math.prod(shape))
    return sizes


def _copied(a, out):
    np.copyto(out, a)


def _cut(buffer, shape):
    return buffer[: math.prod(shape)].reshape(shape)


def _in_shape(a, shape):
    return a.reshape(shape) if isinstance(a, np.ndarray) else a


def _product(x, y, space, out):
    """Inner products of pixels, from features (C, P, n) and (C, P', m)."""
    if space[1]:
        x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
        np.matmul(x.T, y, out=out.reshape(x.shape[1], -1))
    else:
        np.matmul(x.transpose(1, 2, 0), y.transpose(1, 0, 2), out=out)
