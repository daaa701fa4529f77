"""Fully-connected layers and what scales their input."""

from numbers import Integral, Real

import numpy as np

from sklearn_ntk._engine.forward_mode import value_of
from sklearn_ntk._sklearn_private import Interval, StrOptions
from sklearn_ntk.networks._base import BOUNDS, Layer
from sklearn_ntk.networks._pairs import add_independent, constant, where_nan

__all__ = ["Dense", "InputScale"]


class InputScale(Layer):
    r"""Division of the input's features by a length scale.

    .. math:: x_j \mapsto x_j / \ell_j

    Parameters
    ----------
    length_scale : float or array-like of shape (n_features,), default=1.0
        Positive. One per feature is automatic relevance determination: learned, a
        feature that does not matter gets a large one.
    length_scale_bounds : pair of floats or "fixed", default=(1e-3, 1e3)
        Between which it may be learned; one pair per feature is possible, too.

    Examples
    --------
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Dense, InputScale, ReLU, Sequential
    >>> network = Sequential(InputScale([1.0, 10.0]), Dense(), ReLU(), Dense())
    >>> NTK(network)([[1.0, 0.0], [0.0, 1.0]]).shape
    (2, 2)
    """

    _parameter_constraints = {
        "length_scale": [Interval(Real, 0, np.inf, closed="neither"), "array-like"],
        "length_scale_bounds": BOUNDS,
    }

    def __init__(self, length_scale=1.0, *, length_scale_bounds=(1e-3, 1e3)):
        self.length_scale = length_scale
        self.length_scale_bounds = length_scale_bounds

    def validate(self):
        super().validate()
        self._require_positive("length_scale")

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return np.ndim(self.length_scale) == 0

    def propagate(self, pairs):
        if not hasattr(pairs, "rescaled"):
            raise ValueError(
                "InputScale acts on the input: it must come before any other layer."
            )
        return pairs.rescaled(self.length_scale)


class Dense(Layer):
    r"""A fully-connected layer of infinite width.

    .. math::
        K' &= \sigma_w^2 K + \sigma_b^2 \\
        \Theta' &= \sigma_w^2 \Theta + K'

    with :math:`\sigma_w^2` = `weight_variance` and :math:`\sigma_b^2` =
    `bias_variance`. In the standard parametrization the last term is
    :math:`n K + 1`, where n is the number of features that come in.

    Parameters
    ----------
    weight_variance : float, default=2.0
        Variance of the weights, times the number of incoming features. 2 keeps the
        scale of a ReLU network at any depth (He et al., 2015).
    bias_variance : float, default=1.0
        Variance of the biases. 0: there is no bias.
    weight_variance_bounds : pair of floats or "fixed", default="fixed"
        Between which the weights' variance may be learned.
    bias_variance_bounds : pair of floats or "fixed", default=(1e-3, 1e3)
        Between which the biases' variance may be learned.
    parametrization : {"ntk", "standard"}, default="ntk"
        What gradient descent moves: weights of unit variance that the layer scales,
        or the scaled weights themselves (Sohl-Dickstein et al., 2020).
    width : int or None, default=None
        Number of features that go out; counts in the standard parametrization
        of the layer that follows, and in the shares of `Concatenate`.
    trainable : bool, default=True
        False: weights and biases stay as they were drawn.
    bias_init : {"normal", "zeros"}, default="normal"
        "zeros": biases start at 0 and are trained, so that they are part of the NTK
        and not of the NNGP kernel.

    References
    ----------
    .. [1] Jacot, Gabriel, Hongler (2018). Neural tangent kernel: convergence and
       generalization in neural networks.
    .. [2] Sohl-Dickstein, Novak, Schoenholz, Lee (2020). On the infinite width limit
       of neural networks with a standard parameterization.

    Examples
    --------
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Dense, Sequential
    >>> NTK(Sequential(Dense(1.0, 0.5)))([[1.0, 1.0]])
    array([[1.5]])
    """

    _parameter_constraints = {
        "weight_variance": [Interval(Real, 0, np.inf, closed="left")],
        "bias_variance": [Interval(Real, 0, np.inf, closed="left")],
        "weight_variance_bounds": BOUNDS,
        "bias_variance_bounds": BOUNDS,
        "parametrization": [StrOptions({"ntk", "standard"})],
        "width": [Interval(Integral, 1, None, closed="left"), None],
        "trainable": ["boolean"],
        "bias_init": [StrOptions({"normal", "zeros"})],
    }

    def __init__(
        self,
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
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.weight_variance_bounds = weight_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.parametrization = parametrization
        self.width = width
        self.trainable = trainable
        self.bias_init = bias_init

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return value_of(self.bias_variance) == 0

    def propagate(self, pairs):
        p, n_taps = self._mixed(pairs.resolve())
        out = p.scaled(self.weight_variance)
        with_bias = value_of(self.bias_variance) > 0
        if with_bias and self.bias_init == "normal":
            out = add_independent(out, constant(out, self.bias_variance, 0.0))
        if p.ntk is not None and self.trainable:
            gained = self._gained(p, out, n_taps, with_bias)
            out = out.replace(ntk=where_nan(p.xp, out.ntk + gained, out.ntk))
        return out.replace(gaussian=True, independent=True, width=self.width)

    def _mixed(self, p):
        """The features that weights are applied to, and from how many pixels."""
        return p, 1

    def _gained(self, p, out, n_taps, with_bias):
        """What trained weights and a trained bias add to the tangent kernel."""
        if self.parametrization == "ntk":
            if with_bias and self.bias_init == "zeros":
                return out.nngp + self.bias_variance
            return out.nngp
        if p.width is None:
            raise ValueError(
                "The 'width' parameter of the Dense before a layer with "
                "parametrization='standard' must be an int: the standard "
                "parametrization depends on it. Got None."
            )
        return p.width * n_taps * p.nngp + (1.0 if with_bias else 0.0)
