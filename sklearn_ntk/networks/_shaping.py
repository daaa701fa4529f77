"""Layers without weights or nonlinearity: normalisation, dropout, identity."""

from numbers import Integral, Real

from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk.networks._averages import averaged
from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._masks import existing
from sklearn_ntk.networks._pixels import (
    NODES,
    Need,
    at_same_place,
    require_pixels,
    root_mean_square,
    without_pixels,
)
from sklearn_ntk.networks._windows import windows_over

__all__ = ["Dropout", "Flatten", "Identity", "LayerNorm"]


class Identity(Layer):
    """A layer that changes nothing; as an activation, a linear network.

    Examples
    --------
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import MLP
    >>> NTK(MLP(depth=1, activation="identity", output_scale=1.0))([[1.0]])
    array([[13.]])
    """

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return True

    def propagate(self, pairs):
        return pairs.resolve()


class Flatten(Layer):
    """All features of a row in one; a row of a table is flat already.

    Examples
    --------
    >>> from sklearn_ntk.networks import Dense, Flatten, Sequential
    >>> Sequential(Flatten(), Dense())
    Sequential(Flatten(), Dense())
    """

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return True

    def needs(self, after):
        return Need(variances=after.variances, same=after.same)

    def shapes(self, shape):
        if shape == NODES:
            require_pixels(self, shape)
        return [()]

    def propagate(self, pairs):
        if getattr(pairs, "image", None) is not None:
            return pairs.flattened()
        p = pairs.resolve()
        if p.pixels is None:
            return pairs
        p = existing(at_same_place(p))
        shape = p.pixels.shape
        windows = windows_over(shape, shape, shape, "valid")
        mean = averaged(p, windows, 1.0 / p.pixels.size)
        width = None if p.width is None else p.width * p.pixels.size
        return without_pixels(mean.replace(width=width))


class LayerNorm(Layer):
    r"""Normalisation of every row's features to unit variance.

    .. math:: K' = \frac{K}{\sqrt{(q + \epsilon)(q' + \epsilon)}}, \quad
        \Theta' = \frac{\Theta}{\sqrt{(q + \epsilon)(q' + \epsilon)}}

    with q and q' the variances of the two rows, or of the two pixels of images. Where
    axes of pixels are named, too, they are means of variances along these.
    Infinitely many centred features have mean zero, so that nothing is left to
    subtract; it must follow a layer with weights.

    Parameters
    ----------
    axis : int or tuple of int, default=-1
        Axes of an unflattened row to normalise over, channels last and always among
        them: of an image 0 is the height, 1 the width and 2 or -1 the channels.
    eps : float, default=1e-12
        Added to the variance, so that a row of zeros stays finite.

    References
    ----------
    .. [1] Ba, Kiros, Hinton (2016). Layer normalization.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, LayerNorm, Sequential
    >>> NNGP(Sequential(Dense(), LayerNorm()))([[3.0, 4.0]]).round(6)
    array([[1.]])
    """

    _parameter_constraints = {
        "axis": [Integral, tuple, list],
        "eps": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(self, axis=-1, eps=1e-12):
        self.axis = axis
        self.eps = eps

    def needs(self, after):
        return after.replace(variances=True)

    def shapes(self, shape):
        if self._pixel_axes(shape) and shape == NODES:
            require_pixels(self, shape)
        return [shape]

    def _pixel_axes(self, shape):
        """The axes besides that of the channels."""
        n_axes = len(shape) + 1
        axes = [self.axis] if isinstance(self.axis, Integral) else list(self.axis)
        known = all(isinstance(a, Integral) and -n_axes <= a < n_axes for a in axes)
        axes = [axis % n_axes for axis in axes] if known else []
        if len(set(axes)) < len(axes) or n_axes - 1 not in axes:
            raise ValueError(
                "The 'axis' parameter of LayerNorm must name different axes of a row, "
                f"that of the features among them: rows here have {n_axes}, the last "
                f"(-1) that of the features. Got {self.axis!r}."
            )
        return tuple(axis for axis in axes if axis < n_axes - 1)

    def propagate(self, pairs):
        p = pairs.resolve()
        if not p.gaussian:
            raise ValueError(
                "LayerNorm needs centred Gaussian features: it must follow a Dense."
            )
        xp, pixels = p.xp, p.pixels
        axes = self._pixel_axes(() if pixels is None else pixels.shape)
        std_x, std_y = p.std_x, p.std_y
        if axes:
            exist = None, None
            if pixels.mask is not None:
                exist = pixels.laid_out(xp, pixels.mask)
            std_x = root_mean_square(xp, std_x, pixels, 0, axes, exist[0])
            std_y = root_mean_square(xp, std_y, pixels, pixels.side_y, axes, exist[1])
        x = 1.0 / xp.hypot(std_x, self.eps**0.5 + xp.zeros_like(std_x))
        y = 1.0 / xp.hypot(std_y, self.eps**0.5 + xp.zeros_like(std_y))
        return p.replace(
            nngp=p.nngp * x * y,
            std_x=p.std_x * x,
            std_y=p.std_y * y,
            ntk=None if p.ntk is None else p.ntk * x * y,
        )


class Dropout(Layer):
    r"""Independent random masks on every row's features, rescaled.

    A mask keeps a feature with probability :math:`1 - r`, so that a row's variance
    becomes :math:`q / (1 - r)` while the covariance of two rows stays. As with
    `WhiteKernel`, only ``kernel(X)`` has pairs of a row with itself, on its
    diagonal; in ``kernel(X, Y)`` all rows are different ones.

    Parameters
    ----------
    rate : float, default=0.5
        Probability r of dropping a feature, in [0, 1).

    References
    ----------
    .. [1] Schoenholz, Gilmer, Ganguli, Sohl-Dickstein (2017). Deep information
       propagation, section 5.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, Dropout, ReLU, Sequential
    >>> network = Sequential(Dense(2.0, 0.0), ReLU(), Dropout(0.5), Dense(1.0, 0.0))
    >>> NNGP(network)([[1.0], [1.0]])
    array([[2., 1.],
           [1., 2.]])
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, rate=0.5):
        self.rate = rate

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return True

    def needs(self, after):
        return after.replace(same=True)

    def propagate(self, pairs):
        p = pairs.resolve()
        if self.rate == 0.0:
            return p
        xp, keep = p.xp, 1.0 - self.rate
        itself = p.scaled(1.0 / keep).replace(sine=p.sin, gaussian=False)
        sin = xp.sqrt((1.0 - keep**2) * p.cos**2 + p.sin**2)
        other = itself.replace(nngp=p.nngp, ntk=p.ntk, cosine=keep * p.cos, sine=sin)
        if p.same is None:
            return other

        def chosen(name):
            return xp.where(p.same, getattr(itself, name), getattr(other, name))

        return itself.replace(
            nngp=chosen("nngp"),
            cosine=chosen("cos"),
            sine=chosen("sin"),
            ntk=None if p.ntk is None else chosen("ntk"),
        )
