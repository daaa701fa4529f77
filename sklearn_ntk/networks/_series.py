"""Activations by quadrature in traced formulas: as power series in the cosine."""

import math

import numpy as np

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
MARGIN = 1.75  # of how far a sample spreads, for there to be hardly any


def as_series(trace, phi, std_x, std_y, cos):
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
    std_x, std_y, cos : Row, Row, Pair

    Raises
    ------
    TracingError
        If there are few pairs, or too many terms are needed, or none.
    TooManyNumbersError
        If rows are too many for their coefficients.
    """
    if not (isinstance(std_x, Row) and isinstance(std_y, Row)):
        raise TracingError("standard deviations that are not one for each row")
    if std_x.values.size * std_y.values.size < trace.enough:
        raise TracingError("a series for few pairs")
    std = np.concatenate([std_x.values.ravel(), std_y.values.ravel()])
    zero, std = std == 0.0, np.where(std == 0.0, SMALLEST, std)
    if std.min() < SMALLEST:
        raise TracingError("rows that are nearly zero")
    rows, series, radius = _found(trace, phi, std, cos)
    if radius < 1.0:
        trace.guard(abs(cos) > radius)

    def symbols(values):
        return trace.rows_like(std_x, std_y, values)

    size, coef = rows.size, series.coef
    if zero.any():
        size = np.where(zero, abs(phi.value(np.zeros(1))), size)
        coef = np.where(zero, _at_zero(phi, series.powers)[:, None], coef)
    # at all angles that of the terms left: equal rows then are parallel to rounding
    unit = np.sqrt(series.weights @ coef**2) if radius == 1.0 else size
    unit = np.where(unit > 0.0, unit, 1.0)
    pairs = zip(series.weights.tolist(), map(symbols, coef / unit), strict=True)
    weighted = [(weight * a, b) for weight, (a, b) in pairs]
    terms = dict(zip(series.powers, weighted, strict=True))
    cosine, slope = _with_slope(trace, terms, cos)
    cosine = trace.settled(cosine)
    sine = trace.sqrt(trace.maximum((1.0 - cosine) * (1.0 + cosine), 0.0))
    if trace.widest < 1.0:
        trace.guard(abs(cosine) > trace.widest, of=sine)
    gain_x, gain_y = symbols(unit / std)
    return *symbols(size), cosine, lambda: sine, slope * (gain_x * gain_y)


def _found(trace, phi, std, cos):
    """The rows, their series, and the cosine up to which it is to be used."""
    cosines = np.abs(trace.sampled(cos))
    before = 1.0
    for stop in STOPS:
        rows = RowSeries(phi, std, stop)
        for radius in _radii(cosines):
            powers = rows.powers(radius, TOLERANCE, MOST)
            if not powers:
                continue
            if len(powers) * std.size > trace.room:
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
