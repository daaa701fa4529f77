"""Whether a result fits, in memory or on a disk, before work starts."""

import contextlib
import errno
import math
import os
import shutil
from pathlib import Path

import numpy as np

__all__ = ["check_disk", "empty"]

SMALL = 2**27  # bytes that are there, or whose lack is noticed soon


def empty(shape, dtype=np.float64):
    """A new array; refused where it is larger than the memory that is available."""
    needed = _n_bytes(shape, dtype)
    available = _available_memory() if needed > SMALL else None
    if available is not None and needed > available:
        raise MemoryError(
            f"The result of shape {shape} and dtype {np.dtype(dtype)} takes "
            f"{_gb(needed)}, and {_gb(available)} of memory are available. "
            "sklearn_ntk.compute_gram writes a kernel matrix to disk with "
            "out='gram.npy' and halves it with dtype=np.float32; "
            "sklearn.kernel_approximation.Nystroem approximates the kernel."
        )
    return np.empty(shape, dtype)


def check_disk(path, shape, dtype, *, freed=0):
    """Refuse a file that is larger than what is free on its disk, or will be."""
    needed, free = _n_bytes(shape, dtype), shutil.disk_usage(path.parent).free + freed
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"The kernel matrix of shape {shape} and dtype {np.dtype(dtype)} takes "
            f"{_gb(needed)}, and {_gb(free)} are free on the disk",
            str(path),
        )


def _n_bytes(shape, dtype):
    return math.prod(shape) * np.dtype(dtype).itemsize


def _gb(n_bytes):
    return f"{n_bytes / 1e9:,.1f} GB"


def _available_memory():
    """Bytes that can be had without swapping; None where the system won't say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return min(1024 * int(line.split()[1]), _container_limit())
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _container_limit():
    """The limit of a container, such as a cluster's job runs in."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/sys/fs/cgroup/memory.max").read_text())
    return float("inf")
