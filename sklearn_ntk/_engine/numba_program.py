"""Programs compiled by numba, segment by segment."""

import hashlib
import importlib.util
import math
import os
import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from sklearn_ntk._engine import vector_math
from sklearn_ntk._engine.factors import Factors
from sklearn_ntk._engine.numba_series import source_of_series

__all__ = ["NumbaProgram", "compiled", "source_of"]

EXPRESSIONS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "copy": "{}",
    "abs": "abs({})",
    "lt": "{} < {}",
    "le": "{} <= {}",
    "gt": "{} > {}",
    "ge": "{} >= {}",
    "eq": "{} == {}",
    "ne": "{} != {}",
    "and": "{} & {}",
    "or": "{} | {}",
    "xor": "{} ^ {}",
    "not": "not {}",
    "where": "{1} if {0} else {2}",
    "sqrt": "math.sqrt({})",
    "copysign": "math.copysign({}, {})",
    "maximum": "{0} if {0} > {1} or {0} != {0} else {1}",
    "minimum": "{0} if {0} < {1} or {0} != {0} else {1}",
    "pow": "{} ** {}",
}
MANY = 32  # numbers for each column, which leave the first-level cache in a long row
ADDED = 0.5  # to an angle, beside which its relative error does not count


class NumbaProgram:
    """A program whose segments are compiled loops over a part of a row of a block.

    All segments run on a few rows, in the first-level cache, before others' turn.

    Parameters
    ----------
    program : Program
    dtype : dtype
    """

    shape = (256, 1016)  # of a block: an odd number of lines of cache in each row
    shape_for_numpy = (128, 504)  # where NumPy goes on with it

    def __init__(self, program, dtype):
        from sklearn_ntk._engine.numba_driver import run

        self.dtype = np.dtype(dtype)
        self.factors = Factors(program.inputs, dtype)
        segments = program.segments()
        cosines = [i for i, n in enumerate(program.nodes) if n.op == "cosine"]
        cosines.sort(key=lambda i: program.nodes[i].args[0])
        slots = _slots(segments, program.outputs, cosines)
        self.n_inputs, self.n_outputs = len(cosines), len(program.outputs)
        self.n_buffers = 1 + max(slots.values()) - self.n_inputs - self.n_outputs
        self.y = _matrix([row for s in segments for row in s.rows_y], self.dtype)
        self.y_start = _places(self.y, self.y.shape[1], len(self.y))
        across = (_matrix(s.rows_x, self.dtype).T for s in segments)
        self.x = [np.ascontiguousarray(x) for x in across]
        self.numbers = [np.array(s.numbers, self.dtype) for s in segments]
        self.functions = [
            compiled(source_of(s, self.dtype.name), self.dtype.name) for s in segments
        ]
        self.driver = run
        self._describe(segments, slots)

    def _describe(self, segments, slots):
        """Tables of addresses, a row for each segment."""
        first = 1 + max(slots.values())
        tables = []
        for segment in segments:
            rows = range(first, first + len(segment.rows_y))
            first = rows.stop
            tables.append(
                [*rows, *(slots[i] for i in segment.inputs + segment.outputs)]
            )
        self.table = np.zeros((len(tables), max(map(len, tables))), np.intp)
        for row, entries in zip(self.table, tables, strict=True):
            row[: len(entries)] = entries
        self.steps = np.array(
            [
                (f.address, x.ctypes.data, x.strides[0], s.ctypes.data, len(entries))
                for f, x, s, entries in zip(
                    self.functions, self.x, self.numbers, tables, strict=True
                )
            ],
            np.intp,
        )

    @property
    def _tile(self):
        """Rows and columns that a segment runs on before the next one's turn.

        Where there is much to be loaded for each column, several rows share it.
        """
        return (8, 252) if len(self.y) > MANY else (1, self.shape[1])

    def scratch(self):
        """Buffers of one thread."""
        size = self.shape[0] * self.shape[1]
        return (
            np.empty((self.n_buffers, *self._tile), self.dtype),
            np.empty(self.n_inputs * size, self.dtype),
            np.empty(self.n_outputs * size, self.dtype),
            np.empty(size, np.uint8),
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
        outputs : array of shape (n_outputs, n_rows, n_columns)
        guarded : array of bool or None
        """
        buffers, *large = scratch
        shape = rows.stop - rows.start, columns.stop - columns.start
        size, item = shape[0] * shape[1], self.dtype.itemsize
        cosines, outputs, guarded = (
            array[: n * size].reshape(n, *shape)
            for n, array in zip((self.n_inputs, self.n_outputs, 1), large, strict=True)
        )
        factors = self.factors.dense
        if factors is None:
            factors = 2 * (np.empty((0, 0, 0), self.dtype),)
            self.factors.multiply(rows, columns, cosines)
        direct = matrices is not None and matrices.are_rows_contiguous
        results = np.zeros((self.n_outputs, 4), np.intp)
        if direct:
            results[:, :2] = _rows_of(matrices.blocks(rows, columns))
            if matrices.symmetric:
                results[:, 2:] = _rows_of(matrices.blocks(columns, rows))
        groups = (  # of arrays: where they are, and the steps down, aside and in a tile
            (_places(cosines, size, self.n_inputs), (shape[1], 1, 0)),
            (_places(outputs, size, self.n_outputs), (shape[1], 1, 0)),
            (
                _places(buffers, math.prod(buffers.shape[1:]), len(buffers)),
                (0, 0, buffers.shape[2]),
            ),
            (self.y_start + columns.start * item, (0, 1, 0)),
        )
        start = np.concatenate([places for places, _ in groups]).astype(np.intp)
        moves = [np.tile(move, (len(places), 1)) for places, move in groups]
        found = self.driver(
            self.steps,
            self.table,
            factors,
            cosines,
            (rows.start, columns.start),
            on_diagonal,
            start,
            np.concatenate(moves) * item,
            self._tile,
            outputs,
            results,
            guarded[0],
        )
        if matrices is not None and not direct:
            matrices.place(rows, columns, outputs)
        return outputs, guarded[0].view(bool) if found else None


def _slots(segments, outputs, cosines):
    """A place in the table of arrays for each value that segments hand on.

    First cosines, then outputs, then buffers; a segment overwrites nothing of its own.
    """
    known = [*cosines, *outputs]
    last = {index: k for k, s in enumerate(segments) for index in s.inputs}
    slots, free, n = {index: k for k, index in enumerate(known)}, [], len(known)
    for k, segment in enumerate(segments):
        for index in segment.outputs:
            if index not in slots:
                if not free:
                    free.append(n)
                    n += 1
                slots[index] = free.pop()
        done = (i for i in segment.inputs if last[i] == k and i not in known)
        free += [slots[i] for i in done]
    return slots


def _rows_of(arrays):
    """The addresses of arrays, and the bytes from row to row."""
    return [(a.ctypes.data, a.strides[0]) for a in arrays]


def _places(array, step, count):
    """Addresses of arrays that lie one after the other."""
    return array.ctypes.data + step * array.itemsize * np.arange(count)


def _matrix(rows, dtype):
    """Rows as the contiguous rows of a matrix."""
    return (
        np.array([r.values for r in rows], dtype) if rows else np.empty((0, 0), dtype)
    )


def source_of(segment, dtype, sums=(), *, paired=False):
    """The source of a function that runs a segment on a part of a row, or on several.

    ``segment(x, step, s, count, n, arrays, guarded)`` goes through `count` parts of `n`
    entries, which lie one after the other in all arrays. Numbers of the first part are
    at x, those of the next a step further. An entry of `guarded` is set where any of
    the parts is not to be used.

    Parameters
    ----------
    segment : Segment
    dtype : str
    sums : sequence of int
        Inputs that are the sum of three arrays.
    paired : bool, default=False
        Whether there is a row of X for each of Y.
    """
    n_inputs = len(segment.inputs)
    read = [
        [f"p{k}", f"q{k}", f"r{k}"] if k in sums else [f"p{k}"] for k in range(n_inputs)
    ]
    ends = [f"o{k}[i, j] = {result}" for k, result in enumerate(segment.results)]
    guards = [*segment.guards, *(f"(not abs({v}) < inf)" for v in segment.finals)]
    if guards:
        ends.append(f"guarded[j] |= {' | '.join(guards)}")
    if segment.is_series:
        return source_of_series(segment, dtype, read[0], ends, paired=paired)
    names = [f"x_{k}" for k in range(len(segment.rows_x))] if paired else []
    names += [f"y_{k}" for k in range(len(segment.rows_y))]
    names += [name for parts in read for name in parts]
    names += [f"o{k}" for k in range(len(segment.outputs))]
    code = _with_angles(segment)
    functions = {op for op, *_ in code if op not in EXPRESSIONS}
    lines = [
        "import math",
        "import numba",
        "from numba import carray",
        "from sklearn_ntk._engine.vector_math import functions",
        "from sklearn_ntk._engine.vector_width import wide_vectors",
        "inf, wide = math.inf, wide_vectors()",
        *(f"{name} = functions({dtype!r})[{name!r}]" for name in sorted(functions)),
        "def body(x, step, s, count, n, guarded_, "
        f"{', '.join(f'{name}_' for name in names)}):",
        "    wide()",
        "    guarded = carray(guarded_, n)",
        *(f"    {name} = carray({name}_, (count, n))" for name in names),
        *(f"    s{k} = s[{k}]" for k in range(len(segment.numbers))),
        "    for i in range(count):",
        *([] if paired else _loads("x", segment.rows_x, "x[i * step + {}]", 8)),
        "        for j in range(n):",
        *(_loads("x", segment.rows_x, "x_{}[i, j]", 12) if paired else []),
        *_loads("y", segment.rows_y, "y_{}[i, j]", 12),
    ]
    body = [
        f"v{k} = " + " + ".join(f"{name}[i, j]" for name in parts)
        for k, parts in enumerate(read)
    ]
    for k, (op, *args) in enumerate(code, start=n_inputs):
        function = f"{op}({', '.join(['{}'] * len(args))})"
        call = EXPRESSIONS.get(op, function)
        body.append(f"v{k} = {call.format(*args)}")
    body += ends
    call = ", ".join(f"arrays[{k}]" for k in range(len(names)))
    return "\n".join(
        [
            *lines,
            *(f"{12 * ' '}{line}" for line in body),
            "body = numba.njit(error_model='numpy', fastmath={'contract'})(body)",
            "def segment(x, step, s, count, n, arrays, guarded):",
            f"    body(x, step, s, count, n, guarded, {call})",
            "",
        ]
    )


def _with_angles(segment):
    """The code, in which atan2, of points of the unit circle only, has other names.

    It is "angle", or "turn" where all that becomes of it is a sum with a number
    that makes an absolute error as good as a relative one.
    """
    added, used = set(), Counter([*segment.results, *segment.guards])
    for op, *args in segment.code:
        used.update(args)
        numbers = [segment.numbers[int(a[1:])] for a in args if a[0] == "s"]
        if op == "add" and numbers and abs(numbers[0]) >= ADDED:
            added.update(args)
    code = []
    for k, (op, *args) in enumerate(segment.code, start=len(segment.inputs)):
        if op == "atan2":
            op = "turn" if f"v{k}" in added and used[f"v{k}"] == 1 else "angle"
        code.append((op, *args))
    return code


def _loads(axis, rows, place, indent):
    for k, row in enumerate(rows):
        load = f"{indent * ' '}{axis}{k} = {place.format(k)}"
        yield load + (" != 0" if row.values.dtype == bool else "")


@cache
def compiled(source, dtype):
    """The function of a source, from the cache on disk where it has been compiled.

    numba keeps compiled code beside the file that a function comes from. The file's
    name has the digest of all that the code depends on, so that code that has changed
    is never taken from there.
    """
    import numba
    from numba.types import CPointer, float32, float64, intp, uint8, void

    real = {"float64": float64, "float32": float32}[dtype]
    numbers = CPointer(real)
    signature = void(
        numbers, intp, numbers, intp, intp, CPointer(numbers), CPointer(uint8)
    )
    digest = hashlib.sha256(
        f"{source}{dtype}{vector_math.source_digest()}{numba.__version__}".encode()
    )
    name = f"segment_{digest.hexdigest()[:32]}"
    path = _written(name, source)
    options = {"error_model": "numpy", "fastmath": {"contract"}}
    if path is None:
        scope = {}
        exec(source, scope)
        return numba.cfunc(signature, **options)(scope["segment"])
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return numba.cfunc(signature, cache=True, **options)(module.segment)


def _written(name, source):
    """The file of a source in the user's cache; None where it cannot be written."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or folder / "sklearn_ntk")
    path = folder / f"{name}.py"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
                file.write(source)
            os.replace(file.name, path)
    except OSError:
        return None
    return path
