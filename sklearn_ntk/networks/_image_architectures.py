"""Ready-made convolutional networks."""

from numbers import Integral

from sklearn_ntk._sklearn_private import Interval, StrOptions
from sklearn_ntk.networks._architecture import ImageArchitecture
from sklearn_ntk.networks._composite import Residual
from sklearn_ntk.networks._convolution import check_window
from sklearn_ntk.networks._pooling import AvgPool, GlobalAvgPool
from sklearn_ntk.networks._shaping import Flatten

__all__ = ["ConvNet", "Myrtle", "WideResNet"]

END = {"average": GlobalAvgPool, "flatten": Flatten}


class ConvNet(ImageArchitecture):
    r"""An infinitely wide convolutional network.

    `depth` times a `Conv` and an activation, then a pool over all pixels and a linear
    readout.

    Parameters
    ----------
    depth : int, default=3
        Number of convolutional layers.
    pooling : {"average", "flatten"}, default="average"
        "average": the mean over all pixels, blind to translations but for edges.
        "flatten": each pixel has readout weights of its own; as many times cheaper as
        there are pixels.
    activation : str or Layer, default="relu"
        The name of an activation, or the activation itself where it has parameters.
    input_shape : tuple of int
        How to read a row, channels last: (height, width, channels) for images,
        (length, channels) for sequences. It must be given.
    mask_value : float or None, default=None
        What sequences or images of unequal size are padded with, as in `Sequential`.
        None: all positions exist.
    kernel_size, stride, padding : default=3, 1 and "same"
        Of every `Conv`.
    weight_variance : float, default=2.0
        Variance of the weights, times the number of incoming features. 2 keeps the
        scale of a ReLU network at any depth.
    bias_variance : float, default=0.0
        Variance of the biases. 0, as in the networks of the references: there are none.
    weight_variance_bounds : pair of floats or "fixed", default="fixed"
        Between which the weights' variance may be learned.
    bias_variance_bounds : pair of floats or "fixed", default=(1e-3, 1e3)
        Between which a positive variance of the biases may be learned.
    output_scale : float or "unit", default="unit"
        Multiplies the variance of the output. "unit": the constant that makes the
        NTK 1 at an image of ones.
    output_scale_bounds : pair of floats or "fixed", default="fixed"
        Between which a numeric `output_scale` may be learned.

    References
    ----------
    .. [1] Novak et al. (2019). Bayesian deep convolutional networks with many channels
       are Gaussian processes.
    .. [2] Arora et al. (2019). On exact computation with an infinitely wide neural net.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ntk import NTKClassifier
    >>> from sklearn_ntk.networks import ConvNet
    >>> X, y = load_digits(return_X_y=True)
    >>> network = ConvNet(2, pooling="flatten", input_shape=(8, 8, 1))
    >>> model = NTKClassifier(network).fit(X[:200] / 16, y[:200])
    >>> bool(model.score(X[200:400] / 16, y[200:400]) > 0.9)
    True
    """

    _parameter_constraints = {
        **ImageArchitecture._parameter_constraints,
        "depth": [Interval(Integral, 0, None, closed="left")],
        "pooling": [StrOptions(set(END))],
        "kernel_size": [Integral, tuple, list],
        "stride": [Integral, tuple, list],
        "padding": [StrOptions({"same", "valid", "circular"})],
    }

    def __init__(
        self,
        depth=3,
        pooling="average",
        activation="relu",
        *,
        input_shape=None,
        mask_value=None,
        kernel_size=3,
        stride=1,
        padding="same",
        weight_variance=2.0,
        bias_variance=0.0,
        weight_variance_bounds="fixed",
        bias_variance_bounds=(1e-3, 1e3),
        output_scale="unit",
        output_scale_bounds="fixed",
    ):
        self.depth = depth
        self.pooling = pooling
        self.activation = activation
        self.input_shape = input_shape
        self.mask_value = mask_value
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.weight_variance_bounds = weight_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.output_scale = output_scale
        self.output_scale_bounds = output_scale_bounds

    def validate(self):
        super().validate()
        check_window(self, ["kernel_size", "stride"])

    def sequential(self):
        """The network as a `Sequential` of its layers.

        Returns
        -------
        Sequential

        Examples
        --------
        >>> from sklearn_ntk.networks import ConvNet
        >>> len(ConvNet(2, input_shape=(8, 8, 1)).sequential().layers)
        6
        """
        conv = self._conv(self.kernel_size, self.stride, self.padding)
        body = [conv, self._activation()] * self.depth
        return self._network(*body, END[self.pooling](), self._dense())


class Myrtle(ImageArchitecture):
    r"""The Myrtle network of 5, 7 or 10 layers: convolutions with pools between them.

    In three stages, each but the last followed by a mean over windows of 2 x 2 pixels
    and the last by the mean over all; then a linear readout. Stages have (2, 1, 1),
    (2, 2, 2) or (3, 3, 3) convolutions of 3 x 3 pixels. On the images of the reference,
    of 32 x 32 pixels, its three last means over 2 x 2 are the one over all here. Of
    images of other sizes a last row or column that fills no window is left out.

    Parameters
    ----------
    depth : {5, 7, 10}, default=5
    activation : str or Layer, default="relu"
        The name of an activation, or the activation itself where it has parameters.
    input_shape : tuple of int
        How to read a row: (height, width, channels). It must be given, and height and
        width at least 4.
    mask_value : float or None, default=None
        What images of unequal size are padded with, as in `Sequential`.
    weight_variance, bias_variance, output_scale
        As for `ConvNet`.
    weight_variance_bounds, bias_variance_bounds, output_scale_bounds
        As for `ConvNet`.

    References
    ----------
    .. [1] Shankar et al. (2020). Neural kernels without tangents.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Myrtle
    >>> NTK(Myrtle(5, input_shape=(8, 8, 1)))(np.ones((2, 64))).round(6)
    array([[1., 1.],
           [1., 1.]])
    """

    _stages = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}

    _parameter_constraints = {
        **ImageArchitecture._parameter_constraints,
        "depth": [Integral],
    }

    def __init__(
        self,
        depth=5,
        activation="relu",
        *,
        input_shape=None,
        mask_value=None,
        weight_variance=2.0,
        bias_variance=0.0,
        weight_variance_bounds="fixed",
        bias_variance_bounds=(1e-3, 1e3),
        output_scale="unit",
        output_scale_bounds="fixed",
    ):
        self.depth = depth
        self.activation = activation
        self.input_shape = input_shape
        self.mask_value = mask_value
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.weight_variance_bounds = weight_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.output_scale = output_scale
        self.output_scale_bounds = output_scale_bounds

    def validate(self):
        super().validate()
        if self.depth not in self._stages:
            raise ValueError(
                f"The 'depth' parameter of Myrtle must be 5, 7 or 10. Got {self.depth}."
            )

    def sequential(self):
        """The network as a `Sequential` of its layers.

        Returns
        -------
        Sequential

        Examples
        --------
        >>> from sklearn_ntk.networks import Myrtle
        >>> len(Myrtle(5, input_shape=(8, 8, 1)).sequential().layers)
        12
        """
        stages = [
            [self._conv(3), self._activation()] * count
            for count in self._stages[self.depth]
        ]
        ends = AvgPool(2, 2), AvgPool(2, 2), GlobalAvgPool()
        layers = [
            layer
            for stage, end in zip(stages, ends, strict=True)
            for layer in (*stage, end)
        ]
        return self._network(*layers, self._dense())


class WideResNet(ImageArchitecture):
    r"""A wide residual network, whose images shrink twice by a stride of 2.

    A `Conv`, three groups of residual blocks ``z + Conv(activation(Conv(activation(
    z))))``, the mean over all pixels and a linear readout. The first block of each
    group has a `Conv` as its shortcut, and in the second and third group a stride.

    Parameters
    ----------
    depth : int, default=10
        Number of convolutional layers, 6 n + 4 with n blocks in a group: 10, 16, ...
    activation : str or Layer, default="relu"
        The name of an activation, or the activation itself where it has parameters.
    input_shape : tuple of int
        How to read a row: (height, width, channels). It must be given.
    mask_value : float or None, default=None
        What images of unequal size are padded with, as in `Sequential`.
    weight_variance, bias_variance, output_scale
        As for `ConvNet`.
    weight_variance_bounds, bias_variance_bounds, output_scale_bounds
        As for `ConvNet`.

    References
    ----------
    .. [1] Zagoruyko, Komodakis (2016). Wide residual networks.
    .. [2] Novak et al. (2020). Neural Tangents: fast and easy infinite neural networks
       in Python.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import WideResNet
    >>> NTK(WideResNet(10, input_shape=(8, 8, 1)))(np.ones((2, 64))).round(6)
    array([[1., 1.],
           [1., 1.]])
    """

    _parameter_constraints = {
        **ImageArchitecture._parameter_constraints,
        "depth": [Interval(Integral, 10, None, closed="left")],
    }

    def __init__(
        self,
        depth=10,
        activation="relu",
        *,
        input_shape=None,
        mask_value=None,
        weight_variance=2.0,
        bias_variance=0.0,
        weight_variance_bounds="fixed",
        bias_variance_bounds=(1e-3, 1e3),
        output_scale="unit",
        output_scale_bounds="fixed",
    ):
        self.depth = depth
        self.activation = activation
        self.input_shape = input_shape
        self.mask_value = mask_value
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.weight_variance_bounds = weight_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.output_scale = output_scale
        self.output_scale_bounds = output_scale_bounds

    def validate(self):
        super().validate()
        if (self.depth - 4) % 6:
            raise ValueError(
                "The 'depth' parameter of WideResNet must be 6 n + 4: 10, 16, 22, 28, "
                f"... Got {self.depth}."
            )

    def sequential(self):
        """The network as a `Sequential` of its layers.

        Returns
        -------
        Sequential

        Examples
        --------
        >>> from sklearn_ntk.networks import WideResNet
        >>> len(WideResNet(16, input_shape=(8, 8, 1)).sequential().layers)
        9
        """
        blocks = [
            self._block(stride if index == 0 else 1, shortcut=index == 0)
            for stride in (1, 2, 2)
            for index in range((self.depth - 4) // 6)
        ]
        return self._network(self._conv(3), *blocks, GlobalAvgPool(), self._dense())

    def _block(self, stride, *, shortcut):
        return Residual(
            self._activation(),
            self._conv(3, stride),
            self._activation(),
            self._conv(3),
            shortcut=self._conv(3, stride) if shortcut else None,
        )
