"""Gradient flow by eigendecomposition, against matrix exponentials."""

import numpy as np
import pytest
from conftest import read_only
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm

from sklearn_ntk._solvers.cholesky import Cholesky
from sklearn_ntk._solvers.spectral import Spectrum

N = 9
WEIGHT = read_only(np.linspace(0.4, 2.5, N))
ALPHA = read_only(np.linspace(0.05, 0.5, N))
TIMES = [0.0, 1e-9, 0.3, 7.0, 200.0]


def random_gram(rank=2 * N, seed=0):
    root = np.random.default_rng(seed).normal(size=(N, rank))
    return read_only(root @ root.T / N)


def flow(K, weight, alpha, time):
    """The operator P_t from its definition."""
    G = K + np.diag(alpha / weight)
    decay = expm(-time / weight.sum() * G @ np.diag(weight))
    return np.linalg.solve(G, np.eye(N) - decay)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.2, ALPHA], ids=["none", "scalar", "by row"])
def test_operator_is_that_of_the_flow(time, weight, alpha):
    K = random_gram()
    w = np.ones(N) if weight is None else weight
    expected = flow(K, w, np.broadcast_to(alpha, N), time)
    given_first = Spectrum.of(K, weight, alpha).at(time)
    assert_allclose(given_first.solve(np.eye(N)), expected, rtol=1e-9, atol=1e-12)
    if np.ndim(alpha) == 0:
        shifted = Spectrum.of(K, weight).at(time, alpha)
        assert_allclose(shifted.solve(np.eye(N)), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_infinite_time_is_the_inverse(alpha):
    K, B = random_gram(), np.arange(2.0 * N).reshape(N, 2)
    expected = Cholesky().factorize(K.copy(), alpha / WEIGHT).solve(B)
    for time in (np.inf, 1e12, 1e300):
        stage = Spectrum.of(K, WEIGHT).at(time, alpha)
        assert_allclose(stage.solve(B), expected, rtol=1e-10)
        assert_allclose(stage.solve(B[:, 0]), expected[:, 0], rtol=1e-10)
        assert stage.rounding < 1e-11


def test_time_zero_is_nothing():
    assert_array_equal(Spectrum.of(random_gram()).filter(0.0), np.zeros(N))


def test_short_times_keep_all_digits():
    K, y = random_gram(), np.ones((N, 1))
    found = Spectrum.of(K).dual_coef(y, 1e-200 * N)
    assert_allclose(found, 1e-200 * y, rtol=1e-12)


def test_times_and_alphas_broadcast():
    K, y = random_gram(), np.arange(3.0 * N).reshape(N, 3)
    spectrum = Spectrum.of(K, WEIGHT)
    times, alphas = np.array([np.inf, 0.0, 2.0, 0.5])[:, None], np.array([0.1, 0.4])
    filtered = spectrum.filter(times, alphas)
    dual = spectrum.dual_coef(y, times, alphas)
    assert spectrum.rounding(times, alphas).shape == (4, 2)
    assert filtered.shape == (4, 2, N)
    assert dual.shape == (4, 2, N, 3)
    for i, j in np.ndindex(4, 2):
        stage = spectrum.at(times[i, 0], alphas[j])
        assert_array_equal(filtered[i, j], stage.gain)
        assert_allclose(dual[i, j], stage.solve(y), rtol=1e-11, atol=1e-13)


@given(
    st.floats(0.0, np.inf),
    st.floats(0.0, 1e300),
    st.sampled_from([0.0, 1e-320, 1e-160, 1.0, 1e160]),
)
def test_never_a_nan_and_never_negative(time, alpha, size):
    K = size * np.array([[1.0, 1.0, 0.5], [1.0, 1.0, 0.5], [0.5, 0.5, 1.0]])
    spectrum = Spectrum.of(K)
    gain = spectrum.filter(time, alpha)
    assert np.all(gain >= 0)
    assert not np.isnan(spectrum.rounding(time, alpha))
    assert np.all(gain <= time / 3 * (1 + 1e-12))


def test_filter_decreases_with_alpha_and_increases_with_time():
    spectrum = Spectrum.of(random_gram())
    by_time = spectrum.filter(np.logspace(-3, 6, 30), 0.01)
    by_alpha = spectrum.filter(3.0, np.logspace(-6, 3, 30))
    assert np.all(np.diff(by_time, axis=0) >= 0)
    assert np.all(np.diff(by_alpha, axis=0) <= 0)


@pytest.mark.parametrize("rank", [1, 3])
def test_singular_matrix(rank):
    """What lies outside the range never reaches a prediction, at any time."""
    K = random_gram(rank)
    spectrum = Spectrum.of(K)
    inside = K @ np.linspace(-1.0, 1.0, N)
    outside = np.linalg.svd(K)[0][:, -1]
    for time in (np.inf, 1e300, 1e18):
        stage = spectrum.at(time)
        assert_allclose(stage.solve(inside), np.linalg.pinv(K) @ inside, rtol=1e-9)
        assert_allclose(K @ stage.solve(outside), 0.0, atol=1e-12)
        assert stage.rounding > 1e-3
    assert_allclose(spectrum.at(30.0).solve(outside), outside * 30.0 / N, rtol=1e-9)
    assert spectrum.rounding(30.0) < 1e-13


@pytest.mark.parametrize("time", [0.0, 5.0, np.inf])
def test_matrix_of_zeros(time):
    stage = Spectrum.of(np.zeros((2, 2))).at(time)
    limit = 0.0 if np.isinf(time) else time / 2
    assert_array_equal(stage.solve(np.ones(2)), [limit, limit])
    assert stage.rounding == 0.0


def test_indefinite_matrix_is_refused_and_a_slightly_indefinite_one_is_cut():
    with pytest.raises(np.linalg.LinAlgError, match="not positive semi-definite"):
        Spectrum.of(np.diag([1.0, -1.0])).at(1.0)
    assert Spectrum.of(np.diag([1.0, -0.5])).at(1.0, 0.6).solve(np.ones(2)).shape
    slightly = Spectrum.of(np.diag([1.0, -1e-6])).at(1e12)
    assert_array_equal(slightly.solve(np.ones(2)), [1.0, 0.0])
    assert slightly.rounding > 0.1


def test_the_matrix_is_kept_unless_told_otherwise():
    K = np.array(random_gram())
    before = K.copy()
    Spectrum.of(K, WEIGHT, ALPHA)
    assert_array_equal(K, before)
    found = Spectrum.of(K, WEIGHT, ALPHA, overwrite=True)
    assert_array_equal(found.values, Spectrum.of(before, WEIGHT, ALPHA).values)
