"""Programs of images compiled by numba, on a component of pairs of pixels at a time."""

import numpy as np

from sklearn_ntk._engine import image_driver
from sklearn_ntk._engine.image_driver import VECTOR
from sklearn_ntk._engine.image_layout import laid_out, table_of
from sklearn_ntk._engine.numba_program import compiled, source_of

__all__ = ["ImageNumbaProgram"]

CACHE = 2**20  # bytes of a component's cells
PIXELS = 2**23  # bytes of the numbers of pixels
MIXED = 2**20  # bytes of what is mixed, of weights and of what comes out
WIDEST = 256  # pairs of rows at once, at most
NUMBERS = 2**20  # of the largest space in a block, which rows are added up to
ROWS = 2, 32  # of a block: below the diagonal of a matrix they are in vain
CHUNKS = 4  # of pairs in a block, at most
BLOCKS = 4  # of all pairs, at least, for two threads to be done at the same time


class ImageNumbaProgram:
    """A program whose segments are compiled loops over pairs of rows.

    Where all pairs of pixels count, the numbers of both rows of a pair are laid out for
    each, for they are few beside what is computed of them, so that no lane is in vain
    near the diagonal. Otherwise loops go through one row of X with many rows of Y.

    Parameters
    ----------
    program : ImageProgram
    dtype : dtype
    """

    def __init__(self, program, dtype):
        self.dtype, self.driver = np.dtype(dtype), image_driver
        self.lanes = VECTOR // self.dtype.itemsize
        outputs = tuple(program.outputs)
        self.layout = laid_out(program.steps, outputs, self.dtype.name)
        self.n_outputs, self.kept = len(self.layout.tables[-1]), []
        self.paired = self.layout.paired
        x, y = program.inputs[0]
        self.x = self._features(x)
        y = self.x if y is x else self._features(y)
        self.of_x, self.of_y = _Numbers(self.x), _Numbers(y)
        table = [
            self._segment(program.segments[place], size, sums)
            for place, size, sums in self.layout.segments
        ]
        mixtures = [
            self._weights(program.weights[place]) for place in self.layout.mixtures
        ]
        first = self.layout.cells.count
        features = np.array([first, first + self.of_y.count])
        of_y, of_x = self.of_y.starting(features[0]), self.of_x.starting(features[1])
        sides = (self.of_y, self.of_x) if self.paired else (self.of_y,)
        self.numbers = [side.joined() for side in sides]
        starts = np.array([(of_x, of_y)[axis][k] for axis, k in mixtures], np.int64)
        self.segments = table_of(table, 9), of_x, of_y, features, starts
        self.width, self.shape = self._sizes(len(self.x), self.numbers[0].shape[1])

    def _features(self, pixels):
        """The features of the pixels of rows, (n, P, C), as many as the driver takes.

        That is an odd number of three or more, some of them 0.
        """
        n = pixels.shape[-1]
        added = max(3, n // 2 * 2 + 1) - n
        rows = np.pad(pixels.transpose(1, 0, 2), [(0, 0), (0, 0), (0, added)])
        return np.ascontiguousarray(rows, self.dtype)

    def _segment(self, segment, size, sums):
        """A row of the driver's table."""
        source = source_of(segment, self.dtype.name, sums, paired=self.paired)
        function = compiled(source, self.dtype.name)
        x, y = (
            [row.table(size).astype(self.dtype, copy=False) for row in rows]
            for rows in (segment.rows_x, segment.rows_y)
        )
        of_y, of_x, across = self.of_y.add(y), (0, 0), np.empty((0, 0, 0), self.dtype)
        if self.paired:
            of_x = self.of_x.add(x)
        elif x:
            across = np.ascontiguousarray(np.array(x).transpose(2, 1, 0))
        numbers = np.array(segment.numbers, self.dtype)
        self.kept += [function, across, numbers]  # what addresses are of
        return (
            function.address,
            across.ctypes.data,
            *across.strides[:2],
            numbers.ctypes.data,
            *of_x,
            *of_y,
        )

    def _weights(self, weights):
        """Whose numbers some weights are, and where they are among these."""
        axis, n = weights.axis, len(weights.values)
        table = weights.values.reshape(n, -1).T.astype(self.dtype)
        return axis, (self.of_x, self.of_y)[axis].add([table])[1]

    def _sizes(self, n, m):
        """How many pairs at once, and the rows and columns of a block."""
        fitting = CACHE // (self.layout.cells.n_local * self.dtype.itemsize)
        of_pixels = sum(map(len, self.numbers)) * self.dtype.itemsize
        fitting = min(fitting, PIXELS // of_pixels)
        if self.layout.mixtures:
            whole = 3 * self.layout.n_pairs * self.dtype.itemsize
            fitting = min(fitting, MIXED // whole)
        width = min(WIDEST, max(self.lanes, fitting // self.lanes * self.lanes))
        if self.paired:
            columns = min(m, WIDEST)
            pairs = min(n * m // BLOCKS, CHUNKS * width)
            return width, (max(1, pairs // columns), columns)
        n_rows = NUMBERS // (width * self.layout.n_pairs)
        return width, (min(max(n_rows, ROWS[0]), ROWS[1]), width)

    def scratch(self):
        """Buffers of one thread."""
        n_rows = 1 if self.paired else self.shape[0]
        n_cells = self.layout.cells.count + sum(map(len, self.numbers))
        return (
            _aligned(n_cells * self.width, self.dtype),
            np.empty(self.n_outputs * n_rows * self.width, self.dtype),
            np.empty(n_rows * self.layout.longest * self.width, np.uint8),
        )

    def run(self, rows, columns, scratch, on_diagonal):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        rows, columns : slice
        scratch : tuple of array
        on_diagonal : bool
            Whether the block begins at the diagonal, below which nothing counts.

        Returns
        -------
        outputs : sequence of array of shape (n, m)
        guarded : array of bool
        """
        shape = rows.stop - rows.start, columns.stop - columns.start
        if self.paired:
            start = rows.start, columns.start
            return self._run_pairs(start, shape, scratch, on_diagonal)
        cells, (part,) = self._cells(scratch, shape[1])
        part[:, : shape[1]] = self.numbers[0][:, columns]
        part[:, shape[1] :] = 0.0
        outputs, guarded = self._driven(cells, scratch, rows.start, shape[0])
        return outputs[:, :, : shape[1]], guarded[:, : shape[1]]

    def _run_pairs(self, start, shape, scratch, on_diagonal):
        """The same for pairs of rows as lanes, only those that count."""
        outputs, guarded = np.zeros((self.n_outputs, *shape)), np.zeros(shape, bool)
        i, j = np.nonzero(np.triu(~guarded) if on_diagonal else ~guarded)
        for part in np.array_split(np.arange(len(i)), -(-len(i) // self.width)):
            a, b = i[part], j[part]
            found = self.of_pairs(start[0] + a, start[1] + b, scratch)
            outputs[:, a, b], guarded[a, b] = found
        return outputs, guarded

    def of_pairs(self, i, j, scratch):
        """The outputs for rows i of X with rows j of Y, and which are guarded.

        Parameters
        ----------
        i, j : array of shape (n,)
            At most as many as `width`.
        scratch : tuple of array

        Returns
        -------
        outputs : array of shape (n_outputs, n)
        guarded : array of bool, shape (n,)
        """
        n = len(i)
        cells, numbers = self._cells(scratch, n)
        lanes = np.minimum(np.arange(cells.shape[1]), n - 1)  # none without a pair
        at = j[lanes], i[lanes]
        for table, index, out in zip(self.numbers, at, numbers, strict=True):
            np.take(table, index, axis=1, out=out, mode="clip")
        values, close = self._driven(cells, scratch, 0, 1)
        return values[:, 0, :n], close[0, :n]

    def _cells(self, scratch, n):
        """Cells for a number of lanes, in whole vectors; numbers of pixels are last."""
        first, *counts = self.layout.cells.count, *map(len, self.numbers)
        width = -(-n // self.lanes) * self.lanes
        n_cells = first + sum(counts)
        cells = scratch[0][: n_cells * width].reshape(n_cells, width)
        return cells, np.split(cells[first:], np.cumsum(counts)[:-1])

    def _driven(self, cells, scratch, row, n_rows):
        """What the driver makes of some rows of X, and which lanes are guarded."""
        width, longest = cells.shape[1], self.layout.longest
        _, outputs, guarded = scratch
        outputs = outputs[: self.n_outputs * n_rows * width]
        outputs = outputs.reshape(self.n_outputs, n_rows, width)
        guarded = guarded[: n_rows * longest * width].reshape(n_rows, longest, width)
        self.driver.run(
            self.layout.tables,
            self.segments,
            self.x,
            self.paired,
            cells,
            self.layout.cells.nothing,
            row,
            outputs,
            guarded,
        )
        return outputs, guarded.any(axis=1)


class _Numbers:
    """Numbers of the pixels of rows, a row for each, with a column for each image.

    Parameters
    ----------
    features : array of shape (n, P, C)
        Of pixels: the first of the numbers, one feature after the other.

    Attributes
    ----------
    count : int
        How many numbers there are of each image.
    """

    def __init__(self, features):
        n_images = len(features)
        self.parts = [features.transpose(2, 1, 0).reshape(-1, n_images)]
        self.count, self.starts = len(self.parts[0]), []

    def add(self, tables):
        """How many tables (P, n) there are, and where the first's start is kept."""
        found = len(tables), len(self.starts)
        for table in tables:
            self.starts.append(self.count)
            self.parts.append(table)
            self.count += len(table)
        return found

    def starting(self, first):
        """Where tables begin if `first` others are before all of them."""
        return first + np.array(self.starts, np.int64)

    def joined(self):
        """All of them."""
        return np.concatenate(self.parts)


def _aligned(count, dtype):
    """Zeros that begin where a vector may, which loads and stores are faster from."""
    size = count * np.dtype(dtype).itemsize
    memory = np.zeros(size + VECTOR, np.uint8)
    start = -memory.ctypes.data % VECTOR
    return memory[start : start + size].view(dtype)
