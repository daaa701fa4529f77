"""Kernel logistic regression: where gradient flow on the cross-entropy ends."""

import warnings

import numpy as np
from scipy.special import expit, logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning

__all__ = ["logistic_dual_coef", "probabilities"]

EPS = np.finfo(np.float64).eps
TOLERANCE = 1e-10  # of the solution
ROUNDING = 1e-12  # of the first gradient, at which Newton can do no more
LOST = 1e-6  # error of the solution that is worth a warning
FORCING = 0.01  # to which the system of a Newton step is solved
SHORTEST = 1e-6  # step
MAX_NEWTON, MAX_CG = 100, 1000


def probabilities(values):
    """Of each class: a softmax, or for one column the logistic function of it."""
    return expit(values) if values.shape[1] == 1 else softmax(values, axis=1)


def logistic_dual_coef(factor, targets, strength, offset):
    r"""Dual coefficients c of the minimiser of a penalised cross-entropy.

    .. math::
        J = \sum_i \omega_i \ell(f_i, y_i) + \tfrac12 \mathrm{tr}\, c^\top K c,
        \quad f = f_0 + K c

    It is stationary where :math:`c = \omega (y - p(f))`. With :math:`K = C C^\top` and
    :math:`v = C^\top c` the penalty is :math:`\tfrac12 |v|^2`, so that the gradient
    bounds the error of v. Newton's method finds v; conjugate gradients solve its
    systems by products with C.

    Parameters
    ----------
    factor : CholeskyFactor
        Of K.
    targets : ndarray of shape (n, k)
        Probabilities y of the classes; for two classes that of the second alone.
    strength : ndarray of shape (n,)
        :math:`\omega`, what a row counts relative to the penalty.
    offset : ndarray of shape (k,)
        :math:`f_0`.

    Returns
    -------
    ndarray of shape (n, k)

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If Newton's method or rounding leaves an error that may be felt.

    References
    ----------
    .. [1] Rasmussen, Williams (2006). Gaussian Processes for Machine Learning,
       sections 3.4 and 3.5.
    .. [2] Nocedal, Wright (2006). Numerical Optimization, section 7.1.
    """
    strength = strength[:, None]
    v, f = np.zeros_like(targets), np.zeros_like(targets) + offset
    floor = 0.0
    for _ in range(MAX_NEWTON):
        p = probabilities(f)
        dual = strength * (targets - p)
        descent = factor.project(dual) - v
        size = np.linalg.norm(descent)
        floor = max(floor, ROUNDING * size)
        if size <= max(TOLERANCE * np.linalg.norm(v), floor):
            break
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            step = _newton_step(factor, p, strength, descent)
            v, f = _searched(v, f, step, factor.lift(step), targets, strength)
    length = np.linalg.norm(v)
    if size > LOST * length:
        error = size / length if length > 0 else 1.0
        warnings.warn(
            f"Logistic regression is accurate to {error:.0e} only: "
            "alpha is too small. Increase it, or train for a finite time.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return dual


def _newton_step(factor, p, strength, descent):
    """A solution s of ``(I + C' H C) s = descent``, H the curvature of the losses.

    Or what is known of it when it leaves the range of floats.
    """
    step, rest, direction = np.zeros_like(descent), descent, descent
    size = first = np.sum(rest**2)
    for _ in range(MAX_CG):
        bent = strength * _curvature(p, factor.lift(direction))
        image = direction + factor.project(bent)
        length = size / np.sum(direction * image)
        rest = rest - length * image
        previous, size = size, np.sum(rest**2)
        if not np.isfinite(size):
            break
        step = step + length * direction
        if size <= FORCING**2 * first:
            break
        direction = rest + size / previous * direction
    return step


def _curvature(p, direction):
    """The second derivative of the cross-entropy, times a direction."""
    if p.shape[1] == 1:
        return p * (1.0 - p) * direction
    mean = np.sum(p * direction, axis=1, keepdims=True)
    return p * (direction - mean)


def _searched(v, f, step, moved, targets, strength):
    """Where v and f go: a whole step, or less of it if the objective would grow."""

    def objective(length):
        losses = strength * _losses(f + length * moved, targets)
        return np.sum(losses) + 0.5 * np.sum((v + length * step) ** 2)

    length, before = 1.0, objective(0.0)
    rounding = 10 * EPS * (before + np.sum(strength * np.abs(f)))
    while length > SHORTEST and not objective(length) <= before + rounding:
        length *= 0.5
    return v + length * step, f + length * moved


def _losses(values, targets):
    """Cross-entropy, without the constant of targets that are not 0 or 1."""
    if values.shape[1] == 1:
        return np.logaddexp(0.0, values) - targets * values
    own = np.sum(targets * values, axis=1, keepdims=True)
    return logsumexp(values, axis=1, keepdims=True) - own
