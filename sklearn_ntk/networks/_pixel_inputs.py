"""The first state of a network on images or sequences: all pairs of their pixels."""

import math

from scipy import sparse

from sklearn_ntk.networks._pairs import Pairs
from sklearn_ntk.networks._pixels import Pixels, unit

__all__ = ["pixel_pairs"]

CLOSE = 1e-3  # where 1 - |cos| is below, the angle comes from the pixels' difference
GATHERED = 2**20  # numbers held at once while close pairs are looked at


def pixel_pairs(inputs, shape, need, masks):
    """The `Pairs` of the pixels of rows.

    Parameters
    ----------
    inputs : Inputs
    shape : tuple of int
        Of a row, channels last.
    need : Need
        What the network asks of them.
    masks : list of array of bool, shape (rows, P), or None
        Which of the pixels of X, and of Y if there is one, exist; None: all do.
    """
    xp = inputs.xp
    *spatial, channels = shape
    (x, norm_x, graphs), (y, norm_y, graphs_y) = (
        (None,) * 3 if X is None else _pixels(xp, X, shape, need)
        for X in (inputs.X, inputs.Y)
    )
    if need.graphs:
        channels -= math.prod(spatial)
        graphs = graphs if y is None else xp.concat([graphs, graphs_y])
    pixels = Pixels(
        tuple(spatial),
        need.full,
        x.shape[1],
        None if y is None else y.shape[1],
        joined=need.own and y is not None,
        graphs=graphs,
        mask=None if masks is None else xp.permute_dims(xp.concat(masks), (1, 0)),
    )
    own_x = own_y = None
    if y is None or pixels.joined:
        own_x = _own_angles(xp, x, need.full)
    if pixels.joined:
        own_y = _own_angles(xp, y, need.full)
    block = None if y is None else _angles(xp, x, y, need.full)
    cos, sin = _laid_out(xp, pixels, block, own_x, own_y)
    std_x, std_y = _stds(xp, pixels, norm_x, norm_y, channels)
    std_x, std_y = std_x * inputs._factor, std_y * inputs._factor
    same = pixels.same(xp, cos)
    if same is not None:
        cos = xp.where(same & (xp.abs(cos) > 0), 1.0, cos)
        sin = xp.where(same & (cos > 0), 0.0, sin)
    return Pairs(
        xp=xp,
        nngp=std_x * std_y * cos,
        std_x=std_x,
        std_y=std_y,
        cosine=cos,
        sine=sin,
        ntk=0.0 if inputs.ntk else None,
        same=same,
        width=channels,
        pixels=pixels,
    )


def _pixels(xp, X, shape, need):
    """Pixels of length one, (P, n, C), their lengths and the graphs of the rows."""
    X = X.toarray() if sparse.issparse(X) else X
    n_pixels, graphs = math.prod(shape[:-1]), None
    X = xp.reshape(X, (X.shape[0], n_pixels, shape[-1]))
    if need.graphs:
        graphs, X = X[:, :, :n_pixels], X[:, :, n_pixels:]
    return *unit(xp, xp.permute_dims(X, (1, 0, 2))), graphs


def _angles(xp, x, y, full):
    """Cosine and sine for all pairs of rows of X and Y."""
    if not full:
        cos = xp.matmul(x, xp.permute_dims(y, (0, 2, 1)))
        return _repaired(
            xp, cos, lambda p, i, j: (_at(xp, x, p, i), _at(xp, y, p, j)), x.shape[-1]
        )
    flat = [xp.reshape(a, (-1, a.shape[-1])) for a in (x, y)]
    cos = xp.reshape(flat[0] @ flat[1].T, (*x.shape[:2], *y.shape[:2]))
    cos = xp.permute_dims(cos, (0, 2, 1, 3))
    return _repaired(
        xp, cos, lambda p, q, i, j: (_at(xp, x, p, i), _at(xp, y, q, j)), x.shape[-1]
    )


def _own_angles(xp, x, full):
    """Cosine and sine for pairs of a row with itself."""
    if not full:
        some = xp.sum(xp.abs(x), axis=-1)
        cos = xp.where(some > 0, 1.0, xp.zeros_like(some))
        return cos, 1.0 - cos
    by_row = xp.permute_dims(x, (1, 0, 2))
    cos = xp.matmul(by_row, xp.permute_dims(by_row, (0, 2, 1)))
    cos = xp.permute_dims(cos, (1, 2, 0))
    return _repaired(
        xp, cos, lambda p, q, i: (_at(xp, x, p, i), _at(xp, x, q, i)), x.shape[-1]
    )


def _repaired(xp, cos, pick, channels):
    """Cosine and sine, from differences of pixels where these are nearly parallel."""
    if channels == 1:  # a sign
        return cos, 1.0 - xp.abs(cos)
    cos = xp.where(xp.abs(cos) > 1.0, xp.sign(cos), cos)
    sin = xp.sqrt((1.0 - cos) * (1.0 + cos))
    close = (1.0 - xp.abs(cos)) < CLOSE
    if not xp.any(close):
        return cos, sin
    places, signs, sines = xp.nonzero(close), xp.sign(cos[close]), []
    step, count = max(1, GATHERED // channels), signs.shape[0]
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        u, v = pick(*(place[part] for place in places))
        gap = xp.sum((u - signs[part][:, None] * v) ** 2, axis=-1)
        sines.append(xp.sqrt(gap * (1.0 - 0.25 * gap)))
    sine = xp.concat(sines)
    sin[close], cos[close] = sine, signs * xp.sqrt((1.0 - sine) * (1.0 + sine))
    return cos, sin


def _at(xp, x, p, i):
    """The pixels p of the rows i, of all in an array (P, n, C)."""
    return xp.take(xp.reshape(x, (-1, x.shape[-1])), p * x.shape[1] + i, axis=0)


def _laid_out(xp, pixels, block, own_x, own_y):
    if pixels.m is None:
        return own_x
    if not pixels.joined:
        return block
    flat = [xp.reshape(a, (*a.shape[:-2], pixels.n * pixels.m)) for a in block]
    return tuple(
        xp.concat(parts, axis=-1) for parts in zip(flat, own_x, own_y, strict=True)
    )


def _stds(xp, pixels, norm_x, norm_y, channels):
    """Standard deviations of the pixels, in shapes that broadcast against pairs."""
    norms = norm_x if norm_y is None else xp.concat([norm_x, norm_y], axis=-1)
    return pixels.laid_out(xp, norms / channels**0.5)
