"""Features of pixels that are put side by side and mixed by random weights.

A convolution gives every pixel of its window weights of its own, so that the
covariance is the mean of those of pixels at the same place in both windows; so does a
`Dense` after `Flatten`, whose one window is the whole image.
"""

from functools import cache

import numpy as np

from sklearn_ntk._engine.forward_mode import concatenate, linear, scatter, value_of
from sklearn_ntk.networks._pairs import CLOSE_PIXELS, is_number, one_minus_cos
from sklearn_ntk.networks._pixels import broadcast, correlation

__all__ = ["averaged"]

CHUNK = 2**16  # pairs of taps at once


def averaged(p, windows, share):
    r"""The state of windows of pixels, of which each is an average.

    .. math:: K'(i, i') = s \sum_t K(i_t, i'_t)

    Parameters
    ----------
    p : Pairs
    windows : Windows
    share : float
        The factor s.
    """
    xp, pixels = p.xp, p.pixels

    def means(a, sides):
        return linear(xp, lambda b: windows(xp, b, sides) * share, a)

    def of_pairs(a):
        return means(broadcast(xp, a, p.nngp), pixels.sides)

    nngp = of_pairs(p.nngp)
    std_x = xp.sqrt(means(p.std_x**2, (0,)))
    std_y = std_x
    if p.std_y is not p.std_x:
        std_y = xp.sqrt(means(p.std_y**2, (pixels.side_y,)))
    new = pixels.replace(shape=windows.output)
    same = new.same(xp, nngp)

    @cache
    def cosine():
        return correlation(xp, nngp, std_x, std_y, same)

    def sine():
        return _sine(p, windows, share, std_x, std_y, cosine(), same)

    ntk = p.ntk
    if not is_number(ntk):
        ntk = of_pairs(ntk)
    return p.replace(
        nngp=nngp,
        std_x=std_x,
        std_y=std_y,
        cosine=cosine,
        sine=sine,
        ntk=ntk,
        same=same,
        pixels=new,
    )


def _sine(p, windows, share, std_x, std_y, cos, same):
    r"""Sine of the angle between two windows, without cancellation.

    With the standard deviations :math:`a_t, b_t` of the pixels in each window,
    divided by those of the windows,

    .. math:: 1 \mp \cos\vartheta = \tfrac12 \sum_t (a_t - b_t)^2
        + \sum_t a_t b_t (1 \mp \cos\vartheta_t)

    is a sum of terms that are not negative. It is computed where the cosine is
    close to 1 or -1.
    """
    xp = p.xp
    squared = (1.0 - cos) * (1.0 + cos)
    itself = xp.zeros_like(cos) > 0 if same is None else same
    close = (value_of(squared) <= CLOSE_PIXELS) & ~itself
    squared = xp.where(close | (itself & (cos > 0)), 0.0, squared)
    sine = xp.sqrt(xp.where(squared > 0, squared, 0.0))
    if not xp.any(close):
        return sine
    places = xp.nonzero(close)
    step, count = max(1, CHUNK // windows.n_taps), places[0].shape[0]
    chosen = [slice(i, min(i + step, count)) for i in range(0, count, step)]
    parts = [
        _close_sines(p, windows, share, std_x, std_y, [k[part] for k in places])
        for part in chosen
    ]
    return scatter(xp, sine, close, concatenate(xp, parts))


def _close_sines(p, windows, share, std_x, std_y, places):
    xp, pixels = p.xp, p.pixels
    sources = xp.asarray(windows.sources, device=places[0].device)
    n_sides = len(pixels.sides)
    out = tuple(k[:, None] for k in places)
    rows = out[n_sides:]
    taps = tuple(xp.take(sources, k, axis=0) for k in places[:n_sides])
    at = (*(xp.where(k > 0, k, 0) for k in taps), *rows)
    inside_x, inside_y = taps[0] >= 0, taps[-1] >= 0
    # single-precision numbers stay so; Python floats do not promote
    a = _share(xp, p.std_x, at, std_x, out, inside_x) * share**0.5
    b = _share(xp, p.std_y, at, std_y, out, inside_y) * share**0.5
    cos, sin = (_picked(xp, q, at) for q in (p.cos, p.sin))
    both, apart = a * b, 0.5 * (a - b) ** 2
    near = _sum(xp, apart + both * one_minus_cos(xp, cos, sin))
    far = _sum(xp, apart + both * one_minus_cos(xp, -cos, sin))
    return xp.sqrt(near * far)


def _share(xp, std, at, total, out, inside):
    """Standard deviations of taps, divided by that of the window; 0 for padding."""
    total = _picked(xp, total, out)
    return xp.where(inside, _picked(xp, std, at), 0.0) / xp.where(
        value_of(total) > 0, total, 1.0
    )


def _picked(xp, a, at):
    """Elements of an array that may have axes of length 1."""
    shape = np.broadcast_shapes(*(k.shape for k in at))

    def pick(b):
        flat = 0
        for n, k in zip(b.shape, at, strict=True):
            flat = flat * n if n == 1 else flat * n + k
        if isinstance(flat, int):
            return xp.broadcast_to(xp.reshape(b, (1,)), shape)
        found = xp.take(xp.reshape(b, (-1,)), xp.reshape(flat, (-1,)))
        return xp.broadcast_to(xp.reshape(found, flat.shape), shape)

    return linear(xp, pick, a)


def _sum(xp, a):
    return linear(xp, lambda b: xp.sum(b, axis=-1), a)
