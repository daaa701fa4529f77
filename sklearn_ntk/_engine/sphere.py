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

SHORTEST = 32  # coefficients of the first attempt
NEGLIGIBLE = 1e-15  # tail of a series, in parts of the largest coefficient
DROPPED = 1e-16  # coefficients that are left out, likewise
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
        options = {"ntk": self.ntk, "width": self.width}
        return AngleInputs(1.0, one, 1.0 - one, same=same, **options)

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

    def along(self, phase):
        """The values at the angles ``pi * cos(phase / 2)**2``, accurate at both ends.

        For phases from 0 to pi they go from pi to 0, and ``cos(phase)`` is what they
        are mapped to on [-1, 1].
        """
        angle, rest = np.pi * np.cos(phase / 2) ** 2, np.pi * np.sin(phase / 2) ** 2
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
        Estimates of the largest absolute errors.
    floor : array of shape (n_values,)
        Smaller values have fewer than 13 digits.
    """

    coefficients: np.ndarray
    error: np.ndarray
    floor: np.ndarray

    @classmethod
    def of(cls, sphere, longest):
        """The shortest series that is exact to rounding, of at most `longest` terms.

        Where a longer series is not better, the values are not: their rounding is
        all that is left.
        """
        size, previous = SHORTEST, np.inf
        while True:
            phase = np.pi * (np.arange(size) + 0.5) / size
            coefficients = interpolated(sphere.along(phase))
            scale = np.max(np.abs(coefficients), axis=1)
            tail = np.max(np.abs(coefficients[:, -size // 4 :]), axis=1)
            worst = np.max(tail / np.where(scale > 0, scale, 1.0))
            if not NEGLIGIBLE < worst < 0.5 * previous or size >= longest:
                return cls._checked(sphere, coefficients)
            size, previous = 2 * size, worst

    @classmethod
    def _checked(cls, sphere, coefficients):
        """The series without the terms at its end that do not count, and its errors."""
        size = coefficients.shape[1]
        scale = np.max(np.abs(coefficients), axis=1, keepdims=True)
        counts = np.any(np.abs(coefficients) > DROPPED * scale, axis=0)
        kept = coefficients[:, : 1 + max(np.nonzero(counts)[0], default=0)]
        phase = np.linspace(0.0, np.pi, 2 * size + 1)
        values, x = sphere.along(phase), np.cos(phase)
        gap = np.abs(_series(kept, x) - values)
        tail = np.sum(np.abs(coefficients[:, kept.shape[1] :]), axis=1)
        error = np.max(gap, axis=1) + tail + np.finfo(float).eps * scale[:, 0]
        slope = np.abs(_series(chebyshev.chebder(kept, axis=1), x)) * (2.0 / math.pi)
        exact = gap <= ACCURACY * np.abs(values) + DATA * slope
        return cls(kept, error, np.max(np.where(exact, 0.0, np.abs(values)), axis=1))

    def __call__(self, angle):
        """The values at some angles, an array of shape (n_values, ...)."""
        return _series(self.coefficients, angle * (2.0 / math.pi) - 1.0)


def interpolated(values):
    """Chebyshev coefficients of the polynomial through the values at its nodes."""
    size = values.shape[1]
    coefficients = fft.dct(values, type=2) / size
    coefficients[:, 0] /= 2.0
    return coefficients


def _series(coefficients, x):
    return chebyshev.chebval(x, coefficients.T)
