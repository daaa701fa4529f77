"""Where values of pairs of pixels are kept, and which of them each step is made of."""

from functools import lru_cache

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.image_driver import INPUT, JOIN, PAIRED_INPUT, SEGMENT, SPREAD
from sklearn_ntk._engine.image_plan import (
    TAPS,
    Move,
    Plan,
    n_pairs,
    results,
    sources,
    space_of,
)

__all__ = ["Layout", "laid_out", "table_of"]


class Layout:
    """What the driver is told of a plan, the same for all rows.

    Parameters
    ----------
    plan : Plan
    outputs : tuple of int
    dtype : str
        Of values.

    Attributes
    ----------
    plan : tuple of array
        What the driver takes.
    cells : _Cells
    paired : bool
        Whether pixels are paired with others than those in the same place.
    n_pairs : int
        Pairs of pixels of the largest space.
    sums : array
        Cells, three each, that segments add up as they read them.
    places : array
        Cells that segments read and write.
    segments : list of tuple
        In the order of the driver's table: the place of each in the program, how many
        pixels an image has there, and which of its inputs are sums.
    at : list of tuple
        Where the places of each begin, and how many it has.
    """

    def __init__(self, plan, outputs, dtype):
        self._spaces, self.cells = _Spaces(plan.stages), _Cells(plan)
        self.paired = any(side > 0 for side in self._spaces.sides)
        labels = [of for stage in plan.stages for of in stage.labels.values()]
        self.n_pairs = max(map(len, labels))
        self._links, self._ends = _Links(dtype), _Ends(dtype)
        self._sums = _Sums(self.cells.nothing)
        self.segments, self.at, self.places = [], [], []
        stages, steps = [], []
        for stage in plan.stages:
            first = len(steps)
            steps += [self._row(stage, place, step) for place, step in stage.steps]
            stages.append((first, len(steps), int(np.sum(stage.needed))))
        self.plan = (
            table_of(stages, 3),
            table_of(steps, 7),
            *self._spaces.arrays(),
            *self._links.arrays(),
            *self._ends.arrays(),
            table_of(self.cells.cleared, 2),
            np.array([self.cells.of[node][0] for node in outputs], np.int64),
        )
        self.places, self.sums = table_of(self.places, 3), self._sums.links()

    def _row(self, stage, place, step):
        """What the driver is told of a step."""
        of, space = self.cells.of, self._spaces.index(stage, space_of(step))
        if not isinstance(step, Move):
            if step.kind == "product":
                (node,) = step.results
                kind = PAIRED_INPUT if self.paired else INPUT
                return kind, space, 0, 0, *of[node], 0
            cells = [self._cell(stage, space, s) for s in step.sources]
            sums = tuple(k for k, (_, _, links) in enumerate(cells) if links >= 0)
            cells += [(*of[value], -1) for value in step.results]
            self.segments.append((place, step.space[0], sums))
            self.at.append((len(cells), len(self.places)))
            self.places += cells
            return SEGMENT, space, len(self.segments) - 1, 0, 0, 0, 0
        source, target = of[step.source], of[step.target]
        members = self._spaces.members[space]
        if step.ends:
            begin = self._ends.add(step.matrix, members)
            return SPREAD, space, begin, 0, *source, target[0]
        at = self._spaces.places(stage, step.before, stored=source[1])
        links = self._links.add(step.matrix, members, at, stored=source[1])
        return JOIN, space, *links, *target, source[0]

    def _cell(self, stage, space, source):
        """Where a segment finds what it reads, and the links if that is a sum."""
        if not isinstance(source, Move):
            return *self.cells.of[source], -1
        first, stored = self.cells.of[source.source]
        at = self._spaces.places(stage, source.before, stored=stored)
        members = self._spaces.members[space]
        return first, 0, self._sums.add(source.matrix, members, at + first)


@lru_cache(maxsize=4)
def laid_out(steps, outputs, dtype):
    """The layout of a program, of any rows."""
    return Layout(Plan(steps, outputs), outputs, dtype)


def table_of(rows, n):
    """Rows of `n` numbers, of which there may be none."""
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
