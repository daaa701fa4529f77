"""Blocks of pairs of images by a program, and what it is not right for by formulas."""

import importlib.util
import threading

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from sklearn_ntk._engine.blocks import above_diagonal
from sklearn_ntk._engine.forward_mode import concatenate, linear
from sklearn_ntk._engine.image_numpy import ImageNumpyProgram
from sklearn_ntk._engine.image_tracing import asked_variances, traced_images
from sklearn_ntk._engine.tracing import TracingError
from sklearn_ntk.networks._inputs import Inputs
from sklearn_ntk.networks._pixels import Pixels

__all__ = ["ImageBlocks", "image_program"]

CLOSE = 1e-9  # 1 - |cos| of two rows that differ in a few digits only
FEW = 2**14  # pairs of pixels that formulas are done with before there is a program
MANY = 2**27  # operations on pairs of pixels for which compiled code is loaded
SHORT = 64  # operations of a program that is not known yet
OWN = 2**17  # of rows with themselves, which programs of several stages are worth
SHARE = 0.25  # of rows that a program is not right for, above which formulas do all


def image_program(evaluation, dtype, n_jobs=None):
    """The program for pairs of images, or None.

    None where there are few pairs, or a layer cannot be traced.
    """
    X, Y = evaluation.X, evaluation.columns

    def own():
        of_x = _of_own(evaluation, X, n_jobs)
        return of_x, of_x if Y is X else _of_own(evaluation, Y, n_jobs)

    if evaluation.n_pairs * evaluation.tile.entries < FEW:
        return None
    return traced_images(
        evaluation.evaluate,
        X,
        Y,
        ntk=evaluation.ntk,
        dual=evaluation.dual,
        own=own,
        dtype=dtype,
    )


class ImageBlocks:
    """Blocks by a program, and pairs of rows that it is not right for by the formulas.

    Parameters
    ----------
    evaluation : Evaluation
    program : ImageProgram
    dtype : dtype
    matrices : Matrices or None
        What is filled with the values.

    Attributes
    ----------
    diagonal : list of array or None
        The values of each row with itself, where blocks give them.
    """

    def __init__(self, evaluation, program, dtype, matrices):
        self.evaluation, self.matrices = evaluation, matrices
        self.runner = _runner(evaluation, program, dtype)
        self.shape = self.runner.shape
        inputs = Inputs(np, *program.rows)
        self.unit_x, self.unit_y = inputs.unit_rows
        self.scratch, self.diagonal = threading.local(), None
        self.room = threading.Semaphore(evaluation.tile.n_jobs)  # for formulas
        if evaluation.symmetric and not evaluation.tile.same:
            n = evaluation.X.shape[0]
            self.diagonal = [np.empty(n, dtype) for _ in program.outputs]

    def run(self, rows, columns):
        """The values of a block, and whether any is infinite."""
        if not hasattr(self.scratch, "buffers"):
            self.scratch.buffers = self.runner.scratch()
        on_diagonal = self.evaluation.symmetric and columns.start < rows.stop
        values, guarded = self.runner.run(
            rows, columns, self.scratch.buffers, on_diagonal
        )
        if self.diagonal is not None:
            self._keep_diagonal(rows, columns, values, guarded)
        cos = self.unit_x[rows] @ self.unit_y[columns].T
        close = abs(cos.toarray() if sparse.issparse(cos) else cos) > 1.0 - CLOSE
        guarded = close if guarded is None else close | guarded
        if self.evaluation.symmetric:
            counts = above_diagonal(rows, columns)
            guarded &= counts
            if on_diagonal:  # a row with itself may be NaN, and 0 times NaN is, too
                for value in values:
                    value[~counts] = 0.0
        infinite = False
        for i in np.flatnonzero(guarded.any(axis=1)):
            j = np.flatnonzero(guarded[i])
            exact = self._exact(rows.start + i, columns.start + j)
            for value, new in zip(values, exact, strict=True):
                value[i, j] = new
            infinite |= bool(np.any(np.isinf(exact[0])))
        if self.matrices is not None:
            self.matrices.place(rows, columns, values)
        return values, infinite

    def _keep_diagonal(self, rows, columns, values, guarded):
        i = np.arange(columns.start, min(rows.stop, columns.stop))
        at = i - rows.start, i - columns.start
        for diagonal, value in zip(self.diagonal, values, strict=True):
            diagonal[i] = value[at]
        for k in i[guarded[at]] if guarded is not None else ():
            with self.room:
                exact = self.evaluation.itself(slice(k, k + 1))
            for diagonal, new in zip(self.diagonal, exact, strict=True):
                diagonal[k] = new[0]

    def _exact(self, i, columns):
        """The values of a row of X with some rows of Y."""
        evaluation, found = self.evaluation, []
        step = evaluation.tile.size**2
        for start in range(0, len(columns), step):
            part = columns[start : start + step]
            inputs = Inputs(
                evaluation.xp,
                evaluation.X[i : i + 1],
                evaluation.columns[part],
                ntk=evaluation.ntk,
            )
            with self.room:
                found.append(evaluation.values(inputs, (1, len(part))))
        return [
            np.concatenate(values, axis=1)[0] for values in zip(*found, strict=True)
        ]


def _is_compiled(evaluation, n_operations=SHORT):
    """Whether there is numba, and enough to do for it."""
    many = evaluation.n_pairs * evaluation.tile.entries * n_operations >= MANY
    return many and bool(importlib.util.find_spec("numba"))


def _runner(evaluation, program, dtype):
    """What runs a program."""
    if _is_compiled(evaluation, program.n_operations):
        from sklearn_ntk._engine.image_numba import ImageNumbaProgram

        return ImageNumbaProgram(program, dtype)
    return ImageNumpyProgram(program, dtype)


class _Recorded(Pixels):
    """Pixels that keep what is asked of pairs of pixels of each row."""

    def std(self, xp, nngp):
        found = super().std(xp, nngp)
        rows = linear(xp, lambda a: a.reshape(a.shape[0], -1).T, found[0])
        self.record.append(rows)
        return found

    def by_row(self, xp, a, function):
        found = super().by_row(xp, a, function)
        self.record.append(found)
        return found

    def replace(self, **changes):
        new = super().replace(**changes)
        object.__setattr__(new, "record", self.record)
        return new


class _OwnRows(Inputs):
    """Each row with itself; what is asked of its pixels is recorded on the way."""

    record = None

    def resolve(self):
        pairs = super().resolve()
        if self.record is None or pairs.pixels is None:
            return pairs
        pixels = _Recorded(**vars(pairs.pixels))
        object.__setattr__(pixels, "record", self.record)
        return pairs.replace(pixels=pixels)


def _of_own(evaluation, X, n_jobs):
    """What layers need to know of each row, by programs where that is worth it.

    There must be no derivatives, and rows that meet themselves as any others.
    """
    plain = not (evaluation.dual or evaluation.tile.same)
    many = X.shape[0] * evaluation.tile.entries >= OWN or _is_compiled(evaluation)
    find = _deviations if plain and many else _of_own_pairs
    return find(evaluation, X, n_jobs)


def _deviations(evaluation, X, n_jobs):
    """What layers need to know of each row, by programs.

    Where that is standard deviations only; else by formulas. Of all pairs of pixels
    compiled programs need few: those that meet in a pool.
    """
    found = []
    try:
        while program := asked_variances(evaluation.evaluate, X, found):
            runner = _runner(evaluation, program, np.float64)
            found.append(_of_program(runner, evaluation, X, len(found), n_jobs))
    except TracingError:
        return _of_own_pairs(evaluation, X, n_jobs)
    return found


def _of_program(runner, evaluation, X, place, n_jobs):
    """Standard deviations that a program is of, by formulas where it is not right.

    Raises a TracingError where that is many rows.
    """
    found, scratch = [], runner.scratch()
    for part in gen_batches(X.shape[0], runner.width):
        index = np.arange(part.start, part.stop)
        variance, guarded = runner.of_pairs(index, index, scratch)
        guarded = guarded | ~np.isfinite(variance).all(axis=0)
        std = np.sqrt(np.maximum(variance.T, 0.0))
        if np.mean(guarded) > SHARE:
            raise TracingError("pixels that nearly coincide")
        if guarded.any():
            exact = _of_own_pairs(evaluation, X[index[guarded]], n_jobs)
            std[guarded] = exact[place]
        found.append(std)
    return np.concatenate(found)


def _of_own_pairs(evaluation, X, n_jobs):
    """What layers need to know of pairs of pixels of each row, rows first.

    It follows from covariances of the NNGP alone.
    """

    def recorded(part):
        rows, found = X[part], []
        same = np.ones(rows.shape[0], dtype=bool)
        inputs = _OwnRows(evaluation.xp, rows, same=same, ntk=False)
        with np.errstate(all="ignore"):
            evaluation.evaluate(inputs._replace(record=found))
        return found

    parts = evaluation.each_with_itself(recorded, X.shape[0], n_jobs)
    return [concatenate(np, found) for found in zip(*parts, strict=True)]
