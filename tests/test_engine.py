"""Threads of the engine, and the differentiation that it relies on."""

import threading

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info

from sklearn_ntk import NTK
from sklearn_ntk._engine.forward_mode import Dual, DualNamespace, value_of
from sklearn_ntk._engine.gram import gram
from sklearn_ntk._engine.threads import n_threads, single_threaded_blas
from sklearn_ntk.networks import MLP, Elementwise

XP = DualNamespace(np)


def blas_threads():
    return [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]


def test_number_of_threads_follows_its_sources(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert n_threads(None) == 8
    assert n_threads(3) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert n_threads(None) == 2
    with parallel_config(n_jobs=5):
        assert n_threads(None) == 5
        assert n_threads(1) == 1
    in_threads = Parallel(2, backend="threading")(
        delayed(n_threads)(None) for _ in range(2)
    )
    assert in_threads == [1, 1]


def test_blas_has_one_thread_inside_and_all_of_them_afterwards():
    before = blas_threads()

    def hold():
        with single_threaded_blas():
            inside.set()
            leave.wait(10)

    inside, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=hold)
    with single_threaded_blas():
        thread.start()
        inside.wait(10)
        assert set(blas_threads()) == {1}
        with single_threaded_blas():
            pass
        assert set(blas_threads()) == {1}
    leave.set()
    thread.join()
    assert blas_threads() == before


def test_result_does_not_depend_on_the_number_of_threads():
    X = np.random.default_rng(0).standard_normal((600, 5))
    (one,) = gram(MLP(), X, n_jobs=1)
    (three,) = gram(MLP(), X, n_jobs=3)
    assert_array_equal(one, three)


def test_an_error_in_a_thread_is_raised():
    def fail(u):
        raise RuntimeError("no such function")

    X = np.random.default_rng(0).standard_normal((600, 5))
    with pytest.raises(RuntimeError, match="no such function"):
        NTK(MLP(1, Elementwise(fail), output_scale=1.0))(X)


FUNCTIONS = {
    "exp": lambda xp, a, b: xp.exp(a * b),
    "expm1": lambda xp, a, b: xp.expm1(a) / b,
    "log": lambda xp, a, b: xp.log(a) - xp.log1p(b),
    "trigonometry": lambda xp, a, b: xp.sin(a) * xp.cos(b),
    "hyperbolic": lambda xp, a, b: xp.sinh(a) + xp.cosh(b),
    "roots": lambda xp, a, b: xp.sqrt(a) + xp.hypot(a, b) ** 3,
    "angle": lambda xp, a, b: xp.atan2(xp.sin(a * b), xp.cos(a * b)),
    "choice": lambda xp, a, b: xp.where(a > b, a * a, b) + xp.maximum(a, b),
    "reflected": lambda xp, a, b: 2.0 - a + (1.0 / b) - 3.0 * abs(-a) + 2.0**b,
    "indexed": lambda xp, a, b: a[:2] * b[1:],
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_rules_of_differentiation(function):
    a, b, h = np.array([0.3, 0.9, 1.4]), np.array([0.7, 0.5, 1.1]), 1e-6
    result = function(
        XP, Dual(a, {"a": np.ones(3)}), Dual(b, {"b": np.ones(3), "both": 2.0})
    )
    assert_allclose(value_of(result), function(np, a, b), rtol=1e-15)
    in_a = (function(np, a + h, b) - function(np, a - h, b)) / (2 * h)
    in_b = (function(np, a, b + h) - function(np, a, b - h)) / (2 * h)
    assert_allclose(result.tangents["a"] + 0 * in_a, in_a, atol=1e-8)
    assert_allclose(result.tangents["b"] + 0 * in_b, in_b, atol=1e-8)
    assert_allclose(result.tangents["both"] + 0 * in_b, 2 * in_b, atol=1e-8)
