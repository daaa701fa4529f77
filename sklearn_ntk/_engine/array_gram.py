"""Gram matrices of arrays of other libraries than NumPy, on their devices."""

import warnings

import numpy as np

from sklearn_ntk._engine.array_evaluation import ArrayEvaluation
from sklearn_ntk._engine.constants import with_constants
from sklearn_ntk._engine.derivatives import Derivatives
from sklearn_ntk._engine.devices import data_type, free_memory, namespace
from sklearn_ntk._engine.images import ARRAYS, n_numbers
from sklearn_ntk.networks._inputs import standard_row
from sklearn_ntk.networks._masks import check_rows, check_rows_of_both
from sklearn_ntk.networks._pixels import Need

__all__ = ["contraction", "diagonal", "gradient", "gram", "kernels_of", "path"]


def gram(network, X, Y=None, *, kinds=("ntk",), dtype=np.float64):
    """Kernel matrices of a network, as arrays like X.

    Parameters
    ----------
    network : Layer
    X : array of shape (n, d)
        Float64, as `checked_arrays` returns it.
    Y : array of shape (m, d) or None
        None: X against itself, computed once and mirrored.
    kinds : tuple of {"nngp", "ntk"}
        Which kernels, from one pass.
    dtype : dtype, default=float64
        Of the result. In single precision rows that are close are still computed in
        double precision.

    Returns
    -------
    tuple of array of shape (n, m)

    Raises
    ------
    MemoryError
        If the device is known not to have the memory for the result.
    """
    evaluation = _evaluation(network, X, Y, kinds, dtype)
    outputs = tuple(_empty(X, _shape(X, Y), len(kinds), dtype) for _ in kinds)
    _fill(evaluation, outputs)
    return outputs


def diagonal(network, X, *, kinds=("ntk",), dtype=np.float64):
    """Diagonals of `gram(network, X)`, at the cost of n pairs."""
    evaluation = _evaluation(network, X, None, kinds, dtype)
    values = evaluation.diagonal()
    if any(namespace(X).any(namespace(X).isinf(value)) for value in values):
        _warn_of_overflow()
    return tuple(values)


def path(network, X, Y=None, *, kind, dtype=np.float64):
    """Kernel matrices of all depths of a network, from one pass over the deepest.

    Returns
    -------
    array of shape (n_depths, n, m)
    """
    _validate(network)
    check_rows_of_both(network, X, Y)
    with np.errstate(all="ignore"):
        stages = network.stages(standard_row(X.shape[1]))

    def evaluate(inputs):
        found, output = [], None
        for body, done, head, scale in stages:
            inputs = output if done else body.propagate(inputs)
            output = head.propagate(inputs).resolve()
            found.append(getattr(output.scaled(scale), kind))
        return found

    out = _empty(X, (len(stages), *_shape(X, Y)), dtype=dtype)
    evaluation = ArrayEvaluation(evaluate, X, Y, ntk=kind == "ntk", dtype=dtype)
    _fill(evaluation, [out[k, ...] for k in range(len(stages))])
    return out


def gradient(network, X, *, kind, dtype=np.float64):
    """A kernel matrix and its derivatives in the log-hyperparameters.

    They are computed in double precision, and rounded where `dtype` asks for it.

    Returns
    -------
    K : array of shape (n, n)
    K_gradient : array of shape (n, n, p)
    """
    derivatives = _derivatives(network, X, kind)
    K = _empty(X, _shape(X, None), 1 + derivatives.size, dtype)
    K_gradient = _empty(X, (*K.shape, derivatives.size), dtype=dtype)
    outputs = [K, *(K_gradient[..., k] for k in range(derivatives.size))]
    diagonals = [derivatives.diagonal[0], *derivatives.diagonal_slopes()]
    place = _mirroring(outputs, diagonals)

    def place_slopes(rows, columns, values):
        slopes = derivatives.slopes(values, rows, columns)
        place(rows, columns, [values[0], *slopes])

    overflow = derivatives.evaluation.run(place_slopes)
    if overflow or namespace(X).any(namespace(X).isinf(diagonals[0])):
        _warn_of_overflow()
    return K, K_gradient


def contraction(network, X, weights, *, kind, dtype=np.float64):
    """The derivatives of ``sum(weights * K)`` in the log-hyperparameters.

    It never holds more of the gradient than a block.

    Parameters
    ----------
    weights : array of shape (n, n)
        Symmetric.

    Returns
    -------
    array of shape (p,)
    """
    xp, derivatives = namespace(X), _derivatives(network, X, kind)
    if derivatives.size == 0:
        return _empty(X, (0,), dtype=dtype)
    sums = [derivatives.contracted_diagonal(xp.linalg.diagonal(weights))]

    def place(rows, columns, values):
        W = 2.0 * weights[rows, columns]
        W = xp.triu(W, k=1) if rows == columns else W
        sums.append(derivatives.contracted(values, W, rows, columns))

    derivatives.evaluation.run(place)
    return xp.astype(sum(sums), data_type(xp, dtype), copy=False)


def _derivatives(network, X, kind):
    _validate(network)
    check_rows(network, X)

    def evaluation(evaluate, *, dual, size):
        options = {"ntk": kind == "ntk", "dual": dual}
        n_numbers = _n_numbers(network, n_directions=size)
        return ArrayEvaluation(evaluate, X, None, n_numbers=n_numbers, **options)

    return Derivatives(network, X, kind, evaluation, namespace(X))


def kernels_of(network, X, kinds):
    """What evaluates kernels of a network at rows like those of X."""
    _validate(network)
    network = with_constants(network, X)

    def evaluate(inputs):
        pairs = network.propagate(inputs).resolve()
        return [getattr(pairs, kind) for kind in kinds]

    return evaluate


def _evaluation(network, X, Y, kinds, dtype):
    evaluate, n_numbers = kernels_of(network, X, kinds), _n_numbers(network)
    check_rows_of_both(network, X, Y)
    options = {"ntk": "ntk" in kinds, "dtype": dtype, "n_numbers": n_numbers}
    return ArrayEvaluation(evaluate, X, Y, **options)


def _n_numbers(network, n_directions=0):
    """How many numbers formulas hold of a pair of images; None for rows of features."""
    if network.image_shape is None:
        return None
    own = 3 if network.needs(Need()).own else 1
    return ARRAYS * own * (1 + n_directions) * n_numbers(network)


def _validate(network):
    """Check a network's parameters, and that its rows are numbers."""
    network.validate()
    if network.reads_graphs and network.image_shape is None:
        raise ValueError(
            "Networks on lists of graphs are there for NumPy arrays only. Move X to "
            "the host first, and use device=None."
        )


def _fill(evaluation, outputs):
    """Write all values that are evaluated into matrices."""
    diagonals = evaluation.diagonal() if evaluation.symmetric else None
    overflow = evaluation.run(_mirroring(outputs, diagonals))
    xp = evaluation.arrays
    if overflow or (diagonals and xp.any(xp.isinf(diagonals[0]))):
        _warn_of_overflow()


def _mirroring(outputs, diagonals=None):
    """What writes blocks into matrices, mirrored where there are diagonals."""
    xp = namespace(outputs[0])

    def place(rows, columns, values):
        for k, (out, value) in enumerate(zip(outputs, values, strict=True)):
            value = xp.astype(value, out.dtype, copy=False)
            if diagonals is not None and rows == columns:
                exact = xp.astype(diagonals[k][rows], out.dtype, copy=False)
                index = xp.arange(exact.shape[0], device=out.device)
                itself = index[:, None] == index[None, :]
                value = xp.where(itself, exact[:, None], value + value.T)
            elif diagonals is not None:
                out[columns, rows] = value.T
            out[rows, columns] = value

    return place


def _shape(X, Y):
    return X.shape[0], (X if Y is None else Y).shape[0]


def _empty(X, shape, n_matrices=1, dtype=np.float64):
    """A matrix beside X, if there is room for as many as are needed."""
    xp, free = namespace(X), free_memory(X)
    needed = np.dtype(dtype).itemsize * n_matrices * int(np.prod(shape))
    if free is not None and needed > free:
        raise MemoryError(
            f"The result takes {needed / 2**30:.1f} GiB of which the device of X has "
            f"{free / 2**30:.1f} GiB free. Take fewer rows at a time, or use "
            "compute_gram, which brings the matrix to the host block by block."
        )
    return xp.empty(shape, dtype=data_type(xp, dtype), device=X.device)


def _warn_of_overflow():
    warnings.warn(
        "The kernel overflows: entries of it are infinite. Scale X down.",
        RuntimeWarning,
        stacklevel=4,
    )
