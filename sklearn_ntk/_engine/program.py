"""What is to be computed of each pair, as a straight line of operations."""

from copy import copy
from dataclasses import dataclass

from sklearn_ntk._engine.power_series import SERIES
from sklearn_ntk._engine.tracing import Row

__all__ = ["Program", "Segment", "operands"]

LENGTH = 12  # operations below which layers are joined in a segment


class Program:
    """The operations that a trace has recorded and its outputs depend on.

    Parameters
    ----------
    trace : Trace
    outputs : list of Pair, Row or float

    Attributes
    ----------
    nodes : list of Node
    order : list of int
        The nodes that are needed, in an order in which they can be computed.
    outputs : list of int
        Different nodes.
    guards : list of int
        Masks of pairs that the program is not right for.
    inputs : list
        What `Trace.cosine` was given, in the order of its inputs.
    """

    def __init__(self, trace, outputs):
        self.outputs = []
        for value in outputs:
            self.outputs.append(trace.output(value, self.outputs))
        self.nodes, self.inputs = trace.nodes, trace.inputs
        needed = {None, *self._reachable(self.outputs)}
        guards = (mask for mask, of in trace.guards if of in needed)
        self.guards = list(dict.fromkeys(guards))
        self.order = self._reachable([*self.outputs, *self.guards])
        kept = set(self.order)
        self.boundaries = [
            start for start in trace.boundaries if kept.intersection(range(start))
        ]

    @property
    def n_operations(self):
        """How many there are on each pair, of a series one for each term."""
        nodes = [self.nodes[index] for index in self.order]
        return int(sum(a.args[1] if a.op in SERIES else 1 for a in nodes))

    def with_nodes(self, nodes):
        """The program with other operations, that compute the same."""
        other = copy(self)
        other.nodes = nodes
        other.order = other._reachable([*self.outputs, *self.guards])
        return other

    def _reachable(self, ends):
        needed, waiting = set(), list(ends)
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting += operands(self.nodes[node])
        return sorted(needed)

    def last_uses(self):
        """The last node that needs each node; outputs are needed to the end."""
        last = {}
        for index in self.order:
            for operand in operands(self.nodes[index]):
                last[operand] = index
        return last | dict.fromkeys(self.outputs, len(self.nodes))

    def segments(self):
        """The program in pieces that end where a layer does.

        Returns
        -------
        list of Segment
            The same layer gives the same code, so that a network of many layers has
            few different ones.
        """
        last, ends = self.last_uses(), (set(self.guards), set(self.outputs))
        masks = [i for i in self.order if self.nodes[i].is_mask]
        pieces = []
        for index in self.order:
            goes = bool(pieces) and self._goes_on(pieces[-1], index)
            if not goes or (
                len(pieces[-1]) >= LENGTH
                and any(pieces[-1][-1] < end <= index for end in self.boundaries)
                and not any(i < index <= last.get(i, -1) for i in masks)
            ):
                pieces.append([])
            pieces[-1].append(index)
        rest = pieces.pop()
        if pieces and len(rest) < LENGTH and self._goes_on(pieces[-1], rest[0]):
            pieces[-1] += rest
        else:
            pieces.append(rest)
        return [Segment.of(self.nodes, piece, last, *ends) for piece in pieces]

    def _goes_on(self, piece, index):
        """Whether a node may be of the segment of those before: a series is alone."""
        node, following = self.nodes[piece[-1]], self.nodes[index]
        if node.op not in SERIES and following.op not in SERIES:
            return True
        return following.op in SERIES and node.matches(node.op, *following.args)


def operands(node):
    """The nodes that a node is computed from."""
    if node.op in ("cosine", "product"):
        return []
    return [a for a in node.args if type(a) is int]


@dataclass(frozen=True)
class Segment:
    """A piece of a program, with names of its own.

    Attributes
    ----------
    code : tuple
        For each operation its name and the names of its arguments: ``v3`` the third
        value (inputs come first), ``x0`` and ``y0`` rows, ``s0`` a number.
    inputs, outputs : tuple of int
        Nodes of the program. Outputs are computed here and needed later.
    results : tuple of str
        Names of the outputs.
    guards : tuple of str
        Names of masks.
    finals : tuple of str
        Names of the program's outputs, which guard what is not finite.
    rows_x, rows_y : tuple of Row
    numbers : tuple of float
    """

    code: tuple
    inputs: tuple
    outputs: tuple
    results: tuple
    guards: tuple
    finals: tuple
    rows_x: tuple
    rows_y: tuple
    numbers: tuple

    @property
    def is_series(self):
        """Whether it is a power series, its derivative or both, of the same terms."""
        return self.code[0][0] in SERIES

    @classmethod
    def of(cls, nodes, piece, last, guards, finals):
        """The segment of the nodes in `piece`."""
        inside = [i for i in piece if nodes[i].op != "cosine"]
        own = set(inside)
        needed = (o for i in inside for o in operands(nodes[i]) if o not in own)
        inputs = tuple(dict.fromkeys(needed))
        outputs = tuple(i for i in inside if last.get(i, -1) > piece[-1])
        names = {node: f"v{k}" for k, node in enumerate((*inputs, *inside))}
        rows, numbers = ({}, {}), []

        def name(a):
            if type(a) is int:
                return names[a]
            if isinstance(a, Row):
                rows[a.axis].setdefault(id(a), a)
                return f"{'xy'[a.axis]}{list(rows[a.axis]).index(id(a))}"
            numbers.append(a)  # equal numbers apart, for they may differ elsewhere
            return f"s{len(numbers) - 1}"

        code = tuple((nodes[i].op, *map(name, nodes[i].args)) for i in inside)
        return cls(
            code,
            inputs,
            outputs,
            tuple(names[i] for i in outputs),
            tuple(names[i] for i in inside if i in guards),
            tuple(names[i] for i in inside if i in finals),
            tuple(rows[0].values()),
            tuple(rows[1].values()),
            tuple(numbers),
        )
