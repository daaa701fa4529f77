"""Sums over the neighbours of the nodes of a graph."""

import numpy as np

from sklearn_ntk._sklearn_private import InvalidParameterError, StrOptions
from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._maps import Mixture
from sklearn_ntk.networks._masks import existing, masked
from sklearn_ntk.networks._mixtures import from_covariance, mixed, mixed_by_row
from sklearn_ntk.networks._pixels import require_pixels

__all__ = ["GraphConv"]


class GraphConv(Layer):
    r"""The sum of the features of each node's neighbours, weighted by the edges.

    .. math:: K' = A(x) K A(x')^\top, \quad \Theta' = A(x) \Theta A(x')^\top

    A row is a graph of N nodes with C features each, ``input_shape=(N, C)``. The layer
    has no weights: a graph convolution is ``GraphConv(adjacency), Dense()``.

    Parameters
    ----------
    adjacency : array-like of shape (N, N) or "input"
        Its entry (i, j) is the weight with which node i has the features of node j.
        Add the identity for a node to keep its own, and normalise as you like. An
        array is shared by all rows. "input": each row holds its own, as the first N of
        the features of every node, ``input_shape=(N, N + C)``; the other C are what
        the network sees.

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

    _parameter_constraints = {"adjacency": ["array-like", StrOptions({"input"})]}

    def __init__(self, adjacency):
        self.adjacency = adjacency

    @property
    def _by_row(self):
        return isinstance(self.adjacency, str)

    def validate(self):
        super().validate()
        if self._by_row:
            return
        A = self._matrix()
        if A.ndim != 2 or A.shape[0] != A.shape[1] or not np.all(np.isfinite(A)):
            raise InvalidParameterError(
                "The 'adjacency' parameter of GraphConv must be a square array of "
                f"finite numbers, or 'input'. Got one of shape {A.shape}."
            )

    def _matrix(self):
        dense = getattr(self.adjacency, "toarray", lambda: self.adjacency)
        return np.asarray(dense(), dtype=float)

    def needs(self, after):
        return after.replace(
            variances=False,
            full=True,
            own=after.own or after.variances,
            graphs=after.graphs or self._by_row,
        )

    def shapes(self, shape):
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
        p = pairs.resolve()
        require_pixels(self, () if p.pixels is None else p.pixels.shape)
        mask, p = p.pixels.mask, existing(p)
        if not self._by_row:
            out = mixed(p, Mixture(self._matrix()), p.pixels.shape)
            return masked(out, mask, self)
        nngp, ntk = mixed_by_row(p, p.nngp, p.pixels.graphs), p.ntk
        if ntk is not None and not isinstance(ntk, float):
            ntk = mixed_by_row(p, ntk, p.pixels.graphs)
        return masked(from_covariance(p, nngp, ntk, p.pixels.shape), mask, self)
