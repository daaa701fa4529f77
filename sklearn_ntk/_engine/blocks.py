"""How a matrix of pairs is cut into blocks, and blocks into a matrix."""

import numpy as np

__all__ = ["Matrices", "above_diagonal", "blocks"]


def blocks(n_rows, n_columns, shape, *, symmetric):
    """Blocks that cover a matrix, or the half above the diagonal of a symmetric one.

    Parameters
    ----------
    n_rows, n_columns : int
    shape : tuple of int
        Of a block, at most.
    symmetric : bool

    Yields
    ------
    rows, columns : slice
        Where `symmetric`, the first columns of some rows begin at the diagonal.
    """
    height, width = shape
    for top in range(0, n_rows, height):
        rows = slice(top, min(top + height, n_rows))
        for left in range(top if symmetric else 0, n_columns, width):
            yield rows, slice(left, min(left + width, n_columns))


def above_diagonal(rows, columns):
    """Marks the pairs of a block that are above the diagonal."""
    i, j = (np.arange(part.start, part.stop) for part in (rows, columns))
    return i[:, None] < j


class Matrices:
    """Results that are filled block by block, one for each value of a pair.

    Parameters
    ----------
    outputs : sequence of arrays of shape (n, m)
    symmetric : bool
        Whether blocks are to be mirrored, too.
    """

    def __init__(self, outputs, *, symmetric):
        self.outputs, self.symmetric = outputs, symmetric

    def place(self, rows, columns, values):
        """Write a block; of one on the diagonal, what is above it counts."""
        for block, value in zip(self.blocks(rows, columns), values, strict=True):
            block[...] = value
        self.mirror(rows, columns)

    def mirror(self, rows, columns):
        """Write a block that is in its place to the other side of the diagonal."""
        if not self.symmetric:
            return
        if columns.start == rows.start:
            height = min(rows.stop, columns.stop) - rows.start
            square = slice(rows.start, rows.start + height)
            for out in self.outputs:
                upper = np.triu(out[square, square])
                out[square, square] = upper + np.triu(upper, 1).T
            columns = slice(square.stop, columns.stop)
        for out in self.outputs:
            out[columns, rows] = out[rows, columns].T

    def mend(self, i, j, values):
        """Write values of single pairs."""
        for out, value in zip(self.outputs, values, strict=True):
            out[i, j] = value
            if self.symmetric:
                out[j, i] = value

    @property
    def are_rows_contiguous(self):
        """Whether the entries of a row lie one after the other, where they belong."""
        return all(
            out.flags.aligned and out.strides[1] == out.itemsize for out in self.outputs
        )

    def blocks(self, rows, columns):
        """The parts of the results that are a block's."""
        return [out[rows, columns] for out in self.outputs]

    def n_entries(self, rows, columns):
        """How many entries of each result a block settles."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if not self.symmetric:
            return height * width
        square = height if columns.start == rows.start else 0
        return height * (2 * width - square)
