"""Gauss rules for the random scale of a logistic variable.

With a normal z, the product ``2 * s * z`` is logistic where s follows the law of
Kolmogorov's statistic. The density falls off doubly exponentially in log(s).
"""

import math
from functools import lru_cache

import numpy as np
from scipy.linalg import eigh_tridiagonal

__all__ = ["scale_rule"]


@lru_cache(maxsize=1)
def _kolmogorov():
    """Kolmogorov's law on a grid of log(s); the trapezoidal rule is exact there."""
    grid = np.linspace(-2.2, 1.6, 400)
    s, k = np.exp(grid), np.arange(1.0, 40.0)[:, None]
    waves = (-1.0) ** (k - 1.0) * k**2 * np.exp(-2.0 * (k * s) ** 2)
    large = 8.0 * s * np.sum(waves, 0)
    j = (2.0 * k - 1.0) ** 2 * np.pi**2 / 8.0
    small = np.sum(np.exp(-j / s**2) * (2.0 * j / s**4 - 1.0 / s**2), 0)
    density = np.where(s > 1.0, large, math.sqrt(2.0 * np.pi) * small)
    return grid, density * s * (grid[1] - grid[0])


def _gauss_rule(z, weights, count):
    """Nodes and weights of the Gauss rule for a discrete law, by Lanczos."""
    q = np.zeros((count + 1, z.size))
    q[0] = np.sqrt(weights / weights.sum())
    diagonal, beside = np.zeros((2, count))
    for i in range(count):
        r = z * q[i]
        diagonal[i] = r @ q[i]
        for _ in range(2):
            r = r - q[: i + 1].T @ (q[: i + 1] @ r)
        beside[i] = np.sqrt(r @ r)
        q[i + 1] = r / beside[i]
    nodes, vectors = eigh_tridiagonal(diagonal, beside[:-1])
    return nodes, vectors[0] ** 2


@lru_cache(maxsize=8)
def scale_rule(count, squared=False):
    """Squared scales and weights of a Gauss rule in log(s) or, if `squared`, s**2."""
    grid, weights = _kolmogorov()
    z = np.exp(2.0 * grid) if squared else grid
    nodes, weights = _gauss_rule(z, weights, count)
    return nodes if squared else np.exp(2.0 * nodes), weights
