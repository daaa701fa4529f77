"""Held-out predictions in closed form, against refits of every model."""

import numpy as np
import pytest
from conftest import read_only
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from threadpoolctl import threadpool_limits

from sklearn_ntk._solvers import held_out
from sklearn_ntk._solvers.cholesky import Cholesky
from sklearn_ntk._solvers.held_out import HeldOut
from sklearn_ntk._solvers.leave_one_out import leave_one_out
from sklearn_ntk._solvers.partial_fractions import POLES, flow_weights
from sklearn_ntk._solvers.spectral import Spectrum
from sklearn_ntk.kernels import NTK

N = 14
ALPHAS = np.array([1e-3, 0.1, 3.0])
TIMES = np.array([2.0, np.inf, 0.0, 1e-9, 40.0, 1e4, 1e12])
WEIGHTS = {
    "equal": np.ones(N),
    "two values": np.tile([1.0, 2.5], N // 2),
    "all different": np.linspace(0.1, 3.0, N),
    "one heavy": np.where(np.arange(N) == 3, 500.0, 1.0),
}
ROWS = {"one": [5], "two": [0, 9], "half": range(0, N, 2), "all but one": range(1, N)}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def problem(seed=0, k=2):
    """A kernel matrix and targets of 14 rows, among them a pair of duplicates."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 3))
    X[1] = X[0]
    return read_only(NTK()(X)), read_only(1.0 + rng.normal(size=(N, k)))


def refitted(K, y, weight, rows, centred):
    """Predictions of rows by gradient flow on all the others, by its definition."""
    others = np.delete(np.arange(N), rows)
    w, root = weight[others], np.sqrt(weight[others])
    mean = w @ y[others] / w.sum() if centred else np.zeros(y.shape[1])
    values, vectors = np.linalg.eigh(root[:, None] * K[np.ix_(others, others)] * root)
    values, target = np.maximum(values, 0.0), root[:, None] * (y[others] - mean)
    out = np.empty((len(ALPHAS), len(TIMES), len(rows), y.shape[1]))
    for a, alpha in enumerate(ALPHAS):
        for t, time in enumerate(TIMES):
            speed = values + alpha
            gain = -np.expm1(-time / w.sum() * speed) / speed
            dual = root[:, None] * (vectors @ (gain[:, None] * (vectors.T @ target)))
            out[a, t] = mean + K[np.ix_(rows, others)] @ dual
    return out


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_one_by_one_is_a_refit_for_each_row(weight, centred):
    K, y = problem()
    found = HeldOut(Spectrum.of(K, weight), y, centred).one_by_one(ALPHAS, TIMES)
    expected = [refitted(K, y, weight, [i], centred) for i in range(N)]
    assert_allclose(found, np.concatenate(expected, axis=2), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("unit", [1.0, np.linspace(0.5, 3.0, N)], ids=["one", "by row"])
def test_of_a_row_that_counts_more_only_a_unit_is_left_out(centred, unit):
    K, y = problem()
    weight = np.linspace(0.4, 3.0, N)
    system = HeldOut(Spectrum.of(K, weight), y, centred)
    found = system.one_by_one(ALPHAS, TIMES, unit)
    for i in range(N):
        left = weight.copy()
        left[i] = max(weight[i] - np.broadcast_to(unit, N)[i], 0.0)
        rows = np.flatnonzero(left)
        mean = left @ y / left.sum() if centred else 0.0
        spectrum = Spectrum.of(K[np.ix_(rows, rows)], left[rows])
        dual = spectrum.dual_coef(y[rows] - mean, TIMES, ALPHAS[:, None])
        expected = mean + K[i, rows] @ dual
        assert_allclose(found[:, :, i], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("way", ["by blocks", "by refits"])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_together_is_a_refit(monkeypatch, weight, rows, way):
    monkeypatch.setattr(held_out, "EIGH", np.inf if way == "by blocks" else 0.0)
    (K, y), rows = problem(), list(rows)
    for centred in (True, False):
        system = HeldOut(Spectrum.of(K, weight), y, centred)
        found = system.together(np.array(rows), ALPHAS, TIMES)
        expected = refitted(K, y, weight, rows, centred)
        assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    logs=st.lists(st.floats(-3.0, 3.0), min_size=N, max_size=N),
    rows=st.sets(st.integers(0, N - 1), min_size=1, max_size=N - 1),
    centred=st.booleans(),
)
def test_any_weights_and_rows(seed, logs, rows, centred):
    (K, y), weight, rows = problem(seed, k=1), np.exp(logs), sorted(rows)
    system = HeldOut(Spectrum.of(K, weight), y, centred)
    found = system.together(np.array(rows), ALPHAS, TIMES)
    expected = refitted(K, y, weight, rows, centred)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    found = system.one_by_one(ALPHAS, TIMES)[:, :, rows[:1]]
    expected = refitted(K, y, weight, rows[:1], centred)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_at_infinite_time_it_is_the_familiar_formula():
    K, y = problem()
    found = HeldOut(Spectrum.of(K), y, True).one_by_one(ALPHAS, np.array([np.inf]))
    for alpha, values in zip(ALPHAS, found[:, 0], strict=True):
        factor = Cholesky().factorize(K.copy(), np.full(N, alpha))
        expected = leave_one_out(factor, y, np.full(N, alpha), np.ones(N))
        assert_allclose(values, expected, rtol=1e-10)


def test_the_shortcut_of_ridge_regression_is_not_exact_at_finite_times():
    """Why there are poles: (f - y S_ii) / (1 - S_ii) is another number."""
    K, y = problem()
    spectrum, alpha, time = Spectrum.of(K), ALPHAS[:1], np.array([20.0])
    smoother = K @ spectrum.dual_coef(np.eye(N), time[0], alpha[0])
    shortcut = y - (y - smoother @ y) / (1.0 - smoother.diagonal())[:, None]
    exact = HeldOut(spectrum, y, False).one_by_one(alpha, time)[0, 0]
    assert np.max(np.abs(shortcut - exact)) > 1e-3
    late = K @ spectrum.dual_coef(np.eye(N), np.inf, alpha[0])
    shortcut = y - (y - late @ y) / (1.0 - late.diagonal())[:, None]
    exact = HeldOut(spectrum, y, False).one_by_one(alpha, np.array([np.inf]))[0, 0]
    assert_allclose(shortcut, exact, rtol=1e-9)


def test_weights_do_not_matter_where_one_row_predicts_the_other():
    K, y = read_only([[2.0, 1.0], [1.0, 3.0]]), read_only([[1.0], [-2.0]])
    system = HeldOut(Spectrum.of(K, np.array([1.0, 9.0])), y, True)
    found = system.one_by_one(ALPHAS, TIMES)
    assert_allclose(found, np.broadcast_to(y[::-1], found.shape), rtol=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-8, 0.3, 4.0, 20.0, 1e3])
def test_flow_is_a_sum_of_ridge_regressions(scale):
    speed = np.append(0.0, np.geomspace(1e-6, 1e6, 200))
    own, others = flow_weights(ALPHAS, scale)
    for alpha, u_0, u_p in zip(ALPHAS, own, others, strict=True):
        terms = np.real(u_p * scale / (scale * speed[:, None] + POLES))
        found = u_0 / (speed + alpha) + terms.sum(axis=1)
        expected = -np.expm1(-scale * (speed + alpha)) / (speed + alpha)
        assert_allclose(found, expected, rtol=1e-11, atol=1e-12 / alpha)
