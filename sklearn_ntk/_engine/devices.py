"""Arrays of other libraries than NumPy, and the devices they are on.

This module and `lanes` alone know CuPy and PyTorch by name.
"""

from contextlib import nullcontext

import numpy as np
from sklearn import get_config

from sklearn_ntk._sklearn_private import array_api_compat

__all__ = [
    "checking_factors",
    "cuda_memory",
    "cupy",
    "cupy_of",
    "data_type",
    "detached",
    "free_memory",
    "host_array",
    "is_device_array",
    "library",
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


def cupy():
    """CuPy.

    Raises
    ------
    ImportError
        If there is none, naming the extra that brings it.
    """
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            "device='cuda' needs CuPy, for the major version of CUDA that the driver "
            "supports: pip install 'sklearn-ntk[cuda12]' or 'sklearn-ntk[cuda13]'."
        ) from error
    return cupy


def cupy_of(X):
    """CuPy, if X is an array of its; else None."""
    return cupy() if array_api_compat.is_cupy_array(X) else None


def library(X):
    """The name of the library whose array X is."""
    if not is_device_array(X):
        return "numpy"
    return namespace(X).__name__.removeprefix("sklearn.externals.array_api_compat.")


def data_type(xp, dtype):
    """A dtype of NumPy's as one of another library."""
    return getattr(xp, np.dtype(dtype).name)


def detached(X):
    """X without the record that PyTorch differentiates by."""
    return X.detach() if array_api_compat.is_torch_array(X) else X


def to_cuda(X):
    """A NumPy array on the current CUDA device."""
    return cupy().asarray(X)


def cuda_memory():
    """Bytes that are free on the current CUDA device."""
    free, _ = cupy().cuda.Device().mem_info
    return free + cupy().get_default_memory_pool().free_bytes()


def checking_factors(X):
    """A context in which a factorisation of X that fails is an error, with CuPy too."""
    if cupy_of(X) is None:
        return nullcontext()
    import cupyx

    return cupyx.errstate(linalg="raise")


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
        return detached(X).cpu().numpy()
    try:
        found = np.from_dlpack(X)
    except BufferError:  # NumPy 2.0 does not hand on what is read-only,
        found = np.from_dlpack(namespace(X).asarray(X, copy=True))
    return found if found.flags.writeable else found.copy()  # nor what may be written


def free_memory(X):
    """Bytes that are free on the device of X, or None where that is not known."""
    device = array_api_compat.device(X)
    if cupy_of(X):
        with device:
            return cuda_memory()
    if array_api_compat.is_torch_array(X) and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return None


def scratch_memory(X):
    """Bytes to be used beside a result: `working_memory`, if the device has it."""
    wanted, free = get_config()["working_memory"] * 2**20, free_memory(X)
    return int(wanted if free is None else min(wanted, SHARE * free))
