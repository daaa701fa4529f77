"""Activations by quadrature in traced formulas: as power series in the cosine."""

import math

import numpy as np

from sklearn_ntk._engine.forward_mode import Dual, chain, value_of
from sklearn_ntk._engine.tracing import Row, TooManyNumbersError, TracingError
from sklearn_ntk.networks._quadrature.mehler import RowSeries
from sklearn_ntk.networks._quadrature.thinning import runs

__all__ = ["as_series"]

STOPS = 384, 1536, 6144, 24576, 98304  # below which degrees are, tried in turn
SOON = 1.4  # power of what higher degrees have that it is below by the next of these
MOST = 448  # terms of a series
TOLERANCE = 1e-13  # of what is left out, relative to the rows' own values
RADII = (*np.arange(0.3, 0.96, 0.025), 0.97, 0.98, 0.99, 0.995, 1.0)  # of cosines
SMALLEST = 1e-6  # standard deviation of a row that is not 0
TINY = 1e-300  # on either side of 0
FEW = 5e-4  # share of pairs beyond: one costs as much as a thousand others
TABLES = 1, 3  # of coefficients, of each row, without and with derivatives
MARGIN = 1.75  # of how far a sample spreads, for there to be hardly any


def as_series(trace, phi, *operands):
    r"""What `Activation.transform` returns, of symbols.

    .. math:: K = \sum_n a_n a_n' \cos^n\vartheta, \quad
        \dot K = \frac{1}{\sigma \sigma'} \frac{dK}{d \cos\vartheta}

    with coefficients of rows that `RowSeries` finds. Pairs with a cosine beyond what
    the series are for are not generic.

    Parameters
    ----------
    trace : Trace
    phi : object
        The activation and its derivatives, as `RowSeries` takes it.
    *operands : Row, Row, Pair
        Standard deviations and the cosine, or `Dual` around them.

    Raises
    ------
    TracingError
        If there are few pairs, or too many terms are needed, or none.
    TooManyNumbersError
        If rows are too many for their coefficients.
    """
    std_x, std_y, cos = map(value_of, operands)
    if not (isinstance(std_x, Row) and isinstance(std_y, Row)):
        raise TracingError("standard deviations that are not one for each row")
    if std_x.values.size * std_y.values.size < trace.enough:
        raise TracingError("a series for few pairs")
    std = np.concatenate([std_x.values.ravel(), std_y.values.ravel()])
    zero, std = std == 0.0, np.where(std == 0.0, SMALLEST, std)
    if std.min() < SMALLEST:
        raise TracingError("rows that are nearly zero")
    differentiated = any(isinstance(a, Dual) for a in operands)
    rows, series, radius = _found(trace, phi, std, cos, TABLES[differentiated])
    if radius < 1.0:
        trace.guard(abs(cos) > radius)
    found = _Rows(phi, std, zero, rows, series, everywhere=radius == 1.0)

    def symbols(values):
        return trace.rows_like(std_x, std_y, values)

    sums = _Sums(trace, found, symbols, cos)
    return sums.chained(*operands) if differentiated else sums.plain()


class _Rows:
    """Coefficients of rows whose squares add up to 1, and what rows are divided by."""

    def __init__(self, phi, std, zero, rows, series, *, everywhere):
        self.std, self.zero, self.powers = std, zero, series.powers
        self.weights, self.size, coef = series.weights, rows.size, series.coef
        if zero.any():
            self.size = np.where(zero, abs(phi.value(np.zeros(1))), self.size)
            coef = np.where(zero, _at_zero(phi, series.powers)[:, None], coef)
        # at all angles that of the terms left: equal rows then are parallel to rounding
        unit = np.sqrt(self.weights @ coef**2) if everywhere else self.size
        self.unit = np.where(unit > 0.0, unit, 1.0)
        self.coef, self.everywhere = coef / self.unit, everywhere
        self.gain = self.unit / std
        self._growth = rows.growth

    def derivatives(self):
        """Derivatives in `std` of the coefficients, of `size` and of `unit`."""
        coef, size = self._growth(self.powers)
        coef, size = (np.where(self.zero, 0.0, a / self.std) for a in (coef, size))
        unit = self.weights @ (self.coef * coef) if self.everywhere else size
        return (coef - self.coef * unit) / self.unit, size, unit


class _Sums:
    """The series of pairs and their derivatives."""

    def __init__(self, trace, rows, symbols, cos):
        self.trace, self.rows, self.symbols, self.cos = trace, rows, symbols, cos
        self.coef = [symbols(a) for a in rows.coef]
        self.gain = symbols(rows.gain)

    def plain(self):
        """What `Activation.transform` returns."""
        x, y = zip(*self.coef, strict=True)
        cosine, slope = self._sum(x, y)
        gain_x, gain_y = self.gain
        return *self._sizes(cosine), slope * (gain_x * gain_y)

    def _sizes(self, cosine):
        cosine = self.trace.settled(cosine)

        def sine():
            return self.trace.sqrt((1.0 - cosine) * (1.0 + cosine))

        return *self.symbols(self.rows.size), cosine, sine

    def _sum(self, x, y, *, derived=False):
        """A series of the coefficients of rows, or its derivative; and the next one."""
        weights, powers = self.rows.weights.tolist(), self.rows.powers
        terms = zip(powers, weights, x, y, strict=True)
        if derived:
            chosen = {n - 1: (n * w * a, b) for n, w, a, b in terms if n > 0}
        else:
            chosen = {n: (w * a, b) for n, w, a, b in terms}
        return _with_slope(self.trace, chosen, self.cos) if chosen else (0.0, 0.0)

    def chained(self, std_x, std_y, cos):
        """What `Activation.transform` returns, differentiated as the operands are."""
        d_coef, d_size, d_unit = self.rows.derivatives()
        (x, y), (d_x, d_y) = (
            zip(*pairs, strict=True)
            for pairs in (self.coef, [self.symbols(a) for a in d_coef])
        )
        cosine, _ = self._sum(x, y)
        slope, bend = self._sum(x, y, derived=True)
        (by_x, slope_by_x), (by_y, slope_by_y) = self._sum(d_x, y), self._sum(x, d_y)
        gain_x, gain_y = self.gain
        d_gain = (d_unit - self.rows.gain) / self.rows.std
        d_gain_x, d_gain_y = self.symbols(d_gain)
        size_x, size_y, cosine, sine = self._sizes(cosine)
        d_size_x, d_size_y = self.symbols(d_size)
        both = gain_x * gain_y
        return (
            chain(size_x, (std_x, d_size_x)),
            chain(size_y, (std_y, d_size_y)),
            chain(cosine, (std_x, by_x), (std_y, by_y), (cos, slope)),
            sine,
            chain(
                slope * both,
                (std_x, slope_by_x * both + slope * (d_gain_x * gain_y)),
                (std_y, slope_by_y * both + slope * (gain_x * d_gain_y)),
                (cos, bend * both),
            ),
        )


def _found(trace, phi, std, cos, tables):
    """The rows, their series, and the cosine up to which it is to be used.

    Of all coefficients there are as many tables.
    """
    cosines = np.abs(trace.sampled(cos))
    before = 1.0
    for stop in STOPS:
        rows = RowSeries(phi, std, stop)
        for radius in _radii(cosines):
            powers = rows.powers(radius, TOLERANCE, MOST)
            if not powers:
                continue
            if tables * len(powers) * std.size > trace.room:
                raise TooManyNumbersError("a series for many rows")
            return rows, rows.series(powers), radius
        if rows.rest > before**SOON:  # it falls as a power of the degree
            break
        before = rows.rest
    raise TracingError("nearly parallel rows, or a series of many terms")


def _at_zero(phi, powers):
    """Coefficients of a row of zeros, which is at a right angle to all others."""
    slope = np.mean(phi.slope(np.array([-TINY, TINY])))  # which may jump
    first = {0: phi.value(np.zeros(1))[0], 1: SMALLEST * slope}
    return np.array([first.get(n, 0.0) for n in powers])


def _radii(cosines):
    """Radii that few of a sample of cosines are beyond; the best is the first."""
    middle, high = np.quantile(cosines, [0.5, 1.0 - FEW])
    wanted = middle + MARGIN * (high - middle)
    enough = next((r for r in RADII if r >= wanted), RADII[-1])
    for radius in reversed(RADII):
        if radius <= enough and np.mean(cosines > radius) <= FEW:
            yield radius


def _with_slope(trace, terms, x):
    """The sum of ``a * b * x**n`` for ``terms[n] = a, b`` and its derivative in x.

    Each run of powers of one step is a series in x**step, where step is 2 for the
    lowest powers of an even or an odd function; the very lowest may be others.
    """
    power = _Powers(trace.settled(x))
    first, *others = runs(terms)
    apart = max(range(min(3, len(first))), key=lambda k: _step(first[k:]))
    # each series is a segment of its own: all that others need is before the first
    parts = [_Run(terms, part, power) for part in (first[apart:], *others)]
    sums = [trace.series(part.rows(trace), part.variable) for part in parts]
    total = slope = 0.0
    for part, found in zip(parts, sums, strict=True):
        value, derivative = part.shifted(*found)
        total, slope = total + value, slope + derivative
    for n in first[:apart]:
        a, b = terms[n]
        total = total + a * b * power[n]
        if n > 0:
            slope = slope + a * b * n * power[n - 1]
    return total, slope


def _step(powers):
    """The largest number that all differences are multiples of."""
    return math.gcd(*(n - powers[0] for n in powers)) or 1


class _Powers(dict):
    """Powers of a symbol, as products."""

    def __init__(self, x):
        super().__init__({0: 1.0, 1: x})

    def __missing__(self, n):
        most = 1 << (n.bit_length() - 1)
        other = n - most or most // 2
        self[n] = self[n - other] * self[other]
        return self[n]


class _Run:
    """A sum over some powers, as ``x**lowest * p(x**step)``."""

    def __init__(self, terms, powers, power):
        self.terms, self.step = terms, _step(powers)
        self.lowest, self.highest = powers[0], powers[-1]
        self.variable, self.turn = power[self.step], power[self.step - 1]
        self.outer = power[self.lowest]
        self.d_outer = power[self.lowest - 1] if self.lowest else 0.0

    def rows(self, trace):
        """The coefficients of p, the highest first."""
        rows = self.terms[self.highest]
        zero = tuple(trace.row(a.axis, np.zeros_like(a.values)) for a in rows)
        powers = range(self.highest, self.lowest - 1, -self.step)
        return [self.terms.get(n, zero) for n in powers]

    def shifted(self, value, derivative):
        """The sum and its derivative in x, from those of p."""
        slope = derivative * self.turn * self.step * self.outer
        return value * self.outer, slope + value * self.d_outer * self.lowest
