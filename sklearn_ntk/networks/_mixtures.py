"""Pixels mixed by given weights: pools, crops, graphs, attention."""

from sklearn_ntk._engine.forward_mode import linear, part_of, value_of
from sklearn_ntk.networks._maps import taken
from sklearn_ntk.networks._pixels import correlation

ROUNDING = 4e-15  # squared sine that rounding of the covariance leaves of 0

__all__ = ["from_covariance", "mixed", "mixed_by_row"]


def mixed(p, pixel_map, shape, gain=None):
    """The pairs of an image of another shape, made by a linear map of pixels.

    Parameters
    ----------
    p : Pairs
    pixel_map : PixelMap
    shape : tuple of int
    gain : array or None, default=None
        Factors of the pairs that come out. None: there are none.
    """

    def made(a):
        new = p.pixels.mapped(p.xp, pixel_map, a)
        return new if gain is None else new * gain

    nngp, ntk = made(p.nngp), p.ntk
    if ntk is not None and not isinstance(ntk, float):
        ntk = made(ntk)
    return from_covariance(p, nngp, ntk, shape)


def mixed_by_row(p, a, weights):
    """``L a R'``, where each pair of rows has weights L and R of its own.

    Parameters
    ----------
    p : Pairs
    a : array of shape (P, P', n, m) or (P, P', n)
    weights : array of shape (number of rows, Q, P)
        Those of X and then those of Y, as in `Pixels.graphs`.
    """
    xp, pixels = p.xp, p.pixels

    def turned(b, axes):
        return linear(xp, lambda c: xp.permute_dims(c, axes), b)

    if pixels.m is None:
        left = right = weights
    elif pixels.joined:
        left, right = (
            linear(xp, lambda c, k=k: taken(xp, c, k - pixels.n * pixels.m, 0), weights)
            for k in pixels.partners
        )
    else:
        left = part_of(xp, weights, (slice(pixels.n), None, ...))
        right = part_of(xp, weights, (slice(pixels.n, None), ...))
    pairs_first = (2, 3, 0, 1) if value_of(a).ndim == 4 else (2, 0, 1)
    pixels_first = (2, 3, 0, 1) if value_of(a).ndim == 4 else (1, 2, 0)
    swapped = (*range(value_of(right).ndim - 2), -1, -2)
    swapped = tuple(k % value_of(right).ndim for k in swapped)
    product = xp.matmul(left, turned(a, pairs_first))
    product = xp.matmul(product, turned(right, swapped))
    return turned(product, pixels_first)


def from_covariance(p, nngp, ntk, shape, **changes):
    """The pairs of new features, of which only the covariance is known."""
    xp = p.xp
    pixels = p.pixels.replace(shape=shape)
    same = pixels.same(xp, nngp)
    std_x, std_y = pixels.std(xp, nngp)
    cos = correlation(xp, nngp, std_x, std_y, same)

    def sine():
        squared = (1.0 - cos) * (1.0 + cos)
        parallel = value_of(squared) < ROUNDING
        if same is not None:
            parallel = parallel | same
        return xp.sqrt(xp.where(parallel, 0.0, squared))

    return p.replace(
        nngp=nngp,
        std_x=std_x,
        std_y=std_y,
        cos=cos,
        sine=sine,
        ntk=ntk,
        same=same,
        pixels=pixels,
        **changes,
    )
