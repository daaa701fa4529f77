"""Linear maps of pixels: what a layer without a nonlinearity does to an image.

A map acts on both images of a pair alike. It is applied to arrays, or recorded where
symbols are traced, and it says for every pair of pixels of the output which pairs of
the input it is a weighted sum of.
"""

from abc import ABC, abstractmethod

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.devices import is_device_array

__all__ = ["Mixture", "PixelMap", "Place", "Selection", "taken"]

FEW = 8  # outputs that an input counts in, up to which both sides are done at once


class PixelMap(ABC):
    """A linear map of the pixels of an image.

    Maps that are equal do the same; `key` says what they depend on.
    """

    key: tuple = ()

    def __call__(self, xp, a, sides):
        """The map applied to an array over pairs of pixels, or to a symbol.

        Parameters
        ----------
        xp : namespace
        a : array or symbol
        sides : tuple of int
            Axes of `a` that are the pixels of x and of those of x', or one of them.
        """
        traced = getattr(type(a), "mapped", None)
        return self.sums(xp, a, sides) if traced is None else traced(a, self, sides)

    @abstractmethod
    def sums(self, xp, a, sides):
        """The map applied to an array."""

    @abstractmethod
    def size(self, full):
        """Number of pixels that come out, and whether all pairs of them do."""

    @abstractmethod
    def factors(self, full):
        """Sparse matrices over pairs of pixels, to be applied one after the other.

        Parameters
        ----------
        full : bool
            Whether each pixel of x is paired with all of x', or with one only.
        """

    def __eq__(self, other):
        return type(self) is type(other) and self.key == other.key

    def __hash__(self):
        return hash((type(self), self.key))


class Selection(PixelMap):
    """Some of the pixels, given by their flat indices, of an image of n pixels."""

    def __init__(self, places, n):
        self.places, self.n = places, n
        self.key = (n, *places.tolist())

    def sums(self, xp, a, sides):
        for side in sides:
            a = taken(xp, a, self.places, side)
        return a

    def size(self, full):
        return len(self.places), full

    def factors(self, full):
        one = sparse.eye_array(self.n, format="csr")[self.places]
        return [sparse.kron(one, one, "csr") if full else one]


class Mixture(PixelMap):
    """Weighted sums over all pixels, with the weights of a matrix (new, old)."""

    def __init__(self, weights):
        self.weights = weights
        self.key = (weights.shape, weights.tobytes())

    def sums(self, xp, a, sides):
        weights = xp.asarray(self.weights, device=a.device)
        for side in sides:
            lead = a.shape[:side]
            matrix = xp.reshape(a, (*lead, a.shape[side], -1))
            product = xp.matmul(weights, matrix)
            a = xp.reshape(product, (*lead, weights.shape[0], *a.shape[side + 1 :]))
        return a

    def size(self, full):
        return len(self.weights), full

    def factors(self, full):
        A = sparse.csr_array(self.weights)
        if not full:
            return [A]
        if len(self.weights) == 1 or np.max(np.diff(A.tocsc().indptr)) ** 2 <= FEW:
            return [sparse.kron(A, A, "csr")]
        new, old = (sparse.eye_array(n, format="csr") for n in A.shape)
        return [sparse.kron(A, old, "csr"), sparse.kron(new, A, "csr")]


class Place(PixelMap):
    """Pairs of pixels at the same place, of n, alone or with zeros beside them."""

    def __init__(self, n, *, alone):
        self.n, self.alone = n, alone
        self.key = (n, alone)

    def sums(self, xp, a, sides):
        place = np.arange(self.n)
        first, second = sides
        if self.alone and is_device_array(a):
            flat = xp.reshape(a, (self.n**2, *a.shape[2:]))
            return taken(xp, flat, place * (self.n + 1), 0)
        if self.alone:
            index = [slice(None)] * a.ndim
            index[first] = index[second] = place
            # a slice between two arrays would send their axis to the front, where it is
            return a[tuple(index)]
        shape = tuple(self.n if i in sides else 1 for i in range(a.ndim))
        here = xp.asarray(place[:, None] == place, device=a.device)
        here = xp.reshape(here, shape)
        return xp.where(here, a, 0.0)

    def size(self, full):
        return self.n, full and not self.alone

    def factors(self, full):
        here = np.arange(self.n) * (self.n + 1)
        ones = np.ones(self.n)
        if self.alone:
            shape = self.n, self.n**2
            return [sparse.csr_array((ones, (np.arange(self.n), here)), shape)]
        return [sparse.csr_array((ones, (here, here)), (self.n**2, self.n**2))]


def taken(xp, a, places, axis):
    """Elements of an array, or of a symbol, along an axis, given by their indices."""
    if hasattr(type(a), "mapped"):  # a symbol, which has no device
        return a[(slice(None),) * axis + (places,)]
    return xp.take(a, xp.asarray(places, device=a.device), axis=axis)
