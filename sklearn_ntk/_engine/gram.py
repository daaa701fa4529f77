"""Gram matrices of a network, block by block; this module knows no formula."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sklearn_ntk._engine.forward_mode import Dual, DualNamespace, tangents_of, value_of
from sklearn_ntk._engine.threads import n_threads, single_threaded_blas
from sklearn_ntk.networks._inputs import Inputs
from sklearn_ntk.networks._relevance import VectorSeed

__all__ = ["contraction", "diagonal", "gradient", "gram", "path"]

TILE = 256  # rows and columns of a block: its arrays stay in a core's cache


def gram(network, X, Y=None, *, kinds=("ntk",), n_jobs=None):
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

    Returns
    -------
    tuple of ndarray of shape (n, m)
        One for each of `kinds`.
    """
    network = _prepared(network, X)
    outputs = tuple(np.empty(_shape(X, Y)) for _ in kinds)

    def compute(tile):
        pairs = network.propagate(_inputs(np, X, Y, tile, kinds)).resolve()
        blocks = [getattr(pairs, kind) for kind in kinds]
        for block, out in zip(blocks, outputs, strict=True):
            _place(out, block, tile, symmetric=Y is None)
        return any(np.any(np.isinf(block)) for block in blocks)

    if any(_for_each(compute, _tiles(X, Y), n_jobs)):
        _warn_of_overflow()
    return outputs


def path(network, X, Y=None, *, kind, n_jobs=None):
    """Kernel matrices of all depths of a network, from one pass over the deepest.

    Parameters
    ----------
    network : Layer
        With a method `stages`, as `MLP` has.
    X, Y, n_jobs
        As for `gram`.
    kind : "nngp" or "ntk"

    Returns
    -------
    ndarray of shape (depth, n, m)
    """
    network.validate()
    with np.errstate(all="ignore"):
        stages = network.stages(Inputs(np, X).standard_row())
    out = np.empty((len(stages), *_shape(X, Y)))

    def compute(tile):
        pairs, output = _inputs(np, X, Y, tile, (kind,)), None
        overflow = False
        for matrix, (body, head, scale, done) in zip(out, stages, strict=True):
            pairs = output if done else body.propagate(pairs)
            output = head.propagate(pairs).resolve()
            block = getattr(output.scaled(scale), kind)
            _place(matrix, block, tile, symmetric=Y is None)
            overflow |= bool(np.any(np.isinf(block)))
        return overflow

    if any(_for_each(compute, _tiles(X, Y), n_jobs)):
        _warn_of_overflow()
    return out


def diagonal(network, X, *, kinds=("ntk",)):
    """Diagonals of `gram(network, X)`, at the cost of n pairs."""
    network = _prepared(network, X)
    with np.errstate(all="ignore"):
        pairs = network.propagate(_diagonal_inputs(np, X, kinds)).resolve()
    diagonals = tuple(getattr(pairs, kind) + np.zeros(X.shape[0]) for kind in kinds)
    if any(np.any(np.isinf(values)) for values in diagonals):
        _warn_of_overflow()
    return diagonals


def gradient(network, X, *, kind, n_jobs=None):
    """A kernel matrix and its derivatives in the log-hyperparameters.

    Returns
    -------
    K : ndarray of shape (n, n)
    K_gradient : ndarray of shape (n, n, p)
        In the order of the network's free hyperparameters.
    """
    network.validate()
    free = free_hyperparameters(network)
    K = np.empty(_shape(X, None))
    K_gradient = np.empty((*K.shape, sum(h.n_elements for h in free)))

    def compute(tile):
        value, tangents, seeds = _differentiated(network, X, tile, kind, free)
        _place(K, value, tile, symmetric=True)
        for index, slope in enumerate(_slopes(seeds, tangents)):
            _place(K_gradient[..., index], slope, tile, symmetric=True)
        return np.any(np.isinf(value))

    if any(_for_each(compute, _tiles(X, None), n_jobs)):
        _warn_of_overflow()
    return K, K_gradient


def contraction(network, X, W, *, kind, n_jobs=None):
    """Derivatives of ``sum(W * K(X))`` in the log-hyperparameters.

    Never holds more than one block of one derivative. W is a symmetric matrix.

    Returns
    -------
    ndarray of shape (p,)
    """
    network.validate()
    free = free_hyperparameters(network)

    def compute(tile):
        rows, columns = tile
        weights = W[rows, columns] * (1.0 if rows == columns else 2.0)
        _, tangents, seeds = _differentiated(network, X, tile, kind, free)
        parts = [_contracted(s, n, tangents, weights) for n, s in seeds.items()]
        return np.concatenate(parts) if parts else np.empty(0)

    parts = _for_each(compute, _tiles(X, None), n_jobs)
    return np.sum(parts, axis=0)


def free_hyperparameters(network):
    """The hyperparameters that are not fixed, in the order of theta."""
    return [h for h in network.hyperparameters if not h.fixed]


def _prepared(network, X):
    network.validate()
    with np.errstate(all="ignore"):
        return network.build(Inputs(np, X).standard_row())


def _shape(X, Y):
    return X.shape[0], (X if Y is None else Y).shape[0]


def _tiles(X, Y):
    """Blocks as pairs of slices; those on and above the diagonal where Y is None."""
    columns = X.shape[0] if Y is None else Y.shape[0]
    return [
        (slice(i, min(i + TILE, X.shape[0])), slice(j, min(j + TILE, columns)))
        for i in range(0, X.shape[0], TILE)
        for j in range(i if Y is None else 0, columns, TILE)
    ]


def _inputs(xp, X, Y, tile, kinds):
    rows, columns = tile
    if Y is not None:
        return Inputs(xp, X[rows], Y[columns], ntk="ntk" in kinds)
    same = np.eye(rows.stop - rows.start, dtype=bool) if rows == columns else None
    return Inputs(xp, X[rows], X[columns], same=same, ntk="ntk" in kinds)


def _diagonal_inputs(xp, X, kinds):
    same = np.ones(X.shape[0], dtype=bool)
    return Inputs(xp, X, same=same, ntk="ntk" in kinds)


def _place(out, block, tile, *, symmetric):
    """Write a block, and where the matrix is symmetric its mirror image."""
    rows, columns = tile
    if symmetric and rows == columns:
        block = np.broadcast_to(block, out[tile].shape)
        upper = np.triu(block)
        out[tile] = upper + np.triu(block, 1).T
        return
    out[tile] = block
    if symmetric:
        out[columns, rows] = out[tile].T


def _for_each(compute, tiles, n_jobs):
    """Results of `compute` for all tiles, in their order."""
    _keep_freed_memory()
    workers = min(n_threads(n_jobs), len(tiles))

    def quiet(tile):
        with np.errstate(all="ignore"):
            return compute(tile)

    if workers == 1:
        return [quiet(tile) for tile in tiles]
    with single_threaded_blas(), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(quiet, tiles))


def _warn_of_overflow():
    warnings.warn(
        "The kernel overflows: entries of it are infinite. Scale X down, for example "
        "with StandardScaler.",
        RuntimeWarning,
        stacklevel=4,
    )


def _keep_freed_memory():
    """Have the C library keep a tile's freed arrays for the next ones.

    glibc gives memory back to the system above a threshold, which starts at 128 kB
    and which freeing a larger block raises to that block's size. Without this, the
    page faults of every temporary array take two thirds of the time.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)


def _differentiated(network, X, tile, kind, free):
    """A block of a kernel, its tangents, and the seeds they start from."""
    seeds = {h.name: _seed(network, h.name) for h in free}
    xp = DualNamespace(np)
    inputs = _inputs(xp, X, None, tile, (kind,))
    lifted = network.with_values(seeds).build(inputs.standard_row())
    result = getattr(lifted.propagate(inputs).resolve(), kind)
    return value_of(result), tangents_of(result), seeds


def _slopes(seeds, tangents):
    """The derivatives of a block, one hyperparameter after the other."""
    for name, seed in seeds.items():
        if isinstance(seed, VectorSeed):
            for feature in range(len(seed.value)):
                yield seed.gradient(tangents, feature)
        else:
            yield tangents.get(name, 0.0)


def _contracted(seed, name, tangents, weights):
    """Derivatives of ``sum(weights * block)``."""
    if isinstance(seed, VectorSeed):
        return seed.contraction(tangents, weights)
    return [np.sum(weights * tangents.get(name, 0.0))]


def _seed(network, name):
    value = network.get_params()[name]
    if np.ndim(value) == 0:
        return Dual(value, {name: value})
    return VectorSeed(np.asarray(value, dtype=float), name)
