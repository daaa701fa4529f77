"""``loss="log_loss"``: against gradient descent, its end, and scikit-learn's own."""

import copy

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_ntk._estimators import cross_entropy
from sklearn_ntk._solvers import loss_flow
from sklearn_ntk.classification import NTKClassifier
from sklearn_ntk.kernels import NTK
from sklearn_ntk.networks import MLP

NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def data(n_classes=3, n=30):
    X, labels = make_blobs(2 * n, 3, centers=n_classes, cluster_std=6, random_state=0)
    X = StandardScaler().fit_transform(X)
    return read_only(X[:n]), NAMES[labels[:n]], read_only(X[n:])


def start_of(y, weight):
    """Logits of class frequencies, with one row shared by all classes."""
    share = np.array([weight[y == label].sum() for label in np.unique(y)])
    return np.log(share + 1.0 / len(share))


def descended(K, cross, y, weight, alpha, time, step=0.02):
    """Softmax probabilities after many small steps on a network linear in features.

    Features are a root of the kernel matrix of all rows; weights start at 0. With two
    classes only the second has an output.
    """
    both = np.block([[K, cross.T], [cross, 0.0 * cross @ cross.T]])
    n, start, binary = len(K), start_of(y, weight), len(np.unique(y)) == 2
    values, vectors = np.linalg.eigh(K)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    new = both[n:, :n] @ vectors / np.sqrt(values)
    targets = (y[:, None] == np.unique(y)).astype(float)
    W = np.zeros((n, len(start)))
    for _ in range(round(time / step)):
        p = softmax(start + root @ W, axis=1)
        slope = root.T @ (weight[:, None] * (p - targets)) + alpha * W
        if binary:
            slope[:, 0] = 0.0
        W -= step / weight.sum() * slope
    return softmax(start + new @ W, axis=1)


@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_small_steps_of_gradient_descent(n_classes, alpha):
    X, y, new = data(n_classes)
    weight, kernel = np.linspace(0.5, 2.0, 30), NTK(MLP(1))
    expected = descended(kernel(X), kernel(new, X), y, weight, alpha, time=60.0)
    model = NTKClassifier(MLP(1), loss="log_loss", alpha=alpha, training_time=60.0)
    found = model.fit(X, y, weight).predict_proba(new)
    assert_allclose(found, expected, atol=3e-4)
    twice = NTKClassifier(
        MLP(1), loss="log_loss", alpha=alpha, training_time=30.0, learning_rate=2.0
    ).fit(X, y, weight)
    assert_allclose(twice.predict_proba(new), found, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_end_is_logistic_regression_for_a_linear_network(n_classes):
    X, y, new = data(n_classes, n=60)
    balanced = np.concatenate([np.flatnonzero(y == c)[:12] for c in np.unique(y)])
    X, y = X[balanced], y[balanced]  # so that the start is at 0
    linear = MLP(0, weight_variance=3.0, bias_variance=0.0, output_scale=1.0)
    ours = NTKClassifier(linear, loss="log_loss", alpha=0.5).fit(X, y)
    theirs = LogisticRegression(
        C=2.0, fit_intercept=False, tol=1e-10, max_iter=10_000
    ).fit(X, y)
    assert_allclose(ours.intercept_, 0.0, atol=1e-12)
    found, expected = ours.decision_function(new), theirs.decision_function(new)
    if n_classes == 3:
        assert_allclose(found.sum(axis=1), 0.0, atol=1e-8)
    assert_allclose(found, expected, atol=1e-4)
    assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-5)
    assert_array_equal(ours.predict(new), theirs.predict(new))


@pytest.mark.parametrize("dense", [0, 600])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_flow_comes_to_its_end(n_classes, dense, monkeypatch):
    X, y, new = data(n_classes, n=15)
    monkeypatch.setattr(loss_flow, "DENSE", dense)
    model = NTKClassifier(loss="log_loss", alpha=0.5).fit(X, y)
    monkeypatch.setattr(cross_entropy, "SETTLED", np.inf)
    (late,) = model.staged_predict_proba(new, [600.0])
    assert_allclose(late, model.predict_proba(new), atol=1e-5)


def test_late_times_are_given_the_end():
    X, y, new = data()
    model = NTKClassifier(loss="log_loss").fit(X, y)
    stages = model.staged_predict_proba(new, [1e12, np.inf])
    for stage in stages:
        assert_allclose(stage, model.predict_proba(new))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_stages_are_fits(n_classes):
    X, y, new = data(n_classes)
    times = [50.0, 0.0, 2.0, np.inf]
    model = NTKClassifier(loss="log_loss").fit(X, y)
    for method in ("predict_proba", "decision_function", "predict"):
        stages = getattr(model, f"staged_{method}")(new, times)
        for time, stage in zip(times, stages, strict=True):
            other = NTKClassifier(loss="log_loss", training_time=time).fit(X, y)
            expected = getattr(other, method)(new)
            if method == "predict":
                assert_array_equal(stage, expected)
            else:
                assert_allclose(stage, expected, atol=1e-5)


def test_time_zero_is_the_class_frequencies():
    X, y, new = data()
    weight = np.linspace(0.0, 3.0, 30)
    share = np.array([weight[y == name].sum() for name in NAMES]) + 1.0 / 3.0
    model = NTKClassifier(loss="log_loss", training_time=0.0).fit(X, y, weight)
    expected = np.tile(share / share.sum(), (30, 1))
    assert_allclose(model.predict_proba(new), expected)


@pytest.mark.parametrize("time", [5.0, np.inf])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_weight_two_is_the_row_twice(n_classes, time):
    X, y, new = data(n_classes, n=20)
    weight = np.tile([1.0, 2.0, 0.0, 3.0], 5)
    rows = np.repeat(np.arange(20), weight.astype(int))
    model = NTKClassifier(loss="log_loss", training_time=time, alpha=0.1)
    weighted = copy.deepcopy(model).fit(X, y, weight)
    repeated = model.fit(X[rows], y[rows])
    assert_allclose(weighted.predict_proba(new), repeated.predict_proba(new), atol=1e-6)


def test_class_weights_and_an_alpha_for_each_row():
    X, y, new = data()
    factor = np.where(y == "ant", 4.0, 1.0)
    model = NTKClassifier(loss="log_loss", class_weight={"ant": 4.0}).fit(X, y)
    expected = NTKClassifier(loss="log_loss").fit(X, y, factor)
    assert_allclose(model.predict_proba(new), expected.predict_proba(new), rtol=1e-7)
    alpha = np.linspace(0.05, 0.5, 30)
    model = NTKClassifier(loss="log_loss", alpha=alpha).fit(X, y)
    p = model.predict_proba(X)
    known = (y[:, None] == NAMES).astype(float)
    assert_allclose(model.dual_coef_, (known - p) / alpha[:, None], atol=1e-7)


def test_training_lowers_the_loss():
    X, y, _ = data()
    model = NTKClassifier(loss="log_loss").fit(X, y)
    losses = [
        log_loss(y, p) for p in model.staged_predict_proba(X, [0, 1, 10, 100, np.inf])
    ]
    assert np.all(np.diff(losses) < 0)


@pytest.mark.parametrize("time", [20.0, np.inf])
def test_more_rows(time):
    X, y, new = data()
    model = NTKClassifier(loss="log_loss", training_time=time)
    whole = copy.deepcopy(model).fit(X, y)
    model.fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    assert_allclose(model.predict_proba(new), whole.predict_proba(new), atol=1e-9)


@pytest.mark.parametrize("time", [0.0, 10.0, np.inf])
def test_awkward_rows(awkward, time):
    labels = np.arange(len(awkward)) % 3
    model = NTKClassifier(loss="log_loss", training_time=time, alpha=1e-3)
    assert np.all(np.isfinite(model.fit(awkward, labels).predict_proba(awkward)))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_ill_conditioned_kernels(n_classes):
    """Duplicates with different labels, without alpha or with hardly any."""
    X, y, new = data(n_classes, n=12)
    X, y = np.vstack([X, X]), np.concatenate([y, y[::-1]])
    model = NTKClassifier(loss="log_loss", alpha=0.0, training_time=1e12).fit(X, y)
    assert np.all(np.isfinite(model.predict_proba(new)))
    model = NTKClassifier(loss="log_loss", alpha=1e-14)
    with pytest.warns(ConvergenceWarning, match="Logistic regression is accurate to"):
        model.fit(X[:12], y[:12])
    assert np.all(np.isfinite(model.predict_proba(new)))


def test_bad_input():
    X, y, new = data()
    with pytest.raises(ValueError, match="The 'loss' parameter of NTKClassifier"):
        NTKClassifier(loss="hinge").fit(X, y)
    with pytest.raises(ValueError, match="no end of training where alpha is 0"):
        NTKClassifier(loss="log_loss", alpha=0.0).fit(X, y)
    model = NTKClassifier(loss="log_loss", alpha=0.0, training_time=1.0).fit(X, y)
    with pytest.raises(ValueError, match="no end of training where alpha is 0"):
        model.staged_predict(new, [1.0, np.inf])
    with pytest.raises(ValueError, match="training_times must be an array-like"):
        model.staged_predict(new, [-1.0])
