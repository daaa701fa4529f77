"""Gram matrices of a network and what else is made of blocks of pairs."""

import warnings

import numpy as np

from sklearn_ntk._engine.blocks import Matrices, above_diagonal
from sklearn_ntk._engine.constants import with_constants
from sklearn_ntk._engine.derivatives import Derivatives
from sklearn_ntk._engine.evaluation import Evaluation
from sklearn_ntk._engine.graphs import evaluation_of, tile_for
from sklearn_ntk._engine.room import empty
from sklearn_ntk.networks._inputs import standard_row
from sklearn_ntk.networks._masks import check_rows, check_rows_of_both

__all__ = ["contraction", "diagonal", "gradient", "gram", "path"]


def gram(
    network,
    X,
    Y=None,
    *,
    kinds=("ntk",),
    n_jobs=None,
    dtype=np.float64,
    out=None,
    tell=None,
):
    """Kernel matrices of a network.

    Parameters
    ----------
    network : Layer
    X : array or CSR array of shape (n, d)
    Y : array or CSR array of shape (m, d) or None
        None: X against itself, computed once and mirrored.
    kinds : tuple of {"nngp", "ntk"}
        Which kernels, from one pass.
    n_jobs : int or None
        Number of threads; None means all cores.
    dtype : dtype, default=float64
        Of the result. In single precision rows that are close are still
        computed in double precision.
    out : sequence of arrays or None, default=None
        What the matrices are written to, one for each of `kinds`, of this dtype.
    tell : callable or None, default=None
        Called with a number of entries whenever so many have been written, from
        several threads.

    Returns
    -------
    tuple of ndarray of shape (n, m)
        One for each of `kinds`.
    """
    network, tile = _prepared(network, X, Y, n_jobs)

    def evaluate(inputs):
        pairs = network.propagate(inputs).resolve()
        return [getattr(pairs, kind) for kind in kinds]

    evaluation = evaluation_of(
        evaluate,
        X,
        Y,
        ntk="ntk" in kinds,
        homogeneous=network.is_homogeneous,
        tile=tile,
    )
    outputs = out or tuple(empty(_shape(X, Y), dtype) for _ in kinds)
    _fill(evaluation, outputs, n_jobs=n_jobs, tell=tell)
    return outputs


def path(network, X, Y=None, *, kind, depths=None, n_jobs=None):
    """Kernel matrices of many depths of a network, from one pass over the deepest.

    Parameters
    ----------
    network : Layer
        With a method `stages`, as `MLP` has.
    X, Y, n_jobs
        As for `gram`.
    kind : "nngp" or "ntk"
    depths : sequence of int, default=None
        Of which depths, from 1 to that of the network; None: of all.

    Returns
    -------
    ndarray of shape (n_depths, n, m)
    """
    network.validate()
    with np.errstate(all="ignore"):
        stages = network.stages(standard_row(X.shape[1]), depths)

    def evaluate(inputs):
        blocks, output = {}, None
        for depth, (body, done, head, scale) in enumerate(stages, start=1):
            inputs = output if done else body.propagate(inputs)
            if head is not None:
                output = head.propagate(inputs).resolve()
                blocks[depth] = getattr(output.scaled(scale), kind)
        return [blocks[depth] for depth in wanted]

    wanted = range(1, len(stages) + 1) if depths is None else depths
    out = empty((len(wanted), *_shape(X, Y)))
    _fill(Evaluation(evaluate, X, Y, ntk=kind == "ntk"), out, n_jobs=n_jobs)
    return out


def diagonal(network, X, *, kinds=("ntk",)):
    """Diagonals of `gram(network, X)`, at the cost of n pairs."""
    network, tile = _prepared(network, X)

    def evaluate(inputs):
        pairs = network.propagate(inputs).resolve()
        return [getattr(pairs, kind) for kind in kinds]

    options = {"ntk": "ntk" in kinds, "tile": tile}
    diagonals = evaluation_of(evaluate, X, None, **options).diagonal()
    if any(np.any(np.isinf(values)) for values in diagonals):
        _warn_of_overflow()
    return tuple(np.array(values) for values in diagonals)


def gradient(network, X, *, kind, n_jobs=None):
    """A kernel matrix and its derivatives in the log-hyperparameters.

    Returns
    -------
    K : ndarray of shape (n, n)
    K_gradient : ndarray of shape (n, n, p)
        In the order of the network's free hyperparameters.
    """
    derivatives = _derivatives(network, X, kind, n_jobs)
    K = empty(_shape(X, None))
    slices = empty((derivatives.size, *K.shape))
    matrices = Matrices([K, *slices], symmetric=True)

    def place(rows, columns, values):
        slopes = derivatives.slopes(values, rows, columns)
        matrices.place(rows, columns, [values[0], *slopes])

    target = (matrices,) if derivatives.are_evaluated else (None, place)
    overflow = derivatives.evaluation.run(*target, n_jobs=n_jobs)
    index = np.arange(len(K))
    K[index, index] = derivatives.diagonal[0]
    for k, slope in enumerate(derivatives.diagonal_slopes()):
        slices[k, index, index] = slope
    if overflow or np.any(np.isinf(derivatives.diagonal[0])):
        _warn_of_overflow()
    return K, np.moveaxis(slices, 0, -1)


def contraction(network, X, weights, *, kind, n_jobs=None):
    """The derivatives of ``sum(weights * K)`` in the log-hyperparameters.

    It never holds more of the gradient than a block.

    Parameters
    ----------
    weights : ndarray of shape (n, n)
        Symmetric.

    Returns
    -------
    ndarray of shape (p,)
    """
    derivatives = _derivatives(network, X, kind, n_jobs)
    if derivatives.size == 0:
        return np.empty(0)
    sums = []

    def add(rows, columns, values):
        W = 2.0 * weights[rows, columns] * above_diagonal(rows, columns)
        sums.append(derivatives.contracted(values, W, rows, columns))

    derivatives.evaluation.run(None, add, n_jobs=n_jobs)
    return sum(sums) + derivatives.contracted_diagonal(np.diagonal(weights))


def _derivatives(network, X, kind, n_jobs):
    network.validate()
    tile_for(network, X, n_jobs=n_jobs)  # which refuses what the network cannot take
    check_rows(network, X)

    def evaluation(evaluate, *, dual, size):
        options = {"ntk": kind == "ntk", "dual": dual}
        tile = tile_for(network, X, n_directions=size, n_jobs=n_jobs)
        return evaluation_of(evaluate, X, None, tile=tile, **options)

    return Derivatives(network, X, kind, evaluation)


def _prepared(network, X, Y=None, n_jobs=None):
    """The network as it is evaluated, and the size of a block of images or graphs."""
    network.validate()
    tile = tile_for(network, X, Y, n_jobs=n_jobs)  # which refuses what would not fit
    check_rows_of_both(network, X, Y)
    return with_constants(network, X), tile


def _shape(X, Y):
    return X.shape[0], (X if Y is None else Y).shape[0]


def _fill(evaluation, outputs, *, n_jobs, tell=None):
    """Write all values that are evaluated into matrices."""
    symmetric = evaluation.symmetric
    matrices = Matrices(outputs, symmetric=symmetric)

    def count(rows, columns, values):
        tell(matrices.n_entries(rows, columns))

    overflow = evaluation.run(
        matrices, count if tell else None, n_jobs=n_jobs, dtype=outputs[0].dtype
    )
    if symmetric:
        for out, values in zip(outputs, evaluation.diagonal(n_jobs), strict=True):
            np.fill_diagonal(out, values)
            overflow |= bool(np.any(np.isinf(values)))
    if overflow:
        _warn_of_overflow()


def _warn_of_overflow():
    warnings.warn(
        "The kernel overflows: entries of it are infinite. Scale X down, for example "
        "with StandardScaler.",
        RuntimeWarning,
        stacklevel=4,
    )
