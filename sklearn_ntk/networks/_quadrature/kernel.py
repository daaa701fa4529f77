r"""The kernel of a function of one variable, from quadrature along rows and tables.

With y(z) = phi(sigma z) / A, A the row's root mean square, the normalised output
covariance C satisfies, without cancellation,

.. math:: 1 - C = \tfrac12 E[(y(z) - y'(z))^2]
    + \frac{\sigma \sigma'}{A A'} (1 - \cos\vartheta) W,

and the same from the antipodal end: that is what is computed.
"""

from functools import cached_property

import numpy as np

from sklearn_ntk.networks._quadrature.layout import RowPairs, in_blocks
from sklearn_ntk.networks._quadrature.rules import normal_rule

__all__ = ["GaussKernel", "Moments", "Rows"]

_SMALLEST, _LARGEST = 1e-300, 2.0**50
_CLOSE = 1e-4


class Rows:
    """Second moments of rows of given standard deviations, as `phi` transforms them.

    Below `_SMALLEST` a function is its own tangent, and above `_LARGEST` its own
    asymptote, homogeneous of degree ``phi.degree``.
    """

    def __init__(self, phi, std, top, rule=None):
        self.std = np.clip(std, _SMALLEST, _LARGEST)
        self.excess = np.maximum(std / _LARGEST, 1.0)
        z, w = normal_rule(min(max(top, 1.0), _LARGEST)) if rule is None else rule
        u, root = self.std[:, None] * z, np.sqrt(w)
        y = np.stack((phi.value(u), phi.value(-u)))
        scale = np.abs(y).max(axis=(0, 2))[:, None]
        scale = np.where(scale > 0, scale, 1.0)
        y = y / scale * root
        size = np.sqrt(np.einsum("snk,snk->n", y, y))[:, None]
        size = np.where(size > 0, size, 1.0)
        self.y = y / size
        self.A = (scale * size)[:, 0]
        at_zero = np.abs(phi.value(np.zeros(1)))[0]
        self.out = np.where(std == 0.0, at_zero, self.A * self.excess**phi.degree)
        self._phi, self._u = phi, u
        self._root, self._turn = root, np.stack((z, -z))[:, None]

    @cached_property
    def slope(self):
        u, phi = self._u, self._phi
        return np.stack((phi.slope(u), phi.slope(-u))) * self._root

    @cached_property
    def slope_square(self):
        return np.einsum("snk,snk->n", self.slope, self.slope)

    @cached_property
    def _turned(self):
        return self.slope * self._turn / self.A[:, None]

    @cached_property
    def _grown(self):
        return np.einsum("snk,snk->n", self.y, self._turned)

    @cached_property
    def d_y(self):
        return self._turned - self.y * self._grown[:, None]

    @property
    def d_A(self):
        return self.A * self._grown

    @property
    def d_out(self):
        return self.d_A * self.excess ** (self._phi.degree - 1.0)

    @property
    def d_slope_square(self):
        u, phi = self._u, self._phi
        bend = np.stack((phi.curvature(u), phi.curvature(-u)))
        bend = bend * (self._turn * self._root)
        return 2.0 * np.einsum("snk,snk->n", self.slope, bend)


class Moments:
    """What an activation returns, in plain arrays.

    Attributes
    ----------
    out_x, out_y : array
        Standard deviations.
    gap : array
        One minus the cosine's magnitude, counted from +1 or, where `negative`, -1.
    slope : array
        E[phi'(u) phi'(v)].
    d_gap, d_slope : tuple of array or None
        Their derivatives in std_x, in std_y and in the angle.
    d_out_x, d_out_y : array or None
    """

    def __init__(self, **fields):
        self.__dict__.update(fields)

    @property
    def cos(self):
        return np.where(self.negative, self.gap - 1.0, 1.0 - self.gap)

    @property
    def sin(self):
        return np.sqrt(self.gap * (2.0 - self.gap))


class GaussKernel:
    """The kernel of a function that is smooth on either side of 0.

    Parameters
    ----------
    phi : object
        With ``value``, ``slope`` and ``curvature``, the function and its derivatives
        (anything at 0), and ``degree``, the power of u it grows with.
    table : SlopeTable
    coef : sequence of float
        What to multiply the parts of the table with.
    """

    def __init__(self, phi, table, coef=(1.0,)):
        self.phi, self.table = phi, table
        self.coef = np.asarray(coef, dtype=float)

    def moments(self, std_x, std_y, cos, sin, gradient=False):
        """Moments of pairs of any shape; see `in_blocks`."""

        def run(*pairs):
            return _Evaluation(self, *pairs).run(gradient)

        return in_blocks(run, std_x, std_y, cos, sin)


class _Evaluation(RowPairs):
    def __init__(self, kernel, std_x, std_y, cos, sin, index):
        self.phi, self.table, self.coef = kernel.phi, kernel.table, kernel.coef
        top = max(std_x.max(initial=0.0), std_y.max(initial=0.0))

        def rows(std):
            return Rows(self.phi, std, top)

        super().__init__(rows, std_x, std_y, cos, sin, index)
        self.t = sin / (1.0 + np.abs(cos))

    def run(self, gradient):
        x, y, itself = self.x, self.y, self.itself
        gap, slope, d_gap, d_slope = self._generic(gradient, itself)
        gap = np.where(itself, 0.0, np.clip(gap, 0.0, 2.0))
        if np.any(itself):
            slope = np.where(itself, self.along_x(x.slope_square), slope)
        d_out = None, None
        if gradient:
            d_out = x.d_out, y.d_out
            half = 0.5 * self.along_x(x.d_slope_square)
            d_gap = [np.where(itself, 0.0, d) for d in d_gap]
            d_slope = [
                np.where(itself, own, d)
                for own, d in zip((half, half, 0.0), d_slope, strict=True)
            ]
            d_gap, d_slope = self._unscaled(d_gap, d_slope)
        power = self.phi.degree - 1.0
        slope = slope * self._excess(power, power)
        return Moments(
            out_x=x.out, out_y=y.out, d_out_x=d_out[0], d_out_y=d_out[1],
            gap=gap, slope=slope, negative=self.negative,
            d_gap=d_gap, d_slope=d_slope,
        )  # fmt: skip

    def _excess(self, power_x, power_y):
        return self.along_x(self.x.excess**power_x) * self.along_y(
            self.y.excess**power_y
        )

    def _unscaled(self, d_gap, d_slope):
        p = self.phi.degree - 1.0
        gaps = ((-1.0, 0.0), (0.0, -1.0), (0.0, 0.0))
        slopes = ((p - 1.0, p), (p, p - 1.0), (p, p))
        return (
            tuple(d * self._excess(*e) for d, e in zip(d_gap, gaps, strict=True)),
            tuple(d * self._excess(*e) for d, e in zip(d_slope, slopes, strict=True)),
        )

    def _generic(self, gradient, itself):
        """Gap and slope, and derivatives, of pairs that differ."""
        x, y, t, sin = self.x, self.y, self.t, self.sin
        if np.all(itself):
            zeros = [np.zeros(t.shape)] * 3
            return zeros[0], zeros[0], *((zeros, zeros) if gradient else (None, None))
        values = self._from_table(gradient)
        W, S = values[:2]
        near = sin * t  # 1 - |cos|
        gain_x, gain_y = self.along_x(x.std / x.A), self.along_y(y.std / y.A)
        turn = gain_x * gain_y * near * W
        gap = self._parallel() + turn
        close = (gap < _CLOSE) & ~itself
        gap[close] = self.parallel_at(close) + turn[close]
        if not gradient:
            return gap, S, None, None
        d_gain_x = self.along_x(1.0 / x.std - x.d_A / x.A)
        d_gain_y = self.along_y(1.0 / y.std - y.d_A / y.A)
        d_x, d_y = self._parallel_slopes()
        d_x[close], d_y[close] = self.parallel_slopes_at(close)
        d_x = d_x + turn * d_gain_x + gain_x * gain_y * near * values[2]
        d_y = d_y + turn * d_gain_y + gain_x * gain_y * near * values[4]
        d_gap = [d_x, d_y, self.sign * gain_x * gain_y * sin * S]
        d_slope = [values[3], values[5], self.sign * values[6] * 0.5 * (1.0 + t * t)]
        return gap, S, d_gap, d_slope

    def _from_table(self, gradient):
        pairs, index = (self.t, self.negative, self.itself), None
        if self.index is not None:
            pairs, index = [a.ravel() for a in pairs], self.flat_index
        values = self.table.evaluate(
            self.coef, self.x.std, self.y.std, *pairs, gradient, index
        )
        return values.reshape(-1, *self.t.shape)

    def _parallel(self):
        return 1.0 - self.expectations(self.x.y, self.y.y)

    def _parallel_slopes(self):
        x, y = self.x, self.y
        return (
            -self.expectations(x.d_y, y.y),
            -self.expectations(x.y, y.d_y),
        )
