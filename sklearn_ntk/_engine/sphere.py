"""A network on rows of one length, where it is a function of the angle alone."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from scipy import fft

from sklearn_ntk.networks._inputs import Inputs
from sklearn_ntk.networks._pairs import Pairs

__all__ = ["ACCURACY", "DATA", "AngleInputs", "AngleSeries", "LengthScaleError"]
__all__ += ["Sphere", "interpolated"]

EPS = np.finfo(float).eps
SHORTEST = 32  # degree of the first attempt
ROUNDING = 4e-15  # error of a series that is as good as values are, relative to them
SMALL = 1e-10  # error below which rounding may be what is left of it
SAFETY = 2.0  # of an error over the largest that was seen
ACCURACY = 1e-13  # what the error of an entry should be of the entry itself,
DATA = 1e-15  # but for what an error of this size of the angle makes of it


class LengthScaleError(ValueError):
    """Length scales of features that make a sphere of rows an ellipsoid."""


class AnglePairs(Pairs):
    """Pairs whose sines never come from a cosine: deep networks sum up its error."""

    @property
    def sin(self):
        """Sine of the angle."""
        if callable(self.sine):
            object.__setattr__(self, "sine", self.sine())
        return self.sine


class AngleInputs(Inputs):
    """Pairs of rows of one length at given angles.

    Parameters
    ----------
    std : float
        Length of the rows divided by the root of the number of features.
    cos, sin : array of shape (n_pairs,)
        Of the angles, each with a small relative error.
    same : array of bool, shape (n_pairs,), or None
        Marks pairs of a row with itself.
    ntk : bool
        Whether the neural tangent kernel is wanted.
    width : int or None
        Number of features, which the standard parametrization needs.
    """

    _state = AnglePairs

    def __init__(self, std, cos, sin, *, same=None, ntk, width):
        super().__init__(np, None, same=same, ntk=ntk)
        self._given = np.array([float(std)]), cos, sin
        self._width = width

    @property
    def width(self):
        """Number of features, or None where it is not known."""
        return self._width

    def standard_row(self):
        """A standardised row with itself."""
        one, same = np.ones(1), np.ones(1, dtype=bool)
        return AngleInputs(1.0, one, 1.0 - one, same=same, ntk=True, width=self.width)

    def rescaled(self, length_scale):
        """The inputs divided by a number."""
        if np.ndim(length_scale) > 0:
            raise LengthScaleError(
                "The 'length_scale' parameter must be a number for the kernel to "
                "depend on lengths and the angle only. Got one per feature: "
                f"{length_scale!r}."
            )
        return super().rescaled(length_scale)

    def _diagonal(self):
        std, cos, sin = self._given
        return std, std, cos, sin


class Sphere:
    """What a network gives for pairs of rows of one length.

    Parameters
    ----------
    evaluate : callable
        Takes `Inputs` and returns a list of arrays.
    std : float
        Length of the rows divided by the root of the number of features.
    ntk : bool
        Whether the neural tangent kernel is wanted.
    width : int or None
        Number of features.
    """

    def __init__(self, evaluate, std, *, ntk, width):
        self.evaluate, self.std = evaluate, std
        self.options = {"ntk": ntk, "width": width}

    def __call__(self, cos, sin):
        """The values for pairs of different rows, an array (n_values, n_pairs)."""
        return self._values(cos, sin, None)

    def with_itself(self, cos, sin):
        """The same, and the values for a row with itself, an array (n_values, 1)."""
        same = np.arange(len(cos) + 1) == len(cos)
        values = self._values(np.append(cos, 1.0), np.append(sin, 0.0), same)
        return values[:, :-1], values[:, -1:]

    def along(self, part):
        """The values at the angles whose places on [-1, 1] are ``cos(pi * part)``.

        Parts from 0 to 1 go from opposed to parallel rows. Angles near both ends have
        a small relative error.
        """
        angle, rest = (np.pi * np.sin(np.pi / 2 * p) ** 2 for p in (1.0 - part, part))
        acute = angle < rest
        smaller = np.where(acute, angle, rest)
        return self(np.where(acute, 1.0, -1.0) * np.cos(smaller), np.sin(smaller))

    def _values(self, cos, sin, same):
        inputs = AngleInputs(self.std, cos, sin, same=same, **self.options)
        with np.errstate(all="ignore"):
            values = self.evaluate(inputs)
        return np.array([np.broadcast_to(value, len(cos)) for value in values])


@dataclass(frozen=True)
class AngleSeries:
    """Chebyshev series in the angle, mapped from [0, pi] to [-1, 1].

    Kernels of networks whose activations are piecewise linear are analytic in the
    angle up to both ends; in the cosine they have roots there.

    Parameters
    ----------
    coefficients : array of shape (n_values, degree + 1)
    error : array of shape (n_values,)
        Bounds of the absolute errors.
    floor : array of shape (n_values,)
        Smaller values have fewer than 13 digits.
    """

    coefficients: np.ndarray
    error: np.ndarray
    floor: np.ndarray

    @classmethod
    def of(cls, sphere, longest):
        """The shortest series that is exact to rounding, of degree `longest` at most.

        Half of the angles that it is checked at are those it was made from. Where
        twice as many do not make it better, the rounding of the values is all that
        is left.
        """
        size, previous = SHORTEST, np.inf
        values = sphere.along(_parts(size))
        while True:
            between = sphere.along((np.arange(size) + 0.5) / size)
            finer = np.insert(values, np.arange(1, size + 1), between, axis=1)
            series = cls._checked(interpolated(values), finer)
            worst = np.max(series.error / _scale(series.coefficients))
            settled = worst <= ROUNDING or SMALL >= worst >= 0.5 * previous
            if settled or not worst < np.inf or 2 * size > longest:
                return series
            values, size, previous = finer, 2 * size, worst

    @classmethod
    def _checked(cls, coefficients, values):
        """A series without the terms that do not count, and its errors.

        The values are those it goes through and, between them, as many others.
        """
        x = np.cos(np.pi * _parts(values.shape[1] - 1))
        gap = np.max(np.abs(_series(coefficients, x) - values), axis=1)
        negligible = np.clip(gap / _scale(coefficients) / 4, 4 * EPS, SMALL)
        negligible *= _scale(coefficients)
        tails = np.cumsum(np.abs(coefficients[:, ::-1]), axis=1)[:, ::-1]
        needed = np.any(tails > negligible[:, None], axis=0)
        kept = coefficients[:, : max(1, np.count_nonzero(needed))]
        gap = np.abs(_series(kept, x) - values)
        slope = np.abs(_series(chebyshev.chebder(kept, axis=1), x)) * (2.0 / math.pi)
        exact = gap <= ACCURACY * np.abs(values) + DATA * slope
        floor = np.max(np.where(exact, 0.0, np.abs(values)), axis=1)
        return cls(kept, SAFETY * np.max(gap, axis=1), floor)

    def __call__(self, angle):
        """The values at some angles, an array of shape (n_values, ...)."""
        return _series(self.coefficients, angle * (2.0 / math.pi) - 1.0)


def interpolated(values):
    """Chebyshev coefficients of the polynomial of degree n through n + 1 values.

    They belong to the points ``cos(pi * k / n)``.
    """
    coefficients = fft.dct(values, type=1) / (values.shape[1] - 1)
    coefficients[:, [0, -1]] /= 2.0
    return coefficients


def _parts(size):
    return np.arange(size + 1) / size


def _scale(coefficients):
    """An upper bound of a series; 1 for 0."""
    total = np.sum(np.abs(coefficients), axis=1)
    return np.where(total > 0, total, 1.0)


def _series(coefficients, x):
    return chebyshev.chebval(x, coefficients.T)
