r"""The angle between features that an activation has made nearly parallel.

The sine is half of the digits of the cosine where that is close to 1 or -1. There,
and there only, an activation is asked for its odd and its even part, each with the
*gap* :math:`1 - \cos` in a form that does not cancel, at pairs turned to an angle of
at most :math:`\pi / 2`. Gaps come from two helpers: `turned`, for the angle between
the rows, and `stretched`, for the ratio of their standard deviations.
"""

from typing import Any, NamedTuple

import numpy as np

from sklearn_ntk._engine.forward_mode import concatenate, gather, scatter, value_of
from sklearn_ntk.networks._pairs import shares

__all__ = ["Part", "refined_sine", "stretched", "turned"]

CLOSE = 1e-4  # where 1 - |cos| is below, the sine comes from the gap
TINIEST = 1e-70  # standard deviation; its products neither vanish nor overflow
CHUNK = 2**13  # pairs at once: their arrays stay in a core's cache
STEP = 0.005  # of half the log-ratio of two standard deviations, see `stretched`
STEPS = STEP * np.sin(np.pi * np.array([1.0, 3.0]) / 8.0)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(5)


class Part(NamedTuple):
    """A part of an activation: its standard deviations and ``1 - cos``."""

    std_x: Any
    std_y: Any
    gap: Any


def refined_sine(xp, activation, rows, out_cos, out_sin, itself):
    """`out_sin`, computed anew where `out_cos` is close to 1 or -1.

    Parameters
    ----------
    xp : namespace
    activation : Activation
    rows : tuple
        What it transforms: std_x, std_y, cos, sin.
    out_cos, out_sin : array
        The angle after the activation.
    itself : array of bool
        Pairs whose angle is exactly 0.
    """
    out_value = value_of(out_cos)
    close = (1.0 - xp.abs(out_value) < CLOSE) & ~itself
    if not xp.any(close):
        return out_sin
    rows, flat = [gather(xp, a, close) for a in rows], out_value[close] < 0
    sines = []
    for start in range(0, flat.shape[0], CHUNK):
        part = slice(start, min(start + CHUNK, flat.shape[0]))
        gap = _gap(xp, activation, [a[part] for a in rows], flat[part])
        if gap is None:
            return out_sin
        sines.append(xp.sqrt(gap * (2.0 - gap)))
    return scatter(xp, out_sin, close, concatenate(xp, sines))


def _gap(xp, activation, rows, flat):
    """One minus the magnitude of the cosine, whose sign is negative where `flat`."""
    std_x, std_y, cos, sin = rows
    std_x, std_y = (
        xp.maximum(std, TINIEST * xp.ones_like(std)) for std in (std_x, std_y)
    )
    negative = value_of(cos) < 0
    parts = activation.parts(xp, std_x, std_y, xp.abs(cos), sin)
    if parts is None:
        return None
    odd, even = parts
    # K(c) = K_odd(c) + K_even(c), and c < 0 turns the sign of K_odd
    if odd is not None:
        odd = odd._replace(gap=_flipped(xp, odd.gap, negative ^ flat))
    if even is not None:
        even = even._replace(gap=_flipped(xp, even.gap, flat))
    return _joined(xp, odd, even)


def _flipped(xp, gap, where):
    return xp.where(where, 2.0 - gap, gap)


def _joined(xp, a, b):
    """The gap of two parts side by side; every term is non-negative."""
    if a is None or b is None:
        return (a or b).gap
    std_x, std_y = xp.hypot(a.std_x, b.std_x), xp.hypot(a.std_y, b.std_y)
    ax, ay, bx, by = shares(xp, a, b, std_x, std_y)
    u, v = ax * ay, bx * by
    return u * a.gap + v * b.gap + (ax * by - bx * ay) ** 2 / (1.0 + u + v)


def turned(xp, slope, cos, sin):
    r""":math:`\int_0^\vartheta \dot K(\cos\varphi) \sin\varphi\, d\varphi`.

    It is :math:`(K(1) - K(\cos\vartheta)) / \sigma \sigma'`, since
    :math:`\partial K / \partial\cos = \sigma \sigma' \dot K`.
    Few nodes will do, as K changes little over the angles of pairs that are close.

    Parameters
    ----------
    xp : namespace
    slope : callable
        The function :math:`\dot K` of cosine and sine.
    cos, sin : array
        Of an angle of at most pi/2.
    """
    angle = xp.atan2(sin, cos)
    total = 0.0
    for node, weight in zip(NODES.tolist(), WEIGHTS.tolist(), strict=True):
        phi = angle * (0.5 + 0.5 * node)
        s = xp.sin(phi)
        total = total + (0.5 * weight) * s * slope(xp.cos(phi), s)
    return total * angle


def stretched(xp, residual, std_x, std_y):
    r"""``1 - cos`` of parallel rows of different standard deviations.

    With the logarithm of the kernel of parallel rows,
    :math:`\log K(\sigma, \sigma') = r(\sigma, \sigma') + g(\sigma) + g(\sigma')`,
    the cosine's logarithm is

    .. math:: r(\sigma, \sigma') - \tfrac12 r(\sigma, \sigma)
        - \tfrac12 r(\sigma', \sigma').

    Where the ratio :math:`e^{2h} = \sigma' / \sigma` is near 1 that cancels; but about
    the geometric mean it is :math:`h^2` times a smooth function of :math:`h^2`, which
    is interpolated from larger ratios.

    Parameters
    ----------
    xp : namespace
    residual : callable
        r, with a small relative error, symmetric: of two standard deviations and of
        their geometric mean, by which it may choose between formulas.
    std_x, std_y : array
    """
    low, high = xp.minimum(std_x, std_y), xp.maximum(std_x, std_y)
    mean = xp.sqrt(low) * xp.sqrt(high)

    def loss(x, y):
        own = residual(x, x, mean) + residual(y, y, mean)
        return 0.5 * own - residual(x, y, mean)

    inside = xp.minimum((high - low) / (high + low), 0.5 * xp.ones_like(low))
    h = 0.5 * (xp.log1p(inside) - xp.log1p(-inside))
    far, square = value_of(h) > STEP, h * h
    total = loss(low, high) if xp.any(far) else 0.0
    if not xp.all(far) and xp.any(value_of(h) > 0):
        total = xp.where(far, total, square * _bend(xp, loss, mean, square))
    else:
        total = xp.where(far, total, 0.0 * square)
    return -xp.expm1(-xp.maximum(total, xp.zeros_like(total)))


def _bend(xp, loss, mean, square):
    """``loss(mean * e**h, mean / e**h) / h**2`` at small h, of the given square."""
    near, far = (step**2 for step in STEPS.tolist())
    at_near, at_far = (
        loss(mean * float(np.exp(step)), mean * float(np.exp(-step))) / step**2
        for step in STEPS.tolist()
    )
    return at_near + (at_far - at_near) * ((square - near) / (far - near))
