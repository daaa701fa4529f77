"""A function of pairs of graphs, evaluated on blocks of all their nodes."""

import math
from itertools import combinations, pairwise, product

import numpy as np
from sklearn import get_config

from sklearn_ntk._engine.evaluation import Evaluation, for_each
from sklearn_ntk._engine.forward_mode import DualNamespace
from sklearn_ntk._engine.images import tile_of
from sklearn_ntk._engine.threads import n_threads
from sklearn_ntk._graphs import Graphs
from sklearn_ntk.networks._nodes import GraphInputs
from sklearn_ntk.networks._pixels import NODES

__all__ = ["evaluation_of", "tile_for"]

TILE = 256  # nodes of the graphs that are looked at together; arrays stay in cache
ARRAYS = 24  # of pairs of nodes that are alive at once, at most


def evaluation_of(evaluate, X, Y, *, homogeneous=False, **options):
    """What evaluates a function of pairs of rows, or of pairs of graphs."""
    if isinstance(X, Graphs):
        return GraphEvaluation(evaluate, X, Y, **options)
    return Evaluation(evaluate, X, Y, homogeneous=homogeneous, **options)


def tile_for(network, X, Y=None, *, n_directions=0, n_jobs=None):
    """How many rows that are images, or nodes, are looked at together, else None.

    Parameters
    ----------
    network : Layer
    X, Y : array, CSR array or Graphs
    n_directions, n_jobs
        As for `tile_of`.

    Raises
    ------
    ValueError
        If the network does not take such data, or the pixels or nodes of a single pair
        need more than the working memory.
    """
    if not isinstance(X, Graphs):
        return tile_of(network, n_directions=n_directions, n_jobs=n_jobs)
    _check_takes_graphs(network)
    largest = [int(np.max(graphs.sizes)) for graphs in (X, X if Y is None else Y)]
    room = get_config()["working_memory"] * 2**20 / n_threads(n_jobs)
    size = 8 * ARRAYS * (1 + n_directions)
    if size * math.prod(largest) > room:
        raise ValueError(
            f"All pairs of nodes of two graphs, of {largest[0]} and {largest[1]}, need "
            f"{size * math.prod(largest) / 2**20:.0f} MiB at once, more than the "
            f"{room / 2**20:.0f} MiB that each thread has of scikit-learn's "
            "working_memory. Use smaller graphs, or raise it with "
            "sklearn.set_config(working_memory=...)."
        )
    return max(1, min(TILE, math.isqrt(int(room / size)) - max(largest)))


def _check_takes_graphs(network):
    if network.image_shape is not None:
        raise ValueError(
            "The 'input_shape' parameter of a network on graphs must be None: they "
            f"have any number of nodes. Got {network.image_shape}."
        )
    if network.shapes(NODES)[-1] == NODES:
        raise ValueError(
            "A network on graphs must end in a row of features: put GlobalSumPool or "
            "GlobalAvgPool before its last Dense."
        )


class GraphEvaluation:
    """Numbers of each pair of graphs, which a network gives.

    Graphs meet themselves first, in parts. What their nodes' variances are is then
    known where they meet others; see `Nodes`.

    Parameters
    ----------
    evaluate : callable
        Takes `GraphInputs` and returns a list of arrays.
    X : Graphs
    Y : Graphs or None
        None: X against itself.
    ntk : bool
        Whether the neural tangent kernel is wanted.
    dual : bool, default=False
        Whether there is something to be differentiated.
    tile : int, default=TILE
        How many nodes to look at together.
    """

    def __init__(self, evaluate, X, Y, *, ntk, dual=False, tile=TILE):
        self.evaluate, self.X, self.Y = evaluate, X, Y
        self.ntk, self.tile, self.symmetric = ntk, tile, Y is None
        self.xp, self._parts = DualNamespace(np) if dual else np, None

    def run(self, matrices=None, then=None, *, n_jobs=None, dtype=np.float64):
        """Evaluate all blocks, and say whether any value is infinite.

        Parameters
        ----------
        matrices, then, n_jobs
            As for `Evaluation.run`.
        dtype : dtype
            All is computed in double precision.
        """

        def place(rows, columns, values):
            if matrices is not None:
                matrices.place(rows, columns, values)
            if then is not None:
                then(rows, columns, values)

        x = self._met(n_jobs)
        y = x if self.symmetric else self._parts_of(self.Y, n_jobs)
        for part in x if self.symmetric else ():
            place(part.rows, part.rows, part.values)
        tasks = combinations(x, 2) if self.symmetric else product(x, y)

        def block(pair):
            a, b = pair
            known = a.found, b.found
            inputs = GraphInputs(self.xp, a.graphs, b.graphs, known=known, ntk=self.ntk)
            values = self._values(inputs)
            place(a.rows, b.rows, values)
            return bool(np.any(np.isinf(values[0])))

        return any(for_each(block, list(tasks), n_jobs))

    def diagonal(self, n_jobs=None):
        """The values of each graph of X with itself."""
        parts = [[np.diagonal(v) for v in part.values] for part in self._met(n_jobs)]
        return [np.concatenate(values) for values in zip(*parts, strict=True)]

    def _met(self, n_jobs):
        """The graphs of X, which have met themselves, in parts."""
        if self._parts is None:
            self._parts = self._parts_of(self.X, n_jobs)
        return self._parts

    def _parts_of(self, graphs, n_jobs):
        starts = graphs.stops - graphs.sizes
        first = np.searchsorted(starts, np.arange(0, graphs.stops[-1], self.tile))
        ends = [*np.unique(first[first < len(graphs)]).tolist(), len(graphs)]
        rows = [slice(start, stop) for start, stop in pairwise(ends)]
        return for_each(lambda part: _Part(self, graphs, part), rows, n_jobs)

    def _values(self, inputs):
        shape = tuple(len(graphs) for graphs in inputs.graphs)
        with np.errstate(all="ignore"):
            return [np.broadcast_to(v, shape) for v in self.evaluate(inputs)]


class _Part:
    """Some of the graphs, which have met themselves.

    Attributes
    ----------
    rows : slice
        Which they are.
    values : list of array
    found : list
        The standard deviations of their nodes; see `Nodes`.
    """

    def __init__(self, evaluation, graphs, rows):
        self.rows, self.graphs = rows, graphs[rows]
        inputs = GraphInputs(evaluation.xp, self.graphs, ntk=evaluation.ntk)
        self.values = evaluation._values(inputs)
        self.found = inputs.found
