"""Programs run by NumPy, operation by operation, in few buffers."""

import numpy as np

from sklearn_ntk._engine.blocks import above_diagonal
from sklearn_ntk._engine.factors import Factors
from sklearn_ntk._engine.power_series import SERIES, write_derivative, write_series
from sklearn_ntk._engine.program import operands
from sklearn_ntk._engine.tracing import NUMPY, Node, Row

__all__ = ["FUNCTIONS", "SMALL", "NumpyProgram", "allocated", "buffers"]

LINE = 64  # bytes of a cache line; NumPy writes across lines at a third of the speed
PAGE = 4096  # bytes; a load waits for a store before it at the same place of a page
APART = 2112  # bytes that buffers are apart within pages
SMALL = 16  # with a larger buffer NumPy copies rows that are broadcast into it
LATE = {"where", "put", "map", "mix", *SERIES}  # what writes before it has read all


def _where(condition, a, b, out):
    np.copyto(out, b)
    np.copyto(out, a, where=condition)


def _put(mask, a, b, out):
    """`where`, if `out` is where b is."""
    if mask.any():
        np.copyto(out, a, where=mask)


def _angle(y, ends, out):
    """The angle of a point of the unit circle whose x is not negative.

    At the ends it is 0, and rounding may have taken y beyond 1.
    """
    if not ends.any():
        np.arcsin(y, out=out)
        return
    ends = np.flatnonzero(ends)
    quarters = np.copysign(0.5 * np.pi, y.reshape(-1)[ends])
    np.arcsin(y, out=out)
    out.reshape(-1)[ends] = quarters


def _within(x, low, high, out):
    """Whether ``low < x < high``, if it is seldom below `high`."""
    np.less(x, high, out=out)
    if out.any():
        np.logical_and(out, x > low, out=out)


FUNCTIONS = {
    **NUMPY,
    "asin": np.arcsin,
    "angle": _angle,
    "where": _where,
    "put": _put,
    "within": _within,
    "series": write_series,
    "slope": write_derivative,
}


class NumpyProgram:
    """A program as a list of calls that write into buffers they take turns in.

    Parameters
    ----------
    program : Program
    dtype : dtype
    """

    shape = (128, 1008)  # of a block; inner loops must be long, buffers stay in cache
    shape_for_numpy = property(lambda self: self.shape)

    def __init__(self, program, dtype):
        self.outputs, self.factors = program.outputs, Factors(program.inputs, dtype)
        self.dtype, self.n_inputs = dtype, len(program.inputs)
        steps, counts = allocated(program)
        self.n_floats, self.n_masks = (counts.get((m, None), 0) for m in (False, True))
        self.cosines = [0] * self.n_inputs
        for index, node in enumerate(program.nodes):
            if node.op == "cosine":
                self.cosines[node.args[0]] = index
        given = {}  # what is known before: rows and numbers
        self.steps = [
            (
                FUNCTIONS[node.op],
                [a if type(a) is int else _known(given, a) for a in node.args],
                index,
                (self.n_floats if node.is_mask else 0) + place,
                index in set(program.guards),
            )
            for index, node, place in steps
            if place is not None
        ]
        self.given = [
            (
                key,
                a.axis,
                a.values if a.values.dtype == bool else a.values.astype(dtype),
            )
            if isinstance(a, Row)
            else (key, None, a)
            for key, a in given.values()
        ]

    def scratch(self):
        """Buffers of one thread."""
        size = self.shape[0] * self.shape[1]
        return (
            buffers(self.n_inputs, size, self.dtype),
            buffers(self.n_floats, size, self.dtype),
            buffers(self.n_masks, size, bool),
        )

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
        values = dict(zip(self.cosines, cosines, strict=True))
        for key, axis, a in self.given:
            values[key] = a if axis is None else a[columns] if axis else a[rows, None]
        places, written, guarded = [*floats, *masks], {}, None
        if matrices is not None:
            blocks = matrices.blocks(rows, columns)
            written = dict(zip(self.outputs, blocks, strict=True))
        size = np.setbufsize(SMALL)
        for function, args, index, place, is_guard in self.steps:
            out = values[index] = written.get(index, places[place])
            function(*[values[a] for a in args], out=out)
            if is_guard and out.any():
                guarded = out.copy() if guarded is None else guarded | out
        np.setbufsize(size)
        outputs = [values[index] for index in self.outputs]
        for value in outputs:
            if not np.isfinite(np.sum(value)):
                wrong = ~np.isfinite(value)
                guarded = wrong if guarded is None else guarded | wrong
        if on_diagonal:
            square = slice(columns.start, min(rows.stop, columns.stop))
            above = above_diagonal(rows, square)
            for value in (*outputs, *([] if guarded is None else [guarded])):
                value[:, : above.shape[1]][~above] = 0
        if matrices is not None:
            matrices.mirror(rows, columns)
        return outputs, guarded if guarded is not None and guarded.any() else None


def buffers(count, size, dtype):
    """Arrays of `size` numbers each, that begin with a cache line.

    They begin at different places of a page.
    """
    itemsize = np.dtype(dtype).itemsize
    step = -(-size * itemsize // PAGE) * PAGE + APART
    memory = np.empty(count * step + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return (
        memory[start : start + count * step]
        .view(dtype)
        .reshape(count, step // itemsize)
    )


def _cut(buffers, shape):
    """Contiguous arrays of a shape at the beginning of each buffer."""
    return buffers[:, : shape[0] * shape[1]].reshape(-1, *shape)


def _known(given, a):
    """A key for a row or a number, below those of nodes."""
    key = id(a) if isinstance(a, Row) else a
    return given.setdefault((type(a), key), (-1 - len(given), a))[0]


def _faster(nodes, node):
    """The angle of (sqrt(1 - y**2), y) as the arcsine of y, else the node.

    Of a sine that is 0 where it would be small the angle is an operation of its own.
    """
    if node.op == "atan2":
        y, x = node.args
        squared = nodes[x].args[0] if type(x) is int and nodes[x].op == "sqrt" else None
        faster = Node("asin", (y,))
        if type(squared) is int and nodes[squared].op == "where":
            ends, zero, squared = nodes[squared].args
            if type(zero) is not float or zero != 0.0:
                return node
            faster = Node("angle", (y, ends))
        square = nodes[squared].args[-1] if type(squared) is int else None
        is_square = type(square) is int and nodes[square].matches("mul", y, y)
        if is_square and nodes[squared].matches("sub", 1.0, square):
            return faster
    return node


def allocated(program, spaces=None):
    """The nodes that are to be computed with their buffers, and how many there are.

    A value that is no longer needed gives its buffer up. Buffers are of one kind for
    floats and another for masks, and of others again for nodes of other `spaces`.

    Returns
    -------
    steps : list of tuple
        Index, node, number of the buffer; None of what has an array of its own.
    counts : dict
        How many buffers of each kind there have to be.
    """
    nodes = program.nodes
    program = program.with_nodes([_faster(nodes, node) for node in nodes])
    last, free, counts, kinds, place, steps = program.last_uses(), {}, {}, {}, {}, []
    for index in program.order:
        node = program.nodes[index]
        done = [o for o in dict.fromkeys(operands(node)) if last[o] == index]
        released = [(kinds[o], place[o]) for o in done if o in place]
        if node.op == "cosine":
            steps.append((index, node, None))
            continue
        kinds[index] = kind = (node.is_mask, spaces and spaces[index])
        if node.op == "where" and index not in program.outputs:
            mask, _, b = node.args
            if b in done and type(mask) is type(b) is int and kinds.get(b) == kind:
                node, place[index] = node._replace(op="put"), place[b]
                released.remove((kind, place[b]))
        late = node.op in LATE
        if not late:
            _release(free, released)
        if index not in place:
            if not free.setdefault(kind, []):
                free[kind].append(counts.get(kind, 0))
                counts[kind] = counts.get(kind, 0) + 1
            place[index] = free[kind].pop()
        if late:
            _release(free, released)
        if last.get(index, -1) < index:  # a guard that nothing else needs
            free[kind].append(place[index])
        steps.append((index, node, place[index]))
    return steps, counts


def _release(free, released):
    for kind, buffer in released:
        free[kind].append(buffer)
