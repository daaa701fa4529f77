"""The kernels of infinitely wide networks on graphs, as scikit-learn kernel objects."""

from sklearn.gaussian_process.kernels import GenericKernelMixin

from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.networks import GraphNetwork

__all__ = ["GraphNNGP", "GraphNTK"]


class _GraphKernel(GenericKernelMixin):
    """What the two kernels share: their network, and that X is a list of graphs."""

    _default = GraphNetwork
    _takes_graphs = True

    def __call__(self, X, Y=None, eval_gradient=False):
        """Evaluate the kernel.

        Parameters
        ----------
        X : sequence of n_samples_X graphs
        Y : sequence of n_samples_Y graphs, default=None
            None: X itself.
        eval_gradient : bool, default=False
            Whether to return the gradient in the logarithms of the
            hyperparameters, too. Only where Y is None.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only where `eval_gradient` is True.
        """
        return super().__call__(X, Y, eval_gradient)

    def diag(self, X):
        """The diagonal of ``kernel(X)``, without the pairs of different graphs.

        Parameters
        ----------
        X : sequence of n_samples graphs

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return super().diag(X)


class GraphNTK(_GraphKernel, NTK):
    r"""The neural tangent kernel of an infinitely wide graph network.

    It takes lists of graphs of any size. Nodes meet in pairs, one of each graph, and
    all layers act on the covariances of these: :math:`A K A'^\top` where neighbours are
    summed, with the adjacency matrices A and A' of both graphs, and
    :math:`\sum_{u, u'} K_{u u'}` in the readout.

    Parameters
    ----------
    network : Layer or None, default=None
        `GraphNetwork`, which is what None means, or any network of layers for rows,
        of ``GraphConv("input")``, and with `GlobalSumPool` or `GlobalAvgPool` before
        its end.

    Notes
    -----
    X is a list or a one-dimensional array of graphs, each of which is

    - a networkx graph. Weights of edges are those of their attribute "weight", or 1;
      `GraphNetwork` says by `node_attribute` where nodes have their features;
    - an adjacency matrix, a sparse array or an array of shape (n_nodes, n_nodes);
    - a pair (features, adjacency), with features of shape (n_nodes, n_features) or
      None.

    Where there are no features the degree of a node, the sum of the weights of its
    edges, is the only one. Edges have no direction, and weights that are not
    negative: a node has the features of its neighbours times the weights.
    `GraphNetwork` adds the node itself with a weight of 1, and where the
    adjacency matrix has an entry on its diagonal, the two add up. A graph may have
    several components and nodes without neighbours, but not be without nodes.

    ``GaussianProcessRegressor`` makes an array of X, which a list of graphs does not
    survive. Give it ``numpy.fromiter(graphs, dtype=object)``, of networkx graphs or of
    pairs.

    Raises
    ------
    ValueError
        If a graph is not valid; it names the graph and what is wrong.

    References
    ----------
    .. [1] Du et al. (2019). Graph neural tangent kernel: fusing graph neural networks
       with graph kernels.

    Examples
    --------
    Rings and paths of different sizes:

    >>> from scipy import sparse
    >>> from sklearn.svm import SVC
    >>> from sklearn_ntk import GraphNTK
    >>> from sklearn_ntk.networks import GraphNetwork
    >>> def path(n):
    ...     return sparse.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(n, n)).tolil()
    >>> def ring(n):
    ...     A = path(n)
    ...     A[0, -1] = A[-1, 0] = 1.0
    ...     return A
    >>> X = [make(n) for n in range(5, 15) for make in (path, ring)]
    >>> kernel = GraphNTK(GraphNetwork(readout="mean", bias_variance=0.1))
    >>> model = SVC(C=1000.0, kernel=kernel).fit(X, ["path", "ring"] * 10)
    >>> model.predict([path(20), ring(21)])
    array(['path', 'ring'], dtype='<U4')
    """


class GraphNNGP(_GraphKernel, NNGP):
    r"""The Gaussian-process kernel of an infinitely wide graph network.

    Its inputs are those of `GraphNTK`.

    Parameters
    ----------
    network : Layer or None, default=None
        As for `GraphNTK`.

    References
    ----------
    .. [1] Du et al. (2019). Graph neural tangent kernel: fusing graph neural networks
       with graph kernels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import GraphNNGP
    >>> edge = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> features = np.array([[1.0], [2.0]])
    >>> GraphNNGP()([(features, edge)]).shape
    (1, 1)
    """
