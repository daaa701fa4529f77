"""Blocks written to where they belong, in memory, not by way of the cache."""

import numba
import numpy as np
from llvmlite import ir
from numba import carray
from numba.extending import intrinsic

__all__ = ["write", "write_mirrored"]

LINE = 64  # bytes of a line of cache
WORD = 4
COLUMNS = 8  # that are mirrored together


@intrinsic
def word_at(typing_context, address):
    """A pointer to a word, from its address."""

    def generate(context, builder, signature, values):
        kind = context.get_value_type(signature.return_type)
        return builder.inttoptr(values[0], kind)

    return numba.types.CPointer(numba.types.uint32)(numba.types.intp), generate


@intrinsic
def copy_line(typing_context, source, target):
    """Copy a line; the processor need not read the target first."""

    def generate(context, builder, signature, values):
        word = ir.IntType(8 * WORD)
        line = ir.VectorType(word, LINE // WORD)
        source, target = (builder.inttoptr(v, line.as_pointer()) for v in values)
        store = builder.store(builder.load(source, align=WORD), target, align=LINE)
        mark = builder.module.add_metadata([ir.Constant(word, 1)])
        store.set_metadata("nontemporal", mark)
        return context.get_dummy_value()

    return numba.types.none(numba.types.intp, numba.types.intp), generate


@numba.njit(error_model="numpy")
def copy(source, target, end):
    """Copy what is at an address to another one, up to an end."""
    while target < end and target % LINE:
        carray(word_at(target), 1)[0] = carray(word_at(source), 1)[0]
        source, target = source + WORD, target + WORD
    while target + LINE <= end:
        copy_line(source, target)
        source, target = source + LINE, target + LINE
    while target < end:
        carray(word_at(target), 1)[0] = carray(word_at(source), 1)[0]
        source, target = source + WORD, target + WORD


@numba.njit(error_model="numpy")
def write(block, place, step, on_diagonal):
    """Write a block; of one on the diagonal, what is above it.

    Parameters
    ----------
    block : array of shape (n_rows, n_columns)
    place : int
        The address of its first entry in a matrix.
    step : int
        Bytes to the matrix's next row.
    on_diagonal : bool
    """
    n_rows, n_columns = block.shape
    for i in range(n_rows):
        first = i + 1 if on_diagonal else 0
        target = place + i * step
        source = block[i].ctypes.data
        skipped = first * block.itemsize
        copy(source + skipped, target + skipped, target + n_columns * block.itemsize)


@numba.njit(error_model="numpy")
def write_mirrored(block, place, step, on_diagonal):
    """Write a block's columns as rows; the parameters are those of `write`."""
    n_rows, n_columns = block.shape
    rows = np.empty((COLUMNS, n_rows), block.dtype)
    for left in range(0, n_columns, COLUMNS):
        width = min(COLUMNS, n_columns - left)
        if width == COLUMNS:
            for i in range(n_rows):
                for j in range(COLUMNS):
                    rows[j, i] = block[i, left + j]
        else:
            for j in range(width):
                rows[j] = block[:, left + j]
        for j in range(width):
            target = place + (left + j) * step
            count = min(n_rows, left + j) if on_diagonal else n_rows
            copy(rows[j].ctypes.data, target, target + count * block.itemsize)
