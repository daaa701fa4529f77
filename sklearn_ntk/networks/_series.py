"""Activations by quadrature in traced formulas: as power series in the cosine."""

import math

import numpy as np

from sklearn_ntk._engine.tracing import Row, TooManyNumbersError, TracingError
from sklearn_ntk.networks._quadrature.mehler import RowSeries

__all__ = ["as_series"]

DEGREES = 256  # that are tried before more
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
    widest = min(radius, trace.widest)
    if widest < 1.0:
        trace.guard(abs(cos) > widest)

    def symbols(values):
        return trace.rows_like(std_x, std_y, values)

    size, coef = rows.size, series.coef
    if zero.any():
        size = np.where(zero, abs(phi.value(np.zeros(1))), size)
        coef = np.where(zero, _at_zero(phi, series.powers)[:, None], coef)
    # at all angles that of the terms left: equal rows then are parallel to rounding
    unit = np.sqrt(np.sum(coef**2, axis=0)) if radius == 1.0 else size
    unit = np.where(unit > 0.0, unit, 1.0)
    terms = dict(zip(series.powers, map(symbols, coef / unit), strict=True))
    cosine, slope = _with_slope(trace, terms, cos)
    cosine = trace.settled(cosine)
    sine = trace.sqrt((1.0 - cosine) * (1.0 + cosine))
    gain_x, gain_y = symbols(unit / std)
    return *symbols(size), cosine, lambda: sine, slope * (gain_x * gain_y)


def _found(trace, phi, std, cos):
    """The rows, their series, and the cosine up to which it is to be used."""
    cosines = np.abs(trace.sampled(cos))
    for degrees in (DEGREES, 2 * MOST):
        rows = RowSeries(phi, std, degrees)
        for radius in _radii(cosines, trace.widest):
            powers = rows.powers(radius, TOLERANCE, MOST)
            if not powers:
                continue
            if len(powers) * std.size > trace.room:
                raise TooManyNumbersError("a series for many rows")
            return rows, rows.series(powers), radius
    raise TracingError("nearly parallel rows, or a series of many terms")


def _at_zero(phi, powers):
    """Coefficients of a row of zeros, which is at a right angle to all others."""
    slope = np.mean(phi.slope(np.array([-TINY, TINY])))  # which may jump
    first = {0: phi.value(np.zeros(1))[0], 1: SMALLEST * slope}
    return np.array([first.get(n, 0.0) for n in powers])


def _radii(cosines, widest):
    """Radii that few of a sample of cosines are beyond; the best is the first.

    Nor are many beyond `widest`.
    """
    middle, high = np.quantile(cosines, [0.5, 1.0 - FEW])
    wanted = middle + MARGIN * (high - middle)
    enough = next((r for r in RADII if r >= wanted), RADII[-1])
    for radius in reversed(RADII):
        beyond = cosines > min(radius, widest)
        if radius <= enough and np.mean(beyond) <= FEW:
            yield radius


def _with_slope(trace, terms, x):
    """The sum of ``a * b * x**n`` for ``terms[n] = a, b`` and its derivative in x.

    It goes by powers of x**step, where step is 2 for an even or an odd function; the
    lowest terms may be others.
    """
    powers = sorted(terms)
    apart = max(range(min(3, len(powers))), key=lambda k: _step(powers[k:]))
    total, slope = _in_steps(trace, terms, powers[apart:], x)
    for n in powers[:apart]:
        a, b = terms[n]
        total = total + (a * b * trace.power(x, n) if n else a * b)
        if n > 0:
            slope = slope + (a * b * n * trace.power(x, n - 1) if n > 1 else a * b)
    return total, slope


def _step(powers):
    """The largest number that all differences are multiples of."""
    return math.gcd(*(n - powers[0] for n in powers)) or 1


def _in_steps(trace, terms, powers, x):
    """The sum over some powers, and its derivative."""
    lowest, highest, step = powers[0], powers[-1], _step(powers)
    zero = tuple(trace.row(a.axis, 0.0 * a.values) for a in terms[highest])
    rows = [terms.get(n, zero) for n in range(highest, lowest - 1, -step)]
    total, slope = trace.series(rows, trace.settled(trace.power(x, step)))
    # x**lowest * p(x**step), by the product and the chain rule
    slope = slope * step * trace.power(x, step - 1) if step > 1 else slope
    if lowest == 0:
        return total, slope
    outer = trace.power(x, lowest)
    inner = lowest * trace.power(x, lowest - 1) if lowest > 1 else 1.0
    return total * outer, slope * outer + total * inner
