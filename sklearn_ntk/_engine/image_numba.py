"""Programs of images compiled by numba, on a component of pairs of pixels at a time."""

import math

import numpy as np
from scipy import sparse

from sklearn_ntk._engine import image_driver
from sklearn_ntk._engine.image_driver import VECTOR
from sklearn_ntk._engine.image_plan import (
    TAPS,
    Move,
    n_pairs,
    planned,
    results,
    sources,
    space_of,
)
from sklearn_ntk._engine.numba_program import compiled, source_of

__all__ = ["ImageNumbaProgram"]

CACHE = 2**20  # bytes of a component's cells
WIDEST = 256  # columns at most
NUMBERS = 2**20  # of the largest space in a block, which rows are added up to
ROWS = 2, 32  # of a block: below the diagonal of a matrix they are in vain


class ImageNumbaProgram:
    """A program whose segments are compiled loops over a row of X with rows of Y.

    Parameters
    ----------
    program : ImageProgram
    dtype : dtype
    """

    def __init__(self, program, dtype):
        self.dtype, self.driver = np.dtype(dtype), image_driver
        self.lanes = VECTOR // self.dtype.itemsize
        x, y = (_with_channels(a) for a in program.inputs[0])
        self.x = np.ascontiguousarray(x.transpose(1, 0, 2), self.dtype)
        plan = planned(program.steps, tuple(program.outputs))
        self.spaces, self.cells = _Spaces(plan.stages), _Cells(plan)
        fitting = CACHE // (self.cells.n_local * self.dtype.itemsize)
        width = max(self.lanes, fitting // self.lanes * self.lanes)
        width = min(WIDEST, width)
        n_rows = NUMBERS // (width * max(map(n_pairs, program.spaces)))
        self.shape = min(max(n_rows, ROWS[0]), ROWS[1]), width
        self.kept, self.segments, self.of_y, self.places = [], [], [], []
        self.y = [y.transpose(0, 2, 1).reshape(-1, y.shape[1])]
        self.n_y = len(self.y[0])
        self.links, self.ends = _Links(self.dtype), _Ends(self.dtype)
        self.sums = _Sums(self.cells.nothing)
        stages, steps = [], []
        for stage in plan.stages:
            first = len(steps)
            for place, step in stage.steps:
                steps.append(self._row(stage, step, program.segments.get(place)))
            stages.append((first, len(steps), int(np.sum(stage.needed))))
        outputs = [self.cells.of[node][0] for node in program.outputs]
        self.plan = (
            _table(stages, 3),
            _table(steps, 7),
            *self.spaces.arrays(),
            *self.links.arrays(),
            *self.ends.arrays(),
            _table(self.cells.cleared, 2),
            np.array(outputs, np.int64),
        )
        self.segments = (
            _table(self.segments, 9),
            np.array(self.of_y, np.int64),
            _table(self.places, 3),
            self.sums.links(),
        )
        self.y = np.concatenate(self.y).astype(self.dtype, copy=False)

    def _row(self, stage, step, segment):
        """What the driver is told of a step."""
        driver, of = self.driver, self.cells.of
        space = self.spaces.index(stage, space_of(step))
        if not isinstance(step, Move):
            if segment is None:
                (node,) = step.results
                return driver.INPUT, space, 0, 0, *of[node], 0
            cells = [self._cell(stage, space, s) for s in step.sources]
            cells += [(*of[value], -1) for value in step.results]
            found = self._segment(segment, step.space[0], cells)
            return driver.SEGMENT, space, found, 0, 0, 0, 0
        source, target = of[step.source], of[step.target]
        members = self.spaces.members[space]
        if step.ends:
            begin = self.ends.add(step.matrix, members)
            return driver.SPREAD, space, begin, 0, *source, target[0]
        at = self.spaces.places(stage, step.before, stored=source[1])
        links = self.links.add(step.matrix, members, at, stored=source[1])
        return driver.JOIN, space, *links, *target, source[0]

    def _cell(self, stage, space, source):
        """Where a segment finds what it reads, and the links if that is a sum."""
        if not isinstance(source, Move):
            return *self.cells.of[source], -1
        first, stored = self.cells.of[source.source]
        at = self.spaces.places(stage, source.before, stored=stored)
        members = self.spaces.members[space]
        return first, 0, self.sums.add(source.matrix, members, at + first)

    def _segment(self, segment, size, cells):
        """Where a segment is in the table."""
        sums = [k for k, (_, _, links) in enumerate(cells) if links >= 0]
        source = source_of(segment, self.dtype.name, sums)
        function = compiled(source, self.dtype.name)
        x, y = (
            np.array([row.table(size) for row in rows], self.dtype)
            for rows in (segment.rows_x, segment.rows_y)
        )
        if len(segment.rows_x):
            x = np.ascontiguousarray(x.transpose(2, 1, 0))
        numbers = np.array(segment.numbers, self.dtype)
        self.kept += [function, x, numbers]  # what addresses are of
        steps = x.strides[:2] if len(segment.rows_x) else (0, 0)
        self.segments.append(
            (
                function.address,
                x.ctypes.data,
                *steps,
                numbers.ctypes.data,
                len(y),
                len(self.of_y),
                len(cells),
                len(self.places),
            )
        )
        for part in y:
            self.of_y.append(self.n_y)
            self.y.append(part)
            self.n_y += len(part)
        self.places += cells
        return len(self.segments) - 1

    def scratch(self):
        """Buffers of one thread."""
        n_rows, width = self.shape
        return (
            _aligned((self.cells.count * width,), self.dtype),
            _aligned((len(self.y) * width,), self.dtype),
            np.empty(len(self.plan[-1]) * n_rows * width, self.dtype),
            np.empty(n_rows * width, np.uint8),
        )

    def run(self, rows, columns, scratch):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        rows, columns : slice
        scratch : tuple of array

        Returns
        -------
        outputs : list of array of shape (n, m)
        guarded : array of bool or None
        """
        cells, y, outputs, guarded = scratch
        n, m = rows.stop - rows.start, columns.stop - columns.start
        width = -(-m // self.lanes) * self.lanes
        y = y[: len(self.y) * width].reshape(-1, width)
        y[:, :m], y[:, m:] = self.y[:, columns], 0.0
        outputs = outputs[: len(self.plan[-1]) * n * width].reshape(-1, n, width)
        guarded = guarded[: n * width].reshape(n, width)
        self.driver.run(
            self.plan,
            self.segments,
            self.x,
            y,
            cells,
            rows.start,
            outputs,
            guarded,
        )
        return list(outputs[:, :, :m]), guarded[:, :m].astype(bool)


def _aligned(shape, dtype):
    """Zeros that begin where a vector may, which loads and stores are faster from."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + VECTOR, np.uint8)
    start = -memory.ctypes.data % VECTOR
    return memory[start : start + size].view(dtype).reshape(shape)


def _with_channels(pixels):
    """Pixels with features of 0 besides, for an odd number of three or more."""
    n = pixels.shape[-1]
    added = max(3, n // 2 * 2 + 1) - n
    return np.pad(pixels, [(0, 0), (0, 0), (0, added)])


def _table(rows, n):
    return np.array(rows, np.int64).reshape(-1, n)


class _Spaces:
    """Pairs of pixels of all stages, sorted by component.

    Attributes
    ----------
    members : list of array
        For each space of a stage its pairs, in components that are needed.
    """

    def __init__(self, stages):
        self.members, self.bounds, self.sides = [], [], []
        self.known, self.at = {}, []
        for stage in stages:
            rank = np.cumsum(stage.needed) - 1
            for space, labels in stage.labels.items():
                self.known[id(stage), space] = len(self.members)
                pairs = np.flatnonzero(stage.needed[labels])
                pairs = pairs[np.argsort(labels[pairs], kind="stable")]
                counts = np.bincount(
                    rank[labels[pairs]], minlength=int(np.sum(stage.needed))
                )
                bounds = np.concatenate([[0], np.cumsum(counts)])
                at = np.zeros(len(labels), np.int64)
                at[pairs] = np.arange(len(pairs)) - np.repeat(bounds[:-1], counts)
                self.members.append(pairs)
                self.bounds.append(bounds)
                self.at.append(at)
                self.sides.append(_side(space))

    def index(self, stage, space):
        """The number of a space of a stage."""
        return self.known[id(stage), space]

    def places(self, stage, space, *, stored):
        """For each pair its place among the cells of a value."""
        at = self.at[self.index(stage, space)]
        return np.arange(len(at)) if stored else at

    def arrays(self):
        """All members with both their pixels, and the bounds of components in them."""
        starts = np.cumsum([0, *map(len, self.members)])
        most = max(map(len, self.bounds))
        bounds = np.zeros((len(self.bounds), most), np.int64)
        for row, own, start in zip(bounds, self.bounds, starts[:-1], strict=True):
            row[: len(own)] = own + start
        members = np.concatenate(self.members).astype(np.int64)
        sides = np.repeat(self.sides, list(map(len, self.members)))
        p, q = np.divmod(members, np.where(sides > 0, sides, 1))
        pixels = np.stack([members, p, np.where(sides > 0, q, p)], axis=1)
        return pixels, bounds


def _side(space):
    """Number of pixels of an image; 0 where each is paired with itself alone."""
    size, full = space
    return size if full is True else 0


class _Cells:
    """Where values are kept.

    A value that a whole stage computes before it is used has a cell for each pair.
    Others have as many as the largest component has pairs, and give them up.

    Attributes
    ----------
    of : dict
        For each value its first cell, and whether all pairs have one.
    cleared : list of tuple
        First cells and numbers of those that sums are added up in.
    count, n_local : int
        How many cells there are, and how many of these a component needs.
    nothing : int
        A cell of zeros.
    """

    def __init__(self, plan):
        self.of, self.cleared, self.count = {}, [], 0
        for stage in plan.stages:
            for _, step in stage.steps:
                self._store(step, plan.stored)
        self.largest = max(
            int(np.max(np.bincount(labels, minlength=len(stage.needed))[stage.needed]))
            for stage in plan.stages
            for labels in stage.labels.values()
        )
        n_values = max(self._place(stage) for stage in plan.stages)
        self.n_local = max(1, n_values) * self.largest
        self.nothing = self.count + self.n_local
        self.cleared.append((self.nothing, 1))  # it moves with the width of cells
        self.count = self.nothing + 1

    def _store(self, step, stored):
        is_sum = isinstance(step, Move)
        size = step.matrix.shape[0] if is_sum else n_pairs(step.space)
        for value in results(step):
            if value not in stored:
                continue
            if is_sum and step.ends:
                self.cleared.append((self.count, size))
            self.of[value] = self.count, 1
            self.count += size

    def _place(self, stage):
        """Give values of a stage cells, in turns; return how many there are at once."""
        last = {
            value: k
            for k, (_, step) in enumerate(stage.steps)
            for value in (*results(step), *sources(step))
        }
        free, n_values = [], 0
        for k, (_, step) in enumerate(stage.steps):
            for value in results(step):
                if value in self.of:
                    continue
                if not free:
                    free.append((self.count + n_values * self.largest, 0))
                    n_values += 1
                self.of[value] = free.pop()
            done = (self.of[value] for value in last if last[value] == k)
            free += [place for place in done if not place[1]]
        return n_values


class _Links:
    """What sums within components are made of, in tables of as many for each."""

    def __init__(self, dtype):
        self.dtype, self.found, self.parts, self.count = dtype, {}, [], 0

    def add(self, matrix, members, at, *, stored):
        """Where the links of a matrix begin, and how many there are for each pair.

        Parameters
        ----------
        matrix : CSR array
        members : array
            Pairs that come out, in order.
        at : array
            Places of the pairs that go in.
        stored : bool
            Tells places apart.
        """
        key = id(matrix), id(members), stored
        if key not in self.found:
            rows = matrix[members]
            counts = np.diff(rows.indptr)
            taps = max(3, int(counts.max()) // 2 * 2 + 1)
            inside = np.arange(taps) < counts[:, None]
            links = np.zeros(inside.shape, np.int64)
            weights = np.zeros(inside.shape, self.dtype)
            links[inside], weights[inside] = at[rows.indices], rows.data
            # of what is not there there is none of a cell that is
            links = np.where(inside, links, links[:, :1])
            self.parts.append((links.ravel(), weights.ravel()))
            self.found[key] = self.count, taps
            self.count += links.size
        return self.found[key]

    def arrays(self):
        """All links and their weights."""
        nothing = np.empty(0, np.int64), np.empty(0, self.dtype)
        parts = zip(nothing, *self.parts, strict=True)
        return tuple(map(np.concatenate, parts))


class _Sums:
    """The cells, three each, that segments add up as they read them."""

    def __init__(self, nothing):
        self.nothing, self.found, self.count = nothing, {}, 0

    def add(self, matrix, members, cells):
        """Where the links begin of the sums that a matrix makes, for some pairs.

        Parameters
        ----------
        cells : array
            Of the pairs that go in.
        """
        key = id(matrix), id(members), int(cells[0])
        if key not in self.found:
            rows = matrix[members]
            links = np.full((len(members), TAPS), self.nothing)
            inside = np.arange(TAPS) < np.diff(rows.indptr)[:, None]
            links[inside] = cells[rows.indices]
            self.found[key] = self.count, links.ravel()
            self.count += links.size
        return self.found[key][0]

    def links(self):
        """All cells."""
        parts = [links for _, links in self.found.values()]
        return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)


class _Ends:
    """For each pair that goes into sums over a stage, those that it counts in."""

    def __init__(self, dtype):
        self.dtype, self.found = dtype, {}
        self.heads, self.places, self.weights = [], [], []
        self.n_heads = self.n_ends = 0

    def add(self, matrix, members):
        """Where those of the pairs of a matrix begin, which go in in this order."""
        key = id(matrix), id(members)
        if key not in self.found:
            columns = sparse.csr_array(matrix.T)[members]
            self.found[key] = self.n_heads
            self.heads.append(columns.indptr + self.n_ends)
            self.places.append(columns.indices)
            self.weights.append(columns.data)
            self.n_heads += len(columns.indptr)
            self.n_ends += len(columns.indices)
        return self.found[key]

    def arrays(self):
        """All beginnings, places and weights."""
        kinds = (
            (self.heads, np.int64),
            (self.places, np.int64),
            (self.weights, self.dtype),
        )
        return tuple(
            np.concatenate([np.empty(0), *parts]).astype(dtype)
            for parts, dtype in kinds
        )
