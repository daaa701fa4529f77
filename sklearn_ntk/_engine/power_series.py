"""Power series with coefficients of rows, in two operations: values and derivatives."""

import numpy as np

__all__ = ["SERIES", "derivative", "power_series", "write_derivative", "write_series"]

SERIES = "series", "slope"  # the names of the operations


def power_series(x, count, *rows):
    """The sum over n of ``a[n] * b[n] * x**n``.

    Parameters
    ----------
    x : array
    count : float
        Number of terms.
    *rows : array
        Each a, and then each b, that of the highest power first.
    """
    total = 0.0
    for a, b in _terms(count, rows):
        total = total * x + a * b
    return total


def derivative(x, count, *rows):
    """Its derivative in x."""
    return power_series(x, *_derived(count, rows))


def write_series(x, count, *rows, out):
    """As `power_series`, to a NumPy array other than x."""
    out[...] = 0.0
    term = np.empty_like(out)
    for a, b in _terms(count, rows):
        np.multiply(out, x, out=out)
        np.multiply(a, b, out=term)
        np.add(out, term, out=out)


def write_derivative(x, count, *rows, out):
    """As `derivative`, likewise."""
    write_series(x, *_derived(count, rows), out=out)


def _terms(count, rows):
    return zip(rows[: int(count)], rows[int(count) :], strict=True)


def _derived(count, rows):
    """The arguments of the derivative, a series of one term less."""
    n = int(count) - 1
    a = [(n - k) * row for k, row in enumerate(rows[:n])]
    return n, *a, *rows[n + 1 : 2 * n + 1]
