"""Elementary functions for compiled loops: accuracy, special values, vectors."""

import importlib.util
import re
import sys
from functools import cache

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_ntk._engine import vector_math

numba = pytest.importorskip("numba")

DTYPES = [np.float64, np.float32]
TOLERANCE = {np.float64: 4e-16, np.float32: 3e-7}
INF, NAN, PI = np.inf, np.nan, np.pi

# Where results are neither 0 nor infinite, in float64 and in float32.
DOMAINS = {
    "cos": [(-30, 30)],
    "cosh": [(-710, 710), (-89, 89)],
    "exp": [(-745, 709.7), (-103, 88.7)],
    "expm1": [(-745, 709.7), (-103, 88.7)],
    "log": [(0, 1e300), (0, 1e38)],
    "log1p": [(-0.9999, 1e300), (-0.9999, 1e38)],
    "sin": [(-30, 30)],
    "sinh": [(-710, 710), (-89, 89)],
    "tanh": [(-30, 30)],
}
NAMES = sorted({*DOMAINS, "angle", "hypot", "turn"})


@cache
def loop(name, dtype):
    """The function on every entry of matrices, compiled as the engine does."""
    function = vector_math.functions(dtype)[name]
    options = {"fastmath": {"contract"}, "error_model": "numpy"}
    if name in DOMAINS:

        @numba.njit(**options)
        def run(x, out):
            for i in range(out.shape[0]):
                for j in range(out.shape[1]):
                    out[i, j] = function(x[i, j])

    else:

        @numba.njit(**options)
        def run(x, y, out):
            for i in range(out.shape[0]):
                for j in range(out.shape[1]):
                    out[i, j] = function(x[i, j], y[i, j])

    return run


def evaluate(name, dtype, *columns):
    columns = [np.array(column, dtype).reshape(1, -1) for column in columns]
    for column in columns:
        column.flags.writeable = False
    out = np.empty_like(columns[0])
    loop(name, dtype)(*columns, out)
    return out[0]


def assert_accurate(name, dtype, *columns, relative_to_one=False):
    """Compare with mpmath; results that are subnormal to their last place."""
    columns = [np.array(column, dtype) for column in columns]
    results = evaluate(name, dtype, *columns)
    step = mpmath.mpf(float(np.finfo(dtype).smallest_subnormal))
    with mpmath.workprec(160):
        for *arguments, result in zip(*columns, results, strict=True):
            exact = getattr(mpmath, name)(*map(mpmath.mpf, map(float, arguments)))
            if abs(exact) > float(np.finfo(dtype).max) / (1 + np.finfo(dtype).eps):
                assert np.isinf(result) or result == exact, arguments
                continue
            size = 1 if relative_to_one else abs(exact)
            error = abs(mpmath.mpf(float(result)) - exact)
            assert error <= max(TOLERANCE[dtype] * size, step), (arguments, result)


def sample(name, dtype, rng):
    """Numbers everywhere in the domain, dense near 0, the ends, and near 1."""
    low, high = DOMAINS[name][-1 if dtype is np.float32 else 0]
    small = 10.0 ** rng.uniform(-12, min(np.log10(high), 3), 200)
    near_one = 1 + rng.uniform(-1, 1, 100) * 10.0 ** rng.uniform(-7, -1, 100)
    grid = np.linspace(low, high, 101)
    everything = np.concatenate(
        [small, -small, near_one, -near_one, grid, rng.uniform(low, high, 100)]
    )
    inside = everything[(everything >= low) & (everything <= high)].astype(dtype)
    return inside[(inside > 0) | (name != "log")]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_one_argument(name, dtype):
    x = sample(name, dtype, np.random.default_rng(0))
    assert_accurate(name, dtype, x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hypot(dtype):
    rng = np.random.default_rng(1)
    angle = np.r_[np.linspace(-PI, PI, 97), rng.uniform(-PI, PI, 200)]
    # it has squares that overflow and underflow, but not its results
    size = 2.0 ** rng.uniform(*np.log2([np.finfo(dtype).tiny, 1e38]), len(angle))
    for factor in (1, size):
        y, x = (factor * f(angle) for f in (np.sin, np.cos))
        assert_accurate("hypot", dtype, y, x)
        assert_accurate("hypot", dtype, y, x * 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_angle_of_points_of_the_unit_circle(dtype):
    rng = np.random.default_rng(1)
    tiny = 10.0 ** rng.uniform(-30, -1, 100)
    phi = np.r_[np.linspace(-PI, PI, 97), rng.uniform(-PI, PI, 400), tiny, -tiny]
    y, x = np.sin(phi).astype(dtype), np.cos(phi).astype(dtype)
    expected = np.arctan2(y.astype(float), x.astype(float))
    np.testing.assert_allclose(
        evaluate("angle", dtype, y, x), expected, rtol=4 * np.finfo(dtype).eps
    )
    ends = evaluate("angle", dtype, [0, -0.0, 0, 1, -1], [1, 1, -1, 0, 0])
    assert_identical(ends, np.array([0, -0.0, PI, PI / 2, -PI / 2], dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_turn_is_the_angle_to_absolute_accuracy(dtype):
    rng = np.random.default_rng(3)
    phi = np.r_[np.linspace(-PI / 2, PI / 2, 97), rng.uniform(-PI / 2, PI / 2, 400)]
    y, x = np.sin(phi).astype(dtype), np.abs(np.cos(phi)).astype(dtype)
    expected = np.arctan2(y.astype(float), x.astype(float))
    np.testing.assert_allclose(
        evaluate("turn", dtype, y, x), expected, rtol=0, atol=3 * np.finfo(dtype).eps
    )
    assert_identical(
        evaluate("turn", dtype, [1, -1], [0, 0]), np.array([PI / 2, -PI / 2], dtype)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_large_angles(name, dtype):
    rng = np.random.default_rng(2)
    multiples = rng.integers(-60000, 60000, 150) * (PI / 2)
    x = np.r_[rng.uniform(-1e5, 1e5, 150), multiples]
    assert_accurate(name, dtype, x[np.abs(x) < 1e5], relative_to_one=True)
    huge = evaluate(name, dtype, [1e9, 1e20, -3e37])
    assert (np.abs(huge) <= 1 + np.finfo(dtype).eps).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_subnormal_numbers(name, dtype):
    x = np.finfo(dtype).smallest_subnormal * np.array([1, 2, 127, 2.0**20], dtype)
    if name in ("expm1", "log1p", "sin", "sinh", "tanh"):
        np.testing.assert_array_equal(evaluate(name, dtype, x), x)
        np.testing.assert_array_equal(evaluate(name, dtype, -x), -x)
    else:
        assert_accurate(name, dtype, x)


floats = {
    np.float64: st.floats(-1e300, 1e300),
    np.float32: st.floats(-(2.0**120), 2.0**120, width=32),
}


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=40, deadline=None, database=None)
@given(data=st.data())
def test_any_number(dtype, data):
    y, x = np.array(data.draw(st.lists(st.tuples(*[floats[dtype]] * 2), min_size=1))).T
    assert_accurate("hypot", dtype, y, x)
    for name in ("expm1", "exp", "sinh", "cosh", "tanh"):
        assert_accurate(name, dtype, x)
    assert_accurate("log1p", dtype, np.abs(x))
    assert_accurate("log", dtype, np.abs(x[x != 0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("cos", [-0.0, 0, INF], [1, 1, NAN]),
        ("cosh", [-INF, 0, 711, INF], [INF, 1, INF, INF]),
        ("exp", [-INF, -750, -0.0, 0, 710, INF], [0, 0, 1, 1, INF, INF]),
        ("expm1", [-INF, -750, -0.0, 0, 710, INF], [-1, -1, -0.0, 0, INF, INF]),
        ("log", [-INF, -1, -0.0, 0, 1, INF], [NAN, NAN, -INF, -INF, 0, INF]),
        ("log1p", [-INF, -2, -1, -0.0, 0, INF], [NAN, NAN, -INF, -0.0, 0, INF]),
        ("sin", [-INF, -0.0, 0, INF], [NAN, -0.0, 0, NAN]),
        ("sinh", [-INF, -711, -0.0, 0, INF], [-INF, -INF, -0.0, 0, INF]),
        ("tanh", [-INF, -1e30, -0.0, 0, INF], [-1, -1, -0.0, 0, 1]),
    ],
)
def test_special_values(name, dtype, arguments, expected):
    assert_identical(evaluate(name, dtype, arguments), np.array(expected, dtype))
    assert np.isnan(evaluate(name, dtype, [NAN, -NAN])).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_pairs(dtype):
    values = [-INF, -2, -1e-30, -0.0, 0, 1e-30, 2, INF]
    y, x = (a.ravel().astype(dtype) for a in np.meshgrid(values, values))
    results = evaluate("hypot", dtype, y, x)
    np.testing.assert_allclose(results, np.hypot(y, x), rtol=np.finfo(dtype).eps)
    missing = evaluate("hypot", dtype, [NAN, NAN, 1, 0], [NAN, 1, NAN, NAN])
    assert np.isnan(missing).all()


def assert_identical(results, expected):
    np.testing.assert_array_equal(results, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(
        np.signbit(results[known]), np.signbit(expected[known])
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_loops_become_vector_code(name, dtype):
    matrices = [np.ones((1, 4), dtype)] * (2 if name in DOMAINS else 3)
    run = loop(name, dtype)
    run(*matrices)
    number = "double" if dtype is np.float64 else "float"
    for code in run.inspect_llvm().values():
        assert re.search(rf"= fmul contract <\d+ x {number}>", code)
        called = set(re.findall(r"call [^@\n]*@\"?([\w.]+)", code))
        mathematical = {"exp", "log", "sin", "cos", "tan", "atan", "hyp", "pow"}
        assert not [c for c in called if any(m in c for m in mathematical)]
        if dtype is np.float32:
            assert "fpext" not in code
            assert "double" not in code


def test_source_digest():
    digest = vector_math.source_digest()
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert digest == vector_math.source_digest()


def test_numba_is_not_needed_to_import(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    specification = importlib.util.find_spec(vector_math.__name__)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    with pytest.raises(ImportError):
        module.functions(np.float64)
