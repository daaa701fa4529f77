"""What runs compiled segments on a block; it is the same for all programs."""

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

__all__ = ["run"]


@intrinsic
def call(typing_context, address, x, numbers, size, arrays, guarded):
    """Call a compiled segment by its address."""

    def generate(context, builder, signature, values):
        word = ir.IntType(64)
        function = ir.FunctionType(ir.VoidType(), [word] * 5)
        pointer = builder.inttoptr(values[0], function.as_pointer())
        builder.call(pointer, values[1:])
        return context.get_dummy_value()

    return numba.types.none(*[numba.types.intp] * 6), generate


@numba.njit(nogil=True, error_model="numpy", cache=True)
def run(steps, table, start, moves, row, tile, outputs, guarded):
    """Run all segments on a block, a tile after the other.

    Parameters
    ----------
    steps : array of shape (n_segments, 5)
        For each segment its address, those of its numbers for row 0 and the step
        between rows in bytes, that of its other numbers, and how many arrays it takes.
    table : array of shape (n_segments, n_most)
        Indices of these arrays.
    start : array of shape (n_arrays,)
        Addresses of the first entries of arrays.
    moves : array of shape (n_arrays, 3)
        Bytes to the next row, the next column, and the next row of a tile.
    row : int
        The first row of the block.
    tile : tuple of int
        Rows and columns of a tile.
    outputs : array of shape (n_outputs, n_rows, n_columns)
        What segments write to; here it is looked at for what is not finite.
    guarded : array of uint8, shape (n_rows, n_columns)
        Filled with what is to be computed anew.

    Returns
    -------
    bool
        Whether there is any such pair.
    """
    here, arrays = np.empty((tile[0], len(start)), np.intp), np.empty_like(table[0])
    n_rows, n_columns = guarded.shape
    guarded[:] = 0
    for top in range(0, n_rows, tile[0]):
        height = min(tile[0], n_rows - top)
        for left in range(0, n_columns, tile[1]):
            width = min(tile[1], n_columns - left)
            for i in range(height):
                for k in range(len(start)):
                    down, aside, inside = moves[k]
                    here[i, k] = start[k] + (top + i) * down + left * aside + i * inside
            for k in range(len(steps)):
                function, x, stride, numbers, count = steps[k]
                for i in range(height):
                    for m in range(count):
                        arrays[m] = here[i, table[k, m]]
                    call(
                        function,
                        x + (row + top + i) * stride,
                        numbers,
                        width,
                        arrays.ctypes.data,
                        guarded[top + i, left:].ctypes.data,
                    )
    found = np.uint8(0)
    for i in range(n_rows):
        for k in range(len(outputs)):
            for j in range(n_columns):
                guarded[i, j] |= not abs(outputs[k, i, j]) < np.inf
        for j in range(n_columns):
            found |= guarded[i, j]
    return found != 0
