"""Kernels as functions of one angle: for users, and inside the engine."""

import pickle
import warnings

import numpy as np
import pytest
from conftest import read_only
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Chebyshev
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from zoo import ACTIVATIONS, NETWORKS

from sklearn_ntk import NNGP, NTK
from sklearn_ntk._engine import evaluation, profiles
from sklearn_ntk._engine.gram import gram, path
from sklearn_ntk.networks import (
    MLP,
    Dense,
    Dropout,
    Exp,
    Identity,
    LeakyReLU,
    ReLU,
    Sequential,
    Sign,
)

KERNELS = (NTK, NNGP)
KINDS = ("nngp", "ntk")
ROUNDING = 2e-14  # of entries that formulas give, in parts of the largest
ROUND = {name: n for name, n in NETWORKS.items() if not name.startswith("relevance")}
GAPS = np.array([0.0, 1e-15, 1e-12, 1e-8, 1e-4, 1e-2, 0.2, 0.6])
COSINES = np.concatenate([1.0 - GAPS, [0.3, 1e-9, 0.0, -1e-3], GAPS - 1.0])


def pairs(cos, rms=1.0, d=4):
    """A row, and rows of the same length with given cosines to it."""
    cos = np.asarray(cos, dtype=float)
    x, Y = np.zeros((1, d)), np.zeros((len(cos), d))
    x[0, 0], Y[:, 0], Y[:, -1] = 1.0, cos, np.sqrt((1.0 - cos) * (1.0 + cos))
    return read_only(rms * d**0.5 * x), read_only(rms * d**0.5 * Y)


def kernel_at(kernel, cos, rms=1.0):
    x, Y = pairs(cos, rms)
    return kernel(x, Y)[0]


def assert_within_bound(profile, kernel, cos, rms=1.0):
    expected = kernel_at(kernel, cos, rms)
    scale = np.max(np.abs(kernel_at(kernel, [1.0, -1.0], rms)))
    gap = np.abs(profile(cos) - expected)
    assert np.all(gap <= profile.error + ROUNDING * scale)
    return scale


# What users get -------------------------------------------------------------------


@pytest.mark.parametrize("kernel_type", KERNELS)
@pytest.mark.parametrize("name", ROUND)
def test_is_the_kernel_of_rows_of_one_length(name, kernel_type):
    kernel = kernel_type(NETWORKS[name])
    profile = kernel.profile(rms=0.7, n_features=4)
    scale = assert_within_bound(profile, kernel, COSINES, rms=0.7)
    assert profile.error < 1e-13 * scale
    assert_array_equal(kernel.profile(0.7, 4).coefficients, profile.coefficients)


@pytest.mark.parametrize("rms", [1e-3, 0.3, 3.0, 50.0])
@pytest.mark.parametrize("name", ["mlp", "no_bias", "one_erf", "mixed", "residual"])
def test_rows_of_other_lengths(name, rms):
    kernel = NTK(NETWORKS[name])
    assert_within_bound(kernel.profile(rms), kernel, COSINES, rms)


def test_closed_forms():
    angle = np.linspace(0.0, np.pi, 50)
    relu = Sequential(Dense(2.0, 0.0), ReLU(), Dense(1.0, 0.0))
    arc_cosine = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    tangent = arc_cosine + np.cos(angle) * (np.pi - angle) / np.pi
    assert_allclose(NNGP(relu).profile()(np.cos(angle)), arc_cosine, atol=1e-14)
    assert_allclose(NTK(relu).profile()(np.cos(angle)), tangent, atol=1e-14)
    sign = NNGP(Sequential(Dense(1.0, 0.0), Sign(), Dense(1.0, 0.0))).profile()
    assert_allclose(sign.coefficients, [0.0, -1.0], atol=1e-15)


def test_coefficients_are_those_of_a_chebyshev_series_in_the_angle():
    kernel = NTK(MLP(3))
    profile = kernel.profile()
    assert profile.degree == len(profile.coefficients) - 1
    series = Chebyshev(profile.coefficients, domain=[0.0, np.pi])
    assert_allclose(series(np.arccos(COSINES)), profile(COSINES), rtol=1e-13)
    n = 1000  # nodes of the quadrature that defines coefficients
    phase = np.pi * (np.arange(n) + 0.5) / n
    values = kernel_at(kernel, np.cos(0.5 * np.pi * (np.cos(phase) + 1.0)))
    for k, coefficient in enumerate(profile.coefficients):
        expected = (2.0 if k else 1.0) * np.mean(values * np.cos(k * phase))
        assert coefficient == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    "network",
    [
        NETWORKS["no_bias"],
        MLP(4, LeakyReLU(0.1), bias_variance=0.0, length_scale=2.0),
        Sequential(Dense(2.0, 0.0), Identity(), Dropout(0.3), Dense(1.0, 0.0)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("kernel_type", KERNELS)
def test_homogeneous_networks_need_no_length(kernel_type, network):
    kernel = kernel_type(network)
    X = (
        np.random.default_rng(0).standard_normal((6, 5))
        * 10.0 ** np.arange(-3, 3)[:, None]
    )
    Y = np.vstack([X[2], np.zeros(5), -X[4]])
    lengths = np.outer(*(np.linalg.norm(rows, axis=1) for rows in (X, Y)))
    cos = np.divide(X @ Y.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    profile = kernel.profile(rms=3.0)
    assert profile.homogeneous
    expected = lengths / (5 * 3.0**2) * profile(cos)
    assert_allclose(kernel(X, Y), expected, atol=1e-7, rtol=1e-7)


WITHOUT_BIAS = {
    name: Sequential(Dense(1.2, 0.0), layer, Dense(0.7, 0.0))
    for name, layer in ACTIVATIONS.items()
}


@pytest.mark.parametrize("name", [*ROUND, *WITHOUT_BIAS])
def test_homogeneous_is_what_scales_with_both_lengths(name):
    network = {**ROUND, **WITHOUT_BIAS}[name]
    x, Y = pairs([0.9, 0.3, -0.6])
    ours = gram(network, x, Y, kinds=KINDS)
    longer = gram(network, 3.0 * x, 0.5 * Y, kinds=KINDS)
    scales = all(
        np.allclose(a, 1.5 * b, rtol=1e-10) for a, b in zip(longer, ours, strict=True)
    )
    assert network.is_homogeneous == scales


@pytest.mark.parametrize("name", ["mlp", "bias_from_zero", "residual", "one_relu"])
def test_other_networks_are_not_homogeneous(name):
    assert not NTK(NETWORKS[name]).profile().homogeneous


@settings(deadline=None, max_examples=60)
@given(
    activation=st.sampled_from(["relu", "erf", "sin", "gelu", "leaky_relu"]),
    depth=st.integers(0, 12),
    weight_variance=st.floats(0.1, 5.0),
    bias_variance=st.one_of(st.just(0.0), st.floats(1e-6, 5.0)),
    rms=st.floats(1e-3, 10.0),
    options=st.sampled_from([{}, {"residual": True}, {"layer_norm": True}]),
    kernel_type=st.sampled_from(KERNELS),
    cos=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=20),
)
def test_the_error_is_a_bound(
    kernel_type, rms, cos, activation, depth, weight_variance, bias_variance, options
):
    network = MLP(
        depth,
        activation,
        weight_variance=weight_variance,
        bias_variance=bias_variance,
        output_scale=1.0,
        **options,
    )
    kernel = kernel_type(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        profile = kernel.profile(rms)
    assert_within_bound(profile, kernel, np.array([*cos, 1.0, -1.0]), rms)


def test_what_no_series_can_follow_is_said():
    """At this depth all rows are alike or have nothing in common."""
    kernel = NTK(MLP(100, "erf", weight_variance=20.0))
    with pytest.warns(ConvergenceWarning, match=r"error of up to .*too fast"):
        profile = kernel.profile()
    assert profile.error > 0.1
    assert profile(1.0) == pytest.approx(1.0)


@pytest.mark.parametrize("kernel_type", KERNELS)
def test_dropout_has_masks_of_its_own_in_each_row(kernel_type):
    kernel = kernel_type(MLP(2, dropout=0.4))
    x = np.ones((1, 4))
    profile = kernel.profile()
    assert profile(1.0) == pytest.approx(kernel(x, x)[0, 0], rel=1e-13)
    assert profile(1.0) < 0.9 * kernel.diag(x)[0]


def test_the_standard_parametrization_needs_the_number_of_features():
    kernel = NTK(NETWORKS["standard"])
    with pytest.raises(ValueError, match=r"'n_features' of profile must be an int.*No"):
        kernel.profile()
    four, nine = (kernel.profile(n_features=d)(0.5) for d in (4, 9))
    for d, value in ((4, four), (9, nine)):
        x, y = pairs([0.5], d=d)
        assert value == pytest.approx(kernel(x, y)[0, 0], rel=1e-13)
    assert four != pytest.approx(nine, rel=1e-3)


@pytest.mark.parametrize("name", ["relevance", "relevance_erf"])
@pytest.mark.parametrize("n_features", [None, 4])
def test_features_with_scales_of_their_own_are_refused(name, n_features):
    with pytest.raises(ValueError, match="'length_scale' parameter must be a number"):
        NTK(NETWORKS[name]).profile(n_features=n_features)


@pytest.mark.parametrize("rms", [0.0, -1.0, np.inf, np.nan])
def test_rms_is_checked(rms):
    with pytest.raises(ValueError, match="rms"):
        NTK().profile(rms)


def test_other_parameters_are_checked():
    with pytest.raises(ValueError, match=r"'rms' parameter of profile.*Got '1'"):
        NTK().profile("1")
    for n_features in (0, 4.0):
        with pytest.raises(ValueError, match="'n_features' parameter of profile"):
            NTK().profile(n_features=n_features)
    with pytest.raises(ValueError, match="'activation'"):
        NTK(MLP(activation="rleu")).profile()
    for cos in ([0.0, 1.1], -2.0, np.nan):
        with pytest.raises(ValueError, match="cosines, from -1 to 1"):
            NTK().profile()(cos)


def test_overflow_is_an_error():
    with pytest.raises(ValueError, match="overflows for rows with rms=100"):
        NTK(Sequential(Dense(), Exp(), Dense())).profile(rms=100.0)


def test_shapes_and_copies():
    profile = NTK().profile()
    for shape in ((), (3,), (2, 3), (0,)):
        assert np.shape(profile(np.full(shape, 0.5))) == shape
    assert profile(1.0 + 1e-15) == profile(1.0)
    copied = pickle.loads(pickle.dumps(profile))
    assert_array_equal(copied(COSINES), profile(COSINES))
    assert repr(copied).startswith(f"Profile(degree={profile.degree}, error=")


# What the engine makes of it ------------------------------------------------------

DEEP = {
    "relu": MLP(30),
    "no_bias": MLP(20, bias_variance=0.0),
    "erf": MLP(12, "erf"),
    "odd": MLP(12, "erf", bias_variance=0.0),
    "residual": MLP(12, residual=True, layer_norm=True),
    "tanh": MLP(3, "tanh"),
    "elu": MLP(2, "elu"),
    "dropout": MLP(12, dropout=0.2),
    "standard": MLP(12, parametrization="standard", width=50),
}


def on_a_sphere(rows):
    rows = np.asarray(rows, dtype=float)
    return read_only(
        rows * (rows.shape[1] ** 0.5 / np.linalg.norm(rows, axis=1))[:, None]
    )


def rows(n=300, d=30, seed=0):
    """Rows on a sphere: generic, duplicates, opposed and nearly parallel ones."""
    X = np.random.default_rng(seed).standard_normal((n, d))
    X[1], X[3], X[-1] = X[0], -X[2], X[n // 2]
    X[5] = X[4] + 1e-9
    X[7] = X[6] + 1e-3
    X[9] = -X[8] + 0.3
    return on_a_sphere(X)


@pytest.fixture
def by_formulas(monkeypatch):
    """A function that evaluates without a program."""

    def evaluated(function, *args, **options):
        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "traced", lambda *a, **k: None)
            patch.setattr(profiles, "shortened", lambda *a: None)
            return function(*args, **options)

    return evaluated


@pytest.fixture
def shortcuts(monkeypatch):
    """What has been used in the place of a network, of which there may be little."""
    found, shortened = [], profiles.shortened

    def spy(*args):
        shorter = shortened(*args)
        found.append(shorter and shorter[1])
        return shorter

    monkeypatch.setattr(profiles, "shortened", spy)
    return found


@pytest.fixture
def always(monkeypatch):
    """Interpolation even where a network is short, and for few pairs."""
    monkeypatch.setattr(profiles, "ENOUGH", 0)
    monkeypatch.setattr(profiles._Rows, "traced", lambda self, *a, **k: None)


def assert_same(ours, expected, rtol=1e-12):
    for a, b in zip(ours, expected, strict=True):
        scale = np.max(np.abs(b), initial=0.0)
        assert_allclose(a, b, rtol=rtol, atol=1e-14 * scale)


@pytest.mark.parametrize("d", [8, 100])
@pytest.mark.parametrize("name", DEEP)
def test_matrices_are_those_of_the_formulas(name, d, by_formulas, shortcuts):
    X, network = rows(d=d), DEEP[name]
    ours = gram(network, X, kinds=KINDS)
    assert shortcuts[0] is not None or (name, d) == ("odd", 8)  # too many small values
    assert_same(ours, by_formulas(gram, network, X, kinds=KINDS))
    assert_array_equal(ours, np.swapaxes(ours, 1, 2))


@pytest.mark.parametrize("name", ROUND)
def test_networks_of_the_zoo(name, always, by_formulas, shortcuts):
    X, Y, network = rows(60, 4), rows(40, 4, seed=0), NETWORKS[name]
    assert_same(
        gram(network, X, kinds=KINDS), by_formulas(gram, network, X, kinds=KINDS)
    )
    assert_same(
        gram(network, X, Y, kinds=KINDS), by_formulas(gram, network, X, Y, kinds=KINDS)
    )
    for half, whole in zip(
        gram(network, X, kinds=KINDS, dtype=np.float32),
        gram(network, X, kinds=KINDS),
        strict=True,
    ):
        assert_allclose(half, whole, rtol=1e-5, atol=1e-5 * np.max(np.abs(whole)))


@pytest.mark.parametrize("d", [4, 200])
def test_two_sets_of_rows(d, always, by_formulas):
    X, network = rows(70, d), DEEP["relu"]
    for Y in (rows(50, d, seed=1), X[20:60], X[:1], X):
        assert_same(gram(network, X, Y), by_formulas(gram, network, X, Y))
        assert_same(gram(network, Y, X), by_formulas(gram, network, Y, X))


def test_sparse_rows(by_formulas, shortcuts):
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((300, 400)) * (rng.random((300, 400)) < 0.03)
    unit = sparse.csr_array(on_a_sphere(dense))
    for name in ("relu", "tanh"):
        ours = gram(DEEP[name], unit)
        assert_same(ours, by_formulas(gram, DEEP[name], unit))
        assert_allclose(ours[0], gram(DEEP[name], unit.toarray())[0], rtol=1e-12)
    assert all(shortcuts)


@pytest.mark.parametrize("name", ["relu", "no_bias", "tanh", "dropout"])
def test_rows_that_are_all_alike(name, always, by_formulas):
    for X in (np.ones((70, 3)), np.ones((1, 3)), np.ones((2, 1)), [[1.0], [-1.0]]):
        X = read_only(X)
        assert_same(gram(DEEP[name], X), by_formulas(gram, DEEP[name], X))


def test_homogeneous_networks_take_rows_of_any_length(by_formulas, shortcuts):
    X = rows(d=20) * 10.0 ** np.random.default_rng(0).uniform(-20, 20, (300, 1))
    X[10:14] = 0.0
    ours = gram(DEEP["no_bias"], X, kinds=KINDS)
    expected = by_formulas(gram, DEEP["no_bias"], X, kinds=KINDS)
    for a, b in zip(ours, expected, strict=True):
        roots = np.sqrt(np.diagonal(b))
        assert_allclose(a, b, rtol=1e-12, atol=1e-300)
        assert np.all(np.abs(a) <= np.outer(roots, roots) * (1.0 + 1e-12))
    assert shortcuts[0] is not None


def test_other_networks_need_rows_of_one_length(shortcuts):
    X = np.array(rows())
    gram(DEEP["relu"], X)
    X[17] *= 1.0 + 1e-12
    gram(DEEP["relu"], X)
    X[17] = 0.0
    gram(DEEP["relu"], X)
    gram(MLP(12, length_scale=np.linspace(1.0, 2.0, 30)), rows())
    assert shortcuts[0] is not None
    assert shortcuts[1:] == [None, None, None]


def test_rows_that_a_sample_does_not_see(monkeypatch, always, by_formulas, shortcuts):
    """Those in between are close to each other, and the sample says none are."""
    monkeypatch.setattr(profiles, "SAMPLE", 2)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 200))
    X[10:30] = X[10] + 1e-2 * rng.standard_normal((20, 200))
    X[40:50], X[50] = X[40], -X[40]
    X = on_a_sphere(X)
    for name, network in DEEP.items():
        assert_same(gram(network, X), by_formulas(gram, network, X))
        assert shortcuts[-1] is not None, name
        assert not shortcuts[-1].interpolated, name


def test_the_number_of_threads_does_not_matter(shortcuts):
    X = rows(600)
    one, three = (gram(DEEP["relu"], X, kinds=KINDS, n_jobs=n) for n in (1, 3))
    assert_same(one, three, rtol=1e-13)
    assert all(shortcuts)


def test_single_precision(shortcuts):
    X = rows(d=100)
    for network in (MLP(10), DEEP["tanh"], DEEP["no_bias"]):
        (half,), (whole,) = (gram(network, X, dtype=t) for t in (np.float32, float))
        assert half.dtype == np.float32
        assert_allclose(half, whole, rtol=1e-5)
        assert_array_equal(half, half.T)
    assert all(shortcuts)


def test_paths_of_depths(always, by_formulas):
    X = rows(70, 6)
    for network in (MLP(5), MLP(3, "tanh"), MLP(4, residual=True)):
        assert_same(
            path(network, X, kind="ntk"), by_formulas(path, network, X, kind="ntk")
        )


def test_kernels_that_no_series_follows(always, by_formulas):
    X = rows(60, 8)
    for network in (MLP(60, "erf", weight_variance=15.0), MLP(30, "sin")):
        assert_same(gram(network, X), by_formulas(gram, network, X))


UNIT = np.random.default_rng(7).standard_normal((6, 5))


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(["relu", "no_bias", "odd", "residual", "dropout", "tanh"]),
    picks=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([1.0, -1.0]),
            st.integers(0, 5),
            st.sampled_from([0.0, 1e-15, 1e-12, 1e-8, 1e-5, 1e-3, 0.03, 0.3, 1.0]),
        ),
        min_size=1,
        max_size=25,
    ),
    radius=st.sampled_from([1e-3, 1.0, 10.0]),
)
def test_any_rows_on_a_sphere(name, picks, radius):
    X = [sign * UNIT[i] + size * UNIT[j] for i, sign, j, size in picks]
    X = [row if np.linalg.norm(row) > 0.1 else UNIT[0] for row in X]
    X = read_only(radius * on_a_sphere(X))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "traced", lambda *a, **k: None)
        patch.setattr(profiles, "ENOUGH", 2**60)
        expected = gram(DEEP[name], X, kinds=KINDS)
        crossed = gram(DEEP[name], X, X[::-1], kinds=KINDS)
        patch.setattr(profiles, "ENOUGH", 0)
        patch.setattr(profiles._Rows, "traced", lambda self, *a, **k: None)
        assert_same(gram(DEEP[name], X, kinds=KINDS), expected)
        assert_same(gram(DEEP[name], X, X[::-1], kinds=KINDS), crossed)
