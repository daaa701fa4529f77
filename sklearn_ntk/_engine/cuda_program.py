"""Programs on CUDA devices: one kernel for each segment, so for each layer."""

from functools import cache

import numpy as np

from sklearn_ntk._engine.devices import like
from sklearn_ntk._engine.power_series import SERIES

__all__ = ["CudaProgram", "cuda_source"]

EXPRESSIONS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "copy": "{}",
    "abs": "fabs({})",
    "lt": "{} < {}",
    "le": "{} <= {}",
    "gt": "{} > {}",
    "ge": "{} >= {}",
    "eq": "{} == {}",
    "ne": "{} != {}",
    "and": "{} && {}",
    "or": "{} || {}",
    "xor": "{} != {}",
    "not": "!{}",
    "where": "{} ? {} : {}",
    "maximum": "({0} > {1} || {0} != {0}) ? {0} : {1}",
    "minimum": "({0} < {1} || {0} != {0}) ? {0} : {1}",
}
THREADS = 256  # of a block
REAL = {np.dtype(np.float64): "double", np.dtype(np.float32): "float"}


class CudaProgram:
    """A program whose segments are CUDA kernels, one thread for each pair.

    Parameters
    ----------
    program : Program
    X : array of CuPy's
        Of the device to compute on.
    cupy : module
    dtype : dtype, default=float64
        In which to compute.
    """

    def __init__(self, program, X, cupy, dtype=np.float64):
        self.program, self.cupy, self.dtype = program, cupy, np.dtype(dtype)
        real = REAL[self.dtype]
        cosine = [i for i, node in enumerate(program.nodes) if node.op == "cosine"]
        self.cosines = {i: program.nodes[i].args[0] for i in cosine}
        self.segments = program.segments()
        self.last = {i: k for k, s in enumerate(self.segments) for i in s.inputs}
        self.last |= dict.fromkeys(program.outputs, len(self.segments))
        self.kernels = [_compiled(cupy, cuda_source(s, real)) for s in self.segments]
        self.tables = [
            (
                like(X, _stacked(s.rows_x), dtype),
                like(X, _stacked(s.rows_y), dtype),
                like(X, np.array(s.numbers, dtype=np.float64), dtype),
            )
            for s in self.segments
        ]
        self.n_arrays = len(self.cosines) + self._most_at_once()

    def _most_at_once(self):
        """How many values segments have handed on at once, at most."""
        alive, most = 0, 0
        for k, segment in enumerate(self.segments):
            alive += len(segment.outputs)
            most = max(most, alive)
            alive -= sum(self.last[index] == k for index in segment.inputs)
        return most

    def run(self, cosines, rows, columns):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        cosines : list of array
            Contiguous, one for each input of the program.
        rows, columns : slice

        Returns
        -------
        outputs : list of array
        guarded : array of bool
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = shape[0] * shape[1]
        guarded = self.cupy.zeros(shape, dtype=bool)
        values = {
            i: self.cupy.ascontiguousarray(cosines[k]) for i, k in self.cosines.items()
        }
        for k, segment in enumerate(self.segments):
            for index in segment.outputs:
                values[index] = self.cupy.empty(shape, dtype=self.dtype)
            x, y, numbers = self.tables[k]
            places = (rows.start, columns.start, *shape, x.shape[1], y.shape[1])
            self.kernels[k](
                (-(-size // THREADS),),
                (THREADS,),
                (
                    *(np.int64(place) for place in places),
                    *(x, y, numbers),
                    *(values[index] for index in (*segment.inputs, *segment.outputs)),
                    guarded,
                ),
            )
            for index in segment.inputs:
                if self.last[index] == k:
                    del values[index]
        return [values[index] for index in self.program.outputs], guarded


@cache
def _compiled(cupy, source):
    return cupy.RawKernel(source, "segment")


def _stacked(rows):
    """Rows as the contiguous rows of a matrix."""
    if not rows:
        return np.zeros((1, 1))
    return np.array([row.values for row in rows], dtype=np.float64)


def cuda_source(segment, real="double"):
    """The source of a kernel that runs a segment on a block.

    It is CUDA C++ with nothing in it that C++ does not have, but for the words that
    say where a function runs and which thread it is.

    Parameters
    ----------
    segment : Segment
    real : str, default="double"
        The type of numbers.

    Returns
    -------
    str
    """
    n_inputs = len(segment.inputs)
    places = "row", "column", "n_rows", "n_columns", "stride_x", "stride_y"
    results = list(zip(range(len(segment.results)), segment.results, strict=True))
    parameters = [
        *(f"const long long {name}" for name in places),
        *(f"const {real}* {name}" for name in ("x", "y", "s")),
        *(f"const {real}* p{k}" for k in range(n_inputs)),
        *(f"{real}* o{k}" for k, _ in results),
        "bool* guarded",
    ]
    body = [
        "const long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
        "if (k >= n_rows * n_columns) return;",
        "const long long i = row + k / n_columns, j = column + k % n_columns;",
        *(f"const {real} s{k} = s[{k}];" for k in range(len(segment.numbers))),
        *(f"const {real} v{k} = p{k}[k];" for k in range(n_inputs)),
        *(_series if segment.is_series else _operations)(segment, real),
        *(f"o{k}[k] = {result};" for k, result in results),
        *(f"guarded[k] |= {guard};" for guard in segment.guards),
    ]
    return "\n".join(
        [
            'extern "C" __global__ void segment(',
            ",\n".join(f"    {parameter}" for parameter in parameters) + ") {",
            *(f"    {line}" for line in body),
            "}",
            "",
        ]
    )


def _loads(real, axis, rows, index):
    for k, row in enumerate(rows):
        of_masks = row.values.dtype == bool
        kind, test = ("bool", " != 0") if of_masks else (real, "")
        place = f"{k} * stride_{axis} + {index}"
        yield f"const {kind} {axis}{k} = {axis}[{place}]{test};"


def _operations(segment, real):
    yield from _loads(real, "x", segment.rows_x, "i")
    yield from _loads(real, "y", segment.rows_y, "j")
    for k, (op, *args) in enumerate(segment.code, start=len(segment.inputs)):
        function = f"{op}({', '.join(['{}'] * len(args))})"
        yield f"const auto v{k} = {EXPRESSIONS.get(op, function).format(*args)};"


def _series(segment, real):
    """A segment of a power series, which is alone there, and of its derivative."""
    yield f"{real} total = 0, slope = 0;"
    yield "for (long long m = 0; m < (long long)s0; ++m) {"
    yield "    slope = slope * v0 + total;"
    yield "    total = total * v0 + x[m * stride_x + i] * y[m * stride_y + j];"
    yield "}"
    values = dict(zip(SERIES, ("total", "slope"), strict=True))
    for k, (op, *_) in enumerate(segment.code, start=1):
        yield f"const auto v{k} = {values[op]};"
