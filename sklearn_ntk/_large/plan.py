"""Which blocks make a Gram matrix, and one of them."""

import math
from dataclasses import dataclass

import numpy as np
from sklearn import get_config
from sklearn.gaussian_process.kernels import Exponentiation, Product, Sum
from sklearn.utils import gen_batches

from sklearn_ntk.kernels import NNGP, NTK

__all__ = ["BlockPlan", "block", "block_by_lane", "block_size", "has_precision"]

MAX_SIZE = 1536  # 19 MB in float64: much work for one transfer, little memory
DEVICE_SIZE = 4096  # of a block that a GPU computes: as much work, for what is faster
NUMBERS = 2**34  # that a block is computed from: a minute of work, which may be lost
BLOCKS_HELD = 4  # at a time: a sum of kernels, its terms, the copy that is written


def block_size(*, on_device=False, n_numbers=1):
    """Rows and columns of a block; fewer where `working_memory` is small.

    Parameters
    ----------
    on_device : bool, default=False
    n_numbers : int, default=1
        How many numbers an entry is made of: pairs of pixels, where rows are images.
    """
    largest = DEVICE_SIZE if on_device else MAX_SIZE
    entries = get_config()["working_memory"] * 2**20 / (8 * BLOCKS_HELD)
    return max(1, min(largest, math.isqrt(int(min(entries, NUMBERS / n_numbers)))))


@dataclass(frozen=True)
class BlockPlan:
    """The blocks of a matrix; where it is symmetric, those from the diagonal up.

    Attributes
    ----------
    shape : tuple of int
    symmetric : bool
    size : int
        Rows and columns of a block, but for the last ones.
    """

    shape: tuple
    symmetric: bool
    size: int

    @property
    def rows(self):
        """The slices of the rows."""
        return list(gen_batches(self.shape[0], self.size))

    @property
    def columns(self):
        """The slices of the columns."""
        return list(gen_batches(self.shape[1], self.size))

    def indices(self):
        """Pairs of a row's and a column's number, one for each block."""
        columns = range(len(self.columns))
        return [
            (i, j)
            for i in range(len(self.rows))
            for j in (columns[i:] if self.symmetric else columns)
        ]

    def on_diagonal(self, index):
        """Whether the block is that of rows with themselves."""
        return self.symmetric and index[0] == index[1]

    def n_entries(self, index):
        """How many entries of the matrix the block settles."""
        i, j = index
        height, width = (
            min(self.size, length - k * self.size)
            for k, length in zip((i, j), self.shape, strict=True)
        )
        mirrored = self.symmetric and i != j
        return height * width * (2 if mirrored else 1)

    def place(self, output, index, values):
        """Write a block and, where there is one, its mirror image."""
        (i, j), size = index, self.size
        rows, columns = (slice(k * size, k * size + size) for k in (i, j))
        output.write(rows, columns, values)
        if self.symmetric and i != j:
            output.write(columns, rows, values.T)


def block(kernel, X, Y, dtype):
    """A block of the kernel's matrix; Y None is X, and symmetric to the bit."""
    if has_precision(kernel):
        return kernel._matrix(X, Y, dtype=dtype)
    values = kernel(X) if Y is None else kernel(X, Y)
    return _as_block(values, Y, dtype)


def block_by_lane(kernel, X, Y, dtype, lanes):
    """The same, what there is of networks by the lane in whose context it is called."""
    X, Y = (None if A is None else lanes.moved(A) for A in (X, Y))
    if has_precision(kernel):
        return lanes.to_host(kernel._matrix(X, Y, dtype=dtype))
    return _as_block(_by_parts(kernel, X, Y, lanes), Y, dtype)


def _by_parts(kernel, X, Y, lanes):
    """Values of a kernel; of its parts, those of other packages by the host."""
    if isinstance(kernel, Sum | Product):
        first, second = (_by_parts(k, X, Y, lanes) for k in (kernel.k1, kernel.k2))
        return first + second if isinstance(kernel, Sum) else first * second
    if isinstance(kernel, Exponentiation):
        return _by_parts(kernel.kernel, X, Y, lanes) ** kernel.exponent
    if isinstance(kernel, NNGP | NTK):
        return lanes.to_host(kernel(X, Y))
    return kernel(*(None if A is None else lanes.to_host(A) for A in (X, Y)))


def _as_block(values, Y, dtype):
    values = np.asarray(values, dtype=dtype)
    if Y is None:
        below = np.tri(len(values), k=-1, dtype=bool)
        return np.where(below, values.T, values)
    return values


def has_precision(kernel):
    """Whether a kernel can be computed in a precision that is asked for."""
    return type(kernel) in (NNGP, NTK)
