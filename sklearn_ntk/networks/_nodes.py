"""Pairs of nodes: the state of a network whose rows are graphs of any size.

The nodes of several graphs are rows below each other, so that pair arrays have the
shape (N, M) of a fully-connected network's. Graph layers multiply them by sparse
block-diagonal matrices, from the left for the graphs of X and from the right for those
of Y.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.forward_mode import (
    DualNamespace,
    linear,
    part_of,
    value_of,
)
from sklearn_ntk._graphs import Graphs
from sklearn_ntk.networks._inputs import Inputs, standard_row
from sklearn_ntk.networks._mixtures import from_covariance
from sklearn_ntk.networks._pairs import Pairs, is_number
from sklearn_ntk.networks._pixels import NODES
from sklearn_ntk.networks._relevance import VectorSeed

__all__ = ["GraphInputs", "Nodes", "mixed_nodes", "pooled", "standard_row_of"]


@dataclass(frozen=True)
class Nodes:
    """How the axes of a state on nodes are to be read.

    The variances that a graph layer gives follow from pairs of nodes of one graph.
    Graphs are therefore looked at with themselves first, and standard deviations are
    written down, to be read where they meet others.

    Parameters
    ----------
    x, y : Graphs
        Those whose nodes are the rows and the columns.
    known : tuple of iterators or None
        Standard deviations of the rows and of the columns, in the order in which
        layers ask for them. None where graphs meet themselves.
    found : list
        Where standard deviations are written down.
    shape : tuple
        NODES, or () once a pool has left one row for each graph.
    """

    x: Graphs
    y: Graphs
    known: tuple | None
    found: list
    shape: tuple = NODES
    mask = None  # all nodes exist

    def replace(self, **changes):
        """A copy with some fields changed."""
        return replace(self, **changes)

    def same(self, xp, like):
        """Marks pairs of a row with itself, or None where there are none."""
        if self.known is not None:
            return None
        return np.eye(value_of(like).shape[0], dtype=bool)

    def std(self, xp, nngp):
        """Standard deviations of the rows and of the columns."""
        if self.known is None:
            place = np.arange(value_of(nngp).shape[0])
            variance = part_of(xp, nngp, (place, place))
            x = y = xp.sqrt(xp.where(variance > 0, variance, 0.0))
            self.found.append(x)
        else:
            x, y = map(next, self.known)
        rows, columns = (slice(None), None), (None, slice(None))
        return part_of(xp, x, rows), part_of(xp, y, columns)


def mixed_nodes(p, name, weights):
    """The pairs of weighted sums over the nodes of each graph.

    Parameters
    ----------
    p : Pairs
    name : object
        Under which the graphs keep their weights.
    weights : callable
        Of graphs, a CSR array of shape (number of sums, number of nodes).

    Returns
    -------
    Pairs
        Of nodes, or of rows where there is one sum for each graph.
    """
    left, right = (side.weights(name, weights) for side in (p.pixels.x, p.pixels.y))

    def mixed(a):
        return (right @ (left @ a).T).T

    nngp, ntk = linear(p.xp, mixed, p.nngp), p.ntk
    if not is_number(ntk):
        ntk = linear(p.xp, mixed, ntk)
    return from_covariance(p, nngp, ntk, p.pixels.shape)


def pooled(p, *, mean):
    """The pairs of the sums, or means, over all nodes of each graph."""

    def weights(graphs):
        each = 1.0 / graphs.sizes if mean else np.ones(len(graphs))
        values, columns = np.repeat(each, graphs.sizes), np.arange(len(graphs.nodes))
        return sparse.csr_array((values, columns, np.append(0, graphs.stops)))

    p = p.replace(pixels=p.pixels.replace(shape=()))
    return mixed_nodes(p, ("pool", mean), weights).replace(pixels=None)


class GraphInputs(Inputs):
    """Graphs of X against graphs of Y, before the first layer.

    Parameters
    ----------
    xp : namespace
    X : Graphs
    Y : Graphs or None
        None: the graphs of X with themselves and each other.
    known : tuple of lists or None
        See `Nodes`; None where Y is.
    ntk : bool, default=True
        Whether the neural tangent kernel is wanted.

    Attributes
    ----------
    found : list
        See `Nodes`.
    """

    def __init__(self, xp, X, Y=None, *, known=None, ntk=True):
        self.graphs = X, X if Y is None else Y
        self.known, self.found = known, []
        super().__init__(xp, *(graphs.nodes for graphs in self.graphs), ntk=ntk)
        self.same = _equal_rows(self.X, self.Y)
        self._read = None if known is None else tuple(map(iter, known))

    def _state(self, *, same, **fields):
        """The first pairs; equal rows of different nodes are not the same."""
        nodes = Nodes(*self.graphs, self._read, self.found)
        return Pairs(same=nodes.same(self.xp, fields["cosine"]), pixels=nodes, **fields)

    def standard_row(self):
        """A graph of one node, a standardised row."""
        return GraphInputs(self.xp, Graphs.one_node(self.width))

    def rescaled(self, length_scale):
        if isinstance(length_scale, VectorSeed):
            raise ValueError(
                "One length scale per feature cannot be learned on graphs: give "
                "'length_scale' a number, or set 'length_scale_bounds' to 'fixed'."
            )
        return super().rescaled(length_scale)

    def mixed(self, name, weights):
        """The inputs after weighted sums over the nodes, which are inputs again."""
        X, Y = (
            graphs.weights(name, weights) @ nodes
            for graphs, nodes in zip(self.graphs, (self.X, self.Y), strict=True)
        )
        Y = X if self.Y is self.X else Y
        return self._replace(X=X, Y=Y, same=_equal_rows(X, Y))


def standard_row_of(X, *, dual=False):
    """A standardised row like those of X, or graph of one node, to work out constants.

    Parameters
    ----------
    X : array, CSR array or Graphs
    dual : bool, default=False
        Whether there is something to be differentiated.
    """
    if not isinstance(X, Graphs):
        return standard_row(X.shape[1], dual=dual)
    xp = DualNamespace(np) if dual else np
    return GraphInputs(xp, Graphs.one_node(X.shape[1]))


def _equal_rows(X, Y):
    """Marks the pairs of rows of one direction, whose angle needs no closer look.

    Those which are equal; if there is one feature, those of one sign.
    """
    rows = X if Y is X else np.vstack([X, Y])
    if rows.shape[1] == 1:
        index = np.sign(rows[:, 0])
    else:
        # np.unique sorts, which takes an eighth of the time of a block of graphs
        rows = np.ascontiguousarray(rows + 0.0)  # -0.0 equals 0.0
        contents = rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel().tolist()
        known = {}
        index = np.array([known.setdefault(row, len(known)) for row in contents])
    return index[: len(X), None] == index[None, len(rows) - len(Y) :]
