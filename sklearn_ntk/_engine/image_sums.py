"""Maps of pixels as calls of NumPy, in few passes over memory."""

import math
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from sklearn_ntk.networks._windows import Windows

__all__ = ["SPARES", "Sums", "part_of"]

SPARES = 3  # buffers of maps: two in turns, and one for what is to be added
SHORT = 64  # numbers that lie together, below which a loop over them costs too much
LARGE = 0.25  # part of the output, below which a tap is added in loops over its box


class Sums(NamedTuple):
    """A map of pixels, on arrays with pairs of rows.

    Attributes
    ----------
    pixel_map : PixelMap
    sides : tuple of int
        Axes that are pixels.
    axes : list of Along or None
        How sums over windows come about.
    """

    pixel_map: Any
    sides: tuple
    axes: list | None

    @classmethod
    def of(cls, pixel_map, space):
        """The map, on pairs of pixels of a space."""
        sides, n_dims = ((0, 2), 4) if space[1] else ((0,), 3)
        axes = None
        if isinstance(pixel_map, Windows):
            axes = _along_axes(pixel_map, sides, n_dims)
        return cls(pixel_map, sides, axes)

    def between(self, shape):
        """The shapes of what there is after each axis of windows but the last."""
        if self.axes is None:
            return
        shape = self.pixel_map.expanded(shape, self.sides)
        for axis in self.axes[:-1]:
            shape = axis.shape(shape)
            yield shape

    def calls(self, a, out, spares):
        """Calls that write what the map makes of `a` to `out`."""
        if self.axes is None:
            yield self._all, (a,), out
            return
        if self._are_of_all:
            yield np.add.reduce, (a, 0, None), out[0]
            return
        a = a.reshape(self.pixel_map.expanded(a.shape, self.sides))
        for k, axis in enumerate(self.axes, start=1):
            shape, last = axis.shape(a.shape), k == len(self.axes)
            to = out.reshape(shape) if last else part_of(spares[k % 2], shape)
            yield from axis.calls(a, to, spares[2])
            a = to

    @property
    def _are_of_all(self):
        """Whether there is one window, over all pixels, of pairs at the same place."""
        if len(self.sides) > 1 or self.pixel_map.size(False)[0] > 1:
            return False
        places = np.sort(self.pixel_map.sources[0])
        return np.array_equal(places, np.arange(math.prod(self.pixel_map.shape)))

    def _all(self, a, out):
        out[...] = self.pixel_map.sums(np, a, self.sides).reshape(out.shape)


class Tap(NamedTuple):
    """What is added to a box of the output, from places of the input.

    Attributes
    ----------
    box, places : tuple of range
        Along the axes of windows, one on each side.
    """

    box: tuple
    places: tuple

    @property
    def size(self):
        return math.prod(map(len, self.box))

    @property
    def is_dense(self):
        """Whether the box has no gaps."""
        return all(part.step == 1 for part in self.box)

    @property
    def shift(self):
        """How far the places are from the box, along the last axis."""
        return self.places[-1].start - self.box[-1].start

    def within(self, box):
        """The places of the input, for a part of the box."""
        return tuple(
            places[part.start - whole.start : part.stop - whole.start]
            for places, part, whole in zip(self.places, box, self.box, strict=True)
        )


class Group(NamedTuple):
    """The sum of at most two taps, as what is written where.

    Attributes
    ----------
    box : tuple of slice
        Index of the output where all taps are.
    terms : list of tuple
        Index of the input there and shift, of each tap; empty if the box is.
    copies : list of tuple
        Indices of the output and the input, where one tap is.
    zeros : list of tuple of slice
        Indices of the output, where none is.
    """

    box: tuple
    terms: list
    copies: list
    zeros: list


class Along:
    """How sums along one axis of windows take few passes over memory.

    The first two taps are written as one sum, instead of added to a copy. What is
    found here does not depend on the number of rows.

    Parameters
    ----------
    axis : Additions
    """

    def __init__(self, axis):
        self.axes, self.shape = axis.axes, axis.shape
        self.everywhere = tuple(range(axis.length) for _ in axis.axes)
        self.whole = [Tap(self.everywhere, self._ranges(part)) for part in axis.whole]
        taps = [Tap(*map(self._ranges, parts)) for parts in axis.others]
        self.taps = sorted(taps, key=lambda tap: (not tap.is_dense, -tap.size))

    def calls(self, a, to, spare):
        """Calls that write the sums of `a` to an array."""
        is_flat = (
            len(self.axes) == 2
            and a.shape == to.shape
            and math.prod(a.shape[self.axes[-1] :]) < SHORT
        )
        groups, others = self._flat if is_flat else self._boxes
        pixels = self._pixels(a)
        for k, group in enumerate(groups):
            out = part_of(spare, to.shape) if k else to
            if group.terms:
                parts = (self._lines if is_flat else _parts)(group, a, out)
                yield np.add if parts[1:-1] else np.positive, parts[:-1], parts[-1]
            written = self._pixels(out)
            for there, here in group.copies:
                yield _copied, (pixels[here],), written[there]
            for there in group.zeros:
                yield _copied, (np.zeros((), pixels.dtype),), written[there]
            if k:
                yield np.add, (to, out), to
        for there, here in others:
            yield np.add, (to[there], a[here]), to[there]

    @cached_property
    def _boxes(self):
        """Groups and other taps, for loops over boxes."""
        n = len(self.whole) + sum(tap.is_dense for tap in self.taps)
        return self._grouped([*self.whole, *self.taps], min(2, n))

    @cached_property
    def _flat(self):
        """The same for arrays where taps are shifts, and loops over boxes are short."""
        least = LARGE * math.prod(map(len, self.everywhere))
        n = sum(tap.size > least for tap in self.taps)
        taps = [*self.taps[:n], *self.whole, *self.taps[n:]]
        return self._grouped(taps, n + (n % 2 and len(self.whole) > 0))

    def _grouped(self, taps, n):
        """The first n taps two by two, and indices of the others."""
        groups = [self._group(taps[k : min(k + 2, n)]) for k in range(0, max(n, 1), 2)]
        return groups, [tuple(map(self._index, tap)) for tap in taps[n:]]

    def _group(self, taps):
        common = _common(self.everywhere, *(tap.box for tap in taps))
        terms, copies, rest = [], [], [self.everywhere]
        for tap in taps:
            if all(common):
                terms.append((self._index(tap.within(common)), tap.shift))
            copies += [
                (self._index(box), self._index(tap.within(box)))
                for box in _without([tap.box], common)
            ]
            rest = list(_without(rest, tap.box))
        zeros = [self._index(box) for box in rest]
        return Group(self._index(common), terms, copies, zeros)

    def _ranges(self, index):
        """The places along the axes that an index of slices has."""
        slices = [index[axis] for axis in self.axes]
        return tuple(range(part.start, part.stop, part.step) for part in slices)

    def _index(self, ranges):
        """The index of slices that has these places along the axes."""
        index = [slice(None)] * (self.axes[-1] + 1)
        for axis, part in zip(self.axes, ranges, strict=True):
            index[axis] = slice(part.start, part.stop, part.step)
        return tuple(index)

    def _pixels(self, a):
        """An array with what lies together after the last axis as one item.

        NumPy copies it as such, where a loop over few numbers would cost more.
        """
        n = self.axes[-1] + 1
        items = a.reshape(-1).view(f"V{a.itemsize * math.prod(a.shape[n:])}")
        return items.reshape(a.shape[:n])

    def _lines(self, group, a, out):
        """The terms and the output, with all after the first axis as if it were one.

        Beside the box they have what lies beyond the ends of the second axis.
        """
        first, second = self.axes
        together = math.prod(a.shape[second + 1 :])
        shifts = [shift for _, shift in group.terms]
        begin, end = max(0, *(-by for by in shifts)), max(0, *shifts)
        parts, found = [(a, *term) for term in group.terms], []
        for b, index, by in (*parts, (out, group.box, 0)):
            lines = b.reshape(math.prod(b.shape[:first]), b.shape[first], -1)
            stop = lines.shape[-1] - (end - by) * together
            found.append(lines[:, index[first], (begin + by) * together : stop])
        return tuple(found)


@lru_cache(maxsize=64)
def _along_axes(windows, sides, n_dims):
    return [Along(axis) for axis in windows.additions(sides, n_dims)]


def _parts(group, a, out):
    return *(a[index] for index, _ in group.terms), out[group.box]


def _copied(a, out):
    np.copyto(out, a)


def part_of(buffer, shape):
    """An array of a shape, at the beginning of a buffer."""
    return buffer[: math.prod(shape)].reshape(shape)


def _common(*boxes):
    """What boxes have in common, which may be empty along some axis."""
    return tuple(
        range(max(part.start for part in parts), min(part.stop for part in parts))
        for parts in zip(*boxes, strict=True)
    )


def _without(boxes, taken):
    """Boxes that cover what is in some and not in another."""
    for box in boxes:
        inner = _common(box, taken)
        if not all(inner):
            yield box
            continue
        for k, (part, middle) in enumerate(zip(box, inner, strict=True)):
            sides = range(part.start, middle.start), range(middle.stop, part.stop)
            for side in filter(None, sides):
                yield *inner[:k], side, *box[k + 1 :]
