"""Activations without a closed form, by quadrature to full accuracy."""

from functools import lru_cache
from numbers import Real

import numpy as np

from sklearn_ntk._engine.devices import host_array
from sklearn_ntk._engine.forward_mode import Dual, plain_namespace, value_of
from sklearn_ntk._engine.tracing import Trace
from sklearn_ntk._sklearn_private import Interval
from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._base import BOUNDS
from sklearn_ntk.networks._quadrature import functions
from sklearn_ntk.networks._quadrature.elu import ELUSlopes
from sklearn_ntk.networks._quadrature.kernel import GaussKernel
from sklearn_ntk.networks._quadrature.mixture import LogisticMixture
from sklearn_ntk.networks._quadrature.table import SlopeTable
from sklearn_ntk.networks._series import as_series

__all__ = ["ELU", "SELU", "SiLU", "Sigmoid", "Softplus", "Tanh"]

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def to_numpy(x):
    """A float64 NumPy array with the values of `x`, of any array library."""
    x = value_of(x)
    x = host_array(x) if hasattr(x, "__dlpack__") else x
    return np.asarray(x, dtype=np.float64)


def _like(xp, x):
    """A function that brings NumPy arrays to where `x` is."""
    x = value_of(x)
    if isinstance(x, np.ndarray):
        return lambda a: np.asarray(a, dtype=x.dtype)
    device = getattr(x, "device", None)
    return lambda a: xp.asarray(np.ascontiguousarray(a), dtype=x.dtype, device=device)


class Numerical(Activation):
    """An activation whose kernel comes from quadrature.

    A subclass says how by `_kernel`, an object with the method `moments` of
    `GaussKernel`. Arrays of other libraries are moved to NumPy and back: nothing
    here runs on a GPU.
    """

    def _kernel(self):
        raise NotImplementedError

    def __call__(self, u):
        """Evaluate the function itself on an array."""
        u = np.asarray(u, dtype=float)
        return self._kernel().phi.value(u)[()]

    def derivative(self, u):
        """Evaluate the function's derivative on an array."""
        u = np.asarray(u, dtype=float)
        return self._kernel().phi.slope(u)[()]

    def transform(self, xp, std_x, std_y, cos, sin):
        return self._transform(self._kernel(), xp, std_x, std_y, cos, sin)

    def _transform(self, kernel, xp, *operands):
        if isinstance(trace := plain_namespace(xp), Trace):
            return as_series(trace, kernel.phi, *operands[:3])
        plain = [to_numpy(a) for a in operands]
        gradient = any(isinstance(a, Dual) for a in operands)
        found = kernel.moments(*plain, gradient=gradient)
        return _with_tangents(xp, found, operands, _like(xp, operands[2]))


def _with_tangents(xp, found, operands, like):
    """The result of `transform` from moments, differentiated as the operands are."""
    std_x, std_y, cos, sin = operands
    values = [like(a) for a in (found.out_x, found.out_y, found.cos, found.sin)]
    slope = like(found.slope)
    if found.d_gap is None:
        return (*values, slope)

    def chained(value, d_x, d_y, d_angle):
        d_angle = like(d_angle)
        turn = (sin, d_angle * value_of(cos)), (cos, -d_angle * value_of(sin))
        return xp.chain(value, (std_x, like(d_x)), (std_y, like(d_y)), *turn)

    c, s = found.cos, found.sin
    toward = np.where(found.negative, 1.0, -1.0)
    # the angle of a parallel pair that stays parallel has no derivative
    per_sin = -toward * c / np.where(s > 0, s, np.inf)
    return (
        xp.chain(values[0], (std_x, like(found.d_out_x))),
        xp.chain(values[1], (std_y, like(found.d_out_y))),
        chained(values[2], *(toward * d for d in found.d_gap)),
        chained(values[3], *(per_sin * d for d in found.d_gap)),
        chained(slope, *found.d_slope),
    )


@lru_cache(maxsize=8)
def _mixture(phi, *form):
    return GaussKernel(phi, SlopeTable(LogisticMixture(*form)))


class Sigmoid(Numerical):
    r"""The logistic function.

    .. math:: \phi(u) = \frac{1}{1 + e^{-u}}

    Its kernel has no closed form. It is computed by quadrature, to 1e-12 relative
    to :math:`\sqrt{K(x, x) K(x', x')}` at any standard deviation and any angle.

    See Also
    --------
    SigmoidLike : an approximation with a closed form.

    Notes
    -----
    The logistic function is a mixture of error functions of random scales, for which
    a few Gauss nodes have full accuracy. Where many pairs have standard deviations
    below 32, that is done once, on a table; others take some microseconds a pair. Where
    there are more still, up to a standard deviation of 50, the kernel is a power series
    in the cosine with coefficients for each row.

    References
    ----------
    .. [1] C. K. I. Williams, "Computing with infinite networks", NIPS 1996.

    Examples
    --------
    >>> from sklearn_ntk.networks import Sigmoid
    >>> float(Sigmoid()(0.0))
    0.5
    """

    def _kernel(self):
        return _mixture(functions.Logistic(), "sigmoid")


class Tanh(Numerical):
    r"""The hyperbolic tangent.

    .. math:: \phi(u) = \tanh u

    Its kernel has no closed form. It is computed by quadrature, to 1e-12 relative
    to :math:`\sqrt{K(x, x) K(x', x')}` at any standard deviation and any angle; see
    the notes of `Sigmoid`.

    References
    ----------
    .. [1] B. Poole et al., "Exponential expressivity in deep neural networks through
       transient chaos", NeurIPS 2016.

    Examples
    --------
    >>> from sklearn_ntk.networks import Tanh
    >>> round(float(Tanh()(0.5)), 6)
    0.462117
    """

    def _kernel(self):
        return _mixture(functions.Tangent(), "sigmoid", 2.0, 2.0)


class Softplus(Numerical):
    r"""A smooth ramp.

    .. math:: \phi(u) = \log(1 + e^u)

    Its kernel has no closed form. It is computed by quadrature, to 1e-12 relative
    to :math:`\sqrt{K(x, x) K(x', x')}` at any standard deviation and any angle; see
    the notes of `Sigmoid`.

    References
    ----------
    .. [1] C. Dugas et al., "Incorporating second-order functional knowledge for
       better option pricing", NIPS 2000.

    Examples
    --------
    >>> from sklearn_ntk.networks import Softplus
    >>> round(float(Softplus()(0.0)), 6)
    0.693147
    """

    def _kernel(self):
        return _mixture(functions.Ramp(), "softplus")


class SiLU(Numerical):
    r"""The sigmoid-weighted linear unit, also called swish.

    .. math:: \phi(u) = \frac{u}{1 + e^{-u}}

    Its kernel has no closed form. It is computed by quadrature, to 1e-12 relative
    to :math:`\sqrt{K(x, x) K(x', x')}` at any standard deviation and any angle; see
    the notes of `Sigmoid`.

    References
    ----------
    .. [1] S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-weighted linear units for
       neural network function approximation in reinforcement learning", 2018.

    Examples
    --------
    >>> from sklearn_ntk.networks import SiLU
    >>> round(float(SiLU()(1.0)), 6)
    0.731059
    """

    def _kernel(self):
        return _mixture(functions.LogisticLinear(), "silu")


_elu_table = SlopeTable(ELUSlopes())  # shared: it does not depend on alpha


def _elu(alpha):
    return GaussKernel(functions.ExpLinear(alpha), _elu_table, (1.0, alpha, alpha**2))


class ELU(Numerical):
    r"""The exponential linear unit.

    .. math:: \phi(u) = u \text{ for } u > 0,
        \quad \alpha (e^u - 1) \text{ for } u \le 0

    Its kernel is computed by quadrature, to 1e-12 relative to
    :math:`\sqrt{K(x, x) K(x', x')}` at any standard deviation and any angle; see
    the notes of `Sigmoid`.

    Parameters
    ----------
    alpha : float, default=1.0
        Minus the value at minus infinity, >= 0.
    alpha_bounds : pair of floats >= 0 or "fixed", default="fixed"
        The lower and upper bound on `alpha` as a hyperparameter.

    References
    ----------
    .. [1] R. Tsuchida et al., "Avoiding kernel fixed points: computing with ELU and
       GELU infinite networks", AAAI 2021.

    Examples
    --------
    >>> from sklearn_ntk.networks import ELU
    >>> ELU()([-1.0, 2.0]).round(6)
    array([-0.632121,  2.      ])
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, np.inf, closed="left")],
        "alpha_bounds": BOUNDS,
    }

    def __init__(self, alpha=1.0, *, alpha_bounds="fixed"):
        self.alpha = alpha
        self.alpha_bounds = alpha_bounds

    def _kernel(self):
        return _elu(float(value_of(self.alpha)))

    def transform(self, xp, std_x, std_y, cos, sin):
        out = super().transform(xp, std_x, std_y, cos, sin)
        if not isinstance(self.alpha, Dual):
            return out
        plain = [to_numpy(a) for a in (std_x, std_y, cos, sin)]
        like = _like(xp, cos)
        partials = _in_alpha(float(value_of(self.alpha)), plain)
        return tuple(
            _plus(xp, a, self.alpha, like(d))
            for a, d in zip(out, partials, strict=True)
        )


def _plus(xp, value, operand, partial):
    """`value` with one more cause for it to change."""
    return value + xp.chain(xp.zeros_like(partial), (operand, partial))


def _in_alpha(alpha, plain):
    r"""Derivatives in alpha of what `transform` returns.

    Second moments of :math:`\phi(u)`, :math:`\phi(v)` and of their difference are
    quadratic in alpha: central differences of any width are exact.
    """
    here, up, down = (
        _elu(a).moments(*plain) for a in (alpha, alpha + 1.0, alpha - 1.0)
    )
    ratios = []
    for name in ("out_x", "out_y"):
        at = getattr(here, name)
        unit = np.where(at > 0, at, 1.0)
        ratios.append([getattr(m, name) / unit for m in (up, down)])
    steps = [0.25 * (r[0] ** 2 - r[1] ** 2) for r in ratios]

    def half_difference(k):
        rx, ry, moved = ratios[0][k], ratios[1][k], (up, down)[k]
        return 0.5 * (rx - ry) ** 2 + rx * ry * moved.gap

    d_gap = 0.5 * (half_difference(0) - half_difference(1))
    d_gap = d_gap - here.gap * (steps[0] + steps[1])
    c, s = here.cos, here.sin
    return (
        here.out_x * steps[0],
        here.out_y * steps[1],
        np.where(here.negative, d_gap, -d_gap),
        np.where(here.negative, -c, c) / np.where(s > 0, s, np.inf) * d_gap,
        0.5 * (up.slope - down.slope),
    )


class SELU(Numerical):
    r"""The scaled exponential linear unit.

    .. math:: \phi(u) = \lambda u \text{ for } u > 0,
        \quad \lambda \alpha (e^u - 1) \text{ for } u \le 0

    with :math:`\lambda = 1.0507` and :math:`\alpha = 1.6733`, which keep a variance
    of 1. Its kernel is computed by quadrature, to 1e-12 relative to
    :math:`\sqrt{K(x, x) K(x', x')}` at any standard deviation and any angle; see
    the notes of `Sigmoid`.

    References
    ----------
    .. [1] G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> from sklearn_ntk.networks import SELU
    >>> round(float(SELU()(1.0)), 6)
    1.050701
    """

    def _kernel(self):
        return _elu(_SELU_ALPHA)

    def __call__(self, u):
        return _SELU_SCALE * super().__call__(u)

    def derivative(self, u):
        return _SELU_SCALE * super().derivative(u)

    def transform(self, xp, std_x, std_y, cos, sin):
        out = super().transform(xp, std_x, std_y, cos, sin)
        out_x, out_y, out_cos, out_sin, slope = out
        scale = _SELU_SCALE
        return out_x * scale, out_y * scale, out_cos, out_sin, slope * scale**2
