"""Kernel matrices of many rows, block by block."""

import os
from contextlib import closing
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.gaussian_process.kernels import Kernel

from sklearn_ntk._engine.array_checks import checked_arrays, checked_rows
from sklearn_ntk._engine.devices import is_device_array, library
from sklearn_ntk._engine.images import n_numbers
from sklearn_ntk._engine.lanes import CudaLanes, lanes_of
from sklearn_ntk._graphs import checked_graphs
from sklearn_ntk._large.arrays import ArrayOutput, check_array_output
from sklearn_ntk._large.files import FileOutput, NpyFile
from sklearn_ntk._large.fingerprint import fingerprint
from sklearn_ntk._large.plan import BlockPlan, block_size, has_precision
from sklearn_ntk._large.progress import Progress
from sklearn_ntk._large.workers import WorkerLostError, blocks, n_devices, n_workers
from sklearn_ntk._large.zarr import ZarrFile, is_zarr_array
from sklearn_ntk._sklearn_private import InvalidParameterError
from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.networks._masks import allows_nan, check_rows

__all__ = ["compute_gram"]

FILES = {".npy": NpyFile, ".zarr": ZarrFile}


def compute_gram(
    kernel,
    X,
    Y=None,
    *,
    out=None,
    dtype=None,
    n_jobs=None,
    resume=False,
    verbose=0,
    device=None,
):
    """Compute a kernel matrix in blocks, to memory or to a file.

    The result is ``kernel(X)`` or ``kernel(X, Y)``. It may be larger than memory,
    its blocks may be computed by a cluster, and a computation that was interrupted
    can be continued.

    Parameters
    ----------
    kernel : sklearn.gaussian_process.kernels.Kernel
        `NTK`, `NNGP`, another kernel of scikit-learn's, or a sum or product of them.
    X : array-like or CSR of shape (n_samples_X, n_features)
        An array of CuPy, PyTorch or another library that follows the array API
        standard is computed with on its device. For `GraphNTK` and `GraphNNGP`, and
        sums of them, a list of graphs.
    Y : array-like or CSR of shape (n_samples_Y, n_features), default=None
        None: X itself. Each pair is computed once, and the result is symmetric to the
        bit.
    out : path, ndarray, memmap, zarr.Array or None, default=None
        Where the matrix goes.

        - None: a new array in memory.
        - A path that ends in ".npy" or ".zarr": a new file. An older one of that name
          is replaced when the new one is complete, and not before.
        - An array: it is written in place. It must have the right shape and dtype.
    dtype : float64, float32 or None, default=None
        Of the result. None: float64. In float32 the kernels `NTK` and `NNGP` are
        computed in single precision where their activations have closed forms, to
        five digits or more and in about half the time. The diagonal, pairs of rows
        that are close, and all other kernels are computed in double precision.
    n_jobs : int or None, default=None
        Number of threads for a block; None means all cores. With `device`, the number
        of GPUs; None means all. With processes or a cluster as joblib's active backend,
        the number of blocks at a time.
    resume : bool, default=False
        Whether to continue what an interrupted call with the same `out`, a path,
        left. With nothing there, start afresh.
    verbose : int, default=0
        1: show on stderr how much is done and how much time is left.
    device : "cuda" or None, default=None
        What computes: "cuda" GPUs, by CuPy, to which rows are moved and from which
        blocks come back while others are computed; None the processor.

    Returns
    -------
    ndarray, memmap or zarr.Array of shape (n_samples_X, n_samples_Y)
        `out` itself if it is an array. The content of a path, opened for reading: as
        a memmap or a zarr.Array.

    Raises
    ------
    ImportError
        If `device` is "cuda" and there is no CuPy.
    MemoryError
        If the matrix is larger than the memory that is available.
    OSError
        If the disk has no room for the file.
    ValueError
        If `resume` is True, and what is there was computed from something else.
    RuntimeError
        If processes of a joblib backend died.

    See Also
    --------
    NTK : Neural tangent kernel.
    sklearn.kernel_approximation.Nystroem : A low-rank approximation for any kernel.

    Notes
    -----
    In memory and with threads, `NTK` and `NNGP` are computed as by ``kernel(X)``, and
    at the same cost. All else is computed in blocks of 1536 rows and columns, 19 MB
    each in double precision (of 4096 and 134 MB by GPUs), and smaller where the
    `working_memory` of :func:`sklearn.config_context` asks for it or rows are images,
    whose pairs are long work each; a few of them are held beside the result and the
    data.

    Until it is complete, the file ``gram.npy`` is called ``gram.npy.partial``. A
    journal, ``gram.npy.progress``, lists the blocks that it holds: seconds after they
    were computed, and only when their values are on the disk. The journal starts with
    what they belong to: hashes of the kernel (its parameters, and the code of
    functions that a user wrote) and of the data, the version of this package, the
    library that computes, the dtype, the size of the blocks. It stays beside the
    complete file, where it lets ``resume=True`` return that file at once, and refuse
    one that holds something else.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_ntk import NTK, compute_gram
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> K = compute_gram(NTK(), X)
    >>> np.allclose(K, NTK()(X), rtol=1e-13)
    True

    To a file, of which only the rows that are used are read:

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     K = compute_gram(NTK(), X, out=Path(folder, "gram.npy"), dtype=np.float32)
    ...     print(type(K).__name__, K.dtype, K[:10].shape)
    memmap float32 (10, 100)
    """
    if not isinstance(kernel, Kernel):
        raise InvalidParameterError(
            "The 'kernel' parameter of compute_gram must be a Kernel of "
            f"sklearn.gaussian_process.kernels. Got {kernel!r} instead."
        )
    dtype = _checked_dtype(dtype)
    networks = _networks(kernel)
    if networks and not kernel.requires_vector_input:
        X, Y = _checked_graphs(networks[0], X, Y, device)
    else:
        X, Y = _checked_data(networks, X, Y)
    lanes = _checked_lanes(device, X, Y, n_jobs)
    shape = X.shape[0], (X if Y is None else Y).shape[0]
    numbers = max(map(n_numbers, networks), default=1)
    size = block_size(on_device=lanes is not None, n_numbers=numbers)
    plan = BlockPlan(shape, Y is None, size)
    output = _opened(out, kernel, X, Y, plan, dtype, lanes, resume)
    at_once = has_precision(kernel) and n_workers(n_jobs) == 1 and lanes is None
    if output.in_memory and at_once:
        progress = Progress(shape[0] * shape[1], 0, verbose)
        options = {"dtype": dtype, "n_jobs": n_jobs, "tell": progress.update}
        return kernel._matrix(X, Y, out=output.array, **options)
    options = {"dtype": dtype, "n_jobs": n_jobs, "lanes": lanes}
    _fill(output, kernel, X, Y, plan, verbose, options)
    return output.finish()


def _checked_dtype(dtype):
    checked = np.dtype(np.float64 if dtype is None else dtype)
    if checked not in (np.float64, np.float32):
        raise InvalidParameterError(
            "The 'dtype' parameter of compute_gram must be float64, float32 or None. "
            f"Got {dtype!r} instead."
        )
    return checked


def _networks(kernel):
    """The networks of a kernel, or of those it is a sum or product of."""
    kernels = [kernel, *kernel.get_params().values()]
    networks = [k._network() for k in kernels if isinstance(k, NTK | NNGP)]
    for network in networks:
        network.validate()
    return networks


def _checked_data(networks, X, Y):
    """Rows that are finite but for masks, none of which leaves nothing."""
    allow_nan = any(map(allows_nan, networks))
    if is_device_array(X) or is_device_array(Y):
        return checked_arrays(X, Y, allow_nan=allow_nan)
    X, Y = checked_rows(X, Y, allow_nan=allow_nan)
    for network in networks:
        check_rows(network, X)
        if Y is not None:
            check_rows(network, Y, "Y")
    return X, Y


def _checked_graphs(network, X, Y, device):
    if device is not None:
        raise ValueError(
            f"device={device!r} is for rows of numbers; graphs need device=None."
        )
    return checked_graphs(X, Y, node_attribute=network.node_attribute)


def _checked_lanes(device, X, Y, n_jobs):
    """What computes the blocks; None is NumPy."""
    if device not in ("cuda", None):
        raise InvalidParameterError(
            "The 'device' parameter of compute_gram must be 'cuda' or None. Got "
            f"{device!r} instead."
        )
    if is_device_array(X):
        if device is not None:
            raise ValueError(
                f"device={device!r} is for NumPy data. X is an array of {library(X)}, "
                "and is computed with where it is: use device=None."
            )
        return lanes_of(X)
    if device is None:
        return None
    if sparse.issparse(X) or sparse.issparse(Y):
        raise ValueError(
            "device='cuda' needs dense rows. Give X.toarray(), or device=None."
        )
    return CudaLanes(n_devices(n_jobs))


def _opened(out, kernel, X, Y, plan, dtype, lanes, resume):
    """What the matrix is written to."""
    if isinstance(out, str | os.PathLike):
        file = _file(Path(out), plan, dtype)
        by = "numpy" if lanes is None else lanes.library
        made_of = fingerprint(kernel, X, Y, plan, dtype, by)
        return FileOutput(file, made_of, plan, resume)
    if not (out is None or isinstance(out, np.ndarray) or is_zarr_array(out)):
        raise InvalidParameterError(
            "The 'out' parameter of compute_gram must be a path, an ndarray, a memmap, "
            f"a zarr.Array or None. Got {out!r} instead."
        )
    if resume:
        raise ValueError(
            "resume=True needs a path as 'out': nothing is known of how much of an "
            f"array is done. Got out={'None' if out is None else type(out).__name__}."
        )
    if out is not None:
        check_array_output(out, plan.shape, dtype)
    return ArrayOutput(out, plan, dtype)


def _file(path, plan, dtype):
    if path.suffix not in FILES:
        raise ValueError(
            f"out={str(path)!r} must end in one of {', '.join(FILES)}, the formats in "
            "which a kernel matrix can be written."
        )
    return FILES[path.suffix](path, plan, dtype)


def _fill(output, kernel, X, Y, plan, verbose, options):
    """Compute the blocks that are not there yet; options are those of `blocks`."""
    total = plan.shape[0] * plan.shape[1]
    progress = Progress(total, sum(map(plan.n_entries, output.done)), verbose)
    indices = [index for index in plan.indices() if index not in output.done]
    results = blocks(kernel, X, Y, plan, indices, **options)
    try:
        with closing(results):
            for index, values in results:
                plan.place(output, index, values)
                del values  # before the next block comes
                output.record(index)
                progress.update(plan.n_entries(index))
    except WorkerLostError as error:
        raise WorkerLostError(f"{error} {output.advice}") from error.__cause__
    finally:
        output.close()
