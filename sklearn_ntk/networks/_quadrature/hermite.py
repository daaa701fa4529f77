r"""The kernel of any function of one variable, by its Hermite expansion.

With :math:`\phi(\sigma z) = A \sum_n a_n h_n(z)` the normalised output covariance
is :math:`\sum_n a_n a_n' \cos^n\vartheta`. What is left out beyond degree N is at
most :math:`r r' |\cos\vartheta|^N`, where :math:`r^2 = 1 - \sum a_n^2`.
"""

from functools import lru_cache

import numpy as np

from sklearn_ntk.networks._quadrature.kernel import Moments, Rows
from sklearn_ntk.networks._quadrature.layout import RowPairs, in_blocks
from sklearn_ntk.networks._quadrature.rules import graded, panels

__all__ = ["HermiteKernel", "NumericFunction"]

_DEGREES = 256
_FINE = 2**15  # degree from which on a rule is finer
_EDGE = 12.0


@lru_cache(maxsize=32)
def _half_line(exponent, shifted, order):
    width = 1.0 / 20.0 if shifted else 1.0 / 16.0
    near, w_near = graded(width, width * 2.0**-exponent, order=order)
    count = round((_EDGE - width) / width)
    far, w_far = panels(width * np.arange(1.0, count + 2.0), order)
    z, w = np.concatenate((near, far)), np.concatenate((w_near, w_far))
    return z, w * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


def fine_rule(top, shifted=False, highest=_DEGREES):
    """As `normal_rule`, for functions that may bend anywhere.

    It resolves Hermite polynomials up to the degree `highest`.
    """
    return _half_line(_exponent(top), shifted, _order(highest))


def _exponent(top):
    return min(52, max(0, int(np.ceil(np.log2(max(top, 1.0))))))


def _order(highest):
    return 10 if highest < _FINE else 14


def hermite(top, degrees=range(_DEGREES + 1)):
    """Normalised Hermite polynomials at the nodes of `fine_rule`, times root weights.

    They have the `degrees`, in increasing order.
    """
    return _hermite(_exponent(top), tuple(degrees))


@lru_cache(maxsize=8)
def _hermite(exponent, degrees):
    z, w = _half_line(exponent, False, _order(degrees[-1]))
    before, h, found = np.zeros_like(z), np.sqrt(w), []
    for n in range(degrees[-1] + 1):
        if n == degrees[len(found)]:
            found.append(h)
        before, h = h, (z * h - np.sqrt(n) * before) / np.sqrt(n + 1.0)
    return np.array(found)


class NumericFunction:
    """A user's function, with derivatives by differences where none are given."""

    def __init__(self, fn, derivative=None):
        self.value = fn
        self.given = derivative is not None
        self.slope = derivative if self.given else lambda u: _difference(fn, u)
        self.degree = self._growth()

    def curvature(self, u):
        return _difference(self.slope, u)

    def _growth(self):
        """The power of u with which the function grows, where there is one."""
        with np.errstate(all="ignore"):
            low, high = (
                np.abs(self.value(np.array([-x, x]))).max() for x in (1e9, 2e9)
            )
            power = np.log2(high / low) if low > 0 else 0.0
        return float(np.clip(np.round(power), 0, 8)) if np.isfinite(power) else 0.0


def _difference(fn, u):
    """Derivative by central differences of fourth order, not across 0."""
    h = np.minimum(2e-3, 0.25 * np.abs(u))
    h = np.where(h > 0, h, 1e-300)
    near, far = fn(u + h) - fn(u - h), fn(u + 2.0 * h) - fn(u - 2.0 * h)
    return (8.0 * near - far) / (12.0 * h)


class HermiteKernel:
    """As `GaussKernel`, for functions of which nothing is known.

    After `moments`, `error` is an estimate of the relative error.
    """

    def __init__(self, phi):
        self.phi, self.error = phi, 0.0

    def moments(self, std_x, std_y, cos, sin, gradient=False):
        """Moments of pairs of any shape; see `in_blocks`."""

        def run(*pairs):
            expansion = _Expansion(self.phi, *pairs)
            self.error = max(self.error, expansion.error())
            return expansion.run(gradient)

        return in_blocks(run, std_x, std_y, cos, sin)


class _ExpandedRows(Rows):
    """Rows with their Hermite coefficients.

    a is relative to the row's root mean square, b = sqrt(n) a / std.
    """

    def __init__(self, phi, std, top):
        super().__init__(phi, std, top, fine_rule(top))
        h = hermite(top)
        sign = (-1.0) ** np.arange(len(h))[:, None]
        self.a, self.d_a = (
            (y[0] @ h.T + y[1] @ (sign * h).T) for y in (self.y, self.d_y)
        )
        n = np.sqrt(np.arange(len(h)))
        scale = (self.A / self.std)[:, None]
        self.b = (self.a * n * scale)[:, 1:]
        slope = (
            self.d_a * scale
            + self.a * (self.d_A / self.std - self.A / self.std**2)[:, None]
        )
        self.d_b = (slope * n)[:, 1:]
        self.rest = np.sqrt(np.maximum(0.0, 1.0 - np.sum(self.a**2, axis=1)))
        self.error = self._rule_error(phi, top)

    def _rule_error(self, phi, top):
        z, w = fine_rule(top, shifted=True)
        u = self.std[:, None] * z
        square = (phi.value(u) ** 2 + phi.value(-u) ** 2) @ w
        with np.errstate(all="ignore"):
            error = np.abs(square / self.A**2 - 1.0)
        return np.where(self.A > 1e-150, error, 0.0)


class _Expansion(RowPairs):
    def __init__(self, phi, std_x, std_y, cos, sin, index):
        self.phi, self.size = phi, np.abs(cos)
        top = min(max(std_x.max(initial=1.0), std_y.max(initial=1.0)), 2.0**50)

        def rows(std):
            return _ExpandedRows(phi, std, top)

        super().__init__(rows, std_x, std_y, cos, sin, index)

    def run(self, gradient):
        x, y, itself = self.x, self.y, self.itself
        near = self.sin**2 / (1.0 + self.size)
        parallel, rest = self._parallel()
        gap = parallel + near * self._means(x.a, y.a)
        gap = gap + rest * (1.0 - self.size**_DEGREES)
        slope = self._sum(x.b, y.b)
        missing = self._slope_rest()
        slope = slope + missing * self.sign * self.size ** (_DEGREES + 1)
        fields = {"d_gap": None, "d_slope": None}
        if gradient:
            fields = self._gradient(near, slope, itself)
        p = self.phi.degree - 1.0
        excess = self.along_x(x.excess**p) * self.along_y(y.excess**p)
        return Moments(
            out_x=x.out, out_y=y.out, d_out_x=x.d_out, d_out_y=y.d_out,
            gap=np.where(itself, 0.0, np.clip(gap, 0.0, 2.0)), slope=slope * excess,
            negative=self.negative, **fields,
        )  # fmt: skip

    def error(self):
        """An estimate of the largest relative error."""
        x, y = self.x, self.y
        tail = self.along_x(x.rest) * self.along_y(y.rest) * self.size**_DEGREES
        tail = np.where(self.sin == 0, 0.0, tail)
        return float(max(e.max(initial=0.0) for e in (tail, x.error, y.error)))

    def _slope_rest(self):
        """What the expansion leaves out of E[phi'(u) phi'(v)] at an angle of 0."""
        x, y = self.x, self.y
        rest_x = np.maximum(0.0, x.slope_square - np.sum(x.b**2, axis=1))
        rest_y = np.maximum(0.0, y.slope_square - np.sum(y.b**2, axis=1))
        return np.sqrt(self.along_x(rest_x) * self.along_y(rest_y))

    def _parallel(self):
        """The gap at an angle of 0, and what the terms leave out of its cosine."""
        whole = self.expectations(self.x.y, self.y.y)
        gap = 1.0 - whole
        close = gap < 1e-4
        gap[close] = self.parallel_at(close)
        rest = whole - self._terms(self.x.a, self.y.a)
        return gap, np.where(np.abs(rest) < 1e-13, 0.0, rest)

    def _terms(self, left, right):
        """The sum of all terms at an angle of 0, from +1 or from -1."""
        even, odd = (self.products(left[:, k::2], right[:, k::2]) for k in (0, 1))
        return odd + self.sign * even

    def _term(self, left, right, n):
        return self.along_x(left[:, n]) * self.along_y(right[:, n])

    def _means(self, left, right):
        r"""(sum_n a a' (1 - |cos|^n)) / (1 - |cos|), signs as a pair needs them."""
        total, out = np.zeros_like(self.cos), np.zeros_like(self.cos)
        for n in range(left.shape[1] - 1, 0, -1):
            term = self._term(left, right, n)
            total += term if n % 2 else self.sign * term
            out *= self.size
            out += total
        return out

    def _sum(self, left, right):
        out = np.zeros_like(self.cos)
        for n in range(left.shape[1] - 1, -1, -1):
            out *= self.cos
            out += self._term(left, right, n)
        return out

    def _gradient(self, near, slope, itself):
        x, y = self.x, self.y
        gaps = []
        for a, b in (((x.d_y, x.d_a), (y.y, y.a)), ((x.y, x.a), (y.d_y, y.d_a))):
            turn = near * self._means(a[1], b[1])
            gaps.append(np.where(itself, 0.0, turn - self.expectations(a[0], b[0])))
        gain = self.along_x(x.std / x.A) * self.along_y(y.std / y.A)
        gaps.append(self.sign * gain * self.sin * slope)
        n = np.arange(1, x.b.shape[1])
        turned = -self.sin * self._sum((x.b * np.r_[0.0, n])[:, 1:], y.b[:, 1:])
        slopes = (self._sum(x.d_b, y.b), self._sum(x.b, y.d_b), turned)
        p = self.phi.degree - 1.0
        powers = ((-1.0, 0.0), (0.0, -1.0), (0.0, 0.0))
        e = [self.along_x(x.excess**k) * self.along_y(y.excess**m) for k, m in powers]
        both = self.along_x(x.excess**p) * self.along_y(y.excess**p)
        return {
            "d_gap": tuple(g * k for g, k in zip(gaps, e, strict=True)),
            "d_slope": tuple(g * k * both for g, k in zip(slopes, e, strict=True)),
        }
