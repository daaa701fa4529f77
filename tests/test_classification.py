"""Classifiers: least squares on codes, and probabilities from leave-one-out."""

import pickle

import numpy as np
import pytest
from conftest import read_only
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array
from scipy.special import expit, softmax
from sklearn.datasets import load_breast_cancer, load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_ntk._estimators.calibration import SoftmaxScale
from sklearn_ntk.classification import NNGPClassifier, NTKClassifier
from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.networks import MLP

KERNELS = {NTKClassifier: NTK, NNGPClassifier: NNGP}
CLASSIFIERS = list(KERNELS)
NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def data(n_classes=3, n=40):
    """Overlapping classes with names, and new rows."""
    X, labels = make_blobs(2 * n, 3, centers=n_classes, cluster_std=6, random_state=0)
    X = StandardScaler().fit_transform(X)
    return read_only(X[:n]), NAMES[labels[:n]], read_only(X[n:])


def codes_of(y):
    """-1 and +1 as scikit-learn's RidgeClassifier encodes labels."""
    return np.where(y[:, None] == np.unique(y), 1.0, -1.0)


@pytest.mark.parametrize("network", [None, MLP(1, "erf")], ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_decision_function_is_kernel_ridge(classifier, n_classes, network):
    X, y, new = data(n_classes)
    kernel, codes = KERNELS[classifier](network), codes_of(y)
    mean = codes.mean(axis=0)
    ridge = KernelRidge(alpha=0.2, kernel="precomputed").fit(kernel(X), codes - mean)
    expected = ridge.predict(kernel(new, X)) + mean
    expected = expected[:, 1] if n_classes == 2 else expected
    model = classifier(network, alpha=0.2).fit(X, y)
    assert_allclose(model.decision_function(new), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_linear_network_is_a_ridge_classifier(n_classes):
    X, y, new = data(n_classes)
    X = X - X.mean(axis=0)
    linear = MLP(0, weight_variance=3.0, bias_variance=0.0, output_scale=1.0)
    ours = NTKClassifier(linear, alpha=0.5).fit(X, y)
    theirs = RidgeClassifier(alpha=0.5).fit(X, y)
    assert_allclose(
        ours.decision_function(new), theirs.decision_function(new), rtol=1e-9
    )
    assert_array_equal(ours.predict(new), theirs.predict(new))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_probabilities(classifier, n_classes):
    X, y, new = data(n_classes)
    model = classifier().fit(X, y)
    probability = model.predict_proba(new)
    assert probability.shape == (len(new), n_classes)
    assert_allclose(probability.sum(axis=1), 1.0)
    best = model.classes_[probability.argmax(axis=1)]
    assert_array_equal(best, model.predict(new))
    assert set(best) == set(NAMES[:n_classes])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibration_is_on_refits_without_each_row(n_classes):
    X, y, new = data(n_classes, n=20)
    model, rows = NTKClassifier(alpha=0.1).fit(X, y), np.arange(20)
    unseen = np.array(
        [
            NTKClassifier(alpha=0.1)
            .fit(X[rows != i], y[rows != i])
            .decision_function(X[[i]])[0]
            for i in rows
        ]
    )
    if n_classes == 2:
        unseen = np.column_stack([-0.5 * unseen, 0.5 * unseen])
    labels = np.searchsorted(model.classes_, y)
    expected = SoftmaxScale.fit(unseen, labels, np.ones(20))
    values = model.decision_function(new)
    if n_classes == 2:
        assert_allclose(
            model.predict_proba(new)[:, 1], expit(expected.scale * values), rtol=1e-8
        )
    else:
        found, scaled = model.predict_proba(new), expected.scale * values
        assert_allclose(found, softmax(scaled, axis=1), rtol=1e-8)


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris])
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_probabilities_beat_the_raw_values(classifier, load):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = classifier().fit(X[::3], y[::3])
    new, truth = X[1::3], y[1::3]
    values = model.decision_function(new)
    if values.ndim == 1:
        values = np.column_stack([-values, values])
    for raw in (softmax(values, axis=1), np.clip((1 + values) / 2, 1e-3, 1.0)):
        raw = raw / raw.sum(axis=1, keepdims=True)
        assert log_loss(truth, model.predict_proba(new)) < log_loss(truth, raw)
    assert model.score(new, truth) > 0.9


def test_scale_minimises_the_smoothed_loss():
    rng = np.random.default_rng(0)
    decisions, labels = rng.normal(size=(50, 3)), rng.integers(3, size=50)
    decisions[np.arange(50), labels] += 1.0
    weight = rng.uniform(0.5, 2.0, size=50)
    total = weight.sum()
    targets = (np.eye(3) * total + 1.0 / 3.0) / (total + 1.0)

    def loss(log_scale):
        logs = np.log(softmax(np.exp(log_scale) * decisions, axis=1))
        return -weight @ np.sum(targets[labels] * logs, axis=1)

    expected = np.exp(minimize_scalar(loss, bracket=(-1.0, 1.0)).x)
    found = SoftmaxScale.fit(decisions, labels, weight).scale
    assert_allclose(found, expected, rtol=1e-6)


def test_separable_classes_stay_uncertain():
    decisions = np.repeat([[1.0, -1.0], [-1.0, 1.0]], 10, axis=0)
    labels = np.repeat([0, 1], 10)
    scale = SoftmaxScale.fit(decisions, labels, np.ones(20))
    assert_allclose(scale.predict(decisions)[0], [20.5 / 21, 0.5 / 21])


def test_useless_decisions_give_even_odds():
    decisions = np.repeat([[1.0, -1.0], [-1.0, 1.0]], 10, axis=0)
    scale = SoftmaxScale.fit(decisions, np.repeat([1, 0], 10), np.ones(20))
    assert_allclose(scale.predict(decisions), 0.5, atol=1e-2)
    constant = SoftmaxScale.fit(np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.ones(4))
    assert_allclose(constant.predict(np.zeros((1, 2))), 0.5)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_weight_two_is_the_row_twice(classifier, n_classes):
    X, y, new = data(n_classes)
    weight = np.tile([1.0, 2.0, 0.0, 3.0], 10)
    rows = np.repeat(np.arange(40), weight.astype(int))
    weighted = classifier().fit(X, y, weight)
    repeated = classifier().fit(X[rows], y[rows])
    for method in ("decision_function", "predict_proba"):
        found, expected = (getattr(m, method)(new) for m in (weighted, repeated))
        assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_class_weights_are_sample_weights(classifier):
    X, y, new = data(3)
    sample_weight = read_only(np.tile([1.0, 0.5, 0.0, 3.0], 10))
    by_class = {"ant": 0.5, "bee": 3.0}  # 1 for the third
    factor = np.array([by_class.get(label, 1.0) for label in y])
    model = classifier(class_weight=by_class).fit(X, y, sample_weight)
    expected = classifier().fit(X, y, factor * sample_weight)
    assert_allclose(
        model.decision_function(new), expected.decision_function(new), rtol=1e-10
    )


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_balanced_classes_count_the_same(classifier):
    X, y, new = data(3)
    weight = np.tile([1.0, 2.0, 0.0, 3.0], 10)
    counts = {label: weight[y == label].sum() for label in NAMES}
    by_hand = {label: weight.sum() / (3 * counts[label]) for label in NAMES}
    model = classifier(class_weight="balanced").fit(X, y, weight)
    assert_allclose(model.intercept_, -1.0 / 3.0)
    expected = classifier(class_weight=by_hand).fit(X, y, weight)
    assert_allclose(model.predict_proba(new), expected.predict_proba(new), rtol=1e-10)
    rows = np.repeat(np.arange(40), weight.astype(int))
    repeated = classifier(class_weight="balanced").fit(X[rows], y[rows])
    assert_allclose(model.predict_proba(new), repeated.predict_proba(new), rtol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibration_leaves_out_whole_rows_of_a_weighted_class(n_classes):
    X, y, new = data(n_classes, n=20)
    rows, by_class = np.arange(20), {"ant": 5.0, "bee": 0.5, "cat": 2.0}
    model = NTKClassifier(class_weight=by_class).fit(X, y)
    unseen = np.array(
        [
            NTKClassifier(class_weight=by_class)
            .fit(X[rows != i], y[rows != i])
            .decision_function(X[[i]])[0]
            for i in rows
        ]
    )
    if n_classes == 2:
        unseen = np.column_stack([-0.5 * unseen, 0.5 * unseen])
    labels = np.searchsorted(model.classes_, y)
    weight = np.array([by_class[label] for label in y])
    expected = SoftmaxScale.fit(unseen, labels, weight * 20 / weight.sum())
    values = model.decision_function(new)
    if n_classes == 2:
        values = np.column_stack([-0.5 * values, 0.5 * values])
    assert_allclose(model.predict_proba(new), expected.predict(values), rtol=1e-8)


def test_a_weighted_class_is_predicted_more():
    X, y, new = data(2)
    shares = [
        np.mean(NTKClassifier(class_weight={"bee": w}).fit(X, y).predict(new) == "bee")
        for w in (0.05, 1.0, 20.0)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_a_class_of_weight_zero_does_not_exist():
    X, y, new = data(3)
    weight = (y != "bee").astype(float)
    model = NTKClassifier().fit(X, y, weight)
    assert_array_equal(model.classes_, ["ant", "cat"])
    assert model.predict_proba(new).shape == (40, 2)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_a_class_of_one_row(classifier):
    X, y, new = data(2)
    y = np.where(np.arange(40) == 7, "cat", y)
    probability = classifier().fit(X, y).predict_proba(new)
    assert np.all(np.isfinite(probability))


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
def test_two_rows(alpha):
    model = NTKClassifier(alpha=alpha).fit([[-1.0], [1.0]], [0, 1])
    assert_array_equal(model.predict([[-2.0], [2.0]]), [0, 1])
    assert np.all(np.isfinite(model.predict_proba([[-2.0], [2.0]])))


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_awkward_rows(classifier, awkward):
    labels = np.arange(len(awkward)) % 3
    model = classifier(alpha=1e-3).fit(awkward, labels)
    assert np.all(np.isfinite(model.predict_proba(awkward)))


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_duplicates_with_different_labels_and_no_alpha(classifier):
    X, y, new = data(3)
    X, y = np.vstack([X, X[:20]]), np.concatenate([y, y[:20][::-1]])
    with pytest.warns(ConvergenceWarning, match=r"alpha=0 is too small.*a jitter of"):
        model = classifier(alpha=0.0).fit(X, y)
    assert np.all(np.isfinite(model.predict_proba(new)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=40, deadline=None)
@given(
    n_classes=st.integers(2, 5),
    scale=st.sampled_from([1e-150, 1e-6, 1.0, 1e6, 1e60]),
    alpha=st.sampled_from([0.01, 1.0, 1e6]),
    class_weight=st.sampled_from([None, "balanced"]),
    seed=st.integers(0, 999),
    options=st.sampled_from(
        [{}, {"training_time": 3.0}, {"loss": "log_loss"}, {"training_time": 0.0}]
    ),
)
def test_any_table(n_classes, scale, alpha, class_weight, seed, options):
    """Few rows of any size, doubled and zero ones, weights of 0, rare classes."""
    rng = np.random.default_rng(seed)
    n = n_classes + int(rng.integers(0, 10))
    X = scale * rng.standard_normal((n, 2))
    X[rng.integers(n)], X[rng.integers(n)] = 0.0, X[rng.integers(n)]
    y = rng.permutation(np.arange(n) % n_classes)
    weight = rng.choice([0.0, 1e-3, 1.0, 7.0], n)
    weight[:2], y[:2] = 1.0, [0, 1]
    model = NTKClassifier(alpha=alpha, class_weight=class_weight, **options)
    p = model.fit(X, y, weight).predict_proba(X)
    assert_array_equal(model.classes_, np.unique(y[weight > 0]))
    assert p.shape == (n, len(model.classes_))
    assert np.all(p >= 0)
    assert_allclose(p.sum(axis=1), 1.0)
    predicted = np.searchsorted(model.classes_, model.predict(X))
    assert_allclose(p[np.arange(n), predicted], p.max(axis=1))


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_precomputed_and_sparse_give_the_same(classifier):
    X, y, new = data()
    weight, kernel = np.tile([1.0, 0.5, 0.0, 2.0], 10), KERNELS[classifier]()
    expected = classifier().fit(X, y, weight).predict_proba(new)
    model = classifier("precomputed").fit(read_only(kernel(X)), y, weight)
    assert_allclose(model.predict_proba(kernel(new, X)), expected, rtol=1e-9)
    model = classifier().fit(csr_array(X), y, weight)
    assert_allclose(model.predict_proba(csr_array(new)), expected, rtol=1e-9)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_pickle_and_representations(classifier):
    X, y, new = data()
    model = classifier(MLP(3)).fit(X, y)
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(restored.predict_proba(new), model.predict_proba(new))
    assert repr(model) == f"{classifier.__name__}(network=MLP(depth=3))"
    assert "MLP" in model._repr_html_()


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_bad_input(classifier):
    X, y, new = data()
    model = classifier()
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(model, method)(new)
    with pytest.raises(ValueError, match=r"needs at least 2 classes.*got 1 class"):
        model.fit(X, np.full(40, "ant"))
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="The 'alpha' parameter of"):
        classifier(alpha=-1.0).fit(X, y)
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="'class_weight' parameter must hold"):
            classifier(class_weight={"ant": wrong}).fit(X, y)
    with pytest.raises(ValueError, match=r"The classes, .*'ant'.* not in class_weight"):
        classifier(class_weight={"dog": 2.0}).fit(X, y)
    with pytest.raises(ValueError, match="The 'class_weight' parameter of"):
        classifier(class_weight="even").fit(X, y)
    with pytest.raises(ValueError, match=r"(?i)sample.weights? must"):
        model.fit(X, y, np.zeros(40))
    with pytest.raises(ValueError, match="must be a square matrix"):
        classifier("precomputed").fit(X, y)
    with pytest.raises(ValueError, match="is expecting 3 features"):
        model.fit(X, y).predict(new[:, :2])
