"""Layers that mix pixels by fixed weights: pools, crops, another size."""

import math
from functools import reduce
from numbers import Integral

import numpy as np

from sklearn_ntk._sklearn_private import InvalidParameterError, StrOptions
from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._convolution import check_fits, check_window
from sklearn_ntk.networks._maps import Mixture
from sklearn_ntk.networks._masks import (
    existing,
    existing_share,
    masked,
    sums_of_existing,
)
from sklearn_ntk.networks._mixtures import mixed
from sklearn_ntk.networks._nodes import Nodes, pooled
from sklearn_ntk.networks._pixels import (
    NODES,
    require_pixels,
    selected,
    without_pixels,
)
from sklearn_ntk.networks._windows import occurrences, per_axis, windows_over

__all__ = [
    "AvgPool",
    "Crop",
    "GlobalAvgPool",
    "GlobalSumPool",
    "Resize",
    "SumPool",
]


class _Mixing(Layer):
    """A layer that replaces pixels by weighted sums of them."""

    @property
    def is_homogeneous(self):
        """Whether features depend on the lengths and the angle of rows alone."""
        return False

    def weights(self, shape):
        """For each axis of an image the weights, (output size, input size)."""
        raise NotImplementedError

    def needs(self, after):
        return after.replace(
            variances=False, full=True, own=after.own or after.variances
        )

    def shapes(self, shape):
        require_pixels(self, shape)
        return [tuple(len(w) for w in self.weights(shape))]

    def propagate(self, pairs):
        p = pairs.resolve()
        require_pixels(self, () if p.pixels is None else p.pixels.shape)
        xp, mask, shape = p.xp, p.pixels.mask, p.pixels.shape
        p, gain = existing(p), None
        weights = self.weights(shape)
        matrix = reduce(np.kron, weights)
        if mask is not None and self._of_existing:
            share = existing_share(xp, matrix, mask)
            gain = math.prod(p.pixels.laid_out(xp, 1.0 / share))
        out = mixed(p, Mixture(matrix), tuple(len(w) for w in weights), gain)
        return out if mask is None else masked(out, self.lasting(xp, mask, shape), self)

    _of_existing = True  # whether weights are shared out among the pixels that exist

    def lasting(self, xp, mask, shape):
        """Which of the new pixels exist, where some of the old do not.

        Parameters
        ----------
        mask : array of bool, shape (pixels, rows)
        shape : tuple of int
        """
        raise NotImplementedError


class _Pool(_Mixing):
    _parameter_constraints = {
        "window": [Integral, tuple, list],
        "stride": [Integral, tuple, list, None],
        "padding": [StrOptions({"same", "valid", "circular"})],
    }

    def validate(self):
        super().validate()
        check_window(self, ["window", "stride"])

    def windows(self, shape):
        """The windows over an image of this shape."""
        window = per_axis(self.window, len(shape), self, "window")
        check_fits(self, "window", window, shape, self.padding)
        if self.stride is not None:
            stride = per_axis(self.stride, len(shape), self, "stride")
            return windows_over(shape, window, stride, self.padding)
        if self.padding == "valid" and any(map(int.__mod__, shape, window)):
            raise ValueError(
                f"The 'window' parameter of {type(self).__name__} must divide the size "
                f"of what comes in, {shape}. Got {window}. Give a 'stride', and pixels "
                "that fill no window are left out; use Crop before it, or "
                "padding='same'."
            )
        padding = "same" if self.padding == "valid" else self.padding
        return windows_over(shape, window, window, padding)

    def counts(self, shape):
        """For each axis how often a pixel is in a window, (output size, input size)."""
        return list(map(occurrences, self.windows(shape).tables, shape))

    def lasting(self, xp, mask, shape):
        return self.windows(shape).lasting(xp, mask)


class AvgPool(_Pool):
    r"""The mean over windows of pixels.

    .. math:: K'(i, i') = \frac{1}{k^2} \sum_{s, t} K(i_s, i'_t), \quad
        \Theta'(i, i') = \frac{1}{k^2} \sum_{s, t} \Theta(i_s, i'_t)

    Parameters
    ----------
    window : int or tuple of int, default=2
    stride : int, tuple of int or None, default=None
        None: the window, so that windows do not overlap; with padding "valid" they
        must then fill the image, else a ValueError says so.
    padding : {"same", "valid", "circular"}, default="valid"
        "valid": with a stride, pixels that fill no window are left out.
    count_padding : bool, default=True
        Whether zeros beyond the edges count in the mean, with padding "same".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import AvgPool, Conv, Dense, Flatten, ReLU, Sequential
    >>> network = Sequential(
    ...     Conv(3), ReLU(), AvgPool(2), Flatten(), Dense(), input_shape=(8, 8, 1)
    ... )
    >>> NTK(network)(np.ones((5, 64))).shape
    (5, 5)
    """

    _parameter_constraints = {
        **_Pool._parameter_constraints,
        "count_padding": ["boolean"],
    }

    def __init__(self, window=2, stride=None, padding="valid", count_padding=True):
        self.window = window
        self.stride = stride
        self.padding = padding
        self.count_padding = count_padding

    @property
    def _of_existing(self):
        return self.padding != "same" or not self.count_padding

    def weights(self, shape):
        window = per_axis(self.window, len(shape), self, "window")
        counts = self.counts(shape)
        if not self.count_padding:
            return [c / c.sum(axis=1, keepdims=True) for c in counts]
        return [c / size for c, size in zip(counts, window, strict=True)]


class SumPool(_Pool):
    r"""The sum over windows of pixels.

    .. math:: K'(i, i') = \sum_{s, t} K(i_s, i'_t), \quad
        \Theta'(i, i') = \sum_{s, t} \Theta(i_s, i'_t)

    Parameters
    ----------
    window : int or tuple of int, default=2
    stride : int, tuple of int or None, default=None
        None: the window, so that windows do not overlap; with padding "valid" they
        must then fill the image, else a ValueError says so.
    padding : {"same", "valid", "circular"}, default="valid"
        "valid": with a stride, pixels that fill no window are left out.

    Examples
    --------
    >>> from sklearn_ntk.networks import SumPool
    >>> SumPool(3)
    SumPool(window=3)
    """

    def __init__(self, window=2, stride=None, padding="valid"):
        self.window = window
        self.stride = stride
        self.padding = padding

    _of_existing = False

    def weights(self, shape):
        return self.counts(shape)


class GlobalAvgPool(_Mixing):
    r"""The mean over all pixels, which leaves one vector of features.

    .. math:: K' = \frac{1}{p^2} \sum_{i, i'} K(i, i'), \quad
        \Theta' = \frac{1}{p^2} \sum_{i, i'} \Theta(i, i')

    It makes the network blind to translations (but for edges), at p times the cost of
    `Flatten`, for all pairs of the p pixels count.

    References
    ----------
    .. [1] Arora et al. (2019). On exact computation with an infinitely wide neural net.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Conv, Dense, GlobalAvgPool, ReLU, Sequential
    >>> network = Sequential(
    ...     Conv(3), ReLU(), GlobalAvgPool(), Dense(), input_shape=(8, 8, 1)
    ... )
    >>> NTK(network)(np.ones((5, 64))).shape
    (5, 5)
    """

    def weights(self, shape):
        return [np.full((1, n), 1.0 / n) for n in shape]

    def shapes(self, shape):
        if shape != NODES:
            require_pixels(self, shape)
        return [()]

    def lasting(self, xp, mask, shape):
        return None

    def propagate(self, pairs):
        p = pairs.resolve()
        if isinstance(p.pixels, Nodes):
            return pooled(p, mean=self._of_existing)
        return without_pixels(super().propagate(p))


class GlobalSumPool(GlobalAvgPool):
    r"""The sum over all pixels, which leaves one vector of features.

    .. math:: K' = \sum_{i, i'} K(i, i'), \quad
        \Theta' = \sum_{i, i'} \Theta(i, i')

    Examples
    --------
    >>> from sklearn_ntk.networks import Conv, GlobalSumPool, ReLU, Sequential
    >>> Sequential(Conv(3), ReLU(), GlobalSumPool())
    Sequential(Conv(), ReLU(), GlobalSumPool())
    """

    _of_existing = False

    def weights(self, shape):
        return [np.ones((1, n)) for n in shape]


class Crop(_Mixing):
    """A part of the image, as by slicing ``image[start:stop]`` along each axis.

    Parameters
    ----------
    start, stop : int, None or tuple of these, default=None
        For all axes or for each, as in a Python slice: negative numbers count from
        the end, None is the edge.

    Examples
    --------
    >>> from sklearn_ntk.networks import Crop
    >>> Crop(1, -1)  # without its rim
    Crop(start=1, stop=-1)
    """

    _parameter_constraints = {
        "start": [Integral, tuple, list, None],
        "stop": [Integral, tuple, list, None],
    }

    def __init__(self, start=None, stop=None):
        self.start = start
        self.stop = stop

    def validate(self):
        super().validate()
        for name in ("start", "stop"):
            value = getattr(self, name)
            ends = value if isinstance(value, (tuple, list)) else [value]
            if not all(end is None or isinstance(end, Integral) for end in ends):
                raise InvalidParameterError(
                    f"The {name!r} parameter of Crop must be an int or None, or a "
                    f"tuple of these. Got {value!r} instead."
                )

    def needs(self, after):
        return after

    def weights(self, shape):
        parts = self._parts(shape)
        return [np.eye(n)[part] for n, part in zip(shape, parts, strict=True)]

    def _parts(self, shape):
        ends = []
        for name in ("start", "stop"):
            value = getattr(self, name)
            if value is None or isinstance(value, Integral):
                value = (value,) * len(shape)
            if len(value) != len(shape):
                raise ValueError(
                    f"The {name!r} parameter of Crop must be an int, None or have one "
                    f"element for each of the {len(shape)} axes of an image. Got "
                    f"{value!r}."
                )
            ends.append(value)
        parts = [slice(*ends_of_axis) for ends_of_axis in zip(*ends, strict=True)]
        if any(len(range(n)[part]) == 0 for n, part in zip(shape, parts, strict=True)):
            raise ValueError(
                f"Crop(start={self.start!r}, stop={self.stop!r}) leaves nothing of "
                f"what comes in, of shape {shape}."
            )
        return parts

    def propagate(self, pairs):
        p = pairs.resolve()
        require_pixels(self, () if p.pixels is None else p.pixels.shape)
        shape = p.pixels.shape
        places = np.arange(math.prod(shape)).reshape(shape)[tuple(self._parts(shape))]
        part = selected(p, places.ravel(), places.shape)
        return masked(part, part.pixels.mask, self)


class Resize(_Mixing):
    r"""The image at another size, by linear interpolation or nearest neighbours.

    .. math:: K' = A K A^\top, \quad \Theta' = A \Theta A^\top

    with the weights A of the interpolation.

    Parameters
    ----------
    shape : int or tuple of int
        The new size, without channels, for all axes or for each.
    method : {"linear", "nearest"}, default="linear"
    antialias : bool, default=True
        Whether linear interpolation to a smaller size averages over all pixels that a
        new one covers.

    Examples
    --------
    >>> from sklearn_ntk.networks import Resize
    >>> Resize(4)
    Resize(shape=4)
    """

    _parameter_constraints = {
        "shape": [Integral, tuple, list],
        "method": [StrOptions({"linear", "nearest"})],
        "antialias": ["boolean"],
    }

    def __init__(self, shape, *, method="linear", antialias=True):
        self.shape = shape
        self.method = method
        self.antialias = antialias

    def validate(self):
        super().validate()
        check_window(self, ["shape"])

    def weights(self, shape):
        size = per_axis(self.shape, len(shape), self, "shape")
        return [self._of_axis(*sizes) for sizes in zip(shape, size, strict=True)]

    def lasting(self, xp, mask, shape):
        weights = reduce(np.kron, self.weights(shape))
        return sums_of_existing(xp, weights, mask) >= 0.5

    def _of_axis(self, n_in, n_out):
        centre = (np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5
        if self.method == "nearest":
            return np.eye(n_in)[np.floor(centre + 0.5).astype(int)]
        reach = max(n_in / n_out, 1.0) if self.antialias else 1.0
        distance = np.abs(centre[:, None] - np.arange(n_in)) / reach
        weights = np.maximum(0.0, 1.0 - distance)
        return weights / weights.sum(axis=1, keepdims=True)
