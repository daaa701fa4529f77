"""Programs of images run by NumPy, on all pairs of pixels of a few rows at a time."""

import math

import numpy as np

from sklearn_ntk._engine.image_calls import Calls, Table, shape_of
from sklearn_ntk._engine.image_plan import n_pairs
from sklearn_ntk._engine.image_sums import SPARES, Sums
from sklearn_ntk._engine.numpy_program import SMALL, allocated, buffers
from sklearn_ntk._engine.tracing import Node, Row

__all__ = ["ImageNumpyProgram"]

ENTRIES = 3 * 2**16  # pairs of pixels in a block: few calls, and buffers stay in cache
WIDE = 128  # columns that inner loops are long enough with
SOME = 64  # pairs of rows, one after the other


class ImageNumpyProgram:
    """A program as a list of calls on arrays (P, n, P', m), (P, n, m) or (n, m).

    Rows come between the pixels of both images, where a matrix product leaves them.

    Parameters
    ----------
    program : ImageProgram
    dtype : dtype
    """

    width = SOME

    def __init__(self, program, dtype):
        nodes, self.spaces = program.nodes, program.spaces
        self.dtype, self.outputs = np.dtype(dtype), program.outputs
        self.steps, self.counts = allocated(_fused(program), self.spaces)
        self.guards = set(program.guards)
        self.sums = {
            index: Sums.of(node.args[1], self.spaces[node.args[0]])
            for index, node, _ in self.steps
            if node.op == "map"
        }
        self.tables = {
            id(a): Table.of_row(a, space, dtype)
            for node, space in zip(nodes, self.spaces, strict=True)
            for a in node.args
            if isinstance(a, Row)
        }
        for a in program.weights:
            self.tables[id(a)] = Table(a.values.astype(dtype), a.axis, 0)
        self.program = program  # whose rows and weights keep their ids
        self.factors = [_factor(a.astype(dtype)) for a in program.inputs[0]]
        pairs = max(1, ENTRIES // max(map(n_pairs, self.spaces)))
        width = min(pairs, WIDE)
        self.shape = pairs // width, width

    def scratch(self):
        """Buffers of one thread, and its calls for each shape of a block."""
        size = self.shape[0] * self.shape[1]
        values = {
            kind: buffers(
                count, n_pairs(kind[1]) * size, bool if kind[0] else self.dtype
            )
            for kind, count in self.counts.items()
        }
        largest = 0  # of what maps read, and of what is between their axes
        for index, node, _ in self.steps:
            if node.op in ("map", "mix"):
                before = shape_of(self.spaces[node.args[0]], *self.shape)
                between = self.sums[index].between(before) if node.op == "map" else ()
                largest = max(largest, *map(math.prod, (before, *between)))
        spares = buffers(SPARES, largest, self.dtype)
        parts = {}  # of tables, with as many rows as a block may have
        for key, table in self.tables.items():
            size = math.prod(table.shape(self.shape))
            parts[key] = np.empty(size, table.values.dtype)
        return (values, spares, parts), {}

    def run(self, rows, columns, scratch, on_diagonal):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        rows, columns : slice
        scratch : tuple
        on_diagonal : bool
            Whether the block begins at the diagonal; all pairs are computed even so.

        Returns
        -------
        outputs : list of array of shape (n, m)
        guarded : array of bool or None
        """
        outputs, guarded = self._run(rows, columns, scratch)
        return [value[0] for value in outputs], guarded

    def of_pairs(self, i, j, scratch):
        """The output for rows i of X with rows j of Y, and which are guarded.

        Returns
        -------
        output : array of shape (n_pixels, n)
        guarded : array of bool, shape (n,)
        """
        found, guarded = [], np.zeros(len(i), bool)
        for k, (a, b) in enumerate(zip(i, j, strict=True)):
            (output,), mask = self._run(slice(a, a + 1), slice(b, b + 1), scratch)
            found.append(output[:, 0, 0].copy())
            guarded[k] = mask is not None and mask[0, 0]
        return np.stack(found, axis=1), guarded

    def _run(self, rows, columns, scratch):
        """The outputs, an array (pixels, n, m) each, and where they are not right."""
        arrays, known = scratch
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = np.setbufsize(SMALL)
        if shape not in known:
            known[shape] = Calls(self, shape, arrays)
        outputs, guarded = known[shape].run(*self.factors, rows, columns)
        np.setbufsize(size)
        for value in outputs:
            if not np.isfinite(np.sum(value)):
                wrong = ~np.isfinite(value).all(axis=0)
                guarded = wrong if guarded is None else guarded | wrong
        return outputs, guarded


def _fused(program):
    """The same program with fewer passes over memory."""
    nodes = list(program.nodes)
    for index in program.order:
        node = nodes[index]
        if node.op == "and":
            nodes[index] = _within(nodes, node)
    return program.with_nodes(nodes)


def _within(nodes, node):
    """Whether ``low < x < high`` as one operation, where it is."""
    first, second = (nodes[a] if type(a) is int else None for a in node.args)
    if first is None or second is None:
        return node
    if (first.op, second.op) != ("lt", "gt") or first.args[0] != second.args[0]:
        return node
    return Node("within", (first.args[0], second.args[1], first.args[1]))


def _factor(pixels):
    """The features of the pixels of rows with rows last, (C, P, n)."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
