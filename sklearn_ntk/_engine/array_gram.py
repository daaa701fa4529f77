"""Gram matrices of arrays of other libraries than NumPy, on their devices."""

import warnings

import numpy as np

from sklearn_ntk._engine.array_evaluation import ArrayEvaluation
from sklearn_ntk._engine.derivatives import free_hyperparameters
from sklearn_ntk._engine.devices import data_type, free_memory, namespace
from sklearn_ntk._engine.forward_mode import Dual, DualNamespace, tangents_of, value_of
from sklearn_ntk.networks._inputs import Inputs

__all__ = ["diagonal", "gradient", "gram", "kernels_of", "path"]


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
    evaluation = ArrayEvaluation(
        kernels_of(network, X, kinds), X, Y, ntk="ntk" in kinds, dtype=dtype
    )
    outputs = tuple(_empty(X, _shape(X, Y), len(kinds), dtype) for _ in kinds)

    def place(rows, columns, values):
        for out, value in zip(outputs, values, strict=True):
            out[rows, columns] = value

    if evaluation.run(place):
        _warn_of_overflow()
    return outputs


def diagonal(network, X, *, kinds=("ntk",), dtype=np.float64):
    """Diagonals of `gram(network, X)`, at the cost of n pairs."""
    evaluation = ArrayEvaluation(
        kernels_of(network, X, kinds), X, None, ntk="ntk" in kinds, dtype=dtype
    )
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
    with np.errstate(all="ignore"):
        stages = network.stages(_standard_row(X))

    def evaluate(inputs):
        found, output = [], None
        for body, done, head, scale in stages:
            inputs = output if done else body.propagate(inputs)
            output = head.propagate(inputs).resolve()
            found.append(getattr(output.scaled(scale), kind))
        return found

    out = _empty(X, (len(stages), *_shape(X, Y)), dtype=dtype)

    def place(rows, columns, values):
        for k, value in enumerate(values):
            out[k, rows, columns] = value

    evaluation = ArrayEvaluation(evaluate, X, Y, ntk=kind == "ntk", dtype=dtype)
    if evaluation.run(place):
        _warn_of_overflow()
    return out


def gradient(network, X, *, kind, dtype=np.float64):
    """A kernel matrix and its derivatives in the log-hyperparameters.

    Returns
    -------
    K : array of shape (n, n)
    K_gradient : array of shape (n, n, p)

    Raises
    ------
    ValueError
        If features have length scales of their own that are not fixed.
    """
    _validate(network)
    free = free_hyperparameters(network)
    vectors = [h.name for h in free if h.n_elements > 1]
    if vectors:
        raise ValueError(
            f"The gradient in {vectors[0]!r}, one number per feature, is there for "
            "NumPy arrays only: move X to the host first, or fix it by bounds 'fixed'."
        )
    params = network.get_params()
    duals = {h.name: Dual(params[h.name], {h.name: params[h.name]}) for h in free}
    lifted = network.with_values(duals)
    with np.errstate(all="ignore"):
        lifted = lifted.build(_standard_row(X, dual=bool(free)))

    def evaluate(inputs):
        kernel = getattr(lifted.propagate(inputs).resolve(), kind)
        tangents = tangents_of(kernel)
        return [value_of(kernel), *(tangents.get(h.name, 0.0) for h in free)]

    K = _empty(X, _shape(X, None), 1 + len(free), dtype)
    K_gradient = _empty(X, (*K.shape, len(free)), dtype=dtype)

    def place(rows, columns, values):
        K[rows, columns] = values[0]
        for k, slope in enumerate(values[1:]):
            K_gradient[rows, columns, k] = slope

    evaluation = ArrayEvaluation(
        evaluate, X, None, ntk=kind == "ntk", dual=bool(free), dtype=dtype
    )
    if evaluation.run(place):
        _warn_of_overflow()
    return K, K_gradient


def kernels_of(network, X, kinds):
    """What evaluates kernels of a network at rows like those of X."""
    _validate(network)
    with np.errstate(all="ignore"):
        network = network.build(_standard_row(X))

    def evaluate(inputs):
        pairs = network.propagate(inputs).resolve()
        return [getattr(pairs, kind) for kind in kinds]

    return evaluate


def _validate(network):
    """Check a network's parameters, and that its rows are rows of features."""
    network.validate()
    if network.image_shape is not None:
        raise ValueError(
            "Networks on images, sequences and graphs are there for NumPy arrays only. "
            "Move X to the host first, and use device=None."
        )


def _standard_row(X, *, dual=False):
    """A single row of ones; constants are worked out by NumPy."""
    xp = DualNamespace(np) if dual else np
    return Inputs(xp, np.ones((1, X.shape[1]))).standard_row()


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
