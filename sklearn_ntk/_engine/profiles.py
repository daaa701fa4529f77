"""Kernel matrices by polynomials, where rows have one length or length factors out.

There a kernel is a function of the angle, however deep the network: it is evaluated
at some dozen angles and interpolated. Far from parallel rows a polynomial in the
cosine does, for a kernel that is one in any dimension is a power series in the cosine
with coefficients >= 0, and so analytic in the unit disk. Where many rows are closer
than that it is a Chebyshev series in the angle.
"""

import math
import threading
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from scipy import sparse

from sklearn_ntk._engine.generic import TracedInputs
from sklearn_ntk._engine.power_series import SERIES
from sklearn_ntk._engine.program import Program
from sklearn_ntk._engine.sphere import (
    ACCURACY,
    AngleSeries,
    LengthScaleError,
    Sphere,
    interpolated,
)
from sklearn_ntk._engine.tracing import Trace, TracingError

__all__ = ["Shortcut", "shortened"]

ENOUGH = 2**16  # pairs from which on an interpolation is worth its while
ALIKE = 1e-14  # relative difference of lengths that count as one
SAMPLE = 64  # rows whose cosines with all others are looked at
RADII = (0.2, 0.3, 0.4, 0.5, 0.6)  # of the cosines that a polynomial is for
MARGIN = 1.25  # of a radius over the cosines of a sample, for there to be no others
FEW = 2e-3  # share of pairs beyond the last radius, or below the series' floor
DIGITS = 37.5  # -log of what a power series leaves out
STEP = 4  # terms by which polynomials differ, so that there are few programs
LONGEST = 512  # terms of a series in the angle
SHORT = 64  # cost of a network that nothing is much cheaper than
COSTS = {"atan2": 8, "exp": 4, "sqrt": 2, "div": 2}  # in additions


def shortened(evaluation, dtype):
    """A program for rows on a sphere, or the network's own if that is shorter.

    Parameters
    ----------
    evaluation : Evaluation
    dtype : dtype
        Of the computation.

    Returns
    -------
    (Program, Shortcut or None) or None
        With a `Shortcut` for pairs that the program is not right for, unless it is
        the network's own. None where there is no such program, or too few pairs.
    """
    X, Y = evaluation.X, evaluation.columns
    if evaluation.dual or X.shape[0] * Y.shape[0] < ENOUGH:
        return None
    try:
        for part in (slice(SAMPLE), slice(None)):
            rows = _Rows(Trace(), X[part], Y[part], ntk=evaluation.ntk, dual=False)
            std = rows.common_std(evaluation.homogeneous)
            if std is None:
                return None
        rows.symmetric = evaluation.symmetric
        network = rows.traced(evaluation.evaluate, within=SHORT)
        if network is not None:
            return network, None
        sphere = Sphere(evaluation.evaluate, std, ntk=rows.ntk, width=rows.width)
        shortcut = Shortcut(sphere, evaluation.homogeneous)
        program = _interpolation(shortcut, rows, np.dtype(dtype))
    except (TracingError, LengthScaleError):
        return None
    if program is None:
        return None
    network = rows.traced(evaluation.evaluate, within=_cost(program.nodes))
    return (program, shortcut) if network is None else (network, None)


class _Rows(TracedInputs):
    """Rows that may lie on a sphere."""

    symmetric = False

    def common_std(self, homogeneous):
        """Length over the root of the number of features: 1 where it factors out."""
        pairs = self.resolve()
        if homogeneous:
            return 1.0
        std = np.concatenate([pairs.std_x.values, pairs.std_y.values])
        longest = np.max(std)
        return longest if np.ptp(std) <= ALIKE * longest else None

    def cosines(self):
        """Absolute cosines of a sample of pairs of different rows."""
        x, y = self.unit_rows
        chosen = np.linspace(0, x.shape[0] - 1, SAMPLE).astype(int)
        cos = x[chosen] @ y.T
        cos = np.abs(cos.toarray() if sparse.issparse(cos) else cos)
        if self.symmetric:
            cos[np.arange(SAMPLE), chosen] = 0.0
        return np.minimum(cos, 1.0)

    def traced(self, evaluate, *, within):
        """The network's own program, or None where it costs more than `within`."""
        trace = _ShortTrace(within)
        inputs = self._replace(xp=trace, trace=trace)
        try:
            with np.errstate(all="ignore"):
                return Program(trace, evaluate(inputs))
        except TracingError:
            return None


class _ShortTrace(Trace):
    """A trace that refuses to become long."""

    def __init__(self, longest):
        super().__init__()
        self.longest = longest

    def boundary(self):
        """Note that a layer begins here."""
        if _cost(self.nodes) > self.longest:
            raise TracingError("more operations than are worth while")
        super().boundary()


def _cost(nodes):
    return sum(_cost_of(node) for node in nodes)


def _cost_of(node):
    if node.op in SERIES:
        return 2 * int(node.args[1])
    return COSTS.get(node.op, 1)


class Shortcut:
    """A kernel of rows on a sphere by interpolation, in place of a network.

    Parameters
    ----------
    sphere : Sphere
    homogeneous : bool
        Whether values are proportional to the lengths of both rows.

    Attributes
    ----------
    interpolated : bool
        False: pairs that are evaluated are so few that the network does it.
    """

    def __init__(self, sphere, homogeneous):
        self.sphere, self.homogeneous = sphere, homogeneous
        self.interpolated = True
        self._series, self._lock = None, threading.Lock()

    @property
    def series(self):
        """The series in the angle, made when first asked for."""
        with self._lock:
            if self._series is None:
                self._series = AngleSeries.of(self.sphere, LONGEST)
        return self._series

    @cached_property
    def itself(self):
        """The values for a row with itself, an array (n_values, 1)."""
        return self.sphere.with_itself(np.empty(0), np.empty(0))[1]

    def evaluate(self, inputs):
        """What the network gives for `Inputs`."""
        if inputs.Y is None and not self.homogeneous:
            return list(self.itself)
        pairs = inputs.resolve()
        if inputs.Y is None:
            values = self.itself
        else:
            values = self._at(*np.broadcast_arrays(pairs.cos, pairs.sin))
        return [self.scaled(value, pairs) for value in values]

    def _at(self, cos, sin):
        if not self.interpolated:
            flat = self.sphere(cos.ravel(), sin.ravel())
            return flat.reshape(-1, *cos.shape)
        values = self.series(np.arctan2(sin, cos))
        unsure = self.unsure(values)
        if np.any(unsure):
            values[:, unsure] = self.sphere(cos[unsure], sin[unsure])
        return values

    def unsure(self, values):
        """Marks what the series gives too few digits of."""
        return ~np.all(np.abs(values.T) >= self.series.floor, axis=-1).T

    def scaled(self, value, pairs):
        """A value for rows of the pairs' lengths."""
        return value * pairs.std_x * pairs.std_y if self.homogeneous else value


def _interpolation(shortcut, rows, dtype):
    """The cheaper program of those that are good enough, or None."""
    cosines = rows.cosines()
    shortcut.interpolated = np.max(cosines) * MARGIN > RADII[-1]
    if not shortcut.interpolated or np.mean(cosines > RADII[-1]) <= FEW:
        fitting = (r for r in RADII if np.max(cosines) * MARGIN <= r)
        return _polynomial(shortcut, rows, next(fitting, RADII[-1]), dtype)
    if np.mean(shortcut.unsure(shortcut.series(np.arccos(cosines)))) <= FEW:
        return _angular(shortcut, rows)
    return None


def _polynomial(shortcut, rows, radius, dtype):
    """The program of polynomials in the cosine, or None if they are not exact."""
    coefficients = _power_series(shortcut, radius, dtype)
    if coefficients is None:
        return None
    pairs = rows.resolve()
    rows.trace.guard(abs(pairs.cos) > radius)
    values = [_horner(pairs.cos, powers) for powers in coefficients]
    return Program(rows.trace, [shortcut.scaled(v, pairs) for v in values])


def _power_series(shortcut, radius, dtype):
    """Coefficients in the cosine up to a radius, or None if they are not exact."""
    growth = (1.0 + math.sqrt(1.0 - radius**2)) / radius
    size = STEP * math.ceil(DIGITS / math.log(growth) / STEP)
    points = np.sin(np.pi * np.arange(size, -size - 1, -1) / (2 * size))
    cos = radius * points
    sin = np.sqrt((1.0 - cos) * (1.0 + cos))
    values, shortcut.itself = shortcut.sphere.with_itself(cos, sin)
    series = _shortened(interpolated(values[:, ::2]), dtype)
    if not _is_exact(series, points, values, radius, dtype):
        return None
    powers = np.zeros_like(series)
    for row, terms in zip(powers, map(chebyshev.cheb2poly, series), strict=True):
        row[: len(terms)] = terms
    powers[:, 0] = values[:, size]  # so that 0 at a right angle is 0
    return powers / radius ** np.arange(powers.shape[1])


def _shortened(series, dtype):
    """The series without terms at its end whose sum is negligible."""
    negligible = 2e-16 if dtype.itemsize == 8 else 1e-9
    tails = np.cumsum(np.abs(series[:, ::-1]), axis=1)[:, ::-1]
    needed = np.any(tails > negligible * tails[:, :1], axis=0)
    return series[:, : max(STEP, STEP * math.ceil(np.count_nonzero(needed) / STEP))]


def _is_exact(series, x, values, radius, dtype):
    """Whether a series agrees with other values, to the digits that it can have."""
    gap = np.abs(chebyshev.chebval(x, series.T) - values)
    slope = np.abs(chebyshev.chebval(x, chebyshev.chebder(series.T))) / radius
    rounding = 4.0 * np.finfo(dtype).eps
    return np.all(gap <= max(ACCURACY, rounding) * np.abs(values) + rounding * slope)


def _horner(x, powers):
    """A polynomial of a symbol."""
    total = float(powers[-1])
    for power in powers[-2::-1]:
        total = total * x + float(power)
    return total


def _angular(shortcut, rows):
    """The program of series in the angle."""
    pairs, series = rows.resolve(), shortcut.series
    mapped = rows.trace.settled(rows.trace.atan2(pairs.cos, pairs.sin) * (-4 / math.pi))
    outputs = []
    for coefficients, floor in zip(series.coefficients, series.floor, strict=True):
        value = _clenshaw(mapped, coefficients)
        if floor > 0:
            rows.trace.guard(abs(value) < float(floor))
        outputs.append(shortcut.scaled(value, pairs))
    return Program(rows.trace, outputs)


def _clenshaw(twice, coefficients):
    """A Chebyshev series of a symbol, given its double; pieces have the same code."""
    last, total = 0.0, 0.0
    for k, coefficient in enumerate(coefficients[:0:-1]):
        if k % STEP == 0:
            twice.trace.boundary()
        last, total = total, twice * total - last + float(coefficient)
    return 0.5 * (twice * total) - last + float(coefficients[0])
