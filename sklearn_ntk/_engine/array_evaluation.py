"""A function of pairs of rows, evaluated on blocks of arrays of any library."""

import math

import numpy as np

from sklearn_ntk._engine.array_program import ArrayProgram
from sklearn_ntk._engine.blocks import blocks
from sklearn_ntk._engine.cuda_program import CudaProgram
from sklearn_ntk._engine.devices import (
    cupy_of,
    data_type,
    namespace,
    on_device_of,
    scratch_memory,
)
from sklearn_ntk._engine.forward_mode import DualNamespace
from sklearn_ntk._engine.generic import traced
from sklearn_ntk.networks._inputs import Inputs

__all__ = ["ArrayEvaluation"]

FORMULAS = 64  # arrays of the size of a block that formulas hold at once
SMALLEST = 64  # rows and columns of a block, whatever the memory
MANY = 0.25  # share of pairs that are not generic, above which a block is redone whole
PAIRS = 2**16  # exact pairs at once, at most
GATHERED = 2**24  # numbers in the rows of these pairs


class ArrayEvaluation:
    """Numbers of each pair of rows, which a network gives.

    It does what `Evaluation` does for NumPy.

    Parameters
    ----------
    evaluate : callable
        Takes `Inputs` and returns a list of arrays.
    X : array of shape (n, d)
    Y : array of shape (m, d) or None
        None: X against itself.
    ntk : bool
        Whether the neural tangent kernel is wanted.
    dual : bool, default=False
        Whether there is something to be differentiated.
    dtype : dtype, default=float64
        Of the values, and of the computation for pairs of rows that are not close.
    n_numbers : int or None, default=None
        Where rows are images, how many numbers formulas hold of a pair of them.
    """

    def __init__(
        self, evaluate, X, Y, *, ntk, dual=False, dtype=np.float64, n_numbers=None
    ):
        self.evaluate, self.X, self.Y = evaluate, X, X if Y is None else Y
        self.ntk, self.dual, self.symmetric = ntk, dual, Y is None
        self.arrays, self.dtype = namespace(X), np.dtype(dtype)
        self.of_images, self.n_numbers = n_numbers is not None, n_numbers or FORMULAS
        self.xp = DualNamespace(self.arrays) if dual else self.arrays

    def run(self, place):
        """Evaluate all blocks, and say whether any value is infinite.

        Parameters
        ----------
        place : callable
            ``place(rows, columns, values)`` is called with slices and a list of
            arrays, for each block. Where Y is None blocks cover the half above the
            diagonal, and are 0 on it and below.
        """
        with on_device_of(self.X), np.errstate(all="ignore"):
            runner = self.runner()
            side = self._side(self.n_numbers if runner is None else runner.n_arrays)
            n, m = self.X.shape[0], self.Y.shape[0]
            tasks = _parts(n, m, side, symmetric=self.symmetric)
            factors = [] if runner is None else self._factors(runner.program)
            overflow = False
            for rows, columns in tasks:
                if runner is None:
                    values = self._block(rows, columns)
                else:
                    values = self._generic(runner, factors, rows, columns)
                if self.symmetric and rows == columns:
                    values = [self.arrays.triu(value, k=1) for value in values]
                overflow |= bool(self.arrays.any(self.arrays.isinf(values[0])))
                place(rows, columns, values)
            return overflow

    def diagonal(self):
        """The values of each row of X with itself."""
        n = self.X.shape[0]
        step = self._side(self.n_numbers) ** 2 if self.of_images else n
        parts = [slice(i, min(i + step, n)) for i in range(0, n, step)]
        with on_device_of(self.X), np.errstate(all="ignore"):
            found = zip(*map(self._with_itself, parts), strict=True)
            return [self.arrays.concat(values) for values in found]

    def _with_itself(self, rows):
        X, xp = self.X[rows, :], self.arrays
        same = xp.ones((X.shape[0],), dtype=xp.bool, device=X.device)
        return self._values(Inputs(self.xp, X, same=same, ntk=self.ntk), same.shape)

    def _block(self, rows, columns):
        """The values of a block of pairs, to full accuracy."""
        same = self._itself(rows) if self.symmetric and rows == columns else None
        inputs = Inputs(
            self.xp, self.X[rows, :], self.Y[columns, :], same=same, ntk=self.ntk
        )
        shape = rows.stop - rows.start, columns.stop - columns.start
        return self._values(inputs, shape)

    def runner(self):
        """What runs the network's program; None where it cannot be traced."""
        if self.of_images:
            return None
        program = traced(
            self.evaluate,
            self.X,
            self.Y,
            ntk=self.ntk,
            dual=self.dual,
            arrays=self.arrays,
        )
        if program is None:
            return None
        cupy = cupy_of(self.X)
        if cupy is None:
            return ArrayProgram(program, self.X, self.dtype)
        return CudaProgram(program, self.X, cupy, self.dtype)

    def _factors(self, program):
        """Of each input of a program the rows whose products it is."""
        return [tuple(map(self._rounded, pair)) for pair in program.inputs]

    def _side(self, n_arrays):
        """Rows and columns of a block whose arrays fit in the memory for them."""
        smallest = 1 if self.of_images else SMALLEST
        return max(smallest, int((scratch_memory(self.X) / (8 * n_arrays)) ** 0.5))

    def _generic(self, runner, factors, rows, columns):
        """The values of a block; pairs the program is not right for by formulas."""
        xp = self.arrays
        cosines = [u[rows, :] @ v[columns, :].T for u, v in factors]
        values, guarded = runner.run(cosines, rows, columns)
        for value in values:
            guarded = guarded | ~xp.isfinite(value)
        if self.symmetric and rows == columns:
            guarded = guarded & ~self._itself(rows)
        n_guarded = int(xp.count_nonzero(guarded))
        if n_guarded == 0:
            return values
        if n_guarded > MANY * guarded.shape[0] * guarded.shape[1]:
            self._redo(values, rows, columns)
            return values
        i, j = xp.nonzero(guarded)
        exact = self._pairs(i + rows.start, j + columns.start)
        for value, new in zip(values, exact, strict=True):
            value[guarded] = new
        return values

    def _redo(self, values, rows, columns):
        """Compute a block anew, to full accuracy and in parts that fit in memory."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        for i, j in _parts(*shape, self._side(self.n_numbers)):
            exact = self._block(_shifted(i, rows.start), _shifted(j, columns.start))
            for value, new in zip(values, exact, strict=True):
                value[i, j] = new

    def _pairs(self, i, j):
        """The values of the rows i of X with the rows j of Y, to full accuracy."""
        xp, parts = self.arrays, []
        step = max(1, min(PAIRS, GATHERED // self.X.shape[1]))
        for start in range(0, i.shape[0], step):
            part = slice(start, min(start + step, i.shape[0]))
            a, b = i[part], j[part]
            X, Y = xp.take(self.X, a, axis=0), xp.take(self.Y, b, axis=0)
            inputs = Inputs(self.xp, X, Y, paired=True, ntk=self.ntk)
            parts.append(self._values(inputs, (a.shape[0],)))
        return [xp.concat(values) for values in zip(*parts, strict=True)]

    def _itself(self, rows):
        """Marks the pairs of a row with itself in a block on the diagonal."""
        xp = self.arrays
        index = xp.arange(rows.stop - rows.start, device=self.X.device)
        return index[:, None] == index[None, :]

    def _values(self, inputs, shape):
        zeros = self.arrays.zeros(
            shape, dtype=self.arrays.float64, device=self.X.device
        )
        return [self._rounded(zeros + value) for value in self.evaluate(inputs)]

    def _rounded(self, values):
        """Values of double precision in that of the result."""
        dtype = data_type(self.arrays, self.dtype)
        return self.arrays.astype(values, dtype, copy=False)


def _parts(n, m, side, *, symmetric=False):
    """Blocks of even size, of at most `side` rows and columns, that cover a matrix."""
    shape = [math.ceil(length / math.ceil(length / side)) for length in (n, m)]
    return blocks(n, m, shape, symmetric=symmetric)


def _shifted(part, by):
    return slice(part.start + by, part.stop + by)
