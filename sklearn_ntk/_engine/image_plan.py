"""In which order pairs of pixels are computed, so that a cache holds what is needed.

A convolution of stride 1 never mixes pairs of pixels with different offsets: most
layers join few pairs of pixels, and each such *component* goes through all of them on
its own. A map that would join far more, such as a pool, ends a *stage*: components add
their share of its sums to a buffer, which the next stage starts from. Where pixels are
mixed by weights of each row, as by attention, all pairs go through a stage at once.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

__all__ = [
    "TAPS",
    "Move",
    "Plan",
    "Stage",
    "n_pairs",
    "results",
    "sources",
    "space_of",
]

LARGE = 2**13  # pairs of pixels that a map may join
TAPS = 3  # pairs that a segment adds up as it reads them


@dataclass(eq=False)
class Move:
    """Weighted sums over pairs of pixels: a factor of a map.

    Attributes
    ----------
    source, target : hashable
        Values: nodes of the program, or what lies between two factors.
    before, after : hashable
        Spaces of the pairs.
    matrix : CSR array
    ends : bool
        Whether it ends a stage.
    """

    source: object
    target: object
    before: object
    after: object
    matrix: object
    ends: bool = False

    @property
    def is_small_sum(self):
        """Whether it adds up three pairs at most, within a stage."""
        few = np.max(np.diff(self.matrix.indptr)) <= TAPS
        return not self.ends and few and bool(np.all(self.matrix.data == 1.0))

    @property
    def edge(self):
        """What moves that join the same pairs have in common."""
        return self.before, self.after, id(self.matrix)


@dataclass(eq=False)
class Stage:
    """What can be computed component by component.

    Attributes
    ----------
    mixes : bool
        Whether pixels are mixed by row, and nothing else is done.
    steps : list of tuple
        Steps of the program, each after its place there, and moves, after None.
    labels : dict
        For each space the component of every pair.
    n_components : int
    made : set
        Moves that are made, as their `edge`.
    needed : array of bool
        Which components something depends on.
    """

    mixes: bool = False
    steps: list = field(default_factory=list)
    labels: dict = field(default_factory=dict)
    n_components: int = 0
    made: set = field(default_factory=set)
    needed: object = None

    def open(self, space, size):
        """Make room for the pairs of a space, each on its own; or all together."""
        if space in self.labels:
            return
        if self.mixes:
            self.labels[space], self.n_components = np.zeros(size, int), 1
        else:
            self.labels[space] = self.n_components + np.arange(size, dtype=np.int32)
            self.n_components += size

    def takes(self, move):
        """Make a move within this stage, if it belongs there, and say whether it does.

        It does where no more pairs are joined than there are already, or than an image
        has pixels; or few, of which not much fewer come out.
        """
        if move.edge in self.made:
            return True
        new, old = move.matrix.shape
        total, labels = self.n_components, dict(self.labels)
        if move.after not in labels:
            labels[move.after] = total + np.arange(new, dtype=np.int32)
            total += new
        graph = _joined(move.matrix, labels[move.after], labels[move.before], total)
        count, flat = connected_components(graph, directed=False)
        labels = {space: flat[a] for space, a in labels.items()}
        grown, image = _largest(labels), math.isqrt(max(map(len, labels.values())))
        few = grown <= max(image, _largest(self.labels))
        if not few and (4 * new <= old or grown > LARGE):
            return False
        self.labels, self.n_components = labels, count
        self.made.add(move.edge)
        return True

    def join_small(self):
        """Join components that follow each other, up to as many as an image has pixels.

        With few pairs of pixels at once the calls would cost more than what they do.
        """
        size = max(map(len, self.labels.values()))
        joined = math.isqrt(size) // _largest(self.labels)
        if joined > 1 and np.all(self.needed):
            self.labels = {space: a // joined for space, a in self.labels.items()}
            self.needed = self.needed[::joined]


def _joined(matrix, after, before, total):
    """Which components a matrix joins, those of what comes out and of what goes in."""
    ends = np.repeat(after, np.diff(matrix.indptr)), before[matrix.indices]
    apart = ends[0] != ends[1]
    ends = [labels[apart] for labels in ends]
    return sparse.csr_array((apart[apart], ends), (total, total))


def _largest(labels):
    """How many pairs of a space a component has at most."""
    return max(int(np.max(np.bincount(a))) for a in labels.values())


class Plan:
    """The stages of a program, and which values are stored.

    Parameters
    ----------
    steps : tuple of Step
    outputs : tuple of int

    Attributes
    ----------
    stages : list of Stage
    stored : set
        Values that a whole stage computes before they are used.
    sizes : dict
        How many pairs of pixels each value of the program is of.
    """

    def __init__(self, steps, outputs):
        self.stages, self.stored = [Stage()], set(outputs)
        self.stage_of, self.matrices = {}, {}
        for index, step in enumerate(steps):
            if step.kind == "map":
                self._map(step)
            else:
                self._place(index, step)
        self.sizes = {value: n_pairs(s.space) for s in steps for value in s.results}
        self._find_needed(outputs)
        for stage in self.stages:
            stage.join_small()
            stage.steps = self._with_sums(stage.steps)

    def _with_sums(self, steps):
        """Steps in which what a single segment reads of a sum of few is the move."""
        users = [value for _, step in steps for value in sources(step)]
        moves = {
            step.target: step
            for _, step in steps
            if isinstance(step, Move)
            and step.is_small_sum
            and step.target not in self.stored
            and users.count(step.target) == 1
        }
        found, taken = [], set()
        for place, step in steps:
            if not isinstance(step, Move) and not moves.keys().isdisjoint(step.sources):
                taken |= moves.keys() & set(step.sources)
                step = step._replace(
                    sources=tuple(moves.get(value, value) for value in step.sources)
                )
            found.append((place, step))
        return [
            (place, step)
            for place, step in found
            if not (isinstance(step, Move) and step.target in taken)
        ]

    def _place(self, index, step):
        mixes = step.kind == "mix"
        where = max((self.stage_of[value] for value in step.sources), default=0)
        where = self._stage(where, mixes=mixes)
        self.stored |= {value for value in step.sources if self.stage_of[value] < where}
        if mixes:
            self.stored |= set(step.results)
        stage = self.stages[where]
        stage.open(step.space, n_pairs(step.space))
        stage.steps.append((index, step))
        self.stage_of |= dict.fromkeys(step.results, where)

    def _stage(self, first, *, mixes=False):
        """The first stage from a place on that mixes pixels by row, or does not."""
        while first < len(self.stages) and self.stages[first].mixes != mixes:
            first += 1
        if first == len(self.stages):
            self.stages.append(Stage(mixes))
        return first

    def _map(self, step):
        key = step.before, step.pixel_map
        if key not in self.matrices:
            self.matrices[key] = step.pixel_map.factors(step.before[1])
        matrices, (source,), (node,) = self.matrices[key], step.sources, step.results
        before = step.before
        for k, matrix in enumerate(matrices):
            last = k + 1 == len(matrices)
            after = step.space if last else (key, k)
            target = node if last else (node, k)
            self._move(Move(source, target, before, after, matrix))
            source, before = target, after

    def _move(self, move):
        index = self._stage(self.stage_of[move.source])
        stage = self.stages[index]
        stage.open(move.before, move.matrix.shape[1])
        stage.steps.append((None, move))
        if stage.takes(move):
            self.stage_of[move.target] = index
            return
        move.ends = True
        self.stored.add(move.target)
        following = self._stage(index + 1)
        self.stages[following].open(move.after, move.matrix.shape[0])
        self.stage_of[move.target] = following

    def _find_needed(self, outputs):
        """Mark the components that outputs depend on, from the last stage back."""
        wanted = {node: np.ones(self.sizes[node], bool) for node in outputs}
        for stage in reversed(self.stages):
            needed = np.zeros(stage.n_components, bool)
            for _, step in stage.steps:
                for value in results(step):
                    if value not in wanted:
                        continue
                    pairs, space = wanted[value], space_of(step)
                    if isinstance(step, Move) and step.ends:
                        pairs = abs(step.matrix).T @ pairs > 0
                    needed[stage.labels[space][pairs]] = True
            stage.needed = needed
            for _, step in stage.steps:
                space = step.before if isinstance(step, Move) else step.space
                for value in sources(step):
                    if value in self.stored:
                        pairs = needed[stage.labels[space]]
                        wanted[value] = pairs | wanted.get(value, False)


def space_of(step):
    """The space of the stage whose pairs a step goes through."""
    if isinstance(step, Move):
        return step.before if step.ends else step.after
    return step.space


def results(step):
    """The values that a step computes."""
    return (step.target,) if isinstance(step, Move) else step.results


def sources(step):
    """The values that a step reads, those that it adds up included."""
    if isinstance(step, Move):
        return (step.source,)
    return tuple(s.source if isinstance(s, Move) else s for s in step.sources)


def n_pairs(space):
    """Number of pairs of pixels of a space (size, full)."""
    size, full = space
    return size**2 if full else size
