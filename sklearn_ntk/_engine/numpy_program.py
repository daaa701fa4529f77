"""Programs run by NumPy, operation by operation, in few buffers."""

import numpy as np

from sklearn_ntk._engine.blocks import above_diagonal
from sklearn_ntk._engine.factors import Factors
from sklearn_ntk._engine.program import operands
from sklearn_ntk._engine.tracing import NUMPY, Node, Row

__all__ = ["NumpyProgram"]

FUNCTIONS = {**NUMPY, "asin": np.arcsin}
SMALL = 16  # with a larger buffer NumPy copies rows that are broadcast into it


class NumpyProgram:
    """A program as a list of calls that write into buffers they take turns in.

    Parameters
    ----------
    program : Program
    dtype : dtype
    """

    shape = (128, 1008)  # of a block; inner loops must be long, buffers stay in cache

    def __init__(self, program, dtype):
        self.program, self.dtype = program, dtype
        self.factors = Factors(program.inputs, dtype)
        self.steps, self.n_floats, self.n_masks = _allocated(program)
        self.rows = {
            id(a): a.values.astype(dtype if a.values.dtype != bool else bool)
            for index in program.order
            for a in program.nodes[index].args
            if isinstance(a, Row)
        }

    def scratch(self):
        """Buffers of one thread."""
        floats = np.empty((self.n_floats, *self.shape), self.dtype)
        cosines = np.empty((len(self.program.inputs), *self.shape), self.dtype)
        return cosines, floats, np.empty((self.n_masks + 1, *self.shape), bool)

    def run(self, rows, columns, scratch, matrices, on_diagonal):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        rows, columns : slice
        scratch : tuple of array
        matrices : Matrices or None
            What outputs are to be written to.
        on_diagonal : bool
            Whether the block begins at the diagonal, above which there is what counts.

        Returns
        -------
        outputs : list of array
        guarded : array of bool or None
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        cosines, floats, masks = (_cut(a, shape) for a in scratch)
        self.factors.multiply(rows, columns, cosines)
        values, guarded = {}, None
        written = {}
        if matrices is not None:
            blocks = matrices.blocks(rows, columns)
            written = dict(zip(self.program.outputs, blocks, strict=True))

        def operand(a):
            if type(a) is int:
                return values[a]
            if not isinstance(a, Row):
                return a
            row = self.rows[id(a)]
            return row[rows, None] if a.axis == 0 else row[columns]

        size = np.setbufsize(SMALL)
        for index, node, place, is_guard in self.steps:
            if node.op == "cosine":
                values[index] = cosines[node.args[0]]
                continue
            out = masks[place] if node.is_mask else floats[place]
            out = written.get(index, out)
            _apply(node.op, [operand(a) for a in node.args], out)
            values[index] = out
            if is_guard and out.any():
                guarded = out.copy() if guarded is None else guarded | out
        np.setbufsize(size)
        outputs = [values[index] for index in self.program.outputs]
        for value in outputs:
            if not np.isfinite(np.sum(value)):
                wrong = ~np.isfinite(value)
                guarded = wrong if guarded is None else guarded | wrong
        if on_diagonal:
            below = ~above_diagonal(rows, columns)
            for value in (*outputs, *([] if guarded is None else [guarded])):
                value[below] = 0
        if matrices is not None:
            matrices.mirror(rows, columns)
        return outputs, guarded if guarded is not None and guarded.any() else None


def _cut(buffers, shape):
    """Contiguous arrays of a shape at the beginning of each buffer."""
    count = shape[0] * shape[1]
    return buffers.reshape(len(buffers), -1)[:, :count].reshape(-1, *shape)


def _apply(op, args, out):
    if op == "where":
        condition, a, b = args
        np.copyto(out, b)
        np.copyto(out, a, where=condition)
    else:
        FUNCTIONS[op](*args, out=out)


def _faster(nodes, node):
    """The angle of (sqrt((1 - y) * (1 + y)), y) as the arcsine of y, else the node."""
    if node.op == "atan2":
        y, x = node.args
        squared = nodes[x].args[0] if type(x) is int and nodes[x].op == "sqrt" else None
        if squared is not None and nodes[squared].op == "mul":
            factors = [nodes[i] for i in nodes[squared].args if type(i) is int]
            if factors == [Node("sub", (1.0, y)), Node("add", (1.0, y))]:
                return Node("asin", (y,))
    return node


def _allocated(program):
    """For each node its buffer; a value that is no longer needed gives its up."""
    last, guards = program.last_uses(), set(program.guards)
    free, count, place = {False: [], True: []}, {False: 0, True: 0}, {}
    steps = []
    for index in program.order:
        node = _faster(program.nodes, program.nodes[index])
        if node.op == "cosine":
            steps.append((index, node, None, False))
            continue
        done = [o for o in dict.fromkeys(operands(node)) if last[o] == index]
        released = [(program.nodes[o].is_mask, place[o]) for o in done if o in place]
        if node.op != "where":  # which reads its arguments after it has written
            _release(free, released)
        kind = node.is_mask
        if not free[kind]:
            free[kind].append(count[kind])
            count[kind] += 1
        place[index] = free[kind].pop()
        if node.op == "where":
            _release(free, released)
        if last.get(index, -1) < index:  # a guard that nothing else needs
            free[kind].append(place[index])
        steps.append((index, node, place[index], index in guards))
    return steps, count[False], count[True]


def _release(free, released):
    for kind, buffer in released:
        free[kind].append(buffer)
