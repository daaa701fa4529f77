"""`partial_fit` gives what a fit to all rows gives."""

import copy

import numpy as np
import pytest
from conftest import read_only
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sklearn_ntk._estimators import growing
from sklearn_ntk.classification import NNGPClassifier, NTKClassifier
from sklearn_ntk.kernels import NTK
from sklearn_ntk.networks import MLP
from sklearn_ntk.regression import NNGPRegressor, NTKRegressor

REGRESSORS = [
    NTKRegressor(),
    NTKRegressor(MLP(1, "erf"), alpha=0.0, normalize_y=False),
    NTKRegressor(training_time=20.0),
    NTKRegressor(uncertainty="student_t"),
    NNGPRegressor(alpha=0.3),
]
CLASSIFIERS = [
    NTKClassifier(),
    NNGPClassifier(MLP(1, "erf"), alpha=0.3),
    NTKClassifier(training_time=20.0),
    NTKClassifier(class_weight={"ant": 3.0}),
    NTKClassifier(class_weight="balanced"),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def updates(monkeypatch):
    """Counts block updates that were made."""
    made = []

    def counted(*args):
        made.append(growing_extended(*args))
        return made[-1]

    growing_extended = growing.extended
    monkeypatch.setattr(growing, "extended", counted)
    return made


def rows(n=40, seed=0):
    rng = np.random.default_rng(seed)
    X = read_only(rng.standard_normal((n, 3)))
    return X, read_only(rng.permutation(n) / n), read_only(rng.uniform(0.5, 2, n))


def labels(n=40, seed=0):
    return np.random.default_rng(seed).choice(["ant", "bee", "cat"], n)


def in_batches(model, X, y, weight, cuts, **first):
    for batch in np.split(np.arange(len(X)), cuts):
        model.partial_fit(X[batch], y[batch], sample_weight=weight[batch], **first)
        first = {}
    return model


def assert_same(found, expected, new, methods):
    assert_allclose(found.dual_coef_, expected.dual_coef_, rtol=1e-9, atol=1e-11)
    for method in methods:
        a, b = (getattr(m, method)(new) for m in (found, expected))
        assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("n_targets", [0, 2])
@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_regressor(model, n_targets, updates):
    X, y, weight = rows()
    y = np.column_stack([y, 100.0 + y**2]) if n_targets else 100.0 * y
    grown = in_batches(copy.deepcopy(model), X[:30], y[:30], weight[:30], [20, 21])
    whole = copy.deepcopy(model).fit(X[:30], y[:30], weight[:30])
    assert_same(grown, whole, X[30:], ["predict"])
    for a, b in zip(
        grown.predict(X[30:], return_std=True),
        whole.predict(X[30:], return_std=True),
        strict=True,
    ):
        assert_allclose(a, b, rtol=1e-8, atol=1e-9)
    if hasattr(model, "staged_predict"):
        stages = (m.staged_predict(X[30:], [1.0, 5.0]) for m in (grown, whole))
        for a, b in zip(*stages, strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    finite = getattr(model, "training_time", np.inf) < np.inf
    assert len(updates) == (0 if finite else 2)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
def test_classifier(model, updates):
    (X, _, weight), y = rows(), labels()
    grown = copy.deepcopy(model)
    classes = ["ant", "bee", "cat"]
    in_batches(grown, X[:30], y[:30], weight[:30], [20, 21], classes=classes)
    whole = copy.deepcopy(model).fit(X[:30], y[:30], weight[:30])
    assert_same(grown, whole, X[30:], ["decision_function", "predict_proba"])
    fast = np.isinf(getattr(model, "training_time", np.inf))
    fast = fast and model.class_weight != "balanced"
    assert len(updates) == (2 if fast else 0)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 19), min_size=1, max_size=4, unique=True).map(sorted),
    seed=st.integers(0, 99),
    alpha=st.sampled_from([1e-3, 0.05, 1.0]),
    weights=st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=20, max_size=20),
)
def test_any_batches(cuts, seed, alpha, weights):
    """Batches of any size, with duplicates, zero rows and weights of 0 among them."""
    (X, y, _), weight = rows(20, seed), np.array(weights)
    X = np.array(X)
    X[5], X[12] = X[4], 0.0
    weight[[0, *cuts]] = 1.0  # a batch needs a row that counts
    grown = in_batches(NTKRegressor(alpha=alpha), X, y, weight, cuts)
    whole = NTKRegressor(alpha=alpha).fit(X, y, weight)
    assert_same(grown, whole, X, ["predict"])
    y = labels(20, seed)
    model = NTKClassifier(alpha=alpha)
    in_batches(model, X, y, weight, cuts, classes=["ant", "bee", "cat"])
    seen = np.unique(y[weight > 0])
    assert_array_equal(model.classes_, ["ant", "bee", "cat"])
    assert np.all(np.isfinite(model.predict_proba(X)))
    if len(seen) == 3:
        whole = NTKClassifier(alpha=alpha).fit(X, y, weight)
        assert_same(model, whole, X, ["decision_function", "predict_proba"])


def test_after_fit_and_one_alpha_per_row():
    (X, y, _), alpha = rows(30), np.linspace(0.01, 0.5, 30)
    model = NTKRegressor(alpha=alpha[:20]).fit(X[:20], y[:20])
    model.set_params(alpha=alpha[20:]).partial_fit(X[20:], y[20:])
    assert_same(model, NTKRegressor(alpha=alpha).fit(X, y), X, ["predict"])
    model = NTKClassifier().fit(X[:20], labels(30)[:20])
    model.partial_fit(X[20:], labels(30)[20:])
    whole = NTKClassifier().fit(X, labels(30))
    assert_same(model, whole, X, ["predict_proba"])


def test_a_jitter_means_a_new_factorisation(updates):
    X, y, _ = rows(20)
    twice, targets = np.vstack([X[:15], X[:3]]), np.concatenate([y[:15], y[:3]])
    model = NTKRegressor(alpha=0.0).fit(X[:15], y[:15])
    with pytest.warns(ConvergenceWarning, match="a jitter of"):
        model.partial_fit(X[:3], y[:3])
    assert updates == [None]
    with pytest.warns(ConvergenceWarning, match="a jitter of"):
        whole = NTKRegressor(alpha=0.0).fit(twice, targets)
    assert_allclose(model.predict(X), whole.predict(X), rtol=1e-6, atol=1e-6)
    with pytest.warns(ConvergenceWarning, match="a jitter of"):
        model.partial_fit(X[15:], y[15:])
    assert len(updates) == 1
    assert np.all(np.isfinite(model.predict(X)))


def test_sparse_rows():
    X, y, _ = rows()
    whole = NTKRegressor().fit(X, y)
    for first, then in [(csr_array, csr_array), (csr_array, np.array)]:
        model = NTKRegressor().fit(first(X[:30]), y[:30])
        model.partial_fit(then(X[30:]), y[30:])
        assert_same(model, whole, X, ["predict"])


def test_what_was_learned_is_kept():
    X, _, _ = rows()
    y = np.sin(2.0 * X[:, 0]) + 0.1 * np.cos(99.0 * X[:, 1])
    model = NNGPRegressor(optimizer="fmin_l_bfgs_b").fit(X[:30], y[:30])
    before, alpha = model.theta_, model.alpha_
    model.partial_fit(X[30:], y[30:])
    assert_array_equal(model.theta_, before)
    assert model.alpha_ == alpha
    whole = NNGPRegressor(model.network_, alpha=alpha).fit(X, y)
    assert_same(model, whole, X, ["predict"])
    assert_allclose(
        model.log_marginal_likelihood_value_, whole.log_marginal_likelihood_value_
    )


def test_dropout_and_classes_that_come_later():
    X, y, weight = rows()
    model = NNGPRegressor(MLP(dropout=0.2))
    grown = in_batches(copy.deepcopy(model), X, y, weight, [30])
    assert_same(grown, model.fit(X, y, weight), X, ["predict"])
    y = np.repeat(["ant", "bee", "cat"], [20, 15, 5])
    model = NTKClassifier().partial_fit(X[:20], y[:20], classes=["cat", "bee", "ant"])
    assert_array_equal(model.predict(X), np.full(40, "ant"))
    model.partial_fit(X[20:], y[20:])
    whole = NTKClassifier().fit(X, y)
    assert_same(model, whole, X, ["predict_proba"])


@pytest.mark.filterwarnings("ignore:The kernel overflows:RuntimeWarning")
def test_bad_input_leaves_the_model_as_it_was():
    X, y, _ = rows()
    model = NTKRegressor().fit(X[:30], y[:30])
    expected = model.predict(X)
    for arguments, message in [
        ((X[30:, :2], y[30:]), "is expecting 3 features"),
        ((X[30:], np.column_stack([y[30:], y[30:]])), "y must have the shape"),
        ((X[30:], y[30:], np.zeros(10)), r"(?i)sample.weights? must"),
        ((X[30:], y[30:], -np.ones(10)), "Negative values"),
        ((1e200 * X[30:], y[30:]), "is not finite on these rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(*arguments)
        assert_array_equal(model.predict(X), expected)


def test_bad_labels():
    (X, _, _), y = rows(), labels()
    model = NTKClassifier()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"needs at least 2 classes; got \['ant'\]"):
        NTKClassifier().partial_fit(X, np.full(40, "ant"), classes=["ant"])
    with pytest.raises(ValueError, match=r"Got \['cat'\] as well"):
        NTKClassifier().partial_fit(X, y, classes=["ant", "bee"])
    model.fit(X, y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"Got \['dog'\] as well"):
        model.partial_fit(X[:2], ["dog", "ant"])
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(X[:2], y[:2], classes=["ant", "dog"])
    assert_array_equal(model.predict_proba(X), expected)


@pytest.mark.parametrize("estimator", [NTKRegressor, NNGPClassifier])
def test_there_is_none_for_a_precomputed_matrix(estimator):
    model = estimator("precomputed")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as info:
        model.partial_fit(NTK()(np.eye(3)), [0, 1, 0])
    assert "does not hold the kernel" in str(info.value.__cause__)
