"""The ready-made network on graphs."""

from numbers import Integral

from sklearn_ntk._sklearn_private import Interval, StrOptions
from sklearn_ntk.networks._architecture import Architecture
from sklearn_ntk.networks._composite import Sequential, Sum
from sklearn_ntk.networks._dense import Dense
from sklearn_ntk.networks._graph import GraphConv
from sklearn_ntk.networks._pooling import GlobalAvgPool, GlobalSumPool

__all__ = ["GraphNetwork"]

READOUT = {"sum": GlobalSumPool, "mean": GlobalAvgPool}


class GraphNetwork(Architecture):
    r"""An infinitely wide graph neural network.

    In each block a node sums the features of its neighbours and its own, and a
    multilayer perceptron acts on the sum:

    .. math:: h_u^{(l)} = \mathrm{MLP}^{(l)}
        \Big(c_u \sum_{v \in N(u) \cup \{u\}} A_{uv} h_v^{(l-1)}\Big)

    with :math:`A_{uv}` the weight of an edge and :math:`A_{uu} = 1`. A readout over
    all nodes and a linear layer follow. X is a list of graphs; see `GraphNTK`.

    Parameters
    ----------
    blocks : int, default=2
        How often nodes see their neighbours.
    layers : int, default=1
        Number of hidden layers of each perceptron.
    activation : str or Layer, default="relu"
        The name of an activation, or the activation itself where it has parameters.
    aggregation : {"sum", "mean"}, default="sum"
        "sum": :math:`c_u = 1`. "mean": :math:`c_u` is one over the degree of the node
        and one more, :math:`1 / \sum_v A_{uv}`.
    readout : {"sum", "mean"}, default="sum"
        Over the nodes of a graph. With "sum" the kernel grows with the size of both
        graphs.
    jumping_knowledge : bool, default=False
        Whether the readout is over the features that nodes have before the first block
        and after each, side by side, in place of the last alone.
    node_attribute : str or None, default=None
        The attribute of the nodes of networkx graphs that holds their features, a
        number or an array. None: the only feature is the degree.
    weight_variance : float, default=2.0
        Variance of the weights, times the number of incoming features. 2 keeps the
        scale of a ReLU network at any depth.
    bias_variance : float, default=0.0
        Variance of the biases. 0, as in the reference: there are none. A ReLU network
        without biases tells apart nodes by the directions of their features alone;
        where the degree is the only feature, it needs one.
    weight_variance_bounds : pair of floats or "fixed", default="fixed"
        Between which the weights' variance may be learned.
    bias_variance_bounds : pair of floats or "fixed", default=(1e-3, 1e3)
        Between which a positive variance of the biases may be learned.
    output_scale : float or "unit", default="unit"
        Multiplies the variance of the output. "unit": the constant that makes the
        NTK 1 at a graph of one node whose features are ones.
    output_scale_bounds : pair of floats or "fixed", default="fixed"
        Between which a numeric `output_scale` may be learned.

    References
    ----------
    .. [1] Du et al. (2019). Graph neural tangent kernel: fusing graph neural networks
       with graph kernels.
    .. [2] Xu et al. (2018). Representation learning on graphs with jumping knowledge
       networks.

    Examples
    --------
    A triangle and a path, as adjacency matrices:

    >>> import numpy as np
    >>> from sklearn_ntk import GraphNTK
    >>> from sklearn_ntk.networks import GraphNetwork
    >>> triangle = np.ones((3, 3)) - np.eye(3)
    >>> path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> GraphNTK(GraphNetwork(1, readout="mean"))([triangle, path]).shape
    (2, 2)
    """

    _parameter_constraints = {
        **Architecture._parameter_constraints,
        "blocks": [Interval(Integral, 0, None, closed="left")],
        "layers": [Interval(Integral, 1, None, closed="left")],
        "aggregation": [StrOptions({"sum", "mean"})],
        "readout": [StrOptions(set(READOUT))],
        "jumping_knowledge": ["boolean"],
        "node_attribute": [str, None],
    }

    reads_graphs = True

    def __init__(
        self,
        blocks=2,
        layers=1,
        activation="relu",
        *,
        aggregation="sum",
        readout="sum",
        jumping_knowledge=False,
        node_attribute=None,
        weight_variance=2.0,
        bias_variance=0.0,
        weight_variance_bounds="fixed",
        bias_variance_bounds=(1e-3, 1e3),
        output_scale="unit",
        output_scale_bounds="fixed",
    ):
        self.blocks = blocks
        self.layers = layers
        self.activation = activation
        self.aggregation = aggregation
        self.readout = readout
        self.jumping_knowledge = jumping_knowledge
        self.node_attribute = node_attribute
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.weight_variance_bounds = weight_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.output_scale = output_scale
        self.output_scale_bounds = output_scale_bounds

    def sequential(self):
        """The network as a `Sequential` of its layers.

        Returns
        -------
        Sequential

        Examples
        --------
        >>> from sklearn_ntk.networks import GraphNetwork
        >>> len(GraphNetwork(blocks=2, layers=1).sequential().layers)
        8
        """
        dense = Dense(self.weight_variance, self.bias_variance)
        block = [
            GraphConv("input", self_loops=True, aggregation=self.aggregation),
            *[dense, self._activation()] * self.layers,
        ]
        end = [READOUT[self.readout](), dense]
        if not self.jumping_knowledge:
            layers = [*block * self.blocks, *end]
        else:
            layers = self._jumping(block, end)
        return Sequential(*layers, output_scale=self.output_scale)

    def _jumping(self, block, end):
        """A readout of its own before and after each block; their sum is the output."""
        layers, part = end, [READOUT[self.readout](), Dense(self.weight_variance, 0.0)]
        for _ in range(self.blocks):
            layers = [Sum(Sequential(*part), Sequential(*block, *layers))]
        return layers
