"""Programs compiled by numba, segment by segment."""

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearn_ntk._engine import vector_math

__all__ = ["NumbaProgram"]

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
RENAMED = {"atan2": "angle"}  # which formulas ask for on the unit circle only


class NumbaProgram:
    """A program whose segments are loops over a block, compiled once.

    Parameters
    ----------
    program : Program
    dtype : dtype
    """

    shape = (64, 1024)  # of a block: what segments hand on stays in cache

    def __init__(self, program, dtype):
        self.outputs, self.dtype = program.outputs, np.dtype(dtype)
        self.steps, self.n_buffers = [], 0
        segments = program.segments()
        places = _places(segments, program)
        self.places = {index: places[index] for index in program.outputs}
        self.n_buffers = 1 + max(places.values())
        cosine = {i: n.args[0] for i, n in enumerate(program.nodes) if n.op == "cosine"}
        for segment in segments:
            self.steps.append(
                _Step(
                    _compiled(_source(segment, cosine, self.dtype.name)),
                    _stacked(segment.rows_x, self.dtype),
                    _stacked(segment.rows_y, self.dtype),
                    np.array(segment.numbers, self.dtype),
                    [cosine[i] for i in segment.inputs if i in cosine],
                    [places[i] for i in segment.inputs if i not in cosine],
                    [places[i] for i in segment.outputs],
                )
            )

    def scratch(self):
        """Buffers of one thread."""
        size = self.shape[0] * self.shape[1]
        return np.empty((self.n_buffers, size), self.dtype), np.empty(size, np.uint8)

    def run(self, cosines, corner, rows, columns, scratch):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        cosines : list of array
            Contiguous, one for each input of the program.
        corner : tuple of int
            Where in these the block begins.
        rows, columns : slice
        scratch : tuple of array

        Returns
        -------
        outputs : list of array
        guarded : array of bool or None
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = shape[0] * shape[1]
        floats = [buffer[:size].reshape(shape) for buffer in scratch[0]]
        guarded = scratch[1][:size].reshape(shape)
        guarded[:] = 0
        for step in self.steps:
            step.function(
                *(step.x, step.y, step.numbers, rows.start, columns.start, *corner),
                *(cosines[k] for k in step.cosines),
                *(floats[k] for k in (*step.inputs, *step.outputs)),
                guarded,
            )
        outputs = [floats[self.places[index]] for index in self.outputs]
        return outputs, guarded.astype(bool) if guarded.any() else None


class _Step(NamedTuple):
    """A compiled segment and what it is called with."""

    function: Callable
    x: np.ndarray
    y: np.ndarray
    numbers: np.ndarray
    cosines: list
    inputs: list
    outputs: list


def _places(segments, program):
    """A buffer for each value that a segment hands on; it never overwrites its own."""
    last = {index: k for k, s in enumerate(segments) for index in s.inputs}
    last |= dict.fromkeys(program.outputs, len(segments))
    places, free = {}, []
    for k, segment in enumerate(segments):
        for index in segment.outputs:
            if not free:
                free.append(len(places) and 1 + max(places.values()))
            places[index] = free.pop()
        free += [places[i] for i in segment.inputs if i in places and last[i] == k]
    return places


def _stacked(rows, dtype):
    """Rows as the contiguous rows of a matrix."""
    if not rows:
        return np.empty((0, 0), dtype)
    return np.array([row.values for row in rows], dtype)


def _source(segment, cosine, dtype):
    """The source of a function that runs a segment on a block."""
    n_inputs = len(segment.inputs)
    inputs = [f"p{k}" for k in range(n_inputs)]
    cosines = [p for p, i in zip(inputs, segment.inputs, strict=True) if i in cosine]
    others = [p for p in inputs if p not in cosines]
    outputs = [f"o{k}" for k in range(len(segment.outputs))]
    names = {RENAMED.get(op, op) for op, *_ in segment.code if op not in EXPRESSIONS}
    lines = [
        "import math",
        "from sklearn_ntk._engine.vector_math import functions",
        "from sklearn_ntk._engine.vector_width import wide_vectors",
        "wide = wide_vectors()",
        *(f"{name} = functions({dtype!r})[{name!r}]" for name in sorted(names)),
        "def segment(x, y, s, row, column, top, left, "
        + ", ".join([*cosines, *others, *outputs, "guarded"])
        + "):",
        "    wide()",
        *(f"    s{k} = s[{k}]" for k in range(len(segment.numbers))),
        "    for i in range(guarded.shape[0]):",
        *_loads("x", segment.rows_x, "row + i", "        "),
        "        for j in range(guarded.shape[1]):",
        *_loads("y", segment.rows_y, "column + j", "            "),
    ]
    body = []
    for k, name in enumerate(inputs):
        place = "top + i, left + j" if name in cosines else "i, j"
        body.append(f"v{k} = {name}[{place}]")
    for k, (op, *args) in enumerate(segment.code, start=n_inputs):
        function = f"{RENAMED.get(op, op)}({', '.join(['{}'] * len(args))})"
        call = EXPRESSIONS.get(op, function)
        body.append(f"v{k} = {call.format(*args)}")
    for name, result in zip(outputs, segment.results, strict=True):
        body.append(f"{name}[i, j] = {result}")
    if segment.guards:
        body.append(f"guarded[i, j] |= {' | '.join(segment.guards)}")
    return "\n".join([*lines, *(f"            {line}" for line in body), ""])


def _loads(axis, rows, index, indent):
    for k, row in enumerate(rows):
        load = f"{indent}{axis}{k} = {axis}[{k}, {index}]"
        yield load + (" != 0" if row.values.dtype == bool else "")


@cache
def _compiled(source):
    """The function of a source, from the cache on disk where it has been compiled.

    numba keeps compiled code beside the file that a function comes from. The file's
    name has the digest of all that the code depends on, so that code that has changed
    is never taken from there.
    """
    import numba

    digest = hashlib.sha256(
        f"{source}{vector_math.source_digest()}{numba.__version__}".encode()
    )
    name = f"segment_{digest.hexdigest()[:32]}"
    path = _written(name, source)
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    if path is None:
        scope = {}
        exec(source, scope)
        return numba.njit(**options)(scope["segment"])
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return numba.njit(cache=True, **options)(module.segment)


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
