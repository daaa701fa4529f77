"""Whether a matrix fits, in memory or on a disk, before work starts."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

import numpy as np

__all__ = ["check_disk", "check_memory"]


def check_memory(shape, dtype):
    """Refuse a matrix that is larger than the memory that is available."""
    needed, available = _n_bytes(shape, dtype), _available_memory()
    if available is not None and needed > available:
        raise MemoryError(
            f"The kernel matrix of shape {shape} and dtype {np.dtype(dtype)} takes "
            f"{_gb(needed)}, and {_gb(available)} of memory are available. Have it "
            "written to disk with out='gram.npy', halve it with dtype=np.float32, or "
            "approximate the kernel with sklearn.kernel_approximation.Nystroem."
        )


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
    return shape[0] * shape[1] * np.dtype(dtype).itemsize


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
