"""What ready-made networks have in common: they stand for a `Sequential`."""

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np

from sklearn_ntk._sklearn_private import Interval, InvalidParameterError, StrOptions
from sklearn_ntk.networks._base import BOUNDS, Layer
from sklearn_ntk.networks._composite import (
    MASK_VALUE,
    OUTPUT_SCALE,
    Sequential,
)
from sklearn_ntk.networks._convolution import Conv
from sklearn_ntk.networks._dense import Dense
from sklearn_ntk.networks._names import ACTIVATIONS

__all__ = ["Architecture", "ImageArchitecture"]


class Architecture(Layer):
    """A network with parameters of its own that stands for a `Sequential`.

    It has one activation, and weights and biases that all have the same variances.
    """

    _parameter_constraints = {
        "activation": [StrOptions(set(ACTIVATIONS)), Layer],
        "weight_variance": [Interval(Real, 0, np.inf, closed="left")],
        "bias_variance": [Interval(Real, 0, np.inf, closed="left")],
        "weight_variance_bounds": BOUNDS,
        "bias_variance_bounds": BOUNDS,
        "output_scale": OUTPUT_SCALE,
        "output_scale_bounds": BOUNDS,
    }

    @abstractmethod
    def sequential(self):
        """The network as a `Sequential` of its layers."""

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return self.sequential().is_homogeneous

    def needs(self, after):
        return self.sequential().needs(after)

    def shapes(self, shape):
        return self.sequential().shapes(shape)

    @property
    def has_constants(self):
        """Whether there is something for `build` to work out."""
        return self.sequential().has_constants

    def build(self, standard_row):
        return self.sequential().build(standard_row)

    def propagate(self, pairs):
        return self.sequential().propagate(pairs)

    def _activation(self):
        if isinstance(self.activation, str):
            return ACTIVATIONS[self.activation]()
        return self.activation


class ImageArchitecture(Architecture):
    """A network on images or sequences."""

    _parameter_constraints = {
        **Architecture._parameter_constraints,
        "input_shape": [tuple, list, None],
        "mask_value": MASK_VALUE,
    }

    @property
    def image_shape(self):
        """How a row is to be read, channels last."""
        return None if self.input_shape is None else tuple(self.input_shape)

    @property
    def image_mask(self):
        """The number of which a pixel consists that does not exist, or None."""
        return self.mask_value

    def validate(self):
        super().validate()
        shape = self.image_shape
        if shape is None or not (
            len(shape) > 1 and all(isinstance(n, Integral) and n > 0 for n in shape)
        ):
            raise InvalidParameterError(
                f"The 'input_shape' parameter of {type(self).__name__} must say how to "
                "read a row: a tuple of ints such as (height, width, channels) for "
                f"images or (length, channels) for sequences. Got {shape!r} instead."
            )

    def _network(self, *layers):
        return Sequential(
            *layers,
            input_shape=self.input_shape,
            mask_value=self.mask_value,
            output_scale=self.output_scale,
        )

    def _conv(self, kernel_size, stride=1, padding="same"):
        weights = self.weight_variance, self.bias_variance
        return Conv(kernel_size, stride, padding, *weights)

    def _dense(self):
        return Dense(self.weight_variance, self.bias_variance)
