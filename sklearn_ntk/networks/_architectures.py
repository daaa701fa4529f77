"""Ready-made networks."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import clone

from sklearn_ntk._sklearn_private import Interval, StrOptions
from sklearn_ntk.networks._architecture import Architecture
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._composite import Residual, Sequential
from sklearn_ntk.networks._dense import Dense, InputScale
from sklearn_ntk.networks._shaping import Dropout, LayerNorm

__all__ = ["MLP"]


class MLP(Architecture):
    r"""An infinitely wide multilayer perceptron.

    `depth` hidden layers, each a `Dense` and an activation, and a linear readout:

    .. math:: f(x) = W_{L+1} \phi(W_L \cdots \phi(W_1 x + b_1) \cdots + b_L) + b_{L+1}

    Parameters
    ----------
    depth : int, default=2
        Number of hidden nonlinear layers. 0 is a linear network.
    activation : str or Layer, default="relu"
        The name of an activation, or the activation itself where it has parameters.
    weight_variance : float, default=2.0
        Variance of the weights, times the number of incoming features. 2 keeps the
        scale of a ReLU network at any depth.
    bias_variance : float, default=1.0
        Variance of the biases. 1 was better than 0.1 and 0 on most of 92 tables.
    length_scale : float or array-like of shape (n_features,), default=1.0
        What the input is divided by.
    weight_variance_bounds : pair of floats or "fixed", default="fixed"
        Between which the weights' variance may be learned. With ReLU and unit output
        it has hardly an effect.
    bias_variance_bounds : pair of floats or "fixed", default=(1e-3, 1e3)
        Between which the biases' variance may be learned.
    length_scale_bounds : pair of floats or "fixed", default="fixed"
        Between which length scales may be learned. A single one acts against the
        biases' variance, so that one of the two is enough.
    output_scale : float or "unit", default="unit"
        Multiplies the variance of the output. "unit": the constant that makes the
        NTK 1 at a standardised row (:math:`|x|^2 = d`), whatever the depth, so that
        depth and alpha can be chosen separately. 1.0 is the textbook kernel.
    output_scale_bounds : pair of floats or "fixed", default="fixed"
        Between which a numeric `output_scale` may be learned.
    residual : bool, default=False
        Whether layers from the second on are residual,
        ``z + Dense(activation(z))``.
    layer_norm : bool, default=False
        Whether features are normalised before each activation.
    dropout : float, default=0.0
        Probability of dropping a feature after each activation.
    n_frozen_layers : int, default=0
        How many of the first `depth` + 1 `Dense` layers are not trained. `depth`
        leaves the readout alone: a random-feature model.
    bias_init : {"normal", "zeros"}, default="normal"
        "zeros": biases are trained, but start at zero.
    parametrization : {"ntk", "standard"}, default="ntk"
        What gradient descent moves; see `Dense`.
    width : int or None, default=None
        Number of units of a hidden layer in the standard parametrization.

    References
    ----------
    .. [1] Jacot, Gabriel, Hongler (2018). Neural tangent kernel: convergence and
       generalization in neural networks.
    .. [2] Lee et al. (2018). Deep neural networks as Gaussian processes.

    Examples
    --------
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import MLP
    >>> NTK(MLP(depth=3))([[1.0, -1.0], [1.0, 1.0]]).round(3)
    array([[1.   , 0.535],
           [0.535, 1.   ]])
    """

    _parameter_constraints = {
        **Architecture._parameter_constraints,
        "depth": [Interval(Integral, 0, None, closed="left")],
        "length_scale": [Interval(Real, 0, np.inf, closed="neither"), "array-like"],
        "length_scale_bounds": BOUNDS,
        "residual": ["boolean"],
        "layer_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_frozen_layers": [Interval(Integral, 0, None, closed="left")],
        "bias_init": [StrOptions({"normal", "zeros"})],
        "parametrization": [StrOptions({"ntk", "standard"})],
        "width": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        depth=2,
        activation="relu",
        *,
        weight_variance=2.0,
        bias_variance=1.0,
        length_scale=1.0,
        weight_variance_bounds="fixed",
        bias_variance_bounds=(1e-3, 1e3),
        length_scale_bounds="fixed",
        output_scale="unit",
        output_scale_bounds="fixed",
        residual=False,
        layer_norm=False,
        dropout=0.0,
        n_frozen_layers=0,
        bias_init="normal",
        parametrization="ntk",
        width=None,
    ):
        self.depth = depth
        self.activation = activation
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.length_scale = length_scale
        self.weight_variance_bounds = weight_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.length_scale_bounds = length_scale_bounds
        self.output_scale = output_scale
        self.output_scale_bounds = output_scale_bounds
        self.residual = residual
        self.layer_norm = layer_norm
        self.dropout = dropout
        self.n_frozen_layers = n_frozen_layers
        self.bias_init = bias_init
        self.parametrization = parametrization
        self.width = width

    def validate(self):
        super().validate()
        self._require_positive("length_scale")
        if self.n_frozen_layers > self.depth:
            raise ValueError(
                "The 'n_frozen_layers' parameter of MLP must leave a layer to train: "
                f"expected at most depth={self.depth}, got {self.n_frozen_layers}."
            )
        if self.parametrization == "standard" and self.width is None and self.depth:
            raise ValueError(
                "The 'width' parameter of MLP must be an int where "
                "parametrization='standard', which depends on it. Got None."
            )

    def sequential(self):
        """The network as a `Sequential` of its layers.

        Returns
        -------
        Sequential

        Examples
        --------
        >>> from sklearn_ntk.networks import MLP
        >>> MLP(depth=1, output_scale=1.0).sequential()
        Sequential(InputScale(), Dense(), ReLU(), Dense())
        """
        layers = [layer for body in self._bodies() for layer in body]
        return Sequential(*layers, *self._head(), output_scale=self.output_scale)

    def stages(self, standard_row, depths=None):
        """The networks of depth 1, 2, ... up to this one, with what they share.

        Parameters
        ----------
        standard_row : Pairs or Inputs
            As for `build`.
        depths : sequence of int, default=None
            Which networks are wanted. None: all.

        Returns
        -------
        list of tuple
            At each depth the body, which acts on what the body before gave; whether
            it does what the head before did already; the head that makes it the
            network of that depth, and the scale of its output. Both are None where
            that network is not wanted.
        """
        stages, head = [], None
        for depth, body in enumerate(self._bodies(), start=1):
            body = Sequential(*body)
            done, head, scale = body == head, None, None
            if depths is None or depth in depths:
                shallow = clone(self).set_params(depth=depth)
                shallow.validate()
                scale = shallow.build(standard_row).output_scale
                head = Sequential(*shallow._head())
            stages.append((body, done, head, scale))
        return stages

    def _bodies(self):
        """The layers up to the first hidden features, to the second, and so on."""
        bodies = [[InputScale(self.length_scale), self._dense(0)]]
        for index in range(1, self.depth):
            block = [*self._nonlinear(), self._dense(index)]
            bodies.append([Residual(*block)] if self.residual else block)
        return bodies

    def _head(self):
        """The layers from the last hidden features on."""
        return [*self._nonlinear(), self._dense(self.depth)] if self.depth else []

    def _dense(self, index):
        return Dense(
            self.weight_variance,
            self.bias_variance,
            parametrization=self.parametrization,
            width=None if index == self.depth else self.width,
            trainable=index >= self.n_frozen_layers,
            bias_init=self.bias_init,
        )

    def _nonlinear(self):
        layers = [LayerNorm()] if self.layer_norm else []
        layers.append(self._activation())
        return [*layers, Dropout(self.dropout)] if self.dropout else layers
