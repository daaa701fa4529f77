"""Pixels mixed by given weights: pools, crops, graphs."""

from functools import cache

from sklearn_ntk._engine.forward_mode import value_of
from sklearn_ntk.networks._pairs import is_number
from sklearn_ntk.networks._pixels import correlation

ROUNDING = 4e-15  # squared sine that rounding of the covariance leaves of 0

__all__ = ["from_covariance", "mixed"]


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
    if not is_number(ntk):
        ntk = made(ntk)
    return from_covariance(p, nngp, ntk, shape)


def from_covariance(p, nngp, ntk, shape, **changes):
    """The pairs of new features, of which only the covariance is known."""
    xp = p.xp
    pixels = p.pixels.replace(shape=shape)
    same = pixels.same(xp, nngp)
    std_x, std_y = pixels.std(xp, nngp)

    @cache
    def cosine():
        return correlation(xp, nngp, std_x, std_y, same)

    def sine():
        cos = cosine()
        squared = (1.0 - cos) * (1.0 + cos)
        parallel = value_of(squared) < ROUNDING
        if same is not None:
            parallel = parallel | (same & (cos > 0))
        return xp.sqrt(xp.where(parallel, 0.0, squared))

    return p.replace(
        nngp=nngp,
        std_x=std_x,
        std_y=std_y,
        cosine=cosine,
        sine=sine,
        ntk=ntk,
        same=same,
        pixels=pixels,
        **changes,
    )
