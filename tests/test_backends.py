"""Programs: what is traced is what the formulas say, whatever runs it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from zoo import NETWORKS

from sklearn_ntk._engine import evaluation, numba_program
from sklearn_ntk._engine.generic import traced
from sklearn_ntk._engine.gram import gradient, gram
from sklearn_ntk._engine.program import Program
from sklearn_ntk._engine.tracing import Trace, TracingError
from sklearn_ntk.networks import MLP, Dense, ReLU, Sequential

KINDS = ("nngp", "ntk")
COMPILED = ("mlp", "no_bias", "relevance", "mixed", "concatenate", "one_sin", "step")


def rows(n=40, d=4, seed=0):
    """Generic rows and some that are close, opposed, parallel, zero."""
    X = np.random.default_rng(seed).standard_normal((n, d))
    X[1], X[3], X[5], X[7] = X[0], -X[2], 2.0 * X[4], 0.0
    X[9] = X[8] * (1.0 + 1e-9) + 1e-9
    X.flags.writeable = False
    return X


@pytest.fixture
def by_formulas(monkeypatch):
    """A function that evaluates without a program."""

    def evaluated(function, *args, **options):
        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "traced", lambda *a, **k: None)
            return function(*args, **options)

    return evaluated


def assert_same(ours, expected, rtol=1e-12, atol=1e-15):
    for a, b in zip(ours, expected, strict=True):
        scale = np.max(np.abs(b), initial=0.0)
        assert_allclose(a, b, rtol=rtol, atol=atol * scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_programs_agree_with_formulas(name, by_formulas):
    X = rows()
    network = NETWORKS[name]
    assert_same(
        gram(network, X, kinds=KINDS), by_formulas(gram, network, X, kinds=KINDS)
    )
    Y = np.vstack([X[5:9], rows(30, seed=1)])
    assert_same(
        gram(network, X, Y, kinds=KINDS), by_formulas(gram, network, X, Y, kinds=KINDS)
    )
    _, slopes = gradient(network, X, kind="ntk")
    _, expected = by_formulas(gradient, network, X, kind="ntk")
    scale = np.max(np.abs(expected), initial=1e-3)
    assert_allclose(slopes, expected, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_single_precision(name):
    X, network = rows(), NETWORKS[name]
    for half, whole in zip(
        gram(network, X, kinds=KINDS, dtype=np.float32),
        gram(network, X, kinds=KINDS),
        strict=True,
    ):
        assert half.dtype == np.float32
        assert_array_equal(half, half.T)
        assert_allclose(half, whole, rtol=1e-5, atol=1e-5 * np.max(np.abs(whole)))


def test_single_precision_at_depth_ten():
    X = rows(200, 30)
    (half,), (whole,) = (gram(MLP(10), X, dtype=t) for t in (np.float32, np.float64))
    assert_allclose(half, whole, rtol=1e-5)


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """All programs are compiled, into a folder of their own."""
    pytest.importorskip("numba")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(evaluation, "FEW", 0)
    numba_program.compiled.cache_clear()
    yield tmp_path
    numba_program.compiled.cache_clear()


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_programs_agree(name, compiled, monkeypatch):
    network = NETWORKS.get(name) or NETWORKS[f"one_{name}"]
    X = rows()
    ours = gram(network, X, kinds=KINDS)
    half = gram(network, X, kinds=KINDS, dtype=np.float32)
    _, slopes = gradient(network, X, kind="ntk")
    monkeypatch.setattr(evaluation, "FEW", 2**60)
    expected = gram(network, X, kinds=KINDS)
    assert_same(ours, expected)
    assert_same(half, expected, rtol=1e-5, atol=1e-6)
    _, others = gradient(network, X, kind="ntk")
    scale = np.max(np.abs([*expected, *np.moveaxis(others, -1, 0)]))
    assert_allclose(slopes, others, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("offset", [0, 1, 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled_programs_write_to_where_they_are_told(compiled, offset, dtype):
    X = rows(300, 20)
    (expected,) = gram(MLP(2), X)
    room = np.full((302, 320), np.nan, dtype)
    out = room[1:-1, offset : offset + 300]  # at any place in a line of cache
    gram(MLP(2), X, dtype=dtype, out=(out,))
    assert_array_equal(out, out.T)
    assert_allclose(out, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)
    across = np.zeros((300, 300), dtype).T  # whose rows are not contiguous
    gram(MLP(2), X, dtype=dtype, out=(across,))
    assert_array_equal(across, out)
    out[:] = np.nan
    assert np.all(np.isnan(room))  # nothing beside it was touched


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 24)])
def test_compiled_programs_in_small_blocks(compiled, shape, monkeypatch):
    X, Y = rows(30), rows(21, seed=1)
    expected = gram(MLP(2), X)[0], gram(MLP(2), X, Y)[0]
    monkeypatch.setattr(numba_program.NumbaProgram, "shape", shape)
    assert_same((gram(MLP(2), X)[0], gram(MLP(2), X, Y)[0]), expected)


def test_a_deep_network_has_as_many_segments_as_it_has_different_layers(compiled):
    gram(MLP(12), rows())
    assert len(list(compiled.rglob("segment_*.py"))) <= 4


def test_compiled_code_is_kept_and_found(compiled):
    X = rows()
    first = gram(MLP(2), X)
    before = {p: p.stat().st_mtime_ns for p in compiled.rglob("*.nbc")}
    numba_program.compiled.cache_clear()
    assert_array_equal(gram(MLP(2, bias_variance=1.0), X), first)
    gram(MLP(2, bias_variance=0.3), X)
    assert {p: p.stat().st_mtime_ns for p in compiled.rglob("*.nbc")} == before
    assert before


def test_compiles_where_nothing_can_be_kept(compiled, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    X = rows()
    (ours,) = gram(MLP(1), X)
    monkeypatch.setattr(evaluation, "FEW", 2**60)
    assert_same([ours], gram(MLP(1), X))


def test_without_numba_large_problems_are_left_to_numpy(monkeypatch):
    monkeypatch.setattr(evaluation, "FEW", 0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(evaluation, "NumbaProgram", None)
    assert gram(MLP(1), rows())[0].shape == (40, 40)


def test_same_operations_are_recorded_once():
    trace = Trace()
    c = trace.cosine(None)
    row = trace.row(0, np.array([1.0, 2.0]))
    first = trace.sqrt(c * row + 1.0)
    count = len(trace.nodes)
    second = trace.sqrt(c * row + 1.0)
    assert (first.core, len(trace.nodes)) == (second.core, count)
    assert (c + 0.0) is c
    assert (c * 1.0) is c
    assert (1.0 * c) is c
    assert c * 0.0 == 0.0


def test_values_that_are_the_same_are_outputs_apart():
    trace = Trace()
    c = trace.cosine(None)
    program = Program(trace, [c + 1.0, c + 1.0, 1.0 + c, c, c, 0.5, 0.5])
    assert len(set(program.outputs)) == 7


def test_a_product_of_sum_and_difference_is_a_difference_of_squares():
    trace = Trace()
    c = trace.cosine(None)
    program = Program(trace, [(1.0 - c) * (1.0 + c)])
    ops = [trace.nodes[i].op for i in program.order]
    assert ops == ["cosine", "mul", "sub"]
    row = trace.row(0, np.array([2.0]))
    program = Program(trace, [(row - c) * (row + c)])
    assert [trace.nodes[i].op for i in program.order] == ["cosine", "sub", "add", "mul"]


def test_factors_of_rows_are_gathered_before_they_meet_a_pair():
    trace = Trace()
    c = trace.cosine(None)
    x, y = trace.row(0, np.array([2.0])), trace.row(1, np.array([3.0]))
    product = (x * c) * (y * 5.0) / (x * y)
    program = Program(trace, [product + 1.0])
    assert len(program.order) == 4  # the cosine, two products and a sum


def test_what_is_not_needed_is_left_out():
    trace = Trace()
    c = trace.cosine(None)
    trace.exp(c)
    assert [trace.nodes[i].op for i in Program(trace, [c + 1.0]).order] == [
        "cosine",
        "add",
    ]


@pytest.mark.parametrize(
    "formula",
    [
        lambda trace, c: c[0],
        lambda trace, c: 1.0 if c > 0 else 0.0,
        lambda trace, c: trace.fft(c),
        lambda trace, c: trace.all(c > 0),
        lambda trace, c: c + np.ones(3),
    ],
)
def test_what_cannot_be_recorded_says_so(formula):
    trace = Trace()
    with pytest.raises(TracingError):
        formula(trace, trace.cosine(None))


def test_rows_of_extreme_size_are_left_to_the_formulas():
    network = Sequential(Dense(), ReLU(), Dense())

    def program(X):
        return traced(
            lambda inputs: [network.propagate(inputs).ntk], X, X, ntk=True, dual=False
        )

    assert program(rows()) is not None
    assert program(1e-150 * rows()) is None
    assert program(1e150 * rows()) is None
