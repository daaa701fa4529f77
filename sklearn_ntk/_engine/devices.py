"""Arrays of other libraries than NumPy, and the devices they are on.

This module alone knows CuPy and PyTorch by name.
"""

from contextlib import nullcontext

import numpy as np
from sklearn import get_config

from sklearn_ntk._sklearn_private import array_api_compat

__all__ = [
    "checked_arrays",
    "cupy_of",
    "free_memory",
    "host_array",
    "is_device_array",
    "like",
    "namespace",
    "on_device_of",
    "scratch_memory",
    "to_cuda",
]

SHARE = 0.5  # of the memory that is free on a device, for scratch


def is_device_array(X):
    """Whether X is an array of another library, to be computed with by that.

    Those whose arrays cannot be written to, or are not evaluated at once, do not count:
    they are converted to NumPy's, as lists and data frames are.
    """
    if isinstance(X, np.ndarray | np.generic):
        return False
    if not array_api_compat.is_array_api_obj(X) or array_api_compat.is_lazy_array(X):
        return False
    sparse = array_api_compat.is_pydata_sparse_array(X)
    return not sparse and array_api_compat.is_writeable_array(X)


def namespace(X):
    """The functions for arrays like X, by their names in the array API standard."""
    return array_api_compat.array_namespace(X)


def cupy_of(X):
    """CuPy, if X is an array of its; else None."""
    if not array_api_compat.is_cupy_array(X):
        return None
    import cupy

    return cupy


def to_cuda(X):
    """A NumPy array, on the current CUDA device.

    Raises
    ------
    ImportError
        If there is no CuPy, naming the extra that brings it.
    """
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            "device='cuda' needs CuPy, for the major version of CUDA that the driver "
            "supports: pip install 'sklearn-ntk[cuda12]' or 'sklearn-ntk[cuda13]'."
        ) from error
    return cupy.asarray(X)


def on_device_of(X):
    """A context in which CuPy computes on the device of X; others need none."""
    return X.device if cupy_of(X) else nullcontext()


def like(X, values, dtype=None):
    """NumPy values as an array beside X."""
    xp = namespace(X)
    values = np.ascontiguousarray(values, dtype)
    return xp.asarray(values, device=array_api_compat.device(X))


def host_array(X):
    """The values of an array of any library, as a NumPy array."""
    if isinstance(X, np.ndarray):
        return X
    if cupy_of(X):
        return X.get()
    if array_api_compat.is_torch_array(X):
        return X.detach().cpu().numpy()
    try:
        found = np.from_dlpack(X)
    except BufferError:  # NumPy 2.0 does not hand on what is read-only,
        found = np.from_dlpack(namespace(X).asarray(X, copy=True))
    return found if found.flags.writeable else found.copy()  # nor what may be written


def free_memory(X):
    """Bytes that are free on the device of X, or None where that is not known."""
    device, cupy = array_api_compat.device(X), cupy_of(X)
    if cupy:
        with device:
            free, _ = device.mem_info
            return free + cupy.get_default_memory_pool().free_bytes()
    if array_api_compat.is_torch_array(X) and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return None


def scratch_memory(X):
    """Bytes to be used beside a result: `working_memory`, if the device has it."""
    wanted, free = get_config()["working_memory"] * 2**20, free_memory(X)
    return int(wanted if free is None else min(wanted, SHARE * free))


def checked_arrays(X, Y=None):
    """Rows as float64 arrays of one library on one device.

    Raises
    ------
    TypeError
        If they are of two libraries.
    ValueError
        If they are on two devices, or not finite rows with the same real features.
    """
    if Y is None:
        return _checked(X, "X"), None
    if X is Y:
        X = _checked(X, "X")
        return X, X
    libraries = [_library(A) for A in (X, Y)]
    if libraries[0] != libraries[1]:
        raise TypeError(
            "X and Y must be arrays of the same library. X is of "
            f"{libraries[0]} and Y of {libraries[1]}: convert one of them."
        )
    devices = [array_api_compat.device(A) for A in (X, Y)]
    if devices[0] != devices[1]:
        raise ValueError(
            f"X and Y must be on the same device. X is on {devices[0]!s} and Y on "
            f"{devices[1]!s}: move one of them."
        )
    X, Y = _checked(X, "X"), _checked(Y, "Y")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            "X and Y must have the same number of features. Got X.shape = "
            f"{tuple(X.shape)} and Y.shape = {tuple(Y.shape)}."
        )
    return X, Y


def _library(X):
    if not is_device_array(X):
        return "numpy"
    return namespace(X).__name__.removeprefix("sklearn.externals.array_api_compat.")


def _checked(X, name):
    xp = namespace(X)
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead: {name} must have one row "
            "for each sample."
        )
    for count, what in zip(X.shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={tuple(X.shape)}) while a "
                f"minimum of 1 is required for {name}."
            )
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported: {name} is of {X.dtype}.")
    if array_api_compat.is_torch_array(X):
        X = X.detach()  # formulas write to arrays; derivatives are ours
    X = xp.astype(X, xp.float64, copy=False)
    if not xp.all(xp.isfinite(X)):
        raise ValueError(f"Input {name} contains NaN, infinity.")
    return X
