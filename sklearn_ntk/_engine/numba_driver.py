"""What runs compiled segments on a block; it is the same for all programs."""

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from sklearn_ntk._engine.numba_writing import write, write_mirrored

__all__ = ["run"]


@intrinsic
def call(typing_context, address, x, step, numbers, count, size, arrays, guarded):
    """Call a compiled segment by its address; its arguments are told by `source_of`."""

    def generate(context, builder, signature, values):
        word = ir.IntType(64)
        function = ir.FunctionType(ir.VoidType(), [word] * 7)
        pointer = builder.inttoptr(values[0], function.as_pointer())
        builder.call(pointer, values[1:])
        return context.get_dummy_value()

    return numba.types.none(*[numba.types.intp] * 8), generate


@numba.njit(error_model="numpy")
def run_tile(steps, table, here, row, width, guarded):
    """Run all segments on some columns of a few rows, one segment after the other."""
    arrays = np.empty_like(table[0])
    for k in range(len(steps)):
        function, x, stride, numbers, count = steps[k]
        for i in range(len(here)):
            for m in range(count):
                arrays[m] = here[i, table[k, m]]
            call(
                function,
                x + (row + i) * stride,
                0,
                numbers,
                1,
                width,
                arrays.ctypes.data,
                guarded[i].ctypes.data,
            )


@numba.njit(error_model="numpy")
def multiply(x, y, corner, products):
    """Products of rows of x and y, from a row and a column on."""
    top, left = corner
    for k in range(len(x)):
        height, width = products[k].shape
        np.dot(x[k][top : top + height], y[k][left : left + width].T, products[k])


@numba.njit(nogil=True, error_model="numpy", cache=True)
def run(
    steps,
    table,
    factors,
    cosines,
    corner,
    on_diagonal,
    start,
    moves,
    tile,
    outputs,
    results,
    guarded,
):
    """Run all segments on a block, a tile after the other, and write what they give.

    Parameters
    ----------
    steps : array of shape (n_segments, 5)
        For each segment its address, those of its numbers for row 0 and the step
        between rows in bytes, that of its other numbers, and how many arrays it takes.
    table : array of shape (n_segments, n_most)
        Indices of these arrays.
    factors : tuple of two arrays of shapes (n_inputs, n, d) and (n_inputs, m, d)
        Products of their rows are the program's inputs; empty if these are there.
    cosines : array of shape (n_inputs, n_rows, n_columns)
        The inputs.
    corner : tuple of int
        The first row and column of the block.
    on_diagonal : bool
        Whether it begins at the diagonal, above which there is what counts.
    start : array of shape (n_arrays,)
        Addresses of the first entries of arrays.
    moves : array of shape (n_arrays, 3)
        Bytes to the next row, the next column, and the next row of a tile.
    tile : tuple of int
        Rows and columns of a tile.
    outputs : array of shape (n_outputs, n_rows, n_columns)
        What segments write to; 0 on the diagonal and below.
    results : array of shape (n_outputs, 4)
        Addresses of the block in matrices, the bytes to their next rows, and the
        same for the block that mirrors it; addresses are 0 where there is none.
    guarded : array of uint8, shape (n_rows, n_columns)
        Filled with what is to be computed anew.

    Returns
    -------
    bool
        Whether there is any such pair.
    """
    n_outputs, n_rows, n_columns = outputs.shape
    here = np.empty((tile[0], len(start)), np.intp)
    found = np.uint8(0)
    multiply(*factors, corner, cosines)
    guarded[:] = 0
    for top in range(0, n_rows, tile[0]):
        height = min(tile[0], n_rows - top)
        for left in range(top if on_diagonal else 0, n_columns, tile[1]):
            width = min(tile[1], n_columns - left)
            for i in range(height):
                for k in range(len(start)):
                    down, aside, inside = moves[k]
                    here[i, k] = start[k] + (top + i) * down + left * aside + i * inside
            run_tile(
                steps,
                table,
                here[:height],
                corner[0] + top,
                width,
                guarded[top : top + height, left:],
            )
    for i in range(n_rows):
        first = i + 1 if on_diagonal else 0
        guarded[i, :first], outputs[:, i, :first] = 0, 0
        for guard in guarded[i, first:]:
            found |= guard
    for k in range(n_outputs):
        place, step, mirrored, step_mirrored = results[k]
        if place:
            write(outputs[k], place, step, on_diagonal)
        if mirrored:
            write_mirrored(outputs[k], mirrored, step_mirrored, on_diagonal)
    return found != 0
