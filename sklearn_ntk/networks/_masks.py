"""Pixels that do not exist: the padding of sequences and images of unequal size.

What is known of such a pixel is never used: layers work on it as on any other, and
those that let pixels meet (convolutions, pools, attention, graphs, `Flatten`) see
`existing` ones only.
"""

import math
from functools import cache, reduce
from numbers import Real
from operator import and_, or_

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from sklearn_ntk._engine.devices import host_array
from sklearn_ntk.networks._pairs import is_number

__all__ = [
    "allows_nan",
    "check_rows",
    "check_rows_of_both",
    "existing",
    "existing_pixels",
    "existing_share",
    "mask_values",
    "masked",
    "of_one_mask",
    "sums_of_existing",
]

NUMBERS = 2**22  # of rows that are looked at together


def allows_nan(network):
    """Whether NaN is how a network's rows say that a pixel does not exist."""
    value = network.image_mask
    return isinstance(value, Real) and math.isnan(value)


def mask_values(layer):
    """The mask values of a layer and of those inside."""
    own = getattr(layer, "mask_value", None)
    found = [] if own is None else [own]
    return sum(map(mask_values, layer.children().values()), found)


def existing_pixels(xp, X, shape, value):
    """Which pixels of rows exist: those that have a feature other than `value`.

    Parameters
    ----------
    xp : namespace
    X : array of shape (n, d)
    shape : tuple of int
        Of a row, channels last.
    value : float
        NaN is like any other number here, and so is what `value` is in single
        precision.

    Returns
    -------
    array of bool, shape (n, P)
    """
    X = xp.reshape(X, (X.shape[0], math.prod(shape[:-1]), shape[-1]))
    if math.isnan(value):
        return xp.any(~xp.isnan(X), axis=-1)
    return reduce(and_, (xp.any(v != X, axis=-1) for v in _as_stored(value)))


def _as_stored(value):
    """A mask value, and what it is where rows have been of single precision."""
    with np.errstate(over="ignore"):
        single = float(np.float32(value))
    return {value, single} if math.isclose(single, value, rel_tol=1e-6) else {value}


def check_rows(network, X, name="X"):
    """Refuse rows none of whose pixels exist, or that have a NaN in one that does.

    Parameters
    ----------
    network : Layer
    X : array or CSR array of shape (n, d)
    name : str, default="X"
        What a message calls it.
    """
    value = network.image_mask
    shape = None if value is None else network.image_shape
    if shape is None or math.prod(shape) != X.shape[1]:
        return
    for part in gen_batches(X.shape[0], max(1, NUMBERS // X.shape[1])):
        rows = X[part].toarray() if sparse.issparse(X) else host_array(X[part, :])
        exists = existing_pixels(np, rows, shape, value)
        empty = np.flatnonzero(~np.any(exists, axis=1))
        if len(empty):
            raise ValueError(
                "Every row must have a position that exists. In row "
                f"{part.start + empty[0]} of {name} all features are the mask_value "
                f"{value}."
            )
        if math.isnan(value):
            missing = np.isnan(rows).reshape(*exists.shape, -1).any(axis=-1)
            partial = np.argwhere(missing & exists)
            if len(partial):
                raise ValueError(
                    f"Input {name} contains NaN in a position that exists. With "
                    "mask_value=nan a position is left out where all its features are "
                    f"NaN, and row {part.start + partial[0, 0]} has only some in "
                    f"position {partial[0, 1]}."
                )


def check_rows_of_both(network, X, Y):
    """The same for rows of X, and for those of Y if there are any."""
    check_rows(network, X)
    if Y is not None and Y is not X:
        check_rows(network, Y, "Y")


def existing(p):
    """The state in which pixels that do not exist are zeros, which are masked no more.

    Parameters
    ----------
    p : Pairs
    """
    if p.pixels.mask is None:
        return p
    xp = p.xp
    x, y = p.pixels.laid_out(xp, p.pixels.mask)
    both = x & y

    def kept(a):
        return xp.where(both, a, 0.0)

    return p.replace(
        nngp=kept(p.nngp),
        std_x=xp.where(x, p.std_x, 0.0),
        std_y=xp.where(y, p.std_y, 0.0),
        cosine=cache(lambda: kept(p.cos)),
        sine=lambda: xp.where(both, p.sin, 1.0),
        ntk=p.ntk if is_number(p.ntk) else kept(p.ntk),
        pixels=p.pixels.replace(mask=None),
    )


def masked(p, mask, layer):
    """The state with another mask, which a layer has left.

    Raises
    ------
    ValueError
        If there is a row of which it leaves nothing.
    """
    if mask is not None and not p.xp.all(p.xp.any(mask, axis=0)):
        raise ValueError(
            f"{layer!r} leaves nothing of a row that has too few positions. Positions "
            "that mask_value says do not exist fill no window: use a smaller one, or "
            "padding='same'."
        )
    return p.replace(pixels=p.pixels.replace(mask=mask))


def sums_of_existing(xp, weights, mask):
    """The sums of weights, an array of NumPy's, over the pixels that a mask marks.

    Parameters
    ----------
    weights : array of shape (Q, P)
    mask : array of bool, shape (P, rows)
    """
    weights, one = (xp.asarray(a, device=mask.device) for a in (weights, np.ones(())))
    return xp.matmul(weights, xp.where(mask, one, 0.0))  # in double precision


def existing_share(xp, weights, mask):
    """The share of weights that existing pixels have, and 1 where they have none.

    Parameters
    ----------
    weights : array of shape (Q, P)
    mask : array of bool, shape (P, rows)
    """
    total = xp.asarray(np.sum(weights, axis=1, keepdims=True), device=mask.device)
    share = sums_of_existing(xp, weights, mask) / total
    return xp.where(share > 0, share, 1.0)


def of_one_mask(branches):
    """States of the same rows whose pixels are those that exist in any of them."""
    masks = [p.pixels and p.pixels.mask for p in branches]
    if all(mask is masks[0] for mask in masks):
        return branches
    mask = reduce(or_, masks)
    return [
        q.replace(pixels=q.pixels.replace(mask=mask)) for q in map(existing, branches)
    ]
