"""Activations by quadrature in traced formulas: as power series in the cosine."""

import math

import numpy as np

from sklearn_ntk._engine.tracing import Row, TracingError
from sklearn_ntk.networks._quadrature.mehler import RowSeries

__all__ = ["as_series"]

ENOUGH = 2**18  # pairs from which on coefficients for all rows are worth their while
MOST = 128  # terms of a series
TOLERANCE = 1e-13  # of what is left out, relative to the rows' own values
RADII = (*np.arange(0.3, 0.96, 0.025), 0.97, 0.98, 0.99, 0.995)  # of cosines
SMALLEST = 1e-10  # standard deviation of a row
FEW = 5e-4  # share of pairs beyond: one costs as much as a thousand others
MARGIN = 1.75  # of how far a sample spreads, for there to be hardly any
STEP = 8  # terms after which another piece of code begins, mostly the same


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
    """
    if not (isinstance(std_x, Row) and isinstance(std_y, Row)):
        raise TracingError("standard deviations that are not one for each row")
    n_x, n_y = len(std_x.values), len(std_y.values)
    if n_x * n_y < ENOUGH:
        raise TracingError("a series for few pairs")
    std = np.concatenate([std_x.values, std_y.values])
    if std.min() < SMALLEST:
        raise TracingError("a row of zeros")
    rows = RowSeries(phi, std)
    for radius in _radii(np.abs(trace.sampled(cos))):
        series = rows.truncated(radius, TOLERANCE, MOST)
        if series is not None and series.powers:
            break
    else:
        raise TracingError("nearly parallel rows, or a series of many terms")
    trace.guard(abs(cos) > radius)
    out_x, out_y = trace.row(0, rows.size[:n_x]), trace.row(1, rows.size[n_x:])
    terms = {
        n: trace.row(0, a[:n_x]) * trace.row(1, a[n_x:])
        for n, a in zip(series.powers, series.coef, strict=True)
    }
    nngp, slope = _with_slope(trace, terms, cos)
    cosine = trace.settled(nngp / (out_x * out_y))
    sine = trace.sqrt((1.0 - cosine) * (1.0 + cosine))
    return out_x, out_y, cosine, lambda: sine, slope / (std_x * std_y)


def _radii(cosines):
    """Radii that few of a sample of cosines are beyond; the best is the first."""
    middle, high = np.quantile(cosines, [0.5, 1.0 - FEW])
    wanted = middle + MARGIN * (high - middle)
    enough = next((r for r in RADII if r >= wanted), RADII[-1])
    for radius in reversed(RADII):
        if radius <= enough and np.mean(cosines > radius) <= FEW:
            yield radius


def _with_slope(trace, terms, x):
    """The sum of ``terms[n] * x**n`` and its derivative in x, by Horner's rule.

    It goes by powers of x**step, where step is 2 for an even or an odd function.
    """
    lowest, highest = min(terms), max(terms)
    step = math.gcd(*(n - lowest for n in terms)) or 1
    power = trace.settled(trace.power(x, step))
    total, slope = 0.0, 0.0
    for k, n in enumerate(range(highest, lowest - 1, -step)):
        slope = slope * power + total
        total = total * power + terms.get(n, 0.0)
        if k % STEP == 0:
            trace.boundary()
    # x**lowest * p(x**step), by the product and the chain rule
    slope = slope * step * trace.power(x, step - 1) if step > 1 else slope
    if lowest == 0:
        return total, slope
    outer = trace.power(x, lowest)
    inner = lowest * trace.power(x, lowest - 1) if lowest > 1 else 1.0
    return total * outer, slope * outer + total * inner
