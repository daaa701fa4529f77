"""What the driver is told of a plan, in tables."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sklearn_ntk._engine.image_cells import Cells, Spaces
from sklearn_ntk._engine.image_driver import INPUT, MIX, SEGMENT, SPREAD, SUM
from sklearn_ntk._engine.image_plan import TAPS, Move, Plan, space_of

__all__ = ["Layout", "laid_out", "table_of"]

OF_SOURCE, OF_NOTHING, OF_TARGET = range(3)  # what cells of terms are counted from


class Layout:
    """The tables of a plan, the same for all rows.

    Parameters
    ----------
    plan : Plan
    outputs : tuple of int
    dtype : str
        Of values.

    Attributes
    ----------
    tables : tuple of array
        What the driver takes.
    cells : Cells
    paired : bool
        Whether pixels are paired with others than those in the same place.
    n_pairs : int
        Pairs of pixels of the largest space.
    segments : list of tuple
        In the order of their numbers: the place of each in the program, how many
        pixels an image has there, and which of its inputs are sums.
    mixtures : list of int
        In the order of their numbers: whose weights each has, in the program.
    longest : int
        Cells of a run, at most, that guards are told apart of.
    """

    def __init__(self, plan, outputs, dtype):
        self.cells, spaces = Cells(plan), Spaces(plan.stages)
        self.paired = any(side > 0 for side in spaces.sides)
        labels = [of for stage in plan.stages for of in stage.labels.values()]
        self.n_pairs = max(map(len, labels))
        self.longest = self.cells.largest if self.paired else 1
        writer = _Writer(self.cells, spaces, _Runs(dtype))
        stages = [writer.write(stage) for stage in plan.stages]
        self.segments, self.mixtures = writer.segments, writer.mixtures
        self.tables = (
            table_of(stages, 3),
            *writer.runs.tables(),
            table_of(self.cells.cleared, 2),
            np.concatenate(
                [
                    self.cells.of[node][0] + np.arange(plan.sizes[node])
                    for node in outputs
                ]
            ),
        )


@lru_cache(maxsize=8)
def laid_out(steps, outputs, dtype):
    """The layout of a program, of any rows."""
    return Layout(Plan(steps, outputs), outputs, dtype)


def table_of(rows, n):
    """Rows of `n` numbers, of which there may be none."""
    return np.array(rows, np.int64).reshape(-1, n)


class _Writer:
    """Writes down what stages do, step by step.

    Where steps differ in the first cells of their values only, as sums of covariances
    and the same sums of the NTK do, the rest is worked out once.

    Parameters
    ----------
    cells : Cells
    spaces : Spaces
    runs : _Runs

    Attributes
    ----------
    segments, mixtures : list
        Those of the layout.
    """

    def __init__(self, cells, spaces, runs):
        self.cells, self.spaces, self.runs = cells, spaces, runs
        self.segments, self.mixtures = [], []

    def write(self, stage):
        """Write the steps of a stage.

        Returns
        -------
        first, stop : int
            The first step, and the one after the last.
        n : int
            Number of components.
        """
        self.stage, self.known, first = stage, {}, len(self.runs.steps)
        self.runs.n_components = n = int(np.sum(stage.needed))
        for place, step in stage.steps:
            if isinstance(step, Move):
                (self._spread if step.ends else self._join)(step)
            elif step.kind == "product":
                self._input(step)
            elif step.kind == "mix":
                self._mix(step)
            else:
                self._segment(place, step)
        return first, len(self.runs.steps), n

    def _once(self, make, *args):
        """What a method makes of arguments, or of moves that join the same pairs."""
        like = (arg.edge if isinstance(arg, Move) else arg for arg in args)
        key = make.__name__, *like
        if key not in self.known:
            self.known[key] = make(*args)
        return self.known[key]

    def _number(self, step):
        return self.spaces.index(self.stage, space_of(step))

    def _places(self, number, stored):
        """Where the pairs of a space are among the cells of a value."""
        at = self.spaces.at[number]
        return np.arange(len(at), dtype=np.int32) if stored else at

    def _members(self, number, stored):
        return _column(self._places(number, stored)[self.spaces.members[number]])

    def _pixels(self, number):
        return [_column(places) for places in self.spaces.pixels(number)]

    def _nothing(self, number):
        """Cells of zeros for the members of a space, as runs of these go on."""
        return self._once(self._members, number, 0).places

    def _at(self, value, number):
        """The cell of a value for each member of a space, counted from its first."""
        first, stored = self.cells.of[value]
        return self._once(self._members, number, stored), (first,)

    def _both(self, number):
        """The pixels of both rows, for the members of a space."""
        return [(column, (0,)) for column in self._once(self._pixels, number)]

    def _input(self, step):
        number = self._number(step)
        columns = self._at(step.results[0], number), *self._both(number)
        self._add(INPUT, number, columns)

    def _mix(self, step):
        """Sums over the pixels of one side, of all pairs at once."""
        (source,), (to,), (side, place) = step.sources, step.results, step.mixture
        cells = (self.cells.of[value][0] for value in (source, to))
        row = (step.space[0], *cells, side, len(self.mixtures))
        single = np.zeros(1, np.int32)
        found = self.runs.found([_column(single)] * len(row), single)
        self.runs.add(MIX, found, [(a,) for a in row])
        self.mixtures.append(place)

    def _segment(self, place, step):
        number, columns, sums = self._number(step), [], []
        for k, source in enumerate(step.sources):
            if isinstance(source, Move):
                columns += self._terms(source, number)
                sums.append(k)
            else:
                columns.append(self._at(source, number))
        columns += [self._at(value, number) for value in step.results]
        columns = [*self._both(number), *columns]
        self._add(SEGMENT, number, columns, segment=len(self.segments))
        self.segments.append((place, step.space[0], tuple(sums)))

    def _add(self, kind, number, columns, **more):
        """Add what is done with each member of a space."""
        owners = self.spaces.owners[number]
        columns, firsts = zip(*columns, strict=True)
        self.runs.add(kind, self.runs.found(columns, owners), firsts, **more)

    def _terms(self, move, number):
        """The cells that a segment adds up as it reads them."""
        first, stored = self.cells.of[move.source]
        columns = self._once(self._read, move, number, stored)
        return [(column, (first, self.cells.nothing)) for column in columns]

    def _read(self, move, number, stored):
        terms = self._terms_of(move, number, stored)
        nothing = self._nothing(number)
        return [
            _column(terms.places(k, nothing), terms.first_cells(k)) for k in range(TAPS)
        ]

    def _terms_of(self, move, number, stored):
        before = self.spaces.index(self.stage, move.before)
        places = self._once(self._places, before, stored)
        return _Terms(move.matrix, self.spaces.members[number], places)

    def _join(self, move):
        """Weighted sums within a component."""
        (source, of_source), (target, of_target) = (
            self.cells.of[value] for value in (move.source, move.target)
        )
        found = self._once(self._sums, move, of_source, of_target)
        firsts = source, self.cells.nothing, target
        self.runs.add(SUM, found, [(target,), *[firsts] * TAPS])

    def _sums(self, move, of_source, of_target):
        """Sums of three cells and, in their turn, of each sum with two more."""
        number = self._number(move)
        terms = self._terms_of(move, number, of_source)
        to = self._once(self._members, number, of_target).places
        owners, nothing = self.spaces.owners[number], self._nothing(number)
        rounds = list(_rounds(terms, to, nothing, owners))
        fields = rounds[0]
        if len(rounds) > 1:
            fields = [np.concatenate(parts) for parts in zip(*rounds, strict=True)]
            order = np.argsort(fields[0], kind="stable")
            fields = [field[order] for field in fields]
        owners, to, first, other, a, b, c, *weights = fields
        others = _column(a, first), _column(b, other), _column(c, other)
        return self.runs.found([_column(to), *others], owners, weights)

    def _spread(self, move):
        """What components add to sums over the whole stage."""
        first, stored = self.cells.of[move.source]
        found = self._once(self._shares, move, stored)
        self.runs.add(SPREAD, found, [self.cells.of[move.target][:1], (first,)])

    def _shares(self, move, stored):
        number, matrix = self._number(move), move.matrix
        owners = np.full(matrix.shape[1], -1, np.int32)
        owners[self.spaces.members[number]] = self.spaces.owners[number]
        owners = owners[matrix.indices]
        order = np.argsort(owners, kind="stable")[np.count_nonzero(owners < 0) :]
        sums = np.arange(matrix.shape[0], dtype=np.int32)
        to = np.repeat(sums, np.diff(matrix.indptr))[order]
        places = self._once(self._places, number, stored)[matrix.indices[order]]
        # what is added to stays where it is
        columns = _column(to, move=0), _column(places)
        weights = [matrix.data[order]]
        return self.runs.found(columns, owners[order], weights)


class _Terms:
    """The terms of weighted sums over pairs of pixels.

    Parameters
    ----------
    matrix : CSR array
    rows : array
        Which of the sums.
    places : array
        Where all pairs that are summed lie.

    Attributes
    ----------
    counts : array
        Of how many terms the sums are.
    """

    def __init__(self, matrix, rows, places):
        self.matrix, self.all_places = matrix, places
        self.begins = matrix.indptr[rows]
        self.counts = matrix.indptr[rows + 1] - self.begins

    def places(self, k, missing):
        """Where the terms number `k` lie, or what is `missing` in a sum without."""
        inside, at = self._entries(k)
        found = missing.copy()
        found[inside] = self.all_places[self.matrix.indices[at]]
        return found

    def weights(self, k):
        """The weights of the terms number `k`, or 0."""
        inside, at = self._entries(k)
        found = np.zeros(len(inside))
        found[inside] = self.matrix.data[at]
        return found

    def first_cells(self, k):
        """What the places of the terms number `k` are counted from."""
        return np.where(k < self.counts, OF_SOURCE, OF_NOTHING).astype(np.int8)

    def _entries(self, k):
        inside = k < self.counts
        return inside, self.begins[inside] + k


def _rounds(terms, to, nothing, owners):
    """Sums of three cells each, for all sums, and then for those of more terms.

    Yields
    ------
    tuple of array
        Components; cells of the sums; what the first of the three is counted from, and
        what the others are; the three, and their weights.
    """
    # of what is not there there is none of a cell that is
    first, of = terms.places(0, nothing), terms.first_cells(0)
    others = [terms.places(k, first) for k in range(1, TAPS)]
    yield owners, to, of, of, first, *others, *map(terms.weights, range(TAPS))
    ones, target = np.ones(len(to)), np.full_like(of, OF_TARGET)
    for k in range(TAPS, np.max(terms.counts, initial=0), 2):
        two = k, k + 1
        others = [terms.places(j, first) for j in two]
        weights = ones, *map(terms.weights, two)
        found = owners, to, target, of, to, *others, *weights
        yield [field[k < terms.counts] for field in found]


class _Column(NamedTuple):
    """A cell, or pixel, of each thing that a step does, component by component.

    Attributes
    ----------
    places : array
        Counted from some first cell.
    of : array or None
        From which of several.
    goes_on : array of bool
        Whether each follows the one before.
    """

    places: object
    of: object
    goes_on: object

    def at(self, index):
        """Some of its rows, without what they follow."""
        of = None if self.of is None else self.of[index]
        return _Column(self.places[index], of, None)

    def cells(self, firsts):
        """The cells, as they are counted from the given ones."""
        of = 0 if self.of is None else self.of
        return self.places + np.array(firsts, np.int32)[of]


def _column(places, of=None, *, move=1):
    """A column that goes on where each place is as far from the last as a move."""
    goes_on = np.zeros(len(places), bool)
    goes_on[1:] = places[1:] - places[:-1] == move
    if of is not None:
        goes_on[1:] &= of[1:] == of[:-1]
    return _Column(places, of, goes_on)


class _Found(NamedTuple):
    """Runs of some columns.

    Attributes
    ----------
    lengths : array
    columns : list of _Column
        Where runs start.
    weights, bounds : int
        Where their weights begin, and which of them are a component's.
    """

    lengths: object
    columns: list
    weights: int
    bounds: int


class _Runs:
    """What steps do, in runs: of cells that lie one after the other in all arrays.

    A run of cells is one cell, of as many lanes; and so do the numbers of pixels lie.

    Parameters
    ----------
    dtype : str
        Of weights.

    Attributes
    ----------
    steps : list of tuple
    n_components : int
        Of the stage.
    """

    def __init__(self, dtype):
        self.dtype, self.n_components = dtype, 0
        self.steps, self._runs, self._weights, self._bounds = [], [], [], []
        self._n_runs = self._n_weights = self._n_bounds = 0

    def found(self, columns, owners, weights=()):
        """Find the runs of some columns.

        Parameters
        ----------
        columns : sequence of _Column
        owners : array
            Components, in order.
        weights : sequence of array
            Which do not change within a run.

        Returns
        -------
        _Found
        """
        goes_on = np.zeros(len(owners), bool)
        goes_on[1:] = True
        for column in columns:
            goes_on &= column.goes_on
        for steady in (owners, *weights):
            goes_on[1:] &= steady[1:] == steady[:-1]
        starts = np.flatnonzero(~goes_on)
        lengths = np.diff(np.append(starts, len(owners))).astype(np.int32)
        bounds = np.searchsorted(owners[starts], np.arange(self.n_components + 1))
        columns = [column.at(starts) for column in columns]
        found = _Found(lengths, columns, self._n_weights, self._n_bounds)
        weights = [a[starts].astype(self.dtype) for a in weights]
        if weights:
            self._weights.append(np.stack(weights, axis=1).ravel())
            self._n_weights += self._weights[-1].size
        self._bounds.append(bounds)
        self._n_bounds += len(bounds)
        return found

    def add(self, kind, found, firsts, *, segment=0):
        """Add a step.

        Parameters
        ----------
        kind : int
        found : _Found
        firsts : sequence of tuple
            For each column the cells that it is counted from.
        segment : int, default=0
        """
        runs = np.empty((len(found.lengths), 1 + len(firsts)), np.int32)
        runs[:, 0] = found.lengths
        for k, column in enumerate(found.columns):
            runs[:, k + 1] = column.cells(firsts[k])
        step = kind, runs.shape[1], self._n_runs, found.weights, found.bounds
        self.steps.append((*step, segment))
        self._runs.append(runs.ravel())
        self._n_runs += runs.size

    def tables(self):
        """Steps, their runs, with weights, and where those of components begin."""
        return (
            table_of(self.steps, 6),
            np.concatenate(self._runs),
            np.concatenate([np.empty(0, self.dtype), *self._weights]),
            np.concatenate(self._bounds),
        )
