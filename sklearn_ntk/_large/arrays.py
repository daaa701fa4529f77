"""Gram matrices in arrays: new ones, and those that a user gives."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sklearn_ntk._engine.room import empty
from sklearn_ntk._engine.threads import n_threads

__all__ = ["ArrayOutput", "check_array_output"]

STRIP = 256  # rows of a block written at a time: a transposed one stays in cache


class ArrayOutput:
    """A matrix written in place, of which nothing is remembered in a crash.

    Parameters
    ----------
    array : ndarray, memmap, zarr.Array, or None for a new ndarray
    plan : BlockPlan
    dtype : dtype
    """

    done = frozenset()
    advice = (
        "Without a path as 'out' what was computed is lost; with one, "
        "resume=True continues."
    )

    def __init__(self, array, plan, dtype):
        if array is None:
            array = empty(plan.shape, dtype)
        self.array = array
        self._set_complete(False)

    @property
    def in_memory(self):
        """Whether any part can be written at any time without a detour by a disk."""
        return isinstance(self.array, np.ndarray) and not isinstance(
            self.array, np.memmap
        )

    def write(self, rows, columns, values):
        """Write a block of values."""
        if not isinstance(self.array, np.ndarray):
            self.array[rows, columns] = values
            return
        target = self.array[rows, columns]

        def copy(start):
            target[start : start + STRIP] = values[start : start + STRIP]

        with ThreadPoolExecutor(n_threads(None)) as pool:
            list(pool.map(copy, range(0, len(target), STRIP)))

    def record(self, index):
        """Count a block as done."""

    def close(self):
        """Have what is written where it survives."""
        if isinstance(self.array, np.memmap):
            self.array.flush()

    def finish(self):
        """The matrix, after its last block."""
        self._set_complete(True)
        return self.array

    def _set_complete(self, complete):
        if not isinstance(self.array, np.ndarray):
            self.array.attrs["complete"] = complete


def check_array_output(array, shape, dtype):
    """Refuse an array that the matrix cannot be written to."""
    expected, given = (shape, np.dtype(dtype)), (array.shape, array.dtype)
    if expected != given:
        raise ValueError(
            f"out must have shape {shape} and dtype {expected[1]}. Got shape "
            f"{array.shape} and dtype {array.dtype}."
        )
    read_only = (
        not array.flags.writeable if isinstance(array, np.ndarray) else array.read_only
    )
    if read_only:
        raise ValueError("out must be writable. Got an array that is read-only.")
