r"""Kernels as power series in the cosine, with a coefficient for each row.

With :math:`a_n(\sigma) = E[\phi(\sigma z) h_n(z)]`, h_n the normalised Hermite
polynomials, Mehler's expansion of a pair is

.. math:: E[\phi(u) \phi(v)] = \sum_n a_n(\sigma) a_n(\sigma') \cos^n\vartheta

and that of the derivative is its derivative in the cosine, over the product of the
standard deviations. Away from parallel rows few terms are needed; of high degrees few
stand for all, see `thinning`. Coefficients are functions of :math:`\sigma` alone: where
rows are many, they are interpolated in its logarithm.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from sklearn_ntk.networks._quadrature.hermite import fine_rule, hermite
from sklearn_ntk.networks._quadrature.rules import (
    chebyshev_nodes,
    chebyshev_transform,
)
from sklearn_ntk.networks._quadrature.thinning import thinned

__all__ = ["PowerSeries", "RowSeries"]

_LARGEST = 2.0**50
_NODES, _WIDTH, _NARROW = 20, 1.0, 1e-3
_ROUNDING, _CONVERGED = 2e-16, 4e-15
_END, _PROBES, _SPAN = 11.0, 6, 16.0
_ANGLES, _SAMPLES = 8, 64  # at which an error is estimated


class PowerSeries(NamedTuple):
    r"""Sum over k of ``weights[k] * coef[k, i] * coef[k, j] * cos ** powers[k]``.

    Attributes
    ----------
    powers : list of int
        Increasing; some may be left out.
    weights : array of shape (n_terms,)
    coef : array of shape (n_terms, n_rows)
    """

    powers: list
    weights: np.ndarray
    coef: np.ndarray


class RowSeries:
    r"""Expansions of an activation's kernel, for given rows.

    Pairs of two sets of rows need the same powers: concatenate the sets.

    Parameters
    ----------
    phi : object
        With ``value`` and ``slope``, the function and its derivative, and, where
        the latter is by finite differences, the attribute ``given = False``.
    std : array of shape (n_rows,)
        Standard deviations, > 0.
    stop : int, default=384
        Powers of the cosine below count; see `thinned`.

    Notes
    -----
    Coefficients have errors of about 1e-15 relative to the row's root mean square,
    whatever the standard deviation.
    """

    def __init__(self, phi, std, stop=384):
        std, self._inverse = np.unique(np.asarray(std, float), return_inverse=True)
        self._series, self._error, self._terms = (), np.inf, thinned(stop)
        if std.max() <= _LARGEST:
            with np.errstate(all="ignore"):
                self._expand(phi, std)

    def _expand(self, phi, std):
        rule = _Rule(max(std[-1], 1.0), self._terms)
        probes = np.geomspace(std[-1], max(std[0], std[-1] / _SPAN), _PROBES)
        error = rule.error(phi.value, probes)
        value = _Expansion(rule, phi.value, std, error)
        slope = _Derivative(rule, phi.slope, value)
        given = getattr(phi, "given", True)
        of_slope = rule.error(phi.slope, probes) if given else slope.error
        self._series, self._error = (value, slope), np.maximum(error, of_slope)
        self._growth = partial(_Interpolated, partial(rule.grow, phi), std, error)

    @property
    def size(self):
        """Root mean squares of the activation's values, one for each row.

        None where they are not known.
        """
        if not self._series:
            return None
        return self._series[0].size[self._inverse]

    @property
    def rest(self):
        """The largest share of a row's mean square that higher degrees have."""
        return max((series.rest for series in self._series), default=np.inf)

    def powers(self, top_cos, tolerance, most=64):
        r"""The powers of the series for pairs with ``abs(cos) <= top_cos``.

        Its derivative in the cosine gives the kernel of the derivative,

        .. math:: E[\phi'(u) \phi'(v)] = \frac{1}{\sigma \sigma'}
            \sum_n n \, a_n(\sigma) a_n(\sigma') \cos^{n-1}\vartheta

        and it has the terms that matter for the one or the other.

        Parameters
        ----------
        top_cos : float in [0, 1]
        tolerance : float > 0
            What is left out is at most this, relative to the geometric mean of the
            rows' own values: :math:`\sqrt{K(x, x) K(x', x')}`, and likewise for the
            derivative. So is the error of few degrees for many.
        most : int, default=64
            The largest number of terms.

        Returns
        -------
        list of int or None
            None where more terms are needed, or where the coefficients are not known
            to `tolerance`.
        """
        if not self._error <= tolerance:
            return None
        value, slope = (series.kept(top_cos, tolerance) for series in self._series)
        if value is None or slope is None:
            return None
        degrees = np.union1d(value, slope)
        if len(degrees) > most:
            return None
        return degrees.tolist()

    def series(self, powers):
        """The `PowerSeries` of these powers."""
        at = np.searchsorted(self._terms.degrees, powers)
        coef = self._series[0].columns(at)[:, self._inverse]
        return PowerSeries(powers, self._terms.weights[at], coef)

    def growth(self, powers):
        """Derivatives of coefficients and of `size` in the logarithm of `std`.

        Returns
        -------
        coef : array of shape (n_powers, n_rows)
        size : array of shape (n_rows,)
        """
        at, growth = np.searchsorted(self._terms.degrees, powers), self._growth()
        size = np.where(self.size > 0.0, self.size, 1.0)
        return growth.columns(at)[:, self._inverse], growth.size[self._inverse] / size


class _Rule:
    """A rule on a half line, with Hermite polynomials at its nodes."""

    def __init__(self, top, terms):
        self.top, self.terms = top, terms
        self.z, w = fine_rule(top, highest=terms.degrees[-1])
        self.root = np.sqrt(w)
        self.h = hermite(top, terms.degrees.tolist())
        self.odd = terms.degrees % 2 == 1

    def halves(self, fn, std):
        """The function times root weights, for positive and for negative z."""
        u = std[:, None] * self.z
        return fn(u) * self.root, fn(-u) * self.root

    def expand(self, fn, std):
        """Coefficients, of shape (n, degrees), and root mean squares.

        What is but rounding is 0: over small standard deviations it would be large.
        """
        halves = self.halves(fn, std)
        return self._coefficients(*halves), _norms(*halves)

    def grow(self, phi, std):
        """Derivatives of those of phi in log(std), and of half the mean squares."""
        values = self.halves(phi.value, std)
        turned = self.halves(lambda u: u * phi.slope(u), std)
        products = (np.sum(a * b, axis=1) for a, b in zip(values, turned, strict=True))
        return self._coefficients(*turned), sum(products)

    def _coefficients(self, plus, minus):
        a = np.empty((len(plus), len(self.h)))
        a[:, ~self.odd] = (plus + minus) @ self.h[~self.odd].T
        a[:, self.odd] = (plus - minus) @ self.h[self.odd].T
        least = _ROUNDING * _norms(plus, minus)[:, None]
        return np.where(np.abs(a) < least, 0.0, a)

    def error(self, fn, std):
        """An estimate of the relative error: a second rule's, and at the far end."""
        halves = self.halves(fn, std)
        size = _norms(*halves)
        zero = size == 0
        size = np.where(zero, 1.0, size)[:, None]
        z, w = fine_rule(self.top, shifted=True)
        u = std[:, None] * z
        square = ((fn(u) / size) ** 2 + (fn(-u) / size) ** 2) @ w
        end = sum(np.sum((y[:, self.z > _END] / size) ** 2, axis=1) for y in halves)
        return np.max(np.where(zero, 0.0, np.abs(square - 1.0) + end))


def _norms(plus, minus):
    """Of rows, also where their squares would underflow."""
    scale = np.maximum(np.abs(plus).max(axis=1), np.abs(minus).max(axis=1))
    unit = np.where(scale > 0, scale, 1.0)[:, None]
    return scale * np.sqrt(sum(np.sum((y / unit) ** 2, axis=1) for y in (plus, minus)))


class _Truncation:
    """Which terms of a series matter.

    `share` holds, by degree, the largest share of a row's mean square, and `rest`
    that of all higher degrees.
    """

    def _share(self, terms, powers, coef, size):
        ratio = coef / np.where(size > 0, size, 1.0)[:, None]
        rest = np.where(size > 0, 1.0 - ratio**2 @ terms.weights, 0.0)
        self.terms, self.powers, self.rest = terms, powers, np.max(np.abs(rest))
        self.share = np.max(ratio**2, axis=0) * np.abs(terms.weights)
        self.some = ratio[:: -(-len(ratio) // _SAMPLES)]

    def kept(self, top_cos, tolerance):
        """Degrees, in order, without the smallest terms that add up to less.

        None if all of them are not enough.
        """
        spare = tolerance - self.rest * top_cos**self.terms.stop
        if not (spare >= 0.0 and self._thinned(top_cos) <= tolerance):
            return None
        terms = self.share * top_cos**self.powers
        order = np.argsort(terms)
        left = order[~(np.cumsum(terms[order]) <= spare)]
        return self.terms.degrees[np.sort(left)]

    def _thinned(self, top_cos):
        """The error of few degrees for many, for some rows at some angles."""
        decay = np.append(0.0, np.geomspace(0.1 / self.terms.stop, 0.3, _ANGLES))
        at = (top_cos * np.exp(-decay))[:, None] ** self.powers
        rows = self.some
        others = rows, np.roll(rows, 1, axis=0), rows[::-1]
        errors = (self.terms.error(rows * b * at[:, None]) for b in others)
        return max(error.max() for error in errors)


class _Interpolated:
    """Coefficients of rows, and a number of each, in the order of their `std`.

    Few are computed, by `expand`; others are interpolated, on pieces as short as it
    takes.
    """

    def __init__(self, expand, std, error):
        self.expand, self.std = expand, std
        self.target = np.maximum(_CONVERGED, error)
        self.pieces, self.samples = [], []
        self._cover(0, std.size)

    def _cover(self, start, stop):
        if stop - start <= _NODES:
            self._keep(self.std[start:stop])
            return
        x = np.log(self.std[start:stop])
        if x[-1] - x[0] <= _WIDTH and self._interpolate(x):
            return
        middle = start + int(np.searchsorted(x, 0.5 * (x[0] + x[-1])))
        self._cover(start, middle)
        self._cover(middle, stop)

    def _interpolate(self, x):
        """Add a piece from Chebyshev nodes, the outer ones at its ends."""
        nodes = chebyshev_nodes(_NODES)
        middle, half = 0.5 * (x[0] + x[-1]), 0.5 * (x[-1] - x[0])
        scale = max(half, _NARROW) / nodes[0]
        std = np.exp(middle + scale * nodes)
        coef, size = self.expand(std)
        series = chebyshev_transform(_NODES) @ np.column_stack([coef, size])
        largest = max(np.abs(coef).max(), np.abs(size).max())
        missing = np.abs(series[-2:]).max()
        if half > _NARROW and missing > self.target * largest:
            return False
        self.samples.append((std, coef, size))
        self.pieces.append((series, chebvander((x - middle) / scale, _NODES - 1)))
        return True

    def _keep(self, std):
        """Add a piece from the rows themselves."""
        coef, size = self.expand(std)
        self.samples.append((std, coef, size))
        self.pieces.append((np.column_stack([coef, size]), None))

    @property
    def size(self):
        """The number of each row."""
        return self.columns([-1])[0]

    def columns(self, at):
        """Coefficients of some of the rule's degrees, of shape (degrees, n)."""
        parts = [
            coef[:, at] if basis is None else basis @ coef[:, at]
            for coef, basis in self.pieces
        ]
        return np.concatenate(parts).T


class _Expansion(_Interpolated, _Truncation):
    """Hermite coefficients of a function, with its root mean squares."""

    def __init__(self, rule, fn, std, error):
        super().__init__(partial(rule.expand, fn), std, error)
        std, coef, size = (np.concatenate(s) for s in zip(*self.samples, strict=True))
        self.samples = std, coef, size
        self._share(rule.terms, rule.terms.degrees, coef, size)


class _Derivative(_Truncation):
    """The expansion of a function's derivative from its own."""

    def __init__(self, rule, slope, value):
        std, coef, size = value.samples
        degrees = rule.terms.degrees
        coef = coef * np.sqrt(degrees) / std[:, None]
        slopes = _norms(*rule.halves(slope, std))
        squares = np.maximum(coef**2 @ rule.terms.weights, 0.0)
        slopes = np.maximum(slopes, np.sqrt(squares))
        self._share(rule.terms, np.maximum(degrees - 1.0, 0.0), coef, slopes)
        noise = _ROUNDING * size / (std * np.where(slopes > 0, slopes, 1.0))
        self.error = noise.max()
