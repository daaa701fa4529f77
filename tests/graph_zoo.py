"""Graphs for tests, and the recursion of Du et al. (2019) written out for two graphs.

`du` is an oracle: loops over nodes, dense matrices, nothing of the package's.
"""

import numpy as np
from scipy import sparse


def random_graph(rng, n, *, p=0.4, n_features=3, weighted=False):
    """A pair (features, adjacency), dense."""
    A = np.triu(rng.random((n, n)) < p, 1).astype(float)
    if weighted:
        A *= rng.uniform(0.2, 2.0, (n, n))
    return rng.standard_normal((n, n_features)), A + A.T


def graphs(seed=0, sizes=(1, 2, 5, 8, 3, 6, 4), **options):
    rng = np.random.default_rng(seed)
    return [random_graph(rng, n, **options) for n in sizes]


def ring(n):
    return sparse.csr_array(np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0))


def relu_moments(K, q_x, q_y):
    """2 E[relu relu] and 2 E[relu' relu'] of Gaussians of covariance K."""
    norm = np.sqrt(np.outer(q_x, q_y))
    c = np.clip(K / np.where(norm > 0, norm, 1.0), -1.0, 1.0)
    angle = np.arccos(c)
    value = norm * (np.sin(angle) + (np.pi - angle) * c) / np.pi
    return value, (np.pi - angle) / np.pi


def aggregated(K, graph, other, aggregation):
    """Sums over the closed neighbourhoods of all pairs of nodes, by loops."""
    (_, A), (_, B) = graph, other
    out = np.zeros_like(K)
    for u in range(len(A)):
        for v in range(len(B)):
            near, near_v = (
                A[u] + (np.arange(len(A)) == u),
                B[v] + (np.arange(len(B)) == v),
            )
            out[u, v] = sum(
                near[i] * near_v[j] * K[i, j]
                for i in np.flatnonzero(near)
                for j in np.flatnonzero(near_v)
            )
            if aggregation == "mean":
                out[u, v] /= near.sum() * near_v.sum()
    return out


def du(graph, other, blocks=2, layers=1, aggregation="sum", jumping=False):
    """The GNTK of two graphs as in section 3 of the paper, c_sigma = 2."""
    pairs = [(graph, graph), (other, other), (graph, other)]
    K = [x[0] @ y[0].T for x, y in pairs]
    theta = K[2].copy()
    total = theta.sum()
    for _ in range(blocks):
        K = [
            aggregated(k, *pair, aggregation) for k, pair in zip(K, pairs, strict=True)
        ]
        theta = aggregated(theta, *pairs[2], aggregation)
        for _ in range(layers):
            q = [np.diag(K[0]), np.diag(K[1])]
            K_x, _ = relu_moments(K[0], q[0], q[0])
            K_y, _ = relu_moments(K[1], q[1], q[1])
            K_xy, slope = relu_moments(K[2], q[0], q[1])
            theta = theta * slope + K_xy
            K = [K_x, K_y, K_xy]
        total += theta.sum()
    return total if jumping else theta.sum()
