"""Sums over the neighbours of the nodes of a graph."""

import numpy as np
from scipy import sparse

from sklearn_ntk._sklearn_private import InvalidParameterError, StrOptions
from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._maps import Mixture
from sklearn_ntk.networks._masks import existing, masked
from sklearn_ntk.networks._mixtures import from_covariance, mixed
from sklearn_ntk.networks._nodes import GraphInputs, Nodes, mixed_nodes
from sklearn_ntk.networks._pairs import is_number
from sklearn_ntk.networks._pixels import NODES, require_pixels

__all__ = ["GraphConv"]


class GraphConv(Layer):
    r"""The sum of the features of each node's neighbours, weighted by the edges.

    .. math:: K' = A(x) K A(x')^\top, \quad \Theta' = A(x) \Theta A(x')^\top

    A row is a graph of N nodes with C features each, ``input_shape=(N, C)``, or, with
    ``adjacency="input"`` and no `input_shape`, an item of a list of graphs; see
    `GraphNTK`. The layer has no weights: a graph convolution is
    ``GraphConv(adjacency), Dense()``.

    Parameters
    ----------
    adjacency : array-like or sparse matrix of shape (N, N), or "input"
        Its entry (i, j) is the weight with which node i has the features of node j. A
        matrix is shared by all rows. "input": each row holds its own, as the first N of
        the features of every node, ``input_shape=(N, N + C)``; the other C are what
        the network sees. In a list of graphs each has its own anyway.
    self_loops : bool, default=False
        Whether the identity is added, for a node to keep its own features.
    aggregation : {"sum", "mean"}, default="sum"
        "mean": the sum is divided by that of the weights, with self-loops the degree
        of the node and one more. A node without any has zeros.

    References
    ----------
    .. [1] Kipf, Welling (2017). Semi-supervised classification with graph convolutional
       networks.
    .. [2] Du et al. (2019). Graph neural tangent kernel: fusing graph neural networks
       with graph kernels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import (
    ...     Dense, GlobalAvgPool, GraphConv, ReLU, Sequential
    ... )
    >>> path = np.eye(3) + np.eye(3, k=1) + np.eye(3, k=-1)
    >>> network = Sequential(
    ...     GraphConv(path), Dense(), ReLU(), GlobalAvgPool(), Dense(),
    ...     input_shape=(3, 2),
    ... )
    >>> NTK(network)(np.ones((4, 6))).shape
    (4, 4)
    """

    _parameter_constraints = {
        "adjacency": ["array-like", "sparse matrix", StrOptions({"input"})],
        "self_loops": ["boolean"],
        "aggregation": [StrOptions({"sum", "mean"})],
    }

    def __init__(self, adjacency, *, self_loops=False, aggregation="sum"):
        self.adjacency = adjacency
        self.self_loops = self_loops
        self.aggregation = aggregation

    @property
    def _by_row(self):
        return isinstance(self.adjacency, str)

    @property
    def reads_graphs(self):
        """Whether a row of X is a graph of any number of nodes."""
        return self._by_row

    def validate(self):
        super().validate()
        if self._by_row:
            return
        try:
            A = self._matrix()
            square = A.ndim == 2 and A.shape[0] == A.shape[1]
            given = f"one of shape {A.shape}"
        except (TypeError, ValueError):  # texts, or rows of different lengths
            square, given = False, repr(self.adjacency)
        if not square or not np.all(np.isfinite(A)):
            raise InvalidParameterError(
                "The 'adjacency' parameter of GraphConv must be a square array of "
                f"finite numbers, or 'input'. Got {given}."
            )

    def _matrix(self):
        A = self.adjacency
        A = np.asarray(A.toarray() if sparse.issparse(A) else A)
        return A.astype(float, casting="same_kind")

    def needs(self, after):
        return after.replace(
            variances=False,
            full=True,
            own=after.own or after.variances,
            graphs=after.graphs or self._by_row,
        )

    def shapes(self, shape):
        if shape == NODES and not self._by_row:
            raise ValueError(
                "The 'adjacency' parameter of GraphConv must be 'input' where rows are "
                f"graphs with edges of their own. Got shape {self._matrix().shape}."
            )
        if shape == NODES:
            return [shape]
        require_pixels(self, shape)
        if len(shape) != 1:
            raise ValueError(
                "GraphConv acts on the nodes of a graph: expected an 'input_shape' "
                f"(nodes, features), got images of shape {shape}."
            )
        if not self._by_row and len(self._matrix()) != shape[0]:
            raise ValueError(
                "The 'adjacency' parameter of GraphConv must have one row for each of "
                f"the {shape[0]} nodes. Got {len(self._matrix())}."
            )
        return [shape]

    def propagate(self, pairs):
        if isinstance(pairs, GraphInputs):
            return pairs.mixed(*self._of_graphs)
        p = pairs.resolve()
        if isinstance(p.pixels, Nodes):
            return mixed_nodes(p, *self._of_graphs)
        require_pixels(self, () if p.pixels is None else p.pixels.shape)
        mask, p = p.pixels.mask, existing(p)
        if not self._by_row:
            out = mixed(p, self._mixture(), p.pixels.shape)
            return masked(out, mask, self)
        n_nodes = p.pixels.graphs.shape[-1]
        if p.pixels.size != n_nodes:
            raise ValueError(
                "GraphConv('input') must act on the nodes that rows give edges for. "
                f"Rows have {n_nodes}, and a layer before it has left {p.pixels.size}."
            )
        weights = self._weights(p.xp, p.pixels.graphs)
        nngp, ntk = p.pixels.mixed_by_row(p.xp, p.nngp, weights), p.ntk
        if not is_number(ntk):
            ntk = p.pixels.mixed_by_row(p.xp, ntk, weights)
        return masked(from_covariance(p, nngp, ntk, p.pixels.shape), mask, self)

    def _mixture(self):
        return Mixture(self._weights(np, self._matrix()))

    def _weights(self, xp, A):
        """With what weights nodes have each other's features."""
        if self.self_loops:
            A = A + xp.eye(A.shape[-1], dtype=A.dtype, device=A.device)
        if self.aggregation == "mean":
            total = xp.sum(A, axis=-1, keepdims=True)
            A = A / xp.where(total != 0, total, 1.0)
        return A

    @property
    def _of_graphs(self):
        """The same for a list of graphs, with the name under which they keep it."""
        return (self.self_loops, self.aggregation), self._sparse_weights

    def _sparse_weights(self, graphs):
        A = graphs.adjacency
        if self.self_loops:
            A = A + sparse.eye_array(A.shape[0])
        if self.aggregation == "mean":
            total = A.sum(axis=1)
            A = sparse.diags_array(1.0 / np.where(total != 0, total, 1.0)) @ A
        return sparse.csr_array(A)
