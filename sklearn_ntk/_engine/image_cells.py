"""Where values of pairs of pixels are kept."""

import numpy as np

from sklearn_ntk._engine.image_plan import Move, n_pairs, results, sources

__all__ = ["Cells", "Spaces"]


class Spaces:
    """Pairs of pixels of all stages, sorted by component.

    Attributes
    ----------
    members, owners : list of array
        For each space of a stage its pairs, in components that are needed, and the
        component of each.
    """

    def __init__(self, stages):
        self.members, self.owners, self.sides = [], [], []
        self.known, self.at = {}, []
        for stage in stages:
            rank = np.cumsum(stage.needed, dtype=np.int32) - 1
            for space, labels in stage.labels.items():
                self.known[id(stage), space] = len(self.members)
                pairs = np.flatnonzero(stage.needed[labels]).astype(np.int32)
                pairs = pairs[np.argsort(labels[pairs], kind="stable")]
                owners = rank[labels[pairs]]
                first = np.searchsorted(owners, np.arange(rank[-1] + 1))
                at = np.zeros(len(labels), np.int32)
                at[pairs] = np.arange(len(pairs)) - first[owners]
                self.members.append(pairs)
                self.owners.append(owners)
                self.at.append(at)
                self.sides.append(_side(space))

    def index(self, stage, space):
        """The number of a space of a stage."""
        return self.known[id(stage), space]

    def pixels(self, number):
        """The pixels of both rows, for the members of a space."""
        members, side = self.members[number], self.sides[number]
        return np.divmod(members, side) if side else (members, members)


def _side(space):
    """Number of pixels of an image; 0 where each is paired with itself alone."""
    size, full = space
    return size if full is True else 0


class Cells:
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
        The first of as many cells of zeros as a component has.
    """

    def __init__(self, plan):
        self.of, self.cleared, self.count = {}, [], 0
        for stage in plan.stages:
            for _, step in stage.steps:
                self._store(step, plan.stored)
        self.largest = max(
            int(np.max(np.bincount(labels[stage.needed[labels]], minlength=1)))
            for stage in plan.stages
            if not stage.mixes
            for labels in stage.labels.values()
        )
        n_values = max(self._place(stage) for stage in plan.stages)
        self.n_local = max(1, n_values) * self.largest
        self.nothing = self.count + self.n_local
        self.count = self.nothing + self.largest

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
