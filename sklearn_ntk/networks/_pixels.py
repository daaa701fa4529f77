"""Pairs of pixels: the state of a network whose rows are images or sequences.

Pixel axes come first and are flattened: an array over pairs has the shape
(P, P', n, m), or (P, n, m) where only pixels at the same place are paired. Pairs of
rows come last, so that operations on pixels run along many pairs at a time.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from sklearn_ntk._engine.forward_mode import Dual, linear, part_of, value_of
from sklearn_ntk.networks._maps import Place, Selection, taken
from sklearn_ntk.networks._pairs import is_number, ratio

__all__ = [
    "NODES",
    "Need",
    "Pixels",
    "at_same_place",
    "broadcast",
    "correlation",
    "pixel_diagonal",
    "require_pixels",
    "root_mean_square",
    "selected",
    "unit",
    "without_pixels",
]


NODES = ("nodes",)  # the shape of a row that is a graph of any number of nodes


@dataclass(frozen=True)
class Need:
    """What a layer needs of the state that comes in.

    Parameters
    ----------
    variances : bool
        The variance of each pixel.
    full : bool
        Pairs of pixels at different places.
    own : bool
        Covariances of the pixels of each row with each other.
    graphs : bool
        An adjacency matrix per row, which the row itself holds.
    same : bool
        Which pairs are a row with itself.
    """

    variances: bool = False
    full: bool = False
    own: bool = False
    graphs: bool = False
    same: bool = False

    def __or__(self, other):
        return Need(
            self.variances or other.variances,
            self.full or other.full,
            self.own or other.own,
            self.graphs or other.graphs,
            self.same or other.same,
        )

    def replace(self, **changes):
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Pixels:
    """How the axes of a state are to be read.

    Parameters
    ----------
    shape : tuple of int
        Of the image or sequence, without channels.
    full : bool
        Whether each pixel is paired with all pixels or with that at its place only.
    n, m : int
        Numbers of rows; m is None where each row is paired with itself alone.
    joined : bool
        Whether the pairs of each of the n + m rows with itself follow the n * m pairs,
        all along one axis.
    graphs : array of shape (n + m, N, N) or None
        Adjacency matrices of the rows of X, then of those of Y.
    mask : array of bool, shape (P, n + m), or None
        Which pixels exist, likewise. None: all do.
    """

    shape: tuple
    full: bool
    n: int
    m: int | None
    joined: bool = False
    graphs: Any = None
    mask: Any = None

    @property
    def size(self):
        """Number of pixels."""
        return math.prod(self.shape)

    def replace(self, **changes):
        """A copy with some fields changed."""
        return replace(self, **changes)

    @property
    def sides(self):
        """Axes of the pixels of x and of those of x'."""
        return (0, 1) if self.full else (0,)

    @property
    def side_y(self):
        """Axis of the pixels of x'."""
        return 1 if self.full else 0

    def mapped(self, xp, pixel_map, a):
        """A linear map of pixels applied to both sides of an array over pairs."""
        return linear(xp, lambda b: pixel_map(xp, b, self.sides), a)

    def mixed_by_row(self, xp, a, weights):
        """``L a R'``, where each pair of rows has weights L and R of its own.

        Parameters
        ----------
        xp : namespace
        a : array of shape (P, P', n, m) or (P, P', n)
        weights : array of shape (number of rows, P, P)
            Those of X and then those of Y, as in `graphs`.
        """

        def turned(b, axes):
            return linear(xp, lambda c: xp.permute_dims(c, axes), b)

        if self.m is None:
            left = right = weights
        elif self.joined:
            left, right = (
                linear(xp, lambda c, k=k: taken(xp, c, k - self.n * self.m, 0), weights)
                for k in self.partners
            )
        else:
            left = part_of(xp, weights, (slice(self.n), None, ...))
            right = part_of(xp, weights, (slice(self.n, None), ...))
        pairs_first = (2, 3, 0, 1) if value_of(a).ndim == 4 else (2, 0, 1)
        pixels_first = (2, 3, 0, 1) if value_of(a).ndim == 4 else (1, 2, 0)
        swapped = (*range(value_of(right).ndim - 2), -1, -2)
        swapped = tuple(k % value_of(right).ndim for k in swapped)
        product = xp.matmul(left, turned(a, pairs_first))
        product = xp.matmul(product, turned(right, swapped))
        return turned(product, pixels_first)

    def by_row(self, xp, a, function):
        """What a function makes of the pairs of pixels of each row.

        Parameters
        ----------
        xp : namespace
        a : array of shape (P, P', number of pairs)
            Of all pairs; counts where a row is paired with itself.
        function : callable
            Takes an array (P, P', number of rows) and returns one of shape
            (number of rows, ...).
        """
        first = self.n * self.m if self.joined else 0
        return function(part_of(xp, a, (..., slice(first, None))))

    @property
    def knows_rows(self):
        """Whether there are pairs of each row with itself."""
        return self.joined or self.m is None

    def same(self, xp, like):
        """Marks pairs of a pixel with itself, or None where there are none."""
        if not self.knows_rows:
            return None
        like = value_of(like)
        rows = xp.arange(like.shape[-1], device=like.device) >= (
            self.n * self.m if self.joined else 0
        )
        if not self.full:
            return rows[None, :]
        place = xp.arange(self.size, device=like.device)
        return (place[:, None] == place[None, :])[:, :, None] & rows

    def of_rows(self, xp, own):
        """The values of each row with itself, as those of x and of x' in each pair.

        Parameters
        ----------
        own : array of shape (..., number of pairs)
            Of all pairs; counts where a row is paired with itself.

        Returns
        -------
        x, y : array
        """
        if not self.joined:
            return own, own
        i, j = self.partners
        return tuple(
            linear(
                xp,
                lambda a, k=k: xp.take(a, xp.asarray(k, device=a.device), axis=-1),
                own,
            )
            for k in (i, j)
        )

    def laid_out(self, xp, rows):
        """Numbers of x and of x' in shapes that broadcast against pairs.

        Parameters
        ----------
        rows : array of shape (P, n + m)
            Of the pixels of the rows of X, then of those of Y; (P, n) without Y.
        """
        if self.m is None:
            x = y = rows
        elif self.joined:
            own = [k - self.n * self.m for k in self.partners]
            x, y = (
                xp.take(rows, xp.asarray(k, device=rows.device), axis=-1) for k in own
            )
        else:
            x, y = rows[:, : self.n, None], rows[:, None, self.n :]
        return (x[:, None, ...], y[None, ...]) if self.full else (x, y)

    @property
    def partners(self):
        """For each of the joined pairs, where x and where x' is paired with itself."""
        n, m = self.n, self.m
        own = n * m + np.arange(n + m)
        i = np.concatenate([np.repeat(own[:n], m), own])
        return i, np.concatenate([np.tile(own[n:], n), own])

    def std(self, xp, nngp):
        """Standard deviations of all pixels; NaN where nothing is known of them."""
        if not self.knows_rows:
            nan = xp.full((self.size,), math.nan, dtype=nngp.dtype, device=nngp.device)
            shapes = ((-1, 1, 1, 1), (1, -1, 1, 1)) if self.full else ((-1, 1, 1),) * 2
            return tuple(xp.reshape(nan, shape) for shape in shapes)
        variance = pixel_diagonal(xp, nngp, self)
        root = xp.sqrt(xp.where(variance > 0, variance, 0.0))
        x, y = self.of_rows(xp, root)
        return (x[:, None, ...], y[None, ...]) if self.full else (x, y)


def unit(xp, rows):
    """Vectors along the last axis at length one (zeros stay), and their lengths."""
    largest = xp.max(xp.abs(rows), axis=-1, keepdims=True)
    scaled = rows / xp.where(largest > 0, largest, 1.0)
    length = xp.sqrt(xp.vecdot(scaled, scaled))[..., None]
    lengths = (largest * length)[..., 0]
    return scaled / xp.where(length > 0, length, 1.0), lengths


def pixel_diagonal(xp, a, pixels):
    """What an array over pairs has for pixels at the same place."""
    if not pixels.full:
        return a
    return pixels.mapped(xp, Place(pixels.size, alone=True), a)


def correlation(xp, nngp, std_x, std_y, same):
    """The cosine of the angle between features of known covariance."""
    cos = ratio(xp, nngp, std_x * std_y)
    one = xp.ones_like(cos)
    cos = xp.maximum(xp.minimum(cos, one), -one)
    return cos if same is None else xp.where(same & (cos > 0), 1.0, cos)


def broadcast(xp, a, like):
    """An array over pairs at its full size, where it may be broadcast only."""
    like = value_of(like)
    filled = getattr(type(like), "filled", None)
    if filled is not None:  # a symbol
        if not isinstance(a, Dual):
            return filled(like, a)
        tangents = {d: filled(like, t) for d, t in a.tangents.items()}
        return Dual(filled(like, a.value), tangents)
    shape = like.shape
    if value_of(a).shape == shape:
        return a
    return a + xp.zeros_like(xp.broadcast_to(value_of(a), shape))


def require_pixels(layer, shape):
    """Raise a ValueError where rows are not images or sequences."""
    if len(shape) == 0:
        raise ValueError(
            f"{type(layer).__name__} acts on the pixels of an image or a sequence, but "
            "what comes in has none. Set the 'input_shape' parameter of the network, "
            "for example to (height, width, channels), and use this layer before "
            "Flatten or a global pooling."
        )
    if shape == NODES:
        raise ValueError(
            f"{type(layer).__name__} acts on images, whose pixels have places. For the "
            "nodes of graphs there are GraphConv('input'), GlobalAvgPool, "
            "GlobalSumPool, and the layers that rows of features have."
        )


def at_same_place(p):
    """The pairs of pixels at the same place."""
    if not p.pixels.full:
        return p
    xp, full = p.xp, p.pixels
    pixels = full.replace(full=False)

    def of_pairs(a):
        return pixel_diagonal(xp, broadcast(xp, a, p.nngp), full)

    return p.replace(
        nngp=of_pairs(p.nngp),
        std_x=part_of(xp, p.std_x, (slice(None), 0, ...)),
        std_y=part_of(xp, p.std_y, (0, ...)),
        cosine=cache(lambda: of_pairs(p.cos)),
        sine=lambda: of_pairs(p.sin),
        ntk=p.ntk if is_number(p.ntk) else of_pairs(p.ntk),
        same=pixels.same(xp, of_pairs(p.nngp)),
        pixels=pixels,
    )


def selected(p, places, shape):
    """The pairs of some of the pixels, given by their flat indices."""
    xp, old = p.xp, p.pixels
    mask = None if old.mask is None else taken(xp, old.mask, places, 0)
    pixels = old.replace(shape=shape, mask=mask)
    selection = Selection(places, old.size)

    def rows(a, side):
        if a.shape[side] == 1:
            return a
        return linear(xp, lambda b: taken(xp, b, places, side), a)

    def of_pairs(a):
        return old.mapped(xp, selection, broadcast(xp, a, p.nngp))

    nngp = of_pairs(p.nngp)
    return p.replace(
        nngp=nngp,
        std_x=rows(p.std_x, 0),
        std_y=rows(p.std_y, old.side_y),
        cosine=cache(lambda: of_pairs(p.cos)),
        sine=lambda: of_pairs(p.sin),
        ntk=p.ntk if is_number(p.ntk) else of_pairs(p.ntk),
        same=pixels.same(xp, nngp),
        pixels=pixels,
    )


def without_pixels(p):
    """The pairs of rows, where one pixel is left."""
    xp, pixels = p.xp, p.pixels
    n, m, sides = pixels.n, pixels.m, pixels.sides
    first = (*(0 for _ in sides), ...)

    def of_pairs(a):
        a = part_of(xp, a, first)
        if not pixels.joined:
            return a
        return linear(xp, lambda b: xp.reshape(b[: n * m], (n, m)), a)

    std_x, std_y = (part_of(xp, std, first) for std in (p.std_x, p.std_y))
    if pixels.joined:
        std_x = part_of(xp, std_x, (slice(n * m, -m), None))
        std_y = part_of(xp, std_y, (None, slice(-m, None)))
    return p.replace(
        nngp=of_pairs(p.nngp),
        std_x=std_x,
        std_y=std_y,
        cosine=cache(lambda: of_pairs(p.cos)),
        sine=lambda: of_pairs(p.sin),
        ntk=p.ntk if is_number(p.ntk) else of_pairs(p.ntk),
        same=xp.ones_like(value_of(std_x)) > 0 if m is None else None,
        pixels=None,
    )


def root_mean_square(xp, std, pixels, side, axes, exists=None):
    """The root of the mean variance along some axes of an image, at every pixel.

    Parameters
    ----------
    exists : array of bool or None, default=None
        Over which pixels, of the shape of `std`. None: over all.
    """
    axes = tuple(side + axis for axis in axes)

    def means(a):
        shape = (*a.shape[:side], *pixels.shape, *a.shape[side + 1 :])
        image = xp.reshape(a, shape)
        mean = xp.mean(image, axis=axes, keepdims=True)
        return xp.reshape(xp.broadcast_to(mean, shape), a.shape)

    if exists is None:
        return xp.sqrt(linear(xp, means, std**2))
    share = means(xp.where(exists, xp.ones_like(value_of(std)), 0.0))
    found = linear(xp, means, xp.where(exists, std, 0.0) ** 2)
    return xp.sqrt(ratio(xp, found, share))
