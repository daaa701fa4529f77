r"""Kernels as power series in the cosine, with a coefficient for each row.

With :math:`a_n(\sigma) = E[\phi(\sigma z) h_n(z)]`, h_n the normalised Hermite
polynomials, Mehler's expansion of a pair is

.. math:: E[\phi(u) \phi(v)] = \sum_n a_n(\sigma) a_n(\sigma') \cos^n\vartheta

and that of the derivative is its derivative in the cosine, over the product of the
standard deviations. Away from parallel rows few terms are needed. Coefficients are
functions of :math:`\sigma` alone: where rows are many, they are interpolated in its
logarithm.
"""

from typing import NamedTuple

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from sklearn_ntk.networks._quadrature.hermite import fine_rule, hermite
from sklearn_ntk.networks._quadrature.rules import (
    chebyshev_nodes,
    chebyshev_transform,
)

__all__ = ["PowerSeries", "RowSeries"]

_LARGEST = 2.0**50
_NODES, _WIDTH, _NARROW = 20, 1.0, 1e-3
_ROUNDING, _CONVERGED = 2e-16, 4e-15
_END, _PROBES, _SPAN = 11.0, 6, 16.0


class PowerSeries(NamedTuple):
    r"""Sum over k of ``coef[k, i] * coef[k, j] * cos ** powers[k]``.

    Attributes
    ----------
    powers : list of int
        Increasing; some may be left out.
    coef : array of shape (n_terms, n_rows)
    """

    powers: list
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
    degrees : int, default=256
        The highest power of the cosine.

    Notes
    -----
    Coefficients have errors of about 1e-15 relative to the row's root mean square,
    whatever the standard deviation.
    """

    def __init__(self, phi, std, degrees=256):
        std, self._inverse = np.unique(np.asarray(std, float), return_inverse=True)
        self._series, self._error = (), np.inf
        if std.max() <= _LARGEST:
            with np.errstate(all="ignore"):
                self._expand(phi, std, degrees)

    def _expand(self, phi, std, degrees):
        rule = _Rule(max(std[-1], 1.0), degrees)
        probes = np.geomspace(std[-1], max(std[0], std[-1] / _SPAN), _PROBES)
        error = rule.error(phi.value, probes)
        value = _Expansion(rule, phi.value, std, error)
        if getattr(phi, "given", True):
            error = np.maximum(error, rule.error(phi.slope, probes))
            slope = _Expansion(rule, phi.slope, std, error)
        else:
            slope = _Derivative(rule, phi.slope, value)
            error = np.maximum(error, slope.error)
        self._series, self._error = (value, slope), error

    @property
    def size(self):
        """Root mean squares of the activation's values, one for each row.

        None where they are not known.
        """
        if not self._series:
            return None
        return self._series[0].size[self._inverse]

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
            derivative.
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
        degrees = np.union1d(value, slope + 1)
        if len(degrees) > most:
            return None
        return degrees.tolist()

    def series(self, powers):
        """The `PowerSeries` of these powers."""
        return PowerSeries(powers, self._series[0].columns(powers)[:, self._inverse])


class _Rule:
    """A rule on a half line, with Hermite polynomials at its nodes."""

    def __init__(self, top, degrees):
        self.top = top
        self.z, w = fine_rule(top)
        self.root = np.sqrt(w)
        self.h = hermite(top, degrees)

    def halves(self, fn, std):
        """The function times root weights, for positive and for negative z."""
        u = std[:, None] * self.z
        return fn(u) * self.root, fn(-u) * self.root

    def expand(self, fn, std):
        """Coefficients, of shape (n, degrees), and root mean squares."""
        plus, minus = self.halves(fn, std)
        a = np.empty((std.size, len(self.h)))
        a[:, ::2] = (plus + minus) @ self.h[::2].T
        a[:, 1::2] = (plus - minus) @ self.h[1::2].T
        return a, _norms(plus, minus)

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

    def _share(self, coef, size):
        ratio = coef / np.where(size > 0, size, 1.0)[:, None]
        rest = np.where(size > 0, 1.0 - np.sum(ratio**2, axis=1), 0.0)
        return np.max(ratio**2, axis=0), np.max(np.maximum(rest, 0.0))

    def kept(self, top_cos, tolerance):
        """Degrees, in order, without the smallest terms that add up to less.

        None if all of them are not enough.
        """
        terms = self.share * top_cos ** np.arange(len(self.share))
        spare = tolerance - self.rest * top_cos ** len(self.share)
        if spare < 0.0:
            return None
        order = np.argsort(terms)
        return np.sort(order[~(np.cumsum(terms[order]) <= spare)])


class _Expansion(_Truncation):
    """Hermite coefficients of a function at given, increasing, standard deviations.

    Few are by quadrature; others are interpolated, on pieces as short as it takes.
    """

    def __init__(self, rule, fn, std, error):
        self.rule, self.fn, self.std = rule, fn, std
        self.target = np.maximum(_CONVERGED, error)
        self.pieces, self.samples = [], []
        self._cover(0, std.size)
        std, coef, size = (np.concatenate(s) for s in zip(*self.samples, strict=True))
        self.samples = std, coef, size
        self.share, self.rest = self._share(coef, size)

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
        coef, size = self.rule.expand(self.fn, std)
        series = chebyshev_transform(_NODES) @ np.column_stack([coef, size])
        missing = np.abs(series[-2:]).max()
        if half > _NARROW and missing > self.target * size.max():
            return False
        self.samples.append((std, coef, size))
        self.pieces.append((series, chebvander((x - middle) / scale, _NODES - 1)))
        return True

    def _keep(self, std):
        """Add a piece from the rows themselves."""
        coef, size = self.rule.expand(self.fn, std)
        self.samples.append((std, coef, size))
        self.pieces.append((np.column_stack([coef, size]), None))

    @property
    def size(self):
        """Root mean squares, of shape (n,)."""
        return self.columns([-1])[0]

    def columns(self, degrees):
        """Coefficients of these degrees, of shape (degrees, n)."""
        parts = [
            coef[:, degrees] if basis is None else basis @ coef[:, degrees]
            for coef, basis in self.pieces
        ]
        return np.concatenate(parts).T


class _Derivative(_Truncation):
    """The expansion of a function's derivative from its own."""

    def __init__(self, rule, slope, value):
        std, coef, size = value.samples
        coef = coef[:, 1:] * np.sqrt(np.arange(1.0, coef.shape[1])) / std[:, None]
        slopes = _norms(*rule.halves(slope, std))
        slopes = np.maximum(slopes, np.sqrt(np.sum(coef**2, axis=1)))
        self.share, self.rest = self._share(coef, slopes)
        noise = _ROUNDING * size / (std * np.where(slopes > 0, slopes, 1.0))
        self.error = noise.max()
