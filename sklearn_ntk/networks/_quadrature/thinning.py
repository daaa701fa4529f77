r"""Long sums over degrees, from few of their terms.

The terms of a series are smooth in their degree n on the scale of n itself, those of
even and of odd degrees apart. So all of the lowest are taken, then every other one,
from twice as far on every fourth and so on. With a step of two of a lattice E,

.. math:: \sum_{k \ge 0} h_k = 2 \sum_{k \ge 0} h_{2k}
    - \frac{1}{1 + \sqrt{1 + \Delta}} h_0, \quad \Delta = E^2 - 1,

an expansion in forward differences, as Gregory's rule is one, that converges for terms
that fall off as a power or as an exponential of n.
"""

from functools import lru_cache
from itertools import groupby

import numpy as np
from scipy.special import binom

__all__ = ["runs", "thinned"]

_DENSE = 96  # degrees below which all are taken
_ORDER = 14  # of differences
_SHIFTS = 0, 4, 8  # in a level, whose nodes differences from there are taken of


def _difference_coefficients(count):
    """Those of the powers of a difference, in the sum of the module."""
    return -binom(0.5, np.arange(1.0, count + 1.0))


def _differences(count):
    """A matrix whose row k takes the forward difference of order k."""
    k, i = np.indices((count, count))
    return binom(k, i) * (-1.0) ** (k - i)


class Degrees:
    """Degrees to sum a series over, in place of all of them, and their weights.

    Parameters
    ----------
    stop : int
        All degrees below are stood for; `_DENSE` times a power of 2.

    Attributes
    ----------
    degrees : array of int
        Increasing.
    weights : array of float
    """

    def __init__(self, stop):
        self.stop, degrees, weights = stop, [np.arange(_DENSE)], [np.ones(_DENSE)]
        of_first = _difference_coefficients(_ORDER + 1) @ _differences(_ORDER + 1)
        for start, step in _levels(stop):
            found = np.arange(start, 2 * start, step)
            weight = np.full(found.size, 0.5 * step)
            weight[: _ORDER + 1] += 0.25 * step * of_first
            degrees.append(np.sort(np.concatenate((found, found + 1))))
            weights.append(np.repeat(weight, 2))
        self.degrees, self.weights = map(np.concatenate, (degrees, weights))
        last = _ORDER + 1
        coefficient = _difference_coefficients(last + 1)[-1]
        self._missing = coefficient * _differences(last + 1)[-1]
        places = [
            (start + shift * step + parity, step)
            for start, step in _levels(stop)
            for shift in _SHIFTS
            for parity in (0, 1)
        ]
        first, step = np.array(places, dtype=int).reshape(-1, 2).T
        nodes = first[:, None] + step[:, None] * np.arange(last + 1)
        self._nodes, self._scale = np.searchsorted(self.degrees, nodes), 0.25 * step

    def error(self, terms):
        """An estimate of the error of sums over the last axis.

        It is the first difference that is left out where a level begins, or as high a
        one within the level, which is large where terms are not smooth.
        """
        return np.abs(terms[..., self._nodes] @ self._missing) @ self._scale


def _levels(stop):
    """The first even degree and the step of each level."""
    start, step = _DENSE, 4
    while start < stop:
        yield start, step
        start, step = 2 * start, 2 * step


@lru_cache(maxsize=8)
def thinned(stop):
    """The `Degrees` below `stop`."""
    return Degrees(stop)


def runs(degrees):
    """Some of the degrees in runs of one step each, those of the lowest first."""

    def run(n):
        level = (int(n) // _DENSE).bit_length()
        return level, n % 2 if level else 0

    ordered = sorted(sorted(degrees), key=run)
    return [list(part) for _, part in groupby(ordered, run)]
