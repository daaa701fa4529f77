"""Which pixels of an image each pixel of the next one is made of."""

import itertools
import math
from functools import cached_property, lru_cache, reduce
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sklearn_ntk.networks._maps import PixelMap
from sklearn_ntk.networks._masks import sums_of_existing

__all__ = ["Windows", "occurrences", "per_axis", "windows_over"]


def per_axis(value, n_axes, layer, name):
    """A parameter given as a number, or as one number for each axis of an image."""
    values = (value,) * n_axes if np.ndim(value) == 0 else tuple(value)
    if len(values) != n_axes:
        raise ValueError(
            f"The {name!r} parameter of {type(layer).__name__} must be an int or have "
            f"one element for each of the {n_axes} axes of an image. Got {value!r}."
        )
    return tuple(int(v) for v in values)


@lru_cache(maxsize=64)
def windows_over(shape, size, stride, padding, *, transposed=False):
    """The `Windows` over an image, kept: blocks of rows ask for the same ones."""
    return Windows(shape, size, stride, padding, transposed=transposed)


class Additions(NamedTuple):
    """How the sums along one axis of the images come about.

    Attributes
    ----------
    axes : list of int
        This axis of the images on each side.
    length : int
        Of what comes out.
    whole : list of tuple
        Indices of the parts of the input that are to be added to all of the output.
    others : list of tuple
        Indices of a part of the output, and of what is to be added there.
    """

    axes: list
    length: int
    whole: list
    others: list

    def shape(self, before):
        """The shape of the output."""
        return tuple(self.length if i in self.axes else n for i, n in enumerate(before))


class Windows(PixelMap):
    """Sums over windows that slide over an image.

    Parameters
    ----------
    shape : tuple of int
        Of the image, without channels.
    size, stride : tuple of int
    padding : {"same", "valid", "circular"}
    transposed : bool, default=False
        Whether input and output change roles, as in a transposed convolution.

    Attributes
    ----------
    tables : list of array of shape (output size, window size)
        For each axis the pixels in the window of each output pixel; -1 is padding.
    """

    def __init__(self, shape, size, stride, padding, *, transposed=False):
        table = _transposed_table if transposed else _table
        self.key = shape, size, stride, padding, transposed
        self.shape, self.stride = shape, stride
        self.padding, self.transposed = padding, transposed
        self.tables = [
            table(*of_axis, padding)
            for of_axis in zip(shape, size, stride, strict=True)
        ]
        self.output = tuple(len(table) for table in self.tables)
        self.n_taps = math.prod(size)

    @cached_property
    def taps(self):
        """For each axis and tap, slices of the output and of the input."""
        return [[_runs(tap) for tap in table.T] for table in self.tables]

    @cached_property
    def sources(self):
        """Flat index of each tap's pixel, of shape (output pixels, taps)."""
        grids = np.zeros((1, 1), dtype=int)
        outside = np.zeros((1, 1), dtype=bool)
        for table, length in zip(self.tables, self.shape, strict=True):
            grids = grids[:, None, :, None] * length + table[None, :, None, :]
            outside = outside[:, None, :, None] | (table < 0)[None, :, None, :]
            shape = grids.shape[0] * grids.shape[1], grids.shape[2] * grids.shape[3]
            grids, outside = grids.reshape(shape), outside.reshape(shape)
        return np.where(outside, -1, grids)

    def lasting(self, xp, mask):
        """Which of the windows exist, where some pixels do not.

        With padding "valid" those all of whose pixels do. Otherwise there are as many
        as a stride makes of the pixels: those that stand for one that exists.

        Parameters
        ----------
        mask : array of bool, shape (pixels, rows), or None

        Returns
        -------
        array of bool, shape (windows, rows), or None
        """
        if mask is None:
            return None
        full = self.padding == "valid" and not self.transposed
        tables = self.tables
        if not full:
            axes = zip(self.shape, self.stride, self.tables, strict=True)
            tables = [self._stands_for(*of_axis) for of_axis in axes]
        matrix = reduce(np.kron, map(occurrences, tables, self.shape))
        if full:
            return sums_of_existing(xp, matrix, ~mask) < 0.5
        return sums_of_existing(xp, matrix, mask) > 0.5

    def _stands_for(self, length, stride, table):
        """Which pixels each window along an axis stands for."""
        if not self.transposed:
            return _table(length, stride, stride, "same")
        place = np.minimum(np.arange(len(table)) // stride, length - 1)[:, None]
        return np.hstack([table, place]) if self.padding == "valid" else place

    def sums(self, xp, a, sides):
        """Sums over windows, the same tap of all sides at a time.

        Parameters
        ----------
        a : array
        sides : tuple of int
            Axes of `a` that are flattened images.
        """
        rest = a.shape
        a = xp.reshape(a, self.expanded(rest, sides))
        for axis in self.additions(sides, len(rest)):
            if axis.whole:  # which costs less than to add to zeros
                out = xp.asarray(a[axis.whole[0]], copy=True)
            else:
                shape = axis.shape(a.shape)
                out = xp.zeros(shape, dtype=a.dtype, device=a.device)
            for source in axis.whole[1:]:
                out += a[source]
            for to, source in axis.others:
                out[to] += a[source]
            a = out
        size = math.prod(self.output)
        return xp.reshape(
            a, tuple(size if i in sides else n for i, n in enumerate(rest))
        )

    def expanded(self, shape, sides):
        """The shape of an array with its axes `sides` as images."""
        return tuple(
            n
            for i, length in enumerate(shape)
            for n in (self.shape if i in sides else (length,))
        )

    def additions(self, sides, n_dims):
        """What is to be added to what, one axis of the images after the other.

        Parameters
        ----------
        sides : tuple of int
            Axes that are images, of arrays with `n_dims` axes.

        Yields
        ------
        Additions
        """
        n_axes = len(self.shape)
        n_dims += (n_axes - 1) * len(sides)
        for k, (taps, length) in enumerate(zip(self.taps, self.output, strict=True)):
            axes = [side + (n_axes - 1) * i + k for i, side in enumerate(sides)]
            everywhere, whole, others = (slice(0, length, 1),) * len(axes), [], []
            for runs in taps:
                for chosen in itertools.product(runs, repeat=len(axes)):
                    to, source = zip(*chosen, strict=True)
                    parts = tuple(_part(n_dims, axes, part) for part in (to, source))
                    if to == everywhere:
                        whole.append(parts[1])
                    else:
                        others.append(parts)
            yield Additions(axes, length, whole, others)

    def size(self, full):
        return math.prod(self.output), full

    def factors(self, full):
        shape, found = list(self.shape), []
        for k, table in reversed(list(enumerate(self.tables))):
            before, after = math.prod(shape[:k]), math.prod(shape[k + 1 :])
            found.append(_axis_sums(table, shape[k], before, after, full))
            shape[k] = len(table)
        return found


def _axis_sums(table, length, before, after, full):
    """The sums along one axis, as a matrix over (pairs of) pixels."""
    n, n_taps = before * length * after, table.shape[1]
    first = length * np.arange(before, dtype=np.int32)[:, None, None, None]
    taps = (first + table[:, None]) * after + np.arange(after)[:, None]
    taps = np.where(table[:, None] < 0, -1, taps).astype(np.int32).reshape(-1, n_taps)
    if full:
        x, y = taps[:, None], taps
        taps = np.where((x < 0) | (y < 0), -1, n * x + y).reshape(-1, n_taps)
        n = n**2
    inside = taps >= 0
    starts = np.zeros(len(taps) + 1, np.int32)
    np.cumsum(np.sum(inside, axis=1), out=starts[1:])
    entries = np.ones(starts[-1], np.float32), taps[inside], starts
    sums = sparse.csr_array(entries, (len(taps), n))
    sums.sum_duplicates()  # as small circles have, a few, which are exact
    return sums


def occurrences(table, length):
    """How often each pixel along an axis is in each window."""
    return np.sum(table[:, :, None] == np.arange(length), axis=1, dtype=float)


def _part(n_dims, axes, slices):
    """An index with slices along some axes."""
    index = [slice(None)] * n_dims
    for axis, part in zip(axes, slices, strict=True):
        index[axis] = part
    return tuple(index)


def _table(length, size, stride, padding):
    if padding == "valid":
        n_out, before = (length - size) // stride + 1, 0
    else:
        n_out = -(-length // stride)
        before = max((n_out - 1) * stride + size - length, 0) // 2
    taps = stride * np.arange(n_out)[:, None] + np.arange(size) - before
    if padding == "circular":
        return taps % length
    return np.where((taps >= 0) & (taps < length), taps, -1)


def _transposed_table(length, size, stride, padding):
    """Output pixel o has the tap t of the input pixel i with ``o = stride * i + t``."""
    overlap = max(size - stride, 0)
    n_out, before = length * stride + overlap, 0
    if padding != "valid":
        n_out, before = length * stride, overlap // 2
    taps = np.arange(n_out)[:, None] + before - np.arange(size)
    if padding == "circular":
        taps = taps % (length * stride)
    inside = (taps % stride == 0) & (taps >= 0) & (taps < length * stride)
    return np.where(inside, taps // stride, -1)


def _runs(tap):
    """Pairs of slices (output, input) for one tap: where it steps evenly."""
    places = np.flatnonzero(tap >= 0)
    runs = []
    while len(places):
        values = tap[places]
        out_step = places[1] - places[0] if len(places) > 1 else 1
        in_step = values[1] - values[0] if len(places) > 1 else 1
        if in_step <= 0:
            out_step = in_step = count = 1
        else:
            even = (np.diff(places) == out_step) & (np.diff(values) == in_step)
            count = 1 + (len(even) if even.all() else int(np.argmin(even)))
        runs.append(
            (
                slice(places[0], places[count - 1] + 1, out_step),
                slice(values[0], values[count - 1] + 1, in_step),
            )
        )
        places = places[count:]
    return runs
