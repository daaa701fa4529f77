"""Convolutional layers, in one, two or three dimensions."""

from functools import cache
from numbers import Integral

import numpy as np

from sklearn_ntk._sklearn_private import InvalidParameterError, StrOptions
from sklearn_ntk.networks._averages import averaged
from sklearn_ntk.networks._dense import Dense
from sklearn_ntk.networks._maps import Place
from sklearn_ntk.networks._masks import existing, masked
from sklearn_ntk.networks._pairs import is_number
from sklearn_ntk.networks._pixels import require_pixels
from sklearn_ntk.networks._windows import per_axis, windows_over

__all__ = ["Conv", "ConvTranspose", "LocalConv", "check_window"]


def check_window(layer, names):
    """Raise an error unless parameters are positive ints, one or one for each axis."""
    for name in names:
        value = getattr(layer, name)
        values = (value,) if np.ndim(value) == 0 else tuple(value)
        if value is not None and not all(
            isinstance(v, Integral) and v > 0 for v in values
        ):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(layer).__name__} must be a positive "
                f"int or a tuple of positive ints. Got {value!r} instead."
            )


def check_fits(layer, name, window, shape, padding):
    """Raise a ValueError where a window is larger than the image."""
    if padding == "valid" and any(k > n for k, n in zip(window, shape, strict=True)):
        raise ValueError(
            f"The {name!r} parameter of {type(layer).__name__} must not exceed the "
            f"size of what comes in, {shape}, with padding='valid'. Got {window}."
        )


class _Convolution(Dense):
    """What convolutions share: a `Dense` on the pixels in a window."""

    _transposed = False

    _parameter_constraints = {
        **Dense._parameter_constraints,
        "kernel_size": [Integral, tuple, list],
        "stride": [Integral, tuple, list],
        "padding": [StrOptions({"same", "valid", "circular"})],
    }

    def __init__(
        self,
        kernel_size=3,
        stride=1,
        padding="same",
        weight_variance=2.0,
        bias_variance=1.0,
        *,
        weight_variance_bounds="fixed",
        bias_variance_bounds=(1e-3, 1e3),
        parametrization="ntk",
        width=None,
        trainable=True,
        bias_init="normal",
    ):
        super().__init__(
            weight_variance,
            bias_variance,
            weight_variance_bounds=weight_variance_bounds,
            bias_variance_bounds=bias_variance_bounds,
            parametrization=parametrization,
            width=width,
            trainable=trainable,
            bias_init=bias_init,
        )
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding

    def validate(self):
        super().validate()
        check_window(self, ["kernel_size", "stride"])

    def windows(self, shape):
        """The windows over an image of this shape."""
        require_pixels(self, shape)
        size, stride = (
            per_axis(getattr(self, name), len(shape), self, name)
            for name in ("kernel_size", "stride")
        )
        if not self._transposed:
            check_fits(self, "kernel_size", size, shape, self.padding)
        return windows_over(
            shape, size, stride, self.padding, transposed=self._transposed
        )

    def shapes(self, shape):
        return [self.windows(shape).output]

    @property
    def is_homogeneous(self):
        """Whether features depend on the lengths and the angle of rows alone."""
        return False

    def _mixed(self, p):
        require_pixels(self, () if p.pixels is None else p.pixels.shape)
        windows, mask = self.windows(p.pixels.shape), p.pixels.mask
        means = averaged(existing(p), windows, 1.0 / windows.n_taps)
        return masked(means, windows.lasting(p.xp, mask), self), windows.n_taps


_DOC = """

    Parameters
    ----------
    kernel_size : int or tuple of int, default=3
        Of the window, for all axes or for each.
    stride : int or tuple of int, default=1
    padding : {{"same", "valid", "circular"}}, default="same"
        What there is beyond the edges: zeros, nothing (the output is smaller, and what
        a stride leaves over is not seen), or the opposite edge.
    weight_variance : float, default=2.0
        Variance of the weights, times the number of features in a window.
    bias_variance : float, default=1.0
        Variance of the biases{bias}. 0: there is no bias.
    weight_variance_bounds, bias_variance_bounds, parametrization, width, trainable, \
bias_init
        As for `Dense`. In the standard parametrization a window has as many times more
        features as it has pixels.
"""


class Conv(_Convolution):
    __doc__ = (
        r"""A convolutional layer of infinitely many channels.

    With windows of k pixels around the positions i and i' of two images,

    .. math::
        K'(i, i') = \frac{\sigma_w^2}{k} \sum_{t=1}^{k} K(i_t, i'_t) + \sigma_b^2,
        \quad
        \Theta'(i, i') = \frac{\sigma_w^2}{k} \sum_t \Theta(i_t, i'_t) + K'(i, i').

    The number of dimensions is that of the network's `input_shape` without channels:
    1 for sequences, 2 for images, 3 for volumes."""
        + _DOC.format(bias="")
        + r"""
    References
    ----------
    .. [1] Novak et al. (2019). Bayesian deep convolutional networks with many channels
       are Gaussian processes.
    .. [2] Garriga-Alonso, Rasmussen, Aitchison (2019). Deep convolutional networks as
       shallow Gaussian processes.
    .. [3] Arora et al. (2019). On exact computation with an infinitely wide neural net.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Conv, Dense, Flatten, ReLU, Sequential
    >>> network = Sequential(
    ...     Conv(3), ReLU(), Flatten(), Dense(), input_shape=(8, 8, 1)
    ... )
    >>> NTK(network)(np.ones((5, 64))).shape
    (5, 5)
    """
    )


class ConvTranspose(_Convolution):
    __doc__ = (
        r"""A transposed convolution: images grow by the stride.

    The pixel at o of the output has those pixels i of the input, by the weight t, for
    which ``o = stride * i + t``, up to an offset.

    .. math:: K'(o, o') = \frac{\sigma_w^2}{k} \sum_t K(i_t, i'_t) + \sigma_b^2

    Sizes are those of JAX: ``stride`` times the input with padding "same" and
    "circular", and with "valid" ``max(kernel_size - stride, 0)`` more."""
        + _DOC.format(bias="")
        + r"""
    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import ConvTranspose, Dense, Flatten, Sequential
    >>> network = Sequential(
    ...     ConvTranspose(3, stride=2), Flatten(), Dense(), input_shape=(4, 4, 1)
    ... )
    >>> NNGP(network)(np.ones((5, 16))).shape
    (5, 5)
    """
    )

    _transposed = True


class LocalConv(_Convolution):
    __doc__ = (
        r"""A convolution whose weights are not shared: each position has its own.

    .. math:: K'(i, i') = \delta_{i i'} \left(
        \frac{\sigma_w^2}{k} \sum_t K(i_t, i'_t) + \sigma_b^2 \right)

    It differs from `Conv` only where pixels of different places meet later, as in a
    pool: there nothing is left of translation invariance."""
        + _DOC.format(bias=", one at each position")
        + r"""
    References
    ----------
    .. [1] Novak et al. (2019). Bayesian deep convolutional networks with many channels
       are Gaussian processes, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, GlobalAvgPool, LocalConv, Sequential
    >>> network = Sequential(
    ...     LocalConv(3), GlobalAvgPool(), Dense(), input_shape=(4, 4, 1)
    ... )
    >>> NNGP(network)(np.ones((5, 16))).shape
    (5, 5)
    """
    )

    def propagate(self, pairs):
        p = super().propagate(pairs).resolve()
        if not p.pixels.full:
            return p
        xp, pixels = p.xp, p.pixels
        place = Place(pixels.size, alone=False)

        def here(a):
            return pixels.mapped(xp, place, a)

        return p.replace(
            nngp=here(p.nngp),
            cosine=cache(lambda: here(p.cos)),
            sine=lambda: here(p.sin) + (1.0 - here(xp.ones_like(p.cos))),
            ntk=p.ntk if is_number(p.ntk) else here(p.ntk),
        )
