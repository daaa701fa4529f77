"""The angle between nearly parallel rows, in twice the working precision."""

__all__ = ["sine_between"]

_SPLITTER = 134217729.0  # 2**27 + 1


def _two_product(a, b):
    """``a * b`` and its rounding error (Dekker 1971)."""
    product = a * b
    a_high = a * _SPLITTER
    a_high = a_high - (a_high - a)
    b_high = b * _SPLITTER
    b_high = b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + (
        a_low * b_low
    )
    return product, error


def _two_sum(a, b):
    """``a + b`` and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _dot(x, y):
    """Dot products of the rows of x and y as an unevaluated sum of two doubles."""
    high = low = 0.0 * x[:, 0]
    for k in range(x.shape[1]):
        product, error = _two_product(x[:, k], y[:, k])
        high, carry = _two_sum(high, product)
        low = low + (carry + error)
    return _two_sum(high, low)


def _to_unit_range(xp, x):
    """Rows scaled by a power of two, which is exact, to a largest entry near 1."""
    exponent = xp.floor(xp.log2(xp.max(xp.abs(x), axis=1, keepdims=True)))
    two = xp.full_like(exponent, 2.0)
    half = xp.floor(0.5 * exponent)  # in two steps, for 2**1074 is not a float
    return x * two ** (-half) * two ** (half - exponent)


def sine_between(xp, x, y):
    """Sine of the angle between row i of x and row i of y.

    The part of y across x is formed in double-double arithmetic, so the sine of
    rows that differ in their last bits only still has a small relative error.

    Parameters
    ----------
    xp : namespace
    x, y : array of shape (p, d)
        Float64, no zero rows.

    Returns
    -------
    array of shape (p,)
    """
    x, y = _to_unit_range(xp, x), _to_unit_range(xp, y)
    norm_high, norm_low = _dot(x, x)
    dot_high, dot_low = _dot(x, y)
    slope = dot_high / norm_high
    product, error = _two_product(slope, norm_high)
    slope_low = ((dot_high - product) - error + dot_low - slope * norm_low) / norm_high
    product, error = _two_product(slope[:, None], x)
    across = (y - product) - error - slope_low[:, None] * x
    return xp.sqrt(xp.sum(across * across, axis=1) / xp.sum(y * y, axis=1))
