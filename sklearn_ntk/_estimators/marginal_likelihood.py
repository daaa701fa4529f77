"""The marginal likelihood of a Gaussian process, and its maximisation."""

import numpy as np
from scipy.optimize import minimize

from sklearn_ntk._sklearn_private import _check_optimize_result

__all__ = ["alpha_slope", "gram_slope", "log_marginal_likelihood", "minimized"]


def log_marginal_likelihood(factor, y, alpha, weight):
    r"""Log density of the targets, summed over outputs.

    .. math::
        \log p(y) = -\tfrac12 y^\top G^{-1} y - \tfrac12 \log\det G
            - \tfrac n2 \log 2\pi
            - \tfrac12 \sum_i [(w_i - 1) \log(2\pi\alpha_i) + \log w_i]

    with :math:`G = K + \mathrm{diag}(\alpha_i / w_i)`. The last sum makes a row of
    weight 2 count exactly as the row given twice; it is left out where alpha is 0.

    Parameters
    ----------
    factor : CholeskyFactor
        Of G.
    y : ndarray of shape (n, k)
    alpha, weight : ndarray of shape (n,)

    Returns
    -------
    float

    References
    ----------
    .. [1] Rasmussen, Williams (2006). Gaussian Processes for Machine Learning,
       equation 2.30.
    """
    n, k = y.shape
    fit = np.sum(y * factor.solve(y))
    volume = factor.log_determinant() + n * np.log(2 * np.pi)
    noisy = alpha > 0
    w, a = weight[noisy], alpha[noisy]
    repeats = np.sum((w - 1.0) * np.log(2 * np.pi * a) + np.log(w))
    return float(-0.5 * (fit + k * (volume + repeats)))


def gram_slope(factor, y):
    """Derivative of the log marginal likelihood in the entries of G (equation 5.9)."""
    dual = factor.solve(y)
    slope = factor.inverse()
    slope *= -0.5 * y.shape[1]
    slope += 0.5 * (dual @ dual.T)
    return slope


def alpha_slope(slope, alpha, weight, n_outputs):
    """Derivative of the log marginal likelihood in the logarithm of alpha."""
    return slope.diagonal() @ (alpha / weight) - 0.5 * n_outputs * np.sum(weight - 1.0)


def minimized(objective, starts, bounds, optimizer):
    """The best of the minima found from several starting points.

    Parameters
    ----------
    objective : callable
        ``objective(theta, eval_gradient=True)`` returns a value and its gradient.
    starts : iterable of ndarray of shape (p,)
    bounds : ndarray of shape (p, 2)
    optimizer : "fmin_l_bfgs_b" or callable
        As in GaussianProcessRegressor.

    Returns
    -------
    theta : ndarray of shape (p,)
    """
    if not callable(optimizer):
        optimizer = _lbfgs
    optima = [optimizer(objective, start, bounds=bounds) for start in starts]
    return min(optima, key=lambda optimum: optimum[1])[0]


def _lbfgs(objective, start, bounds):
    result = minimize(objective, start, method="L-BFGS-B", jac=True, bounds=bounds)
    _check_optimize_result("lbfgs", result)
    return result.x, result.fun
