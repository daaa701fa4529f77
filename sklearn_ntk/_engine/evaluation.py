"""A function of pairs of rows, evaluated on blocks of them by whatever is fastest."""

import importlib.util
import threading
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from itertools import product

import numpy as np
from sklearn.utils import gen_even_slices

from sklearn_ntk._engine import profiles
from sklearn_ntk._engine.blocks import blocks
from sklearn_ntk._engine.forward_mode import DualNamespace
from sklearn_ntk._engine.generic import traced
from sklearn_ntk._engine.image_evaluation import ImageBlocks, image_program
from sklearn_ntk._engine.numba_program import NumbaProgram
from sklearn_ntk._engine.numpy_program import NumpyProgram
from sklearn_ntk._engine.threads import n_threads, single_threaded_blas
from sklearn_ntk._engine.tracing import TooManyNumbersError
from sklearn_ntk.networks._inputs import Inputs

__all__ = ["Evaluation", "for_each"]

TILE = 256  # rows and columns of a block of exact pairs: arrays stay in cache
MANY = 0.25  # share of pairs that are not generic, above which a block is redone whole
FEW = 2**18  # pairs that NumPy is done with before compiled code is loaded
PAIRS = 2**13  # exact pairs at once
ROWS = 2**12  # of a diagonal at once


class Evaluation:
    """Numbers of each pair of rows, which a network gives.

    Parameters
    ----------
    evaluate : callable
        Takes `Inputs` and returns a list of arrays.
    X : array or CSR array of shape (n, d)
    Y : array or CSR array of shape (m, d) or None
        None: X against itself.
    ntk : bool
        Whether the neural tangent kernel is wanted.
    dual : bool, default=False
        Whether there is something to be differentiated.
    homogeneous : bool, default=False
        Whether values are proportional to the lengths of both rows.
    tile : Tile or None, default=None
        Where rows are images, how many to look at together.

    Attributes
    ----------
    n_pairs : int
        Of rows, which say whether compiled code is worth its while. A part of an
        evaluation has that of the whole.
    """

    def __init__(
        self, evaluate, X, Y, *, ntk, dual=False, homogeneous=False, tile=None
    ):
        self.evaluate, self.X, self.Y = evaluate, X, Y
        self.ntk, self.dual, self.homogeneous = ntk, dual, homogeneous
        self.tile, self.shortcut, self.known_diagonal = tile, None, None
        self.symmetric = Y is None
        self.n_pairs = X.shape[0] * self.columns.shape[0]
        self.xp = DualNamespace(np) if dual else np

    def run(self, matrices=None, then=None, *, n_jobs=None, dtype=np.float64):
        """Evaluate all blocks, and say whether any value is infinite.

        Parameters
        ----------
        matrices : Matrices or None
            What is filled with the values.
        then : callable or None
            ``then(rows, columns, values)`` is called with slices and a list of
            arrays, for each block, from several threads. Where Y is None blocks cover
            the half above the diagonal and values on the diagonal are not to be used.
        n_jobs : int or None
        dtype : dtype
            Of the computation for pairs of rows that are not close.
        """
        X, Y = self.X, self.columns
        try:
            with single_threaded_blas():  # whose threads would wait actively for more
                program, self.shortcut = self._program(dtype, n_jobs)
        except TooManyNumbersError:
            if max(X.shape[0], Y.shape[0]) > 1:
                return self._in_parts(matrices, then, n_jobs=n_jobs, dtype=dtype)
            program = None
        if program is None:
            worker = _Exact(self, matrices)
            n_jobs = self._with_room(n_jobs)
        elif self.tile is not None:
            worker = ImageBlocks(self, program, dtype, matrices)
            self.known_diagonal = worker.diagonal
        else:
            worker = _Traced(self, program, dtype, matrices)

        def compute(task):
            values, infinite = worker.run(*task)
            if then is not None:
                then(*task, values)
            return infinite

        tasks = blocks(X.shape[0], Y.shape[0], worker.shape, symmetric=self.symmetric)
        return any(for_each(compute, list(tasks), n_jobs))

    def _in_parts(self, matrices, then, **options):
        """`run`, of a part of the rows at a time."""
        infinite, diagonals = False, []
        halves = [gen_even_slices(a.shape[0], 2) for a in (self.X, self.columns)]
        for rows, columns in product(*halves):
            if self.symmetric and columns.start < rows.start:
                continue
            square = self.symmetric and rows == columns
            part = copy(self)
            part.X, part.symmetric = self.X[rows], square
            part.Y = None if square else self.columns[columns]

            def place(i, j, values, rows=rows, columns=columns):
                i, j = _moved(i, rows.start), _moved(j, columns.start)
                if matrices is not None:
                    matrices.place(i, j, values)
                if then is not None:
                    then(i, j, values)

            infinite |= part.run(None, place, **options)
            if square:
                diagonals.append(part.known_diagonal)
        if self.symmetric and all(d is not None for d in diagonals):
            found = zip(*diagonals, strict=True)
            self.known_diagonal = [np.concatenate(values) for values in found]
        return infinite

    @property
    def columns(self):
        """The rows that the matrix has a column for."""
        return self.X if self.symmetric else self.Y

    def _with_room(self, n_jobs):
        """How many threads may evaluate formulas at the same time."""
        return n_jobs if self.tile is None else min(n_threads(n_jobs), self.tile.n_jobs)

    def each_with_itself(self, compute, n, n_jobs):
        """Results for parts of `n` rows, given as slices, which meet only themselves.

        In as many threads as there is memory for.
        """
        step = ROWS
        if self.tile is not None:
            step = self.tile.size**2
            n_jobs = min(n_threads(n_jobs), self.tile.n_jobs_itself)
        elif self.dual:
            step = n  # a length scale per feature holds what is known of all rows
        if n <= step:
            return [compute(slice(n))]
        parts = [slice(start, start + step) for start in range(0, n, step)]
        return for_each(compute, parts, n_jobs)

    def _program(self, dtype, n_jobs):
        """What computes generic pairs, if anything, and the shortcut it stands for."""
        if self.tile is not None:
            return image_program(self, dtype, n_jobs), None
        shorter = profiles.shortened(self, dtype)
        if shorter is not None:
            return shorter
        X, Y = self.X, self.columns
        return traced(self.evaluate, X, Y, ntk=self.ntk, dual=self.dual), None

    def diagonal(self, n_jobs=None):
        """The values of each row of X with itself."""
        if self.known_diagonal is not None:
            return self.known_diagonal
        found = self.each_with_itself(self.itself, self.X.shape[0], n_jobs)
        return [np.concatenate(values) for values in zip(*found, strict=True)]

    def itself(self, rows):
        """The values of some rows of X, each with itself."""
        X = self.X[rows]
        same = np.ones(X.shape[0], dtype=bool)
        return self.values(Inputs(self.xp, X, same=same, ntk=self.ntk), len(same))

    def block(self, rows, columns):
        """The values of a block of pairs, to full accuracy."""
        Y, same = self.columns, None
        if self.symmetric and columns.start < rows.stop:
            i, j = (np.arange(part.start, part.stop) for part in (rows, columns))
            same = i[:, None] == j
        inputs = Inputs(self.xp, self.X[rows], Y[columns], same=same, ntk=self.ntk)
        shape = rows.stop - rows.start, columns.stop - columns.start
        return self.values(inputs, shape)

    def pairs(self, i, j):
        """The values of the rows i of X with the rows j of Y, to full accuracy."""
        Y = self.columns
        parts = [
            self.values(
                Inputs(self.xp, self.X[a], Y[b], paired=True, ntk=self.ntk), len(a)
            )
            for a, b in (
                (i[start : start + PAIRS], j[start : start + PAIRS])
                for start in range(0, len(i), PAIRS)
            )
        ]
        return [np.concatenate(values) for values in zip(*parts, strict=True)]

    def values(self, inputs, shape):
        """What is evaluated for some inputs, as arrays of a shape."""
        evaluate = self.evaluate if self.shortcut is None else self.shortcut.evaluate
        with np.errstate(all="ignore"):
            return [np.broadcast_to(v, shape) for v in evaluate(inputs)]


def _moved(part, start):
    return slice(part.start + start, part.stop + start)


class _Exact:
    """Blocks by the formulas themselves."""

    shape = (TILE, TILE)

    def __init__(self, evaluation, matrices):
        self.evaluation, self.matrices = evaluation, matrices
        if evaluation.tile is not None:
            self.shape = (evaluation.tile.size, evaluation.tile.size)

    def run(self, rows, columns):
        values = self.evaluation.block(rows, columns)
        if self.matrices is not None:
            self.matrices.place(rows, columns, values)
        return values, bool(np.any(np.isinf(values[0])))


class _Traced:
    """Blocks by a program, and pairs that it is not right for by the formulas."""

    def __init__(self, evaluation, program, dtype, matrices):
        self.evaluation, self.matrices = evaluation, matrices
        self.runner = runner(program, dtype, evaluation.n_pairs)
        self.shape = self.runner.shape if matrices else self.runner.shape_for_numpy
        self.scratch = threading.local()

    def run(self, rows, columns):
        matrices = self.matrices
        if not hasattr(self.scratch, "buffers"):
            self.scratch.buffers = self.runner.scratch()
        on_diagonal = self.evaluation.symmetric and columns.start < rows.stop
        values, guarded = self.runner.run(
            rows, columns, self.scratch.buffers, matrices, on_diagonal
        )
        if guarded is None:
            return values, False
        i, j = np.nonzero(guarded)
        if len(i) > MANY * guarded.size:
            values = exact = self.evaluation.block(rows, columns)
            if matrices is not None:
                matrices.place(rows, columns, values)
        else:
            exact = self.evaluation.pairs(i + rows.start, j + columns.start)
            if matrices is not None:
                matrices.mend(i + rows.start, j + columns.start, exact)
            else:
                for value, new in zip(values, exact, strict=True):
                    value[i, j] = new
        return values, bool(np.any(np.isinf(exact[0])))


def runner(program, dtype, n_pairs):
    """What runs a program: compiled code if there is numba and enough to do."""
    if n_pairs >= FEW and importlib.util.find_spec("numba"):
        return NumbaProgram(program, dtype)
    return NumpyProgram(program, dtype)


def for_each(compute, tasks, n_jobs):
    """Results of `compute`, in as many threads as there are to be."""
    _keep_freed_memory()
    workers = min(n_threads(n_jobs), len(tasks))

    def quiet(task):
        with np.errstate(all="ignore"):
            return compute(task)

    with single_threaded_blas():
        if workers <= 1:
            return [quiet(task) for task in tasks]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(quiet, tasks))


def _keep_freed_memory():
    """Have the C library keep a tile's freed arrays for the next ones.

    glibc gives memory back to the system above a threshold, which starts at 128 kB
    and which freeing a larger block raises to that block's size. Without this, the
    page faults of every temporary array take two thirds of the time.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)
