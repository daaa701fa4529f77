"""The ready-made Transformer."""

from numbers import Integral, Real

import numpy as np

from sklearn_ntk._sklearn_private import Interval, StrOptions
from sklearn_ntk.networks._architecture import ImageArchitecture
from sklearn_ntk.networks._attention import SelfAttention
from sklearn_ntk.networks._composite import Residual
from sklearn_ntk.networks._image_architectures import END
from sklearn_ntk.networks._shaping import LayerNorm

__all__ = ["Transformer", "exponential"]


def exponential(distance):
    """A covariance of positions that falls as ``exp(-distance)``."""
    return np.exp(-distance)


class Transformer(ImageArchitecture):
    r"""An infinitely wide Transformer encoder on sequences.

    Features are embedded by a `Dense`. Each block is
    ``LayerNorm(z + SelfAttention(z))``, then ``LayerNorm(z + Dense(activation(Dense(z)
    )))``. A pool over positions and a linear readout follow.

    Parameters
    ----------
    blocks : int, default=2
    pooling : {"average", "flatten"}, default="average"
        "average": the mean over all positions. "flatten": each position has readout
        weights of its own.
    activation : str or Layer, default="relu"
        The name of an activation, or the activation itself where it has parameters.
    input_shape : tuple of int
        How to read a row: (length, channels). It must be given.
    weighting : {"softmax", "identity", "relu", "abs"}, default="softmax"
        The function that makes attention weights of products.
    positional : {"none", "sum", "concat"}, default="sum"
        What becomes of positional embeddings; see `SelfAttention`.
    positional_variance : float, default=1.0
        Their variance.
    positional_decay : callable or None, default=exponential
        Their covariance at two positions, as a function of the squared distance;
        ``exp(-distance)``.
    key_variance : float, default=1.0
        Variance of keys and queries: the sharpness of attention.
    mask_value : float or None, default=None
        What sequences of unequal length are padded with, as in `Sequential`. None: all
        positions exist.
    weight_variance, bias_variance, output_scale
        As for `ConvNet`; they are those of the `Dense` layers.
    weight_variance_bounds, bias_variance_bounds, output_scale_bounds
        As for `ConvNet`; they are those of the `Dense` layers.

    References
    ----------
    .. [1] Hron, Bahri, Sohl-Dickstein, Novak (2020). Infinite attention: NNGP and NTK
       for deep attention networks.
    .. [2] Vaswani et al. (2017). Attention is all you need.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Transformer
    >>> NTK(Transformer(1, input_shape=(6, 2)))(np.ones((2, 12))).round(6)
    array([[1., 1.],
           [1., 1.]])
    """

    _parameter_constraints = {
        **ImageArchitecture._parameter_constraints,
        "blocks": [Interval(Integral, 0, None, closed="left")],
        "pooling": [StrOptions(set(END))],
        "weighting": [StrOptions({"softmax", "identity", "relu", "abs"})],
        "positional": [StrOptions({"none", "sum", "concat"})],
        "positional_variance": [Interval(Real, 0, np.inf, closed="left")],
        "positional_decay": [callable, None],
        "key_variance": [Interval(Real, 0, np.inf, closed="left")],
    }

    def __init__(
        self,
        blocks=2,
        pooling="average",
        activation="relu",
        *,
        input_shape=None,
        mask_value=None,
        weighting="softmax",
        positional="sum",
        positional_variance=1.0,
        positional_decay=exponential,
        key_variance=1.0,
        weight_variance=2.0,
        bias_variance=0.0,
        weight_variance_bounds="fixed",
        bias_variance_bounds=(1e-3, 1e3),
        output_scale="unit",
        output_scale_bounds="fixed",
    ):
        self.blocks = blocks
        self.pooling = pooling
        self.activation = activation
        self.input_shape = input_shape
        self.mask_value = mask_value
        self.weighting = weighting
        self.positional = positional
        self.positional_variance = positional_variance
        self.positional_decay = positional_decay
        self.key_variance = key_variance
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
        >>> from sklearn_ntk.networks import Transformer
        >>> len(Transformer(1, input_shape=(6, 2)).sequential().layers)
        7
        """
        attention = SelfAttention(
            key_variance=self.key_variance,
            query_variance=self.key_variance,
            weighting=self.weighting,
            positional=self.positional,
            positional_variance=self.positional_variance,
            positional_decay=self.positional_decay,
        )
        block = [
            Residual(attention),
            LayerNorm(),
            Residual(self._dense(), self._activation(), self._dense()),
            LayerNorm(),
        ]
        return self._network(
            self._dense(), *block * self.blocks, END[self.pooling](), self._dense()
        )
