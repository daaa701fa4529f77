"""What the driver is told of a plan, in tables."""

from functools import lru_cache

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.image_cells import Cells, Spaces
from sklearn_ntk._engine.image_driver import INPUT, MIX, SEGMENT, SPREAD, SUM
from sklearn_ntk._engine.image_plan import TAPS, Move, Plan, space_of

__all__ = ["Layout", "laid_out", "table_of"]


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
        Cells that are zero, and those of a run, at most.
    """

    def __init__(self, plan, outputs, dtype):
        self.cells, self._spaces = Cells(plan), Spaces(plan.stages)
        self.paired = any(side > 0 for side in self._spaces.sides)
        labels = [of for stage in plan.stages for of in stage.labels.values()]
        self.n_pairs = max(map(len, labels))
        self.longest = self.cells.largest if self.paired else 1
        self._runs, stages = _Runs(dtype, merged=self.paired), []
        self.segments, self.mixtures = [], []
        for stage in plan.stages:
            first, self._stage = len(self._runs.steps), stage
            self._runs.n_components = n = int(np.sum(stage.needed))
            for place, step in stage.steps:
                if isinstance(step, Move):
                    (self._spread if step.ends else self._join)(step)
                elif step.kind == "product":
                    self._input(step)
                elif step.kind == "mix":
                    self._mix(step)
                else:
                    self._segment(place, step)
            stages.append((first, len(self._runs.steps), n))
        self.tables = (
            table_of(stages, 3),
            *self._runs.tables(),
            table_of(self.cells.cleared, 2),
            np.array([self.cells.of[node][0] for node in outputs], np.int64),
        )

    def _at(self, value, number, members=None):
        """The cell of a value for each member of a space, or for some pairs of it."""
        first, stored = self.cells.of[value]
        pairs = self._spaces.members[number] if members is None else members
        return first + (pairs if stored else self._spaces.at[number][pairs])

    def _number(self, step):
        return self._spaces.index(self._stage, space_of(step))

    def _input(self, step):
        number = self._number(step)
        cells = self._at(step.results[0], number), *self._spaces.pixels(number)
        self._runs.add(INPUT, cells, self._spaces.owners[number])

    def _mix(self, step):
        """Sums over the pixels of one side, of all pairs at once."""
        (source,), (to,), (side, place) = step.sources, step.results, step.mixture
        cells = (self.cells.of[value][0] for value in (source, to))
        row = (step.space[0], *cells, side, len(self.mixtures))
        self._runs.add(MIX, [np.array([a]) for a in row], np.zeros(1, int))
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
        cells = *self._spaces.pixels(number), *columns
        owners, index = self._spaces.owners[number], len(self.segments)
        self._runs.add(SEGMENT, cells, owners, segment=index)
        self.segments.append((place, step.space[0], tuple(sums)))

    def _terms(self, move, number):
        """The cells that a segment adds up as it reads them."""
        matrix = move.matrix[self._spaces.members[number]]
        before = self._spaces.index(self._stage, move.before)
        inside = np.arange(TAPS) < np.diff(matrix.indptr)[:, None]
        own = self._spaces.at[number][self._spaces.members[number]]
        nothing = self.cells.nothing + (own if self.paired else 0 * own)
        links = np.tile(nothing[:, None], TAPS)
        links[inside] = self._at(move.source, before, matrix.indices)
        return list(links.T)

    def _join(self, move):
        """Weighted sums within a component."""
        number = self._number(move)
        matrix = move.matrix[self._spaces.members[number]]
        before = self._spaces.index(self._stage, move.before)
        counts = np.diff(matrix.indptr)
        taps = max(TAPS, int(counts.max()) // 2 * 2 + 1)
        inside = np.arange(taps) < counts[:, None]
        links, weights = np.zeros(inside.shape, np.int64), np.zeros(inside.shape)
        links[inside] = self._at(move.source, before, matrix.indices)
        weights[inside] = matrix.data
        # of what is not there there is none of a cell that is
        links = np.where(inside, links, links[:, :1])
        to, owners = self._at(move.target, number), self._spaces.owners[number]
        self._sum(to, links, weights, owners)

    def _sum(self, to, links, weights, owners):
        """Sums of three cells and, in their turn, of each sum with two more."""
        parts = [(to, *links[:, :TAPS].T)], [weights[:, :TAPS]], [owners]
        for k in range(TAPS, links.shape[1], 2):
            more = weights[:, k] != 0.0
            a, b = links[more, k : k + 2].T
            parts[0].append((to[more], to[more], a, b))
            ones = np.ones((len(a), 1))
            parts[1].append(np.hstack([ones, weights[more, k : k + 2]]))
            parts[2].append(owners[more])
        columns = np.concatenate([np.array(part) for part in parts[0]], axis=1)
        weights, owners = (np.concatenate(part) for part in parts[1:])
        order = np.argsort(owners, kind="stable")
        self._runs.add(SUM, columns[:, order], owners[order], weights[order])

    def _spread(self, move):
        """What components add to sums over the whole stage."""
        number = self._number(move)
        matrix = sparse.csr_array(move.matrix.T)[self._spaces.members[number]]
        counts = np.diff(matrix.indptr)
        owners = np.repeat(self._spaces.owners[number], counts)
        source = np.repeat(self._at(move.source, number), counts)
        to = self.cells.of[move.target][0] + matrix.indices
        order = np.lexsort((source, to, owners))
        columns, weights = np.stack([to, source])[:, order], matrix.data[order]
        moves = [0, 1]  # what is added to stays where it is
        self._runs.add(SPREAD, columns, owners[order], weights[:, None], moves=moves)


@lru_cache(maxsize=4)
def laid_out(steps, outputs, dtype):
    """The layout of a program, of any rows."""
    return Layout(Plan(steps, outputs), outputs, dtype)


def table_of(rows, n):
    """Rows of `n` numbers, of which there may be none."""
    return np.array(rows, np.int64).reshape(-1, n)


class _Runs:
    """What steps do, in runs: of cells that lie one after the other in all arrays.

    A run of cells is one cell, of as many lanes; and so do the numbers of pixels lie.

    Parameters
    ----------
    dtype : str
        Of weights.
    merged : bool
        Whether runs may be longer than one.

    Attributes
    ----------
    steps : list of tuple
    n_components : int
        Of the stage.
    """

    def __init__(self, dtype, *, merged):
        self.dtype, self.merged, self.n_components = dtype, merged, 0
        self.steps, self._found = [], {}
        self._runs, self._weights, self._bounds = [], [], []
        self._n_runs = self._n_weights = self._n_bounds = 0

    def add(self, kind, columns, owners, weights=None, *, segment=0, moves=1):
        """Add a step.

        Parameters
        ----------
        kind : int
        columns : sequence of array
            Cells, or pixels, of all that is computed, component by component.
        owners : array
            Their components.
        weights : array of shape (n, k), optional
        segment : int, default=0
        moves : int or list of int, default=1
            How far it is from one to the next in a run, for each column.
        """
        rows = np.stack(columns, axis=1)
        goes_on = np.zeros(len(rows), bool)
        if self.merged or kind == SPREAD:
            goes_on[1:] = np.all(np.diff(rows, axis=0) == moves, axis=1)
            goes_on[1:] &= np.diff(owners) == 0
            if weights is not None:
                goes_on[1:] &= np.all(np.diff(weights, axis=0) == 0.0, axis=1)
        starts = np.flatnonzero(~goes_on)
        lengths = np.diff(np.append(starts, len(rows)))
        runs = np.column_stack([lengths, rows[starts]])
        bounds = np.searchsorted(owners[starts], np.arange(self.n_components + 1))
        weights = np.empty(0) if weights is None else weights[starts].ravel()
        step = kind, runs.shape[1], self._n_runs, self._n_weights, self._n_bounds
        self.steps.append((*step, segment))
        self._runs.append(runs.ravel())
        self._weights.append(weights.astype(self.dtype))
        self._bounds.append(bounds)
        self._n_runs += runs.size
        self._n_weights += len(weights)
        self._n_bounds += len(bounds)

    def tables(self):
        """Steps, their runs, with weights, and where those of components begin."""
        return (
            table_of(self.steps, 6),
            np.concatenate(self._runs).astype(np.int64),
            np.concatenate(self._weights),
            np.concatenate(self._bounds).astype(np.int64),
        )
