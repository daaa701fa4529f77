"""Quadrature and interpolation in one variable, graded towards small scales."""

from functools import lru_cache

import numpy as np

__all__ = [
    "chebyshev_nodes",
    "chebyshev_transform",
    "graded",
    "legendre",
    "normal_rule",
    "panels",
]

_ORDER = 12
_TAIL = (1.0, 2.0, 3.0, 4.5, 6.5, 9.0)


@lru_cache(maxsize=8)
def legendre(order):
    """Gauss-Legendre nodes and weights on [0, 1]."""
    x, w = np.polynomial.legendre.leggauss(order)
    return 0.5 * (x + 1.0), 0.5 * w


def panels(edges, order):
    """Gauss-Legendre nodes and weights on consecutive panels."""
    x, w = legendre(order)
    left, width = np.asarray(edges[:-1]), np.diff(edges)
    nodes = left[:, None] + width[:, None] * x
    return nodes.ravel(), (width[:, None] * w).ravel()


def graded(length, finest, order=_ORDER):
    """A rule on [0, length] whose panels halve towards 0, down to size `finest`.

    It integrates what is smooth in the logarithm of the distance from 0, such as
    ``tanh(x / scale)`` for any ``scale >= finest``, to full accuracy.
    """
    count = max(0, int(np.ceil(np.log2(length / finest))))
    edges = length * 2.0 ** -np.arange(count, -1.0, -1.0)
    return panels(np.concatenate(([0.0], edges)), order)


@lru_cache(maxsize=64)
def _half_line(exponent):
    near, w_near = graded(1.0, 2.0**-exponent)
    far, w_far = panels(_TAIL, 16)
    x, w = np.concatenate((near, far)), np.concatenate((w_near, w_far))
    return x, w * np.exp(-0.5 * x * x)


def _exponent(std):
    return max(0, int(np.ceil(np.log2(max(std, 1.0)))))


def normal_rule(std):
    """Nodes z > 0 and weights of E[f(z); z > 0], f smooth on the scale ``1 / std``."""
    z, w = _half_line(_exponent(std))
    return z, w / np.sqrt(2.0 * np.pi)


@lru_cache(maxsize=16)
def chebyshev_nodes(count):
    """Chebyshev points of the first kind on [-1, 1]."""
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


@lru_cache(maxsize=16)
def chebyshev_transform(count):
    """The matrix from values at `chebyshev_nodes` to coefficients."""
    angles = np.pi * (np.arange(count) + 0.5) / count
    matrix = np.cos(np.outer(np.arange(count), angles)) * (2.0 / count)
    matrix[0] /= 2.0
    return matrix
