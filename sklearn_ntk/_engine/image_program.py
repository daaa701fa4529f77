"""What is to be computed of each pair of pixels, between maps that mix them."""

from typing import Any, NamedTuple

from sklearn_ntk._engine.program import Program, Segment, operands

__all__ = ["ImageProgram", "Step"]

MIXING = {"map", "mix"}  # operations after which pixels are others


class Step(NamedTuple):
    """A part of the program: an input, a map of pixels, or operations on each pair.

    It says nothing of numbers, so that equal programs of different rows have equal
    steps.

    Attributes
    ----------
    kind : {"product", "map", "mix", "segment"}
    space : tuple
        Of the pixels that come out: how many an image has, and whether all pairs count.
    sources, results : tuple of int
        Nodes that it reads and computes.
    before : tuple or None
        The space of what a map reads.
    pixel_map : PixelMap or None
    mixture : tuple of int or None
        Whose weights a mix has: 0 for rows of X, 1 for those of Y, and their place in
        `ImageProgram.weights`.
    """

    kind: str
    space: tuple
    sources: tuple
    results: tuple
    before: tuple | None = None
    pixel_map: Any = None
    mixture: tuple | None = None


class ImageProgram(Program):
    """The operations that a trace has recorded and its outputs depend on.

    Nodes are renumbered in an order in which those between two maps are together.

    Parameters
    ----------
    trace : PixelTrace
    outputs : list of Pair, Row or float

    Attributes
    ----------
    spaces : list of tuple
        For each node the number of pixels of an image, and whether all pairs count.
    steps : tuple of Step
    segments : dict
        The segment that is each step, by its place in `steps`.
    weights : list of RowWeights
        By which the pixels of each row are mixed.
    rows : tuple of array
        Those of X and of Y, with zeros for pixels that do not exist.
    """

    def __init__(self, trace, outputs):
        super().__init__(trace, outputs)
        phases = self._phases(trace.spaces)
        order = sorted(self.order, key=lambda i: (*phases[i], i))
        new = {node: k for k, node in enumerate(order)}
        self.nodes = [_renumbered(self.nodes[i], new) for i in order]
        self.spaces = [trace.spaces[i] for i in order]
        self.outputs = [new[i] for i in self.outputs]
        self.guards = [new[i] for i in self.guards]
        self.order, self.boundaries = list(range(len(order))), []
        self.segments, self.weights, self.rows, steps = {}, [], trace.rows, []
        self._cut([phases[i] for i in order], steps)
        self.steps = tuple(steps)

    def _phases(self, spaces):
        """For each node after how many maps it can be computed, and in which space."""
        when, users, mixing = {}, {}, {"product", *MIXING}
        for index in self.order:
            node = self.nodes[index]
            before = [when[o] for o in operands(node) if when[o] is not None]
            if node.op in mixing:
                when[index] = max(before, default=0) + (node.op in MIXING)
            else:
                when[index] = max(before, default=None)
            for operand in operands(node):
                users.setdefault(operand, []).append(index)
        for index in reversed(self.order):  # what rows alone give, as late as possible
            if when[index] is None:
                later = users.get(index, ())
                later = [when[i] - (self.nodes[i].op in MIXING) for i in later]
                when[index] = min(later, default=0)
        return {
            index: (when[index], self.nodes[index].op not in mixing, spaces[index])
            for index in self.order
        }

    def _cut(self, phases, steps):
        last, guards, finals = self.last_uses(), set(self.guards), set(self.outputs)
        piece = []
        for index, node in enumerate(self.nodes):
            space = self.spaces[index]
            if node.op == "product":
                steps.append(Step("product", space, (), (index,)))
            elif node.op == "mix":
                source, weights = node.args
                mixture = weights.axis, len(self.weights)
                self.weights.append(weights)
                step = Step("mix", space, (source,), (index,), mixture=mixture)
                steps.append(step)
            elif node.op == "map":
                source, pixel_map = node.args
                before = self.spaces[source]
                step = Step("map", space, (source,), (index,), before, pixel_map)
                steps.append(step)
            else:
                piece.append(index)
                following = index + 1
                if following == len(phases) or not (
                    phases[following] == phases[index]
                    and self._goes_on(piece, following)
                ):
                    segment = Segment.of(self.nodes, piece, last, guards, finals)
                    self.segments[len(steps)] = segment
                    steps.append(
                        Step("segment", space, segment.inputs, segment.outputs)
                    )
                    piece = []


def _renumbered(node, new):
    return node._replace(args=tuple(new[a] if type(a) is int else a for a in node.args))
