"""The direct solver and the leave-one-out formula, against dense linear algebra."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ntk._solvers.block_update import extended
from sklearn_ntk._solvers.cholesky import Cholesky
from sklearn_ntk._solvers.leave_one_out import leave_one_out


def random_gram(n=12, rank=None, seed=0):
    root = np.random.default_rng(seed).normal(size=(n, rank or 2 * n))
    return root @ root.T / n


MATRICES = {
    "generic": (random_gram(), np.zeros(12)),
    "noisy": (random_gram(), np.linspace(0.1, 2.0, 12)),
    "singular plus noise": (random_gram(rank=3), np.full(12, 0.5)),
    "diagonal": (np.diag(np.linspace(1.0, 2.0, 12)), np.zeros(12)),
    "one row": (np.array([[3.0]]), np.array([0.5])),
}


@pytest.fixture(params=MATRICES, ids=str)
def system(request):
    """G, its factorisation and a right-hand side."""
    matrix, noise = MATRICES[request.param]
    G = matrix + np.diag(noise)
    return G, Cholesky().factorize(matrix.copy(), noise), np.cos(np.arange(len(G)))


def test_solve(system):
    G, factor, y = system
    assert factor.jitter == 0.0
    assert_allclose(factor.solve(y), np.linalg.solve(G, y), rtol=1e-11)
    Y = np.column_stack([y, y**2])
    assert_allclose(factor.solve(Y), np.linalg.solve(G, Y), rtol=1e-11)


def test_half_solve(system):
    G, factor, y = system
    half = factor.half_solve(np.column_stack([y, y**2]))
    expected = y @ np.linalg.solve(G, y**2)
    assert_allclose(half[:, 0] @ half[:, 1], expected, rtol=1e-11)


def test_log_determinant(system):
    G, factor, _ = system
    assert_allclose(
        factor.log_determinant(), np.linalg.slogdet(G)[1], rtol=1e-12, atol=1e-13
    )


def test_inverse(system):
    G, factor, _ = system
    expected = np.linalg.inv(G)
    size = np.max(np.abs(expected))
    assert_allclose(factor.inverse(), expected, rtol=1e-10, atol=1e-13 * size)
    assert_allclose(factor.inverse_diagonal(), expected.diagonal(), rtol=1e-11)


def test_factor_takes_the_place_of_the_matrix():
    matrix = random_gram()
    assert np.shares_memory(Cholesky().factorize(matrix, np.ones(12)).lower, matrix)


def test_rows_of_very_different_size_need_no_jitter():
    size = 10.0 ** np.linspace(-60, 60, 12)
    G = size[:, None] * random_gram() * size
    factor = Cholesky().factorize(G, np.zeros(12))
    assert factor.jitter == 0.0
    expected = np.linalg.solve(random_gram(), np.ones(12))
    assert_allclose(size * factor.solve(size), expected, rtol=1e-10)


@pytest.mark.parametrize("rank", [1, 5, 11])
def test_singular_matrix_gets_a_jitter(rank):
    G = random_gram(rank=rank)
    factor = Cholesky().factorize(G.copy(), np.zeros(12))
    assert 0 < factor.jitter < 1e-10
    y = G @ np.ones(12)
    assert_allclose(G @ factor.solve(y), y, rtol=1e-6)
    jittered = G + factor.jitter * np.diag(G.diagonal())
    expected = np.linalg.slogdet(jittered)[1]
    assert_allclose(factor.log_determinant(), expected, rtol=1e-2)


@pytest.mark.parametrize("value", [0.0, 1e-320, 1e-290, 1e290])
def test_extreme_matrices_stay_finite(value):
    factor = Cholesky().factorize(np.full((3, 3), value), np.zeros(3))
    assert factor.jitter > 0
    assert np.all(np.isfinite(factor.lower[np.tril_indices(3)]))
    assert np.isfinite(factor.log_determinant())


def test_indefinite_matrix_is_refused():
    with pytest.raises(np.linalg.LinAlgError, match="not positive semi-definite"):
        Cholesky().factorize(np.diag([1.0, -1.0]), np.zeros(2))


def test_largest_jitter_is_an_option():
    slightly_indefinite = np.array([[1.0, 1.001], [1.001, 1.0]])
    with pytest.raises(np.linalg.LinAlgError, match="1e-04"):
        Cholesky().factorize(slightly_indefinite.copy(), np.zeros(2))
    factor = Cholesky(max_jitter=0.1).factorize(slightly_indefinite, np.zeros(2))
    assert 1e-3 < factor.jitter < 2e-2


def left_out(K, y, alpha, weight, i):
    """Prediction of row i after a refit without (one unit of weight of) it."""
    weight = weight.copy()
    weight[i] = max(weight[i] - 1.0, 0.0)
    rows = np.flatnonzero(weight)
    w = weight[rows]
    mean = w @ y[rows] / w.sum()
    G = K[np.ix_(rows, rows)] + np.diag(alpha[rows] / w)
    return mean + K[i, rows] @ np.linalg.solve(G, y[rows] - mean)


WEIGHTS = {
    "equal": np.ones(12),
    "whole": np.tile([1.0, 2.0, 3.0], 4),
    "fractional": np.linspace(0.3, 2.5, 12),
    "small": np.full(12, 0.1),
}


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_leave_one_out_is_a_refit(weight):
    K, alpha = random_gram(), np.linspace(0.1, 0.5, 12)
    y = np.random.default_rng(1).normal(size=(12, 2))
    noise = alpha / weight
    factor = Cholesky().factorize(K.copy(), noise)
    expected = [left_out(K, y, alpha, weight, i) for i in range(12)]
    assert_allclose(leave_one_out(factor, y, noise, weight), expected, rtol=1e-9)


def test_leave_one_out_without_noise():
    K, y = random_gram(), np.arange(12.0)[:, None]
    for weight in (np.ones(12), np.full(12, 2.0)):
        factor = Cholesky().factorize(K.copy(), np.zeros(12))
        found = leave_one_out(factor, y, np.zeros(12), weight)
        expected = [left_out(K, y, np.zeros(12), weight, i) for i in range(12)]
        assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


def grown(n=12, m=5, seed=3):
    """A positive definite matrix of n + m rows, and the noise of its rows."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n + m, 2 * n)) * np.logspace(-3, 3, n + m)[:, None]
    return root @ root.T, rng.uniform(0.0, 1.0, n + m)


def test_block_update_is_a_new_factorisation():
    K, noise = grown()
    n = 12
    G, y = K + np.diag(noise), np.cos(np.arange(17.0))
    old = Cholesky().factorize(K[:n, :n].copy(), noise[:n])
    new = extended(old, K[n:, :n], K[n:, n:].copy(), noise[n:])
    expected = Cholesky().factorize(K.copy(), noise)
    assert_allclose(np.tril(new.lower), np.tril(expected.lower), rtol=1e-9, atol=1e-13)
    assert_allclose(new.scale, expected.scale)
    assert_allclose(G @ new.solve(y), y, rtol=1e-9)
    assert_allclose(new.inverse_diagonal(), np.diag(np.linalg.inv(G)), rtol=1e-8)
    old.inverse_diagonal()  # is from now on known
    new = extended(old, K[n:, :n], K[n:, n:].copy(), noise[n:])
    assert new.leading is not None
    assert_allclose(new.inverse_diagonal(), np.diag(np.linalg.inv(G)), rtol=1e-8)
    again = extended(new, np.zeros((1, 17)), np.array([[4.0]]), np.zeros(1))
    assert_allclose(again.solve(np.ones(18))[-1], 0.25)


def test_block_update_declines_what_needs_a_jitter():
    K, _ = grown()
    rows = np.array([*range(12), 3])  # a duplicate without noise
    K, zero = K[np.ix_(rows, rows)], np.zeros(13)
    old = Cholesky().factorize(K[:12, :12].copy(), zero[:12])
    assert old.jitter == 0.0
    assert extended(old, K[12:, :12], K[12:, 12:].copy(), zero[12:]) is None
    K[12, 12] = 0.5 * K[3, 3]  # and what is not positive semi-definite
    assert extended(old, K[12:, :12], K[12:, 12:].copy(), zero[12:]) is None
