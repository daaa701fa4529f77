"""The estimators under scikit-learn's tools for selection and calibration."""

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_ntk.classification import NTKClassifier
from sklearn_ntk.regression import NTKRegressor

TIMES = [1.0, 30.0, np.inf]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def data(n=60):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 2))
    y = np.sin(2.0 * X[:, 0]) + 0.7 * rng.standard_normal(n)
    return read_only(X), read_only(y), np.digitize(y, [-0.5, 0.5])


@pytest.mark.parametrize(
    ("model", "scoring"),
    [
        (NTKRegressor(alpha=0.0), "r2"),
        (NTKClassifier(), "neg_log_loss"),
        (NTKClassifier(loss="log_loss", alpha=0.01), "neg_log_loss"),
    ],
    ids=repr,
)
def test_grid_search_over_training_time(model, scoring):
    X, y, labels = data()
    y, cv = (y if scoring == "r2" else labels), KFold(3)
    search = GridSearchCV(
        model, {"training_time": TIMES}, scoring=scoring, cv=cv, error_score="raise"
    ).fit(X, y)
    regression = scoring == "r2"
    stages = "staged_predict" if regression else "staged_predict_proba"
    scores = np.zeros((3, 3))
    for fold, (train, test) in enumerate(cv.split(X)):
        fitted = search.best_estimator_.fit(X[train], y[train])
        for i, stage in enumerate(getattr(fitted, stages)(X[test], TIMES)):
            score = r2_score if regression else log_loss
            scores[i, fold] = score(y[test], stage)
    expected = scores.mean(axis=1) if regression else -scores.mean(axis=1)
    assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-6)
    assert search.best_params_["training_time"] == TIMES[np.argmax(expected)]
    if regression:
        assert np.argmax(expected) == 1  # neither too short nor for ever


def test_in_pipelines_and_under_other_estimators():
    X, _, labels = data()
    model = make_pipeline(StandardScaler(), NTKClassifier(class_weight="balanced"))
    p = cross_val_predict(model, X, labels, cv=3, method="predict_proba")
    assert p.shape == (60, 3)
    calibrated = CalibratedClassifierCV(NTKClassifier(), cv=3).fit(X, labels)
    assert calibrated.predict_proba(X).shape == (60, 3)
    one = OneVsRestClassifier(NTKClassifier()).fit(X, labels)
    all_at_once = NTKClassifier().fit(X, labels)
    assert_allclose(
        one.decision_function(X), all_at_once.decision_function(X), rtol=1e-8
    )
    assert_array_equal(one.predict(X), all_at_once.predict(X))
