"""Programs run by NumPy, operation by operation, in few buffers."""

import numpy as np

from sklearn_ntk._engine.program import operands
from sklearn_ntk._engine.tracing import NUMPY, Row

__all__ = ["NumpyProgram"]


class NumpyProgram:
    """A program as a list of calls that write into buffers they take turns in.

    Parameters
    ----------
    program : Program
    dtype : dtype
    """

    shape = (64, 1024)  # of a block; inner loops must be long, buffers stay in cache

    def __init__(self, program, dtype):
        self.program, self.dtype = program, dtype
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
        return floats, np.empty((self.n_masks + 1, *self.shape), bool)

    def run(self, cosines, rows, columns, scratch):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        cosines : list of array
            Of the block, one for each input of the program; they are overwritten.
        rows, columns : slice
        scratch : tuple of array

        Returns
        -------
        outputs : list of array
        guarded : array of bool or None
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        floats, masks = (_cut(a, shape) for a in scratch)
        values, guarded = {}, None

        def operand(a):
            if type(a) is int:
                return values[a]
            if not isinstance(a, Row):
                return a
            row = self.rows[id(a)]
            return row[rows, None] if a.axis == 0 else row[columns]

        for index, node, place, is_guard in self.steps:
            if node.op == "cosine":
                values[index] = cosines[node.args[0]]
                continue
            out = masks[place] if node.is_mask else floats[place]
            _apply(node.op, [operand(a) for a in node.args], out)
            values[index] = out
            if is_guard and out.any():
                guarded = out.copy() if guarded is None else guarded | out
        return [values[index] for index in self.program.outputs], guarded


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
        NUMPY[op](*args, out=out)


def _allocated(program):
    """For each node its buffer; a value that is no longer needed gives its up."""
    last, guards = program.last_uses(), set(program.guards)
    free, count, place = {False: [], True: []}, {False: 0, True: 0}, {}
    steps = []
    for index in program.order:
        node = program.nodes[index]
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
