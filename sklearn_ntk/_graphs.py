"""Lists of graphs: what is taken as one, and all their nodes below each other."""

from functools import cached_property

import numpy as np
from scipy import sparse

__all__ = ["Graphs", "checked_graphs"]

ASYMMETRY = 1e-8  # of an adjacency matrix, relative to the largest weight of all


class Graphs:
    """Graphs as one array of nodes and one block-diagonal adjacency matrix.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes, n_features)
    adjacency : CSR array of shape (n_nodes, n_nodes)
    sizes : ndarray of int, shape (n_graphs,)
        Numbers of nodes, all positive.
    """

    def __init__(self, nodes, adjacency, sizes):
        self.nodes, self.adjacency, self.sizes = nodes, adjacency, sizes
        self._weights = {}

    def __repr__(self):
        return f"<{len(self.sizes)} graphs of {len(self.nodes)} nodes>"

    @property
    def shape(self):
        """Number of graphs and of the features of a node."""
        return len(self.sizes), self.nodes.shape[1]

    def __len__(self):
        return len(self.sizes)

    @cached_property
    def stops(self):
        """Where the nodes of each graph end."""
        return np.cumsum(self.sizes)

    def __getitem__(self, graphs):
        """Some of the graphs, by a slice or an array of indices, as for rows."""
        if isinstance(graphs, tuple):
            graphs, _ = graphs
        sizes, stops = self.sizes[graphs], self.stops[graphs]
        if len(sizes) == 0:
            places = np.empty(0, dtype=int)
        else:
            places = np.repeat(stops - np.cumsum(sizes), sizes) + np.arange(sizes.sum())
        return Graphs(self.nodes[places], self.adjacency[places][:, places], sizes)

    def with_nodes(self, nodes):
        """The same graphs with other features."""
        new = Graphs(nodes, self.adjacency, self.sizes)
        new._weights = self._weights
        return new

    def followed_by(self, more):
        """These graphs and more of them."""
        return Graphs(
            np.vstack([self.nodes, more.nodes]),
            sparse.block_diag([self.adjacency, more.adjacency], format="csr"),
            np.concatenate([self.sizes, more.sizes]),
        )

    def weights(self, name, make):
        """What `make` makes of these graphs, kept under a name."""
        if name not in self._weights:
            self._weights[name] = make(self)
        return self._weights[name]

    @staticmethod
    def one_node(n_features):
        """A graph of one node, whose features are all 1, without an edge."""
        alone = sparse.csr_array((1, 1), dtype=np.float64)
        return Graphs(np.ones((1, n_features)), alone, np.array([1]))


def checked_graphs(X, Y=None, *, node_attribute=None):
    """X, and Y if there is one, as `Graphs`.

    Parameters
    ----------
    X, Y : sequence of graphs, or Graphs
    node_attribute : str or None
        Of networkx graphs: what holds the features of a node.

    Raises
    ------
    ValueError
        Naming the graph that is at fault.
    """
    X = _graphs(X, "X", node_attribute)
    if Y is None:
        return X, None
    Y = _graphs(Y, "Y", node_attribute)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            "The nodes of all graphs must have the same number of features. Those of X "
            f"have {X.shape[1]}, those of Y {Y.shape[1]}."
        )
    return X, Y


def _graphs(X, name, node_attribute):
    if isinstance(X, Graphs):
        return X
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    is_array = isinstance(X, np.ndarray) and X.ndim == 1
    if not (is_array or isinstance(X, list | tuple)):
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        raise ValueError(
            f"{name} must be a list, or an array of one dimension and dtype object, of "
            "graphs: networkx graphs, adjacency matrices, or pairs (features, "
            f"adjacency). Got {type(X).__name__}{shape}."
        )
    if len(X) == 0:
        raise ValueError(
            f"Found array with 0 graph(s) in {name} while a minimum of 1 is required."
        )
    parts = [
        _nodes_and_edges(graph, f"Graph {i} of {name}", node_attribute)
        for i, graph in enumerate(X)
    ]
    nodes, matrices = zip(*parts, strict=True)
    width = nodes[0].shape[1]
    for i, features in enumerate(nodes):
        if features.shape[1] != width:
            raise ValueError(
                "The nodes of all graphs must have the same number of features. Graph "
                f"{i} of {name} has {features.shape[1]}, graph 0 has {width}."
            )
    sizes = np.array([len(features) for features in nodes])
    graphs = Graphs(np.vstack(nodes), _block_diagonal(matrices, sizes), sizes)
    _check_values(graphs, name)
    return graphs


def _nodes_and_edges(graph, name, node_attribute):
    """Features of shape (n, d) and a COO array of shape (n, n)."""
    if hasattr(graph, "nodes") and hasattr(graph, "adjacency"):
        features, adjacency = _of_networkx(graph, name, node_attribute)
    elif isinstance(graph, list | tuple) and len(graph) == 2:
        features, adjacency = graph
    elif sparse.issparse(graph) or isinstance(graph, np.ndarray):
        features, adjacency = None, graph
    else:
        raise ValueError(
            f"{name} must be a networkx graph, an adjacency matrix (an array or sparse "
            f"array), or a pair (features, adjacency). Got {type(graph).__name__}."
        )
    adjacency = _square(adjacency, name)
    if features is None:
        features = adjacency.sum(axis=1)[:, None]
    features = _numbers(features, f"The features of {name[0].lower()}{name[1:]}")
    if features.ndim != 2 or features.shape[0] != adjacency.shape[0]:
        raise ValueError(
            f"The features of {name[0].lower()}{name[1:]} must have shape "
            f"({adjacency.shape[0]}, n_features), one row for each of its nodes. Got "
            f"{features.shape}."
        )
    return features, adjacency


def _of_networkx(graph, name, node_attribute):
    if len(graph) == 0:
        raise ValueError(f"{name} has no nodes.")
    from networkx import to_scipy_sparse_array

    adjacency = to_scipy_sparse_array(graph, dtype=np.float64, format="coo")
    if node_attribute is None:
        return None, adjacency
    features = []
    for node, attributes in graph.nodes(data=True):
        if node_attribute not in attributes:
            raise ValueError(
                f"Node {node!r} of {name[0].lower()}{name[1:]} has no attribute "
                f"{node_attribute!r}, the 'node_attribute' of the network."
            )
        features.append(np.ravel(attributes[node_attribute]))
    return features, adjacency


def _square(adjacency, name):
    if not sparse.issparse(adjacency):
        adjacency = _numbers(adjacency, f"The adjacency matrix of {name}")
    shape = adjacency.shape
    if 0 in shape:
        raise ValueError(f"{name} has no nodes.")
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(
            f"{name} must have a square adjacency matrix, or be a pair (features, "
            f"adjacency). Got one of shape {shape}."
        )
    return sparse.coo_array(adjacency).astype(np.float64)


def _numbers(values, what):
    if sparse.issparse(values):
        values = values.toarray()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be an array of numbers. {error}") from error


def _block_diagonal(matrices, sizes):
    offsets = (np.cumsum(sizes) - sizes).tolist()
    row, col = (
        np.concatenate(
            [
                getattr(A, side) + offset
                for A, offset in zip(matrices, offsets, strict=True)
            ]
        )
        for side in ("row", "col")
    )
    data = np.concatenate([A.data for A in matrices])
    n_nodes = int(sizes.sum())
    return sparse.csr_array((data, (row, col)), shape=(n_nodes, n_nodes))


def _check_values(graphs, name):
    """Refuse features that are not finite and adjacency matrices of other kinds."""
    A = graphs.adjacency
    rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    gap = abs(A - A.T).tocoo()
    largest = np.max(np.abs(A.data), initial=0.0)
    faults = (
        (
            ~np.isfinite(graphs.nodes).all(axis=1),
            "has features that are NaN or infinite.",
        ),
        (rows[~np.isfinite(A.data)], "has weights of edges that are NaN or infinite."),
        (rows[A.data < 0], "has negative weights of edges."),
        (
            gap.row[gap.data > ASYMMETRY * largest],
            "has an adjacency matrix that is not symmetric: edges must have no "
            "direction.",
        ),
    )
    for nodes, what in faults:
        nodes = np.flatnonzero(nodes) if nodes.dtype == bool else nodes
        if len(nodes):
            first = np.searchsorted(graphs.stops, np.min(nodes), side="right")
            raise ValueError(f"Graph {first} of {name} {what}")
