"""Programs of images run by NumPy, on all pairs of pixels of a few rows at a time."""

import copy
from collections import Counter

import numpy as np

from sklearn_ntk._engine.image_calls import Calls, spares_of
from sklearn_ntk._engine.image_plan import n_pairs
from sklearn_ntk._engine.numpy_program import SMALL, allocated
from sklearn_ntk._engine.program import operands
from sklearn_ntk._engine.tracing import Node, Row

__all__ = ["ImageNumpyProgram"]

ENTRIES = 2**17  # pairs of pixels in a block: few calls, and buffers stay in cache
WIDE = 256  # columns that inner loops are long enough with


class ImageNumpyProgram:
    """A program as a list of calls on arrays (P, n, P', m), (P, n, m) or (n, m).

    Rows come between the pixels of both images, where a matrix product leaves them.

    Parameters
    ----------
    program : ImageProgram
    dtype : dtype
    """

    def __init__(self, program, dtype):
        self.program, self.dtype = _fused(program), np.dtype(dtype)
        self.steps, self.counts = allocated(self.program, program.spaces)
        self.guards = set(program.guards)
        self.rows = [a for node in program.nodes for a in node.args if isinstance(a, Row)]
        self.tables = {
            id(a): _table(a, space, dtype)
            for node, space in zip(program.nodes, program.spaces, strict=True)
            for a in node.args
            if isinstance(a, Row)
        }
        self.factors = [_factor(a.astype(dtype)) for a in program.inputs[0]]
        pairs = max(1, ENTRIES // max(map(n_pairs, program.spaces)))
        width = min(pairs, WIDE)
        self.shape = pairs // width, width

    def scratch(self):
        """Buffers of one thread, and its calls for each shape of a block."""
        size = self.shape[0] * self.shape[1]
        buffers = {
            kind: np.empty(
                (count, n_pairs(kind[1]) * size), bool if kind[0] else self.dtype
            )
            for kind, count in self.counts.items()
        }
        spares = [
            np.empty(size, self.dtype)
            for size in spares_of(self.program, *self.shape)
        ]
        return (buffers, spares), {}

    def run(self, rows, columns, scratch):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        rows, columns : slice
        scratch : tuple

        Returns
        -------
        outputs : list of array of shape (n, m)
        guarded : array of bool or None
        """
        arrays, known = scratch
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = np.setbufsize(SMALL)
        if shape not in known:
            known[shape] = Calls(
                self.steps,
                self.program.spaces,
                self.program.outputs,
                self.guards,
                self.tables,
                shape,
                arrays,
            )
        outputs, guarded = known[shape].run(*self.factors, rows, columns)
        np.setbufsize(size)
        for value in outputs:
            if not np.isfinite(np.sum(value)):
                wrong = ~np.isfinite(value)
                guarded = wrong if guarded is None else guarded | wrong
        return outputs, guarded


def _fused(program):
    """The same program with fewer passes over memory."""
    fused = copy.copy(program)
    fused.nodes = nodes = list(program.nodes)
    users = Counter(o for i in program.order for o in operands(nodes[i]))
    users.update(program.outputs)
    for index in program.order:
        node = nodes[index]
        if node.op == "and":
            nodes[index] = _within(nodes, node)
        elif node.op == "add":
            for a, b in (node.args, node.args[::-1]):
                same = type(b) is float or (
                    type(b) is int and program.spaces[b] == program.spaces[index]
                )
                if same and _is_map(nodes, a) and users[a] == 1:
                    nodes[index] = Node("map", (*nodes[a].args, b))
                    break
    fused.order = fused.reachable([*program.outputs, *program.guards])
    return fused


def _is_map(nodes, a):
    return type(a) is int and nodes[a].op == "map" and len(nodes[a].args) == 2


def _within(nodes, node):
    """Whether ``low < x < high``, of which the second holds rarely, as one operation."""
    first, second = (nodes[a] if type(a) is int else None for a in node.args)
    if first is None or second is None:
        return node
    if (first.op, second.op) != ("lt", "gt") or first.args[0] != second.args[0]:
        return node
    return Node("within", (first.args[0], second.args[1], first.args[1]))


def _table(row, space, dtype):
    """Numbers of the pixels of all rows, to broadcast against a block."""
    table = row.table(space[0])
    table = table.astype(bool if table.dtype == bool else dtype)
    if row.axis == 0:
        return table[:, :, None, None] if space[1] else table[:, :, None]
    return table[None, None] if space[1] else table[:, None]


def _factor(pixels):
    """The features of the pixels of rows with rows last, (C, P, n)."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
