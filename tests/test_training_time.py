"""Estimators whose training stops: against the flow's own matrix exponential."""

import inspect
import pickle
import re
from itertools import pairwise

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_param_validation
from threadpoolctl import threadpool_limits

from sklearn_ntk.classification import NTKClassifier
from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.networks import MLP
from sklearn_ntk.regression import NTKRegressor

TIMES = [7.0, 0.0, np.inf, 0.3, 7.0, 1e4]  # in no order
ALPHAS = {"none": 0.0, "scalar": 0.1, "by row": read_only(np.linspace(0.05, 0.4, 24))}
WEIGHTS = {"equal": None, "weighted": read_only(np.tile([1.0, 2.0, 0.0, 0.7], 6))}
MEANINGS = ["ensemble", "gp", "student_t"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def data(n_targets=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(24, 3))
    y = 30.0 + 7.0 * np.cos(X @ rng.normal(size=(3, n_targets or 1)))
    y = y + rng.normal(size=y.shape)
    return read_only(X), read_only(y if n_targets else y[:, 0]), rng.normal(size=(5, 3))


def dense(X, new, alpha, weight, time):
    """A_t, Theta and K from their definitions; X has rows of positive weight."""
    both = np.vstack([X, new])
    theta, nngp, n = NTK()(both), NNGP()(both), len(X)
    W = np.diag(weight)
    G = theta[:n, :n] + np.diag(alpha / weight)
    decay = 0.0 if np.isinf(time) else expm(-time * G @ W / weight.sum())
    return theta[n:, :n] @ np.linalg.solve(G, np.eye(n) - decay), theta, nngp


def kept(X, y, alpha, weight):
    weight = np.ones(len(X)) if weight is None else weight
    rows = weight > 0
    return X[rows], y[rows], np.broadcast_to(alpha, len(X))[rows], weight[rows]


@pytest.mark.parametrize("alpha", ALPHAS.values(), ids=ALPHAS)
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("n_targets", [None, 2])
def test_stages_are_the_flow(alpha, weight, n_targets):
    X, y, new = data(n_targets)
    model = NTKRegressor(alpha=alpha, learning_rate=2.0).fit(X, y, weight)
    rows = kept(X, y, alpha, weight)
    mean = np.average(rows[1], axis=0, weights=rows[3])
    scale = np.sqrt(np.average((rows[1] - mean) ** 2, axis=0, weights=rows[3]))
    stages = model.staged_predict(new, TIMES, return_cov=True)
    for time, (found, cov) in zip(TIMES, stages, strict=True):
        A, _, nngp = dense(rows[0], new, rows[2], rows[3], 2.0 * time)
        assert_allclose(found, mean + A @ (rows[1] - mean), rtol=1e-9)
        ends = np.hstack([-A, np.eye(5)])
        expected = np.multiply.outer(ends @ nngp @ ends.T, scale**2)
        assert_allclose(cov, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("time", [0.0, 0.4, 30.0, 1e6, np.inf])
@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("alpha", [0.1, ALPHAS["by row"]], ids=["scalar", "by row"])
def test_a_fit_that_stops_is_a_stage_of_any_other(time, meaning, alpha):
    X, y, new = data()
    options = {"alpha": alpha, "uncertainty": meaning}
    stopped = NTKRegressor(training_time=time, **options).fit(X, y)
    for other in (np.inf, 3.0):
        model = NTKRegressor(training_time=other, **options).fit(X, y)
        for option in ({}, {"return_std": True}, {"return_cov": True}):
            (stage,) = model.staged_predict(new, [time], **option)
            found = stopped.predict(new, **option)
            for a, b in zip(found, stage, strict=True):
                assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_only_the_product_of_time_and_rate_matters():
    X, y, new = data()
    fast = NTKRegressor(training_time=2.0, learning_rate=5.0).fit(X, y)
    slow = NTKRegressor(training_time=10.0, learning_rate=1.0).fit(X, y)
    assert_allclose(fast.predict(new), slow.predict(new), rtol=1e-12)


@pytest.mark.parametrize("normalize_y", [True, False])
def test_untrained_networks(normalize_y):
    X, y, new = data()
    model = NTKRegressor(training_time=0.0, normalize_y=normalize_y).fit(X, y)
    mean, cov = model.predict(new, return_cov=True)
    assert_allclose(mean, y.mean() if normalize_y else 0.0, rtol=1e-13)
    assert_allclose(cov, NNGP()(new) * (y.var() if normalize_y else 1.0), rtol=1e-12)


def test_train_error_falls_with_time_and_rises_with_alpha():
    X, y, _ = data()
    fits = NTKRegressor(alpha=1e-3).fit(X, y).staged_predict(X, np.logspace(-2, 5, 12))
    errors = [np.mean((fit - y) ** 2) for fit in fits]
    assert all(later < earlier for earlier, later in pairwise(errors))


@pytest.mark.parametrize("option", ["return_std", "return_cov"])
def test_weight_two_is_the_row_twice(option):
    X, y, new = data()
    weight = np.tile([1.0, 2.0, 0.0, 3.0], 6)
    rows = np.repeat(np.arange(24), weight.astype(int))
    for meaning in MEANINGS:
        model = NTKRegressor(training_time=20.0, uncertainty=meaning)
        weighted = clone(model).fit(X, y, weight).predict(new, **{option: True})
        repeated = clone(model).fit(X[rows], y[rows]).predict(new, **{option: True})
        for a, b in zip(weighted, repeated, strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("alpha", [0.1, ALPHAS["by row"]], ids=["scalar", "by row"])
def test_the_ntk_as_a_prior_is_gaussian_process_regression(alpha):
    X, y, new = data(2)
    model = NTKRegressor(alpha=alpha, uncertainty="gp").fit(X, y)
    process = GaussianProcessRegressor(
        NTK(), alpha=alpha, normalize_y=True, optimizer=None
    ).fit(X, y)
    for option in ("return_std", "return_cov"):
        found = model.predict(new, **{option: True})
        expected = process.predict(new, **{option: True})
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    assert_array_equal(model.scale_, [1.0, 1.0])
    assert model.degrees_of_freedom_ == np.inf


@pytest.mark.parametrize("time", [0.0, 5.0, np.inf])
@pytest.mark.parametrize("alpha", [0.1, ALPHAS["by row"]], ids=["scalar", "by row"])
def test_the_ntk_as_a_prior_is_an_ensemble_that_sees_noisy_targets(time, alpha):
    """Networks from GP(0, Theta) end at f_0 + A (y + noise - f_0(X))."""
    X, y, new = data()
    A, theta, _ = dense(X, new, np.broadcast_to(alpha, 24), np.ones(24), time)
    ends = np.hstack([-A, np.eye(5)])
    noise = np.broadcast_to(alpha, 24)
    expected = y.var() * (ends @ theta @ ends.T + (A * noise) @ A.T)
    model = NTKRegressor(alpha=alpha, training_time=time, uncertainty="gp").fit(X, y)
    _, cov = model.predict(new, return_cov=True)
    assert_allclose(cov, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("time", [3.0, np.inf])
@pytest.mark.parametrize("normalize_y", [True, False])
def test_student_t_learns_the_scale(time, normalize_y):
    X, y, new = data(2)
    options = {"training_time": time, "normalize_y": normalize_y}
    plain = NTKRegressor(uncertainty="gp", **options).fit(X, y)
    model = NTKRegressor(uncertainty="student_t", **options).fit(X, y)
    z = (y - y.mean(axis=0)) / y.std(axis=0) if normalize_y else y
    misfit = np.sum(z * np.linalg.solve(NTK()(X) + 0.05 * np.eye(24), z), axis=0)
    n = 23 if normalize_y else 24
    assert_allclose(model.scale_, (1.0 + misfit) / (1.0 + n), rtol=1e-9)
    assert model.degrees_of_freedom_ == n + 3
    (mean, std), (same, other) = (
        m.predict(new, return_std=True) for m in (model, plain)
    )
    assert_allclose(mean, same, rtol=1e-12)
    assert_allclose(std, other * np.sqrt(model.scale_), rtol=1e-12)


def test_student_t_finds_the_scale_of_samples():
    X, _, _ = data()
    G = NTK()(X) + 0.05 * np.eye(24)
    rng = np.random.default_rng(0)
    y = 3.0 * rng.multivariate_normal(np.zeros(24), G, 2000).T
    model = NTKRegressor(uncertainty="student_t", normalize_y=False).fit(X, y)
    assert_allclose(np.mean(model.scale_), (1.0 + 24 * 9.0) / 25.0, rtol=0.02)


def test_stages_of_one_target_given_as_a_column():
    X, y, new = data(1)
    (mean, std), (_, cov) = (
        next(NTKRegressor().fit(X, y).staged_predict(new, [3.0], **{option: True}))
        for option in ("return_std", "return_cov")
    )
    assert mean.shape == std.shape == (5, 1)
    assert cov.shape == (5, 5, 1)


def test_stages_are_generators():
    X, y, new = data()
    regressor, classifier = NTKRegressor().fit(X, y), NTKClassifier().fit(X, y > 30)
    for stages in (
        regressor.staged_predict,
        classifier.staged_predict,
        classifier.staged_predict_proba,
        classifier.staged_decision_function,
    ):
        assert inspect.isgenerator(stages(new, [1.0]))
        assert list(stages(new, [])) == []


def test_precomputed():
    X, y, new = data()
    K, cross = read_only(NTK()(X)), read_only(NTK()(new, X))
    expected = NTKRegressor(training_time=4.0).fit(X, y).predict(new)
    model = NTKRegressor("precomputed", training_time=4.0).fit(K, y)
    assert_allclose(model.predict(cross), expected, rtol=1e-12)
    (stage,) = NTKRegressor("precomputed").fit(K, y).staged_predict(cross, [4.0])
    assert_allclose(stage, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="network='precomputed'"):
        model.staged_predict(cross, [1.0], return_std=True)
    with pytest.raises(np.linalg.LinAlgError, match="not positive semi-definite"):
        model.fit(K - 10.0, y)


def test_a_refit_forgets_the_decomposition():
    X, y, new = data()
    model = NTKRegressor().fit(X[:10], y[:10])
    list(model.staged_predict(new, [1.0]))
    (found,) = model.fit(X, y).staged_predict(new, [1.0])
    (expected,) = NTKRegressor().fit(X, y).staged_predict(new, [1.0])
    assert_array_equal(found, expected)
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(next(restored.staged_predict(new, [1.0])), expected)


def test_grid_search_over_training_time():
    X, y, _ = data()
    grid = {"training_time": [0.0, 10.0, np.inf]}
    search = GridSearchCV(NTKRegressor(alpha=0.0), grid, cv=3).fit(X, y)
    assert search.best_params_["training_time"] > 0


AWKWARD = {
    "one row": (np.ones((1, 2)), [2.0]),
    "constant": (np.arange(10.0).reshape(5, 2), np.full(5, 3.0)),
    "duplicates": (np.repeat(np.arange(8.0).reshape(4, 2), 2, axis=0), np.arange(8.0)),
    "zeros": (np.zeros((3, 2)), [1.0, 2.0, 3.0]),
}
LOST = pytest.mark.filterwarnings(
    "ignore:At training time:sklearn.exceptions.ConvergenceWarning",
    "ignore:alpha=0 is too small:sklearn.exceptions.ConvergenceWarning",
)


@LOST
@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("time", [0.0, 1e-12, 1.0, 1e12, 1e300, np.inf])
def test_awkward_data_without_alpha(case, bias, meaning, time):
    X, y = AWKWARD[case]
    network = MLP(bias_variance=bias)
    model = NTKRegressor(network, alpha=0.0, training_time=time, uncertainty=meaning)
    mean, std = model.fit(X, y).predict(X + 0.5, return_std=True)
    assert np.all(np.isfinite(mean))
    assert np.all(np.isfinite(std))
    stages = model.staged_predict(X, [0.0, 1.0, 1e12, np.inf], return_cov=True)
    assert all(np.all(np.isfinite(part)) for stage in stages for part in stage)


@pytest.mark.parametrize("time", [1e12, 1e15, 1e300])
def test_lost_digits_are_told(time):
    X, y = AWKWARD["duplicates"]
    model = NTKRegressor(alpha=0.0, training_time=time)
    with pytest.warns(ConvergenceWarning, match=r"At training time .* may be off by"):
        model.fit(X, y)
    assert_allclose(model.predict(X), np.repeat([0.5, 2.5, 4.5, 6.5], 2), atol=1e-2)
    other = NTKRegressor(alpha=0.0, training_time=1e3).fit(X, y)
    with pytest.warns(
        ConvergenceWarning, match=re.escape(f"At training time {time:.3g}")
    ):
        list(other.staged_predict(X, [1.0, time]))


@pytest.mark.parametrize("time", [0.0, 1e-3, 1.0, 1e3])
def test_duplicates_meet_at_their_mean_without_a_warning(time):
    X, y = AWKWARD["duplicates"]
    found = NTKRegressor(alpha=0.0, training_time=time).fit(X, y).predict(X)
    expected = NTKRegressor(alpha=0.0, training_time=time).fit(X, y[::-1]).predict(X)
    assert_allclose(found[::2], found[1::2], rtol=1e-12)
    assert_allclose(found, 7.0 - expected, rtol=1e-9)


@pytest.mark.parametrize("estimator", [NTKRegressor, NTKClassifier])
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"training_time": -1.0}, r"'training_time' .* in the range \[0.0, inf\]"),
        ({"training_time": np.nan}, "'training_time' parameter"),
        ({"training_time": None}, "'training_time' parameter"),
        ({"learning_rate": 0.0}, r"'learning_rate' .* in the range \(0.0, inf\)"),
        ({"learning_rate": -1.0}, "'learning_rate' parameter"),
        ({"learning_rate": np.inf}, "'learning_rate' parameter"),
    ],
)
def test_bad_parameters(estimator, params, message):
    X, y, _ = data()
    with pytest.raises(ValueError, match=message):
        estimator(**params).fit(X, y > 30)


def test_bad_uncertainty():
    X, y, _ = data()
    with pytest.raises(ValueError, match="The 'uncertainty' parameter"):
        NTKRegressor(uncertainty="bayes").fit(X, y)


@pytest.mark.parametrize("times", [[-1.0], [1.0, np.nan], 1.0, [[1.0]], [-np.inf]])
def test_bad_times(times):
    X, y, new = data()
    with pytest.raises(ValueError, match="training_times must be an array-like"):
        NTKRegressor().fit(X, y).staged_predict(new, times)
    model = NTKClassifier().fit(X, y > 30)
    for method in ("staged_predict", "staged_predict_proba"):
        with pytest.raises(ValueError, match="training_times must be an array-like"):
            getattr(model, method)(new, times)


def test_bad_input():
    X, y, new = data()
    with pytest.raises(NotFittedError):
        NTKRegressor().staged_predict(new, [1.0])
    model = NTKRegressor().fit(X, y)
    with pytest.raises(RuntimeError, match="At most one of return_std"):
        model.staged_predict(new, [1.0], return_std=True, return_cov=True)
    with pytest.raises(ValueError, match="is expecting 3 features"):
        model.staged_predict(new[:, :2], [1.0])


def labels(y, n_classes):
    quantiles = np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1])
    return np.array(["ant", "bee", "cat"])[np.searchsorted(quantiles, y)]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_classifier_is_regression_on_codes(n_classes, weight):
    X, y, new = data()
    y = labels(y, n_classes)
    codes = np.where(y[:, None] == np.unique(y), 1.0, -1.0)
    codes = codes[:, 1] if n_classes == 2 else codes
    regressor = NTKRegressor(learning_rate=2.0).fit(X, codes, weight)
    model = NTKClassifier(learning_rate=2.0).fit(X, y, weight)
    expected = regressor.staged_predict(new, TIMES)
    found = model.staged_decision_function(new, TIMES)
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("time", [0.0, 0.4, 30.0, np.inf])
def test_a_classifier_that_stops_is_a_stage_of_any_other(n_classes, time):
    X, y, new = data()
    y = labels(y, n_classes)
    stopped = NTKClassifier(training_time=time).fit(X, y)
    for other in (np.inf, 3.0):
        model = NTKClassifier(training_time=other).fit(X, y)
        (values,) = model.staged_decision_function(new, [time])
        (classes,) = model.staged_predict(new, [time])
        (shares,) = model.staged_predict_proba(new, [time])
        assert_allclose(values, stopped.decision_function(new), rtol=1e-9, atol=1e-12)
        assert_array_equal(classes, stopped.predict(new))
        assert_allclose(shares, stopped.predict_proba(new), rtol=1e-6)
        if time > 0:
            assert_array_equal(model.classes_[shares.argmax(axis=1)], classes)


@LOST
@pytest.mark.parametrize("time", [0.0, 1.0, 1e12, np.inf])
def test_awkward_classification_without_alpha(time):
    X = np.repeat(np.arange(8.0).reshape(4, 2), 2, axis=0)
    model = NTKClassifier(alpha=0.0, training_time=time).fit(X, np.arange(8) % 3)
    assert np.all(np.isfinite(model.predict_proba(X)))
    assert np.all(np.isfinite(list(model.staged_predict_proba(X, [0.0, 1e12, np.inf]))))


@pytest.mark.parametrize("estimator", [NTKRegressor, NTKClassifier])
def test_sklearn_parameter_validation(estimator):
    check_param_validation(estimator.__name__, estimator(training_time=1.0))
