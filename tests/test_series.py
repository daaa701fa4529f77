"""Activations by quadrature as series in the cosine, as many pairs are computed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ntk._engine import evaluation
from sklearn_ntk._engine.gram import gradient, gram
from sklearn_ntk._engine.tracing import Trace, TracingError
from sklearn_ntk.networks import MLP, Dense, Elementwise, ReLU, Sequential, Sigmoid
from sklearn_ntk.networks import _numerical as numerical
from sklearn_ntk.networks import _series as series
from sklearn_ntk.networks._quadrature.hermite import NumericFunction

KINDS = ("nngp", "ntk")


def rows(n=60, d=30, seed=0):
    """Rows of different lengths, some close, opposed, parallel."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * rng.uniform(0.5, 1.5, (n, 1))
    X[1], X[3], X[5] = X[0], -X[2], 2.0 * X[4]
    X[7] = X[6] * (1.0 + 1e-9) + 1e-9
    X.flags.writeable = False
    return X


@pytest.fixture
def used(monkeypatch):
    """All activations by quadrature as series, which are counted."""
    found = []

    def counted(*args):
        found.append(series.as_series(*args))
        return found[-1]

    monkeypatch.setattr(Trace, "enough", 0)
    monkeypatch.setattr(series, "FEW", 0.02)
    monkeypatch.setattr(numerical, "as_series", counted)
    return found


@pytest.mark.parametrize(
    ("activation", "depth"),
    [
        ("tanh", 1),
        ("tanh", 2),
        ("sigmoid", 1),
        ("softplus", 1),
        ("silu", 1),
        (Elementwise(np.sin, np.cos), 2),
    ],
)
def test_agrees_with_the_formulas(activation, depth, used, monkeypatch):
    X, Y = rows(), rows(40, seed=1)
    network = MLP(depth, activation)
    ours = [*gram(network, X, kinds=KINDS), *gram(network, X, Y, kinds=KINDS)]
    assert len(used) == 2 * depth
    monkeypatch.setattr(evaluation, "traced", lambda *a, **k: None)
    exact = [*gram(network, X, kinds=KINDS), *gram(network, X, Y, kinds=KINDS)]
    for a, b in zip(ours, exact, strict=True):
        assert_allclose(a, b, rtol=1e-12, atol=1e-13 * np.max(b))


@pytest.mark.parametrize(
    ("activation", "depth", "scale"),
    [
        ("tanh", 25, 1.0),
        ("sigmoid", 8, 1.0),  # whose rows all but coincide
        ("tanh", 3, 12.0),  # which is all but a step
        ("sigmoid", 2, 30.0),
        ("silu", 2, 12.0),
    ],
)
def test_nearly_parallel_rows_and_large_ones(
    activation, depth, scale, used, monkeypatch
):
    X = scale * rows()
    network = MLP(depth, activation, weight_variance=1.3, bias_variance=0.1)
    ours = gram(network, X, kinds=KINDS)
    assert len(used) == depth
    monkeypatch.setattr(evaluation, "traced", lambda *a, **k: None)
    exact = gram(network, X, kinds=KINDS)
    for a, b in zip(ours, exact, strict=True):
        assert_allclose(a, b, rtol=1e-11, atol=1e-13 * np.max(b))


@pytest.mark.parametrize(
    ("activation", "scale"),
    [
        ("tanh", 1.0),
        ("tanh", 6.0),
        ("sigmoid", 1.0),
        ("softplus", 1.0),
        ("silu", 3.0),
        (Elementwise(np.sin, np.cos), 1.0),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(activation, scale, kind, used, monkeypatch):
    X = scale * rows()
    network = MLP(3, activation, weight_variance=1.3, bias_variance=0.1)
    K, ours = gradient(network, X, kind=kind)
    assert len(used) == 3
    monkeypatch.setattr(evaluation, "traced", lambda *a, **k: None)
    L, exact = gradient(network, X, kind=kind)
    assert_allclose(K, L, rtol=1e-12, atol=1e-13 * np.max(L))
    assert_allclose(ours, exact, rtol=1e-10, atol=1e-12 * np.max(np.abs(exact)))


def test_a_kink_needs_angles_to_all_digits(used, monkeypatch):
    layers = [Dense(), Sigmoid(), Dense(), Sigmoid(), Dense(), Sigmoid()]
    network = Sequential(*layers, Dense(), ReLU(), Dense())
    X = rows()
    ours = gram(network, X, kinds=KINDS)
    assert len(used) == 3
    monkeypatch.setattr(evaluation, "traced", lambda *a, **k: None)
    exact = gram(network, X, kinds=KINDS)
    for a, b in zip(ours, exact, strict=True):
        assert_allclose(a, b, rtol=1e-12)


def test_in_single_precision(used):
    (half,) = gram(MLP(2, "tanh"), rows(), dtype=np.float32)
    assert len(used) == 2
    assert_allclose(half, gram(MLP(2, "tanh"), rows())[0], rtol=1e-5)


@pytest.mark.parametrize("gaps", [(0, 1, 4), (0, 1, 2), (0,)])
@pytest.mark.parametrize("lowest", [0, 1, 2, 3])
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("apart", [(), (0,), (0, 1)])
def test_a_series_and_its_derivative(gaps, lowest, step, apart):
    rng, trace = np.random.default_rng(0), Trace()
    angles = rng.uniform(0.0, 6.0, (2, 9))
    cos = trace.cosine(tuple(np.stack([np.cos(angles), np.sin(angles)], axis=-1)))
    powers = {*apart, *(lowest + step * np.array(gaps)).tolist()}
    terms = {
        n: tuple(trace.row(axis, rng.standard_normal(9)) for axis in (0, 1))
        for n in powers
    }
    total, slope = series._with_slope(trace, terms, cos)
    x = trace.sampled(cos)
    expected, expected_slope = 0.0 * x, 0.0 * x
    for n, (a, b) in terms.items():
        factor = trace.sampled(a * b)
        expected += factor * x**n
        expected_slope += factor * n * x ** max(n - 1, 0)
    assert_allclose(trace.sampled(total) + 0.0 * x, expected, atol=1e-13)
    assert_allclose(trace.sampled(slope) + 0.0 * x, expected_slope, atol=1e-13)


def test_few_pairs_are_left_to_the_formulas():
    trace = Trace()
    std = [trace.row(axis, np.ones(3)) for axis in (0, 1)]
    cos = trace.cosine((np.eye(3), np.eye(3)))
    with pytest.raises(TracingError, match="few pairs"):
        series.as_series(trace, None, *std, cos)


def test_radii_cover_what_is_seen():
    assert list(series._radii(np.full(100, 0.9999))) == [1.0]
    assert list(series._radii(np.ones(1))) == [1.0]
    few = np.r_[np.full(9999, 0.4), 0.9]
    assert all(radius >= 0.4 for radius in series._radii(few))
    wide = list(series._radii(np.linspace(0.0, 0.8, 100)))
    assert wide == sorted(wide, reverse=True)
    assert 0.8 <= wide[-1] < 0.83
    assert wide[0] > 0.95


def test_a_function_that_is_zero_has_no_series(used):
    trace = Trace()
    std = [trace.row(axis, np.ones(3)) for axis in (0, 1)]
    cos = trace.cosine((np.eye(3), np.eye(3)))
    with pytest.raises(TracingError, match="or a series"):
        series.as_series(trace, NumericFunction(np.zeros_like), *std, cos)
