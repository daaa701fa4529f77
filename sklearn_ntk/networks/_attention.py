"""Attention: every pixel of a row is replaced by a weighted mean of all of them."""

from numbers import Integral, Real

import numpy as np

from sklearn_ntk._engine.forward_mode import linear, value_of
from sklearn_ntk._sklearn_private import Interval, StrOptions
from sklearn_ntk.networks._base import BOUNDS, Layer
from sklearn_ntk.networks._masks import existing
from sklearn_ntk.networks._mixtures import from_covariance
from sklearn_ntk.networks._pairs import is_number
from sklearn_ntk.networks._pixels import require_pixels

__all__ = ["SelfAttention"]

VARIANCE = [Interval(Real, 0, np.inf, closed="left")]
VARIANCES = ("key", "query", "value", "output", "bias", "positional")


class SelfAttention(Layer):
    r"""Self-attention with infinitely many heads, over all pixels of a row.

    With linear scaling, in which queries are keys, the weights of a row x are a
    function :math:`\zeta` of its own covariance,

    .. math::
        A(x) &= \zeta(\sigma_k \sigma_q \, \rho(K(x, x))), \\
        K'(x, x') &= \sigma_v^2 \sigma_o^2 \, A(x) K(x, x') A(x')^\top + \sigma_b^2, \\
        \Theta'(x, x') &= \sigma_v^2 \sigma_o^2 \, A(x)
            \left(\Theta(x, x') + 2 K(x, x')\right) A(x')^\top + \sigma_b^2,

    where :math:`\rho` adds the covariance R of positional embeddings:
    :math:`K + \sigma_p^2 R` where they are summed with the features. With square-root
    scaling weights stay random, and only the identity has a closed form: with
    :math:`s = \sigma_k^2 \sigma_q^2 \sigma_v^2 \sigma_o^2`,

    .. math:: K' = s \, \langle \rho(K), K \rangle \, \rho(K) + \sigma_b^2.

    Parameters
    ----------
    key_variance, query_variance, value_variance, output_variance : float, default=1.0
        Variances of the four weight matrices, times their numbers of incoming features.
    bias_variance : float, default=0.0
        Variance of the biases. 0: there is no bias.
    scaling : {"linear", "sqrt"}, default="linear"
        Whether the products of queries and keys are divided by their number of
        features or by its root.
    weighting : {"softmax", "identity", "relu", "abs"}, default="softmax"
        The function :math:`\zeta`; "softmax" is taken over the keys.
    positional : {"none", "sum", "concat"}, default="none"
        Whether random positional embeddings are added to the features or stand
        beside them.
    positional_variance : float, default=1.0
        Variance :math:`\sigma_p^2` of the embeddings.
    positional_decay : callable or None, default=None
        The covariance of the embeddings of two positions, as a function of the array of
        their distances. None: embeddings of different positions are independent. To
        pickle the network use a function defined in a module, not a lambda.
    positional_in_values : bool, default=False
        Whether the values have the embeddings, too.
    positional_exponent : float, default=2.0
        The exponent p of the distance :math:`\sum_a |i_a - i'_a|^p`, summed over the
        axes of an image, without a root.
    positional_width : int or None, default=None
        With "concat" the number of features of the embeddings; None: as many as come
        in. It counts against the `width` of the layer before.
    key_variance_bounds, query_variance_bounds : (float, float), default="fixed"
        Between which variances may be learned. Keys and queries have one effect.
    value_variance_bounds, output_variance_bounds : (float, float), default="fixed"
        Likewise. Values and output have one effect.
    bias_variance_bounds, positional_variance_bounds : (float, float), default="fixed"
        Likewise.

    References
    ----------
    .. [1] Hron, Bahri, Sohl-Dickstein, Novak (2020). Infinite attention: NNGP and NTK
       for deep attention networks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import (
    ...     Dense, GlobalAvgPool, ReLU, SelfAttention, Sequential
    ... )
    >>> network = Sequential(
    ...     Dense(), SelfAttention(), ReLU(), GlobalAvgPool(), Dense(),
    ...     input_shape=(6, 2),
    ... )
    >>> NTK(network)(np.ones((3, 12))).shape
    (3, 3)
    """

    _parameter_constraints = {
        **{f"{name}_variance": VARIANCE for name in VARIANCES},
        **{f"{name}_variance_bounds": BOUNDS for name in VARIANCES},
        "scaling": [StrOptions({"linear", "sqrt"})],
        "weighting": [StrOptions({"softmax", "identity", "relu", "abs"})],
        "positional": [StrOptions({"none", "sum", "concat"})],
        "positional_decay": [callable, None],
        "positional_in_values": ["boolean"],
        "positional_exponent": [Interval(Real, 0, np.inf, closed="neither")],
        "positional_width": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        key_variance=1.0,
        query_variance=1.0,
        value_variance=1.0,
        output_variance=1.0,
        bias_variance=0.0,
        scaling="linear",
        weighting="softmax",
        positional="none",
        positional_variance=1.0,
        positional_decay=None,
        positional_in_values=False,
        positional_exponent=2.0,
        positional_width=None,
        key_variance_bounds="fixed",
        query_variance_bounds="fixed",
        value_variance_bounds="fixed",
        output_variance_bounds="fixed",
        bias_variance_bounds="fixed",
        positional_variance_bounds="fixed",
    ):
        self.key_variance = key_variance
        self.query_variance = query_variance
        self.value_variance = value_variance
        self.output_variance = output_variance
        self.bias_variance = bias_variance
        self.scaling = scaling
        self.weighting = weighting
        self.positional = positional
        self.positional_variance = positional_variance
        self.positional_decay = positional_decay
        self.positional_in_values = positional_in_values
        self.positional_exponent = positional_exponent
        self.positional_width = positional_width
        self.key_variance_bounds = key_variance_bounds
        self.query_variance_bounds = query_variance_bounds
        self.value_variance_bounds = value_variance_bounds
        self.output_variance_bounds = output_variance_bounds
        self.bias_variance_bounds = bias_variance_bounds
        self.positional_variance_bounds = positional_variance_bounds

    def validate(self):
        super().validate()
        if self.scaling == "sqrt" and self.weighting != "identity":
            raise ValueError(
                "The 'weighting' parameter of SelfAttention must be 'identity' with "
                "scaling='sqrt': the kernel has no closed form with another. Got "
                f"{self.weighting!r}."
            )

    def needs(self, after):
        return after.replace(variances=False, full=True, own=True)

    def shapes(self, shape):
        require_pixels(self, shape)
        return [shape]

    def propagate(self, pairs):
        p = pairs.resolve()
        require_pixels(self, () if p.pixels is None else p.pixels.shape)
        form = self._linear if self.scaling == "linear" else self._random
        nngp, ntk = form(existing(p), p.pixels.mask)
        return from_covariance(
            p,
            nngp + self.bias_variance,
            None if p.ntk is None else ntk + self.bias_variance,
            p.pixels.shape,
            gaussian=True,
            independent=True,
            width=None,
        )

    def _linear(self, p, mask):
        weights = self._weights(p, mask)
        gain = self.value_variance * self.output_variance
        values = self._embedded(p, p.nngp) if self.positional_in_values else p.nngp
        nngp = p.pixels.mixed_by_row(p.xp, values, weights) * gain
        if p.ntk is None:
            return nngp, None
        ntk = p.ntk
        if self.positional_in_values:
            ntk = self._embedded(p, ntk)
        if is_number(ntk):
            return nngp, 2.0 * nngp
        mixed = p.pixels.mixed_by_row(p.xp, ntk, weights)
        return nngp, mixed * gain + 2.0 * nngp

    def _random(self, p, mask):
        xp = p.xp
        gain = (self.key_variance * self.query_variance) * (
            self.value_variance * self.output_variance
        )

        def dot(a, b):
            return linear(xp, lambda c: xp.sum(c, axis=(0, 1), keepdims=True), a * b)

        def embedded(covariance):
            found = self._embedded(p, covariance)
            if mask is None or found is covariance:
                return found
            x, y = p.pixels.laid_out(xp, mask)
            return xp.where(x & y, found, 0.0)

        keys = embedded(p.nngp)
        values = keys if self.positional_in_values else p.nngp
        product = dot(keys, values)
        nngp = gain * product * keys
        if p.ntk is None:
            return nngp, None
        keys_ntk = embedded(p.ntk)
        values_ntk = keys_ntk if self.positional_in_values else p.ntk
        crossed = dot(keys, values_ntk) + dot(values, keys_ntk)
        ntk = crossed * keys + product * (keys_ntk + 4.0 * keys)
        return nngp, gain * ntk

    def _weights(self, p, mask):
        """The attention weights of each row, of shape (rows, P, P)."""
        return p.pixels.by_row(p.xp, p.nngp, lambda own: self._of_own(p, own, mask))

    def _of_own(self, p, own, mask):
        """The weights that follow from covariances (P, P, rows)."""
        xp, scale = p.xp, (self.key_variance * self.query_variance) ** 0.5
        scores = self._embedded(p, own) * scale
        scores = linear(xp, lambda a: xp.permute_dims(a, (2, 0, 1)), scores)
        if mask is not None:
            without = -np.inf if self.weighting == "softmax" else 0.0
            keys = xp.permute_dims(mask, (1, 0))[:, None, :]
            scores = xp.where(keys, scores, without)
        if self.weighting == "identity":
            return scores
        if self.weighting == "abs":
            return xp.abs(scores)
        if self.weighting == "relu":
            return xp.where(scores > 0, scores, 0.0)
        largest = xp.max(value_of(scores), axis=-1, keepdims=True)
        weights = xp.exp(scores - largest)
        return weights / linear(
            xp, lambda a: xp.sum(a, axis=-1, keepdims=True), weights
        )

    def _embedded(self, p, covariance):
        """The covariance of features with their positional embeddings."""
        if self.positional == "none":
            return covariance
        here, there = 1.0, self.positional_variance
        if self.positional == "concat":
            share = 0.5
            if p.width is not None:
                share = p.width / (p.width + (self.positional_width or p.width))
            elif self.positional_width is not None:
                raise ValueError(
                    "The 'width' parameter of the layer before SelfAttention must be "
                    "an int where 'positional_width' is given, for shares depend on "
                    "both. Got None."
                )
            here, there = share, (1.0 - share) * there
        like = value_of(p.nngp if is_number(covariance) else covariance)
        shape = (p.pixels.size,) * 2 + (1,) * (len(like.shape) - 2)
        positions = p.xp.asarray(self._positions(p.pixels.shape), device=like.device)
        positions = p.xp.reshape(positions, shape)
        return here * covariance + there * positions

    def _positions(self, shape):
        """The covariance R of the embeddings of all positions."""
        places = np.indices(shape).reshape(len(shape), -1)
        difference = np.abs(places[:, :, None] - places[:, None, :]).astype(float)
        distance = np.sum(difference**self.positional_exponent, axis=0)
        if self.positional_decay is None:
            return np.where(distance == 0, 1.0, 0.0)
        found = np.asarray(self.positional_decay(distance))
        same = found.shape == distance.shape and found.dtype.kind in "biuf"
        if not same or not np.all(np.isfinite(found)):
            given = f"an array of shape {found.shape} and dtype {found.dtype}"
            given = "inf or NaN" if same else given
            raise ValueError(
                "The 'positional_decay' parameter of SelfAttention must be a function "
                "that takes an array of distances and returns finite numbers in one of "
                f"the same shape. For one of shape {distance.shape} it gave {given}."
            )
        return found.astype(float)
