"""How a matrix of pairs is cut into blocks, and blocks into a matrix."""

import numpy as np

__all__ = ["Matrix", "above_diagonal", "blocks"]


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


class Matrix:
    """A result that is filled block by block.

    Parameters
    ----------
    out : array of shape (n, m)
    symmetric : bool
        Whether a block is to be mirrored, too.
    """

    def __init__(self, out, *, symmetric):
        self.out, self.symmetric = out, symmetric

    def place(self, rows, columns, block):
        """Write a block; of one on the diagonal, what is above it counts."""
        if not self.symmetric:
            self.out[rows, columns] = block
            return
        height = min(rows.stop, columns.stop) - rows.start
        if columns.start == rows.start:
            square = np.triu(block[:height, :height])
            mirrored = square + np.triu(square, 1).T
            part = slice(rows.start, rows.start + height)
            self.out[part, part] = mirrored
            columns = slice(rows.start + height, columns.stop)
            block = block[:, height:]
        self.out[rows, columns] = block
        self.out[columns, rows] = block.T

    def n_entries(self, rows, columns):
        """How many entries of the result a block settles."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if not self.symmetric:
            return height * width
        square = height if columns.start == rows.start else 0
        return height * (2 * width - square)
