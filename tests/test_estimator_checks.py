"""scikit-learn's own checks, on every estimator in several configurations."""

import pytest
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    estimator_checks_generator,
    parametrize_with_checks,
)
from threadpoolctl import threadpool_limits

from sklearn_ntk.classification import NNGPClassifier, NTKClassifier, NTKClassifierCV
from sklearn_ntk.networks import MLP
from sklearn_ntk.regression import NNGPRegressor, NTKRegressor, NTKRegressorCV

REGRESSORS = [NTKRegressor, NNGPRegressor]
ESTIMATORS = [*REGRESSORS, NTKClassifier, NNGPClassifier]
SEARCHES = [NTKRegressorCV, NTKClassifierCV]
GRID = {"alphas": (0.1, 1.0), "training_times": (1e2, 1e4)}
SMALL = MLP(depth=1, activation="erf")
AT_BOUNDS = "ignore:The optimal value found:sklearn.exceptions.ConvergenceWarning"


CONFIGURATIONS = [
    *[estimator() for estimator in ESTIMATORS],
    *[estimator(SMALL, alpha=0.5) for estimator in ESTIMATORS],
    *[estimator(normalize_y=False, n_jobs=1) for estimator in REGRESSORS],
    NNGPRegressor(SMALL, optimizer="fmin_l_bfgs_b"),
    NTKClassifier(SMALL, loss="log_loss"),
    NTKClassifier(loss="log_loss", training_time=10.0),
    *[estimator(training_time=1e4) for estimator in (NTKRegressor, NTKClassifier)],
    NTKRegressor(uncertainty="student_t"),
    *[search() for search in SEARCHES],
    *[search([SMALL, None], depths=(1, 2), **GRID, cv=3) for search in SEARCHES],
]

PRECOMPUTED = [
    *[search("precomputed", alphas=(10.0, 30.0)) for search in SEARCHES],
    *[estimator("precomputed") for estimator in ESTIMATORS],
    NNGPRegressor("precomputed", optimizer="fmin_l_bfgs_b"),
]

NOT_A_GRAM_MATRIX = {
    "check_positive_only_tag_during_fit",  # a Gram matrix less its mean
    "check_estimators_dtypes",  # one truncated to integers
    "check_classifiers_one_label_sample_weights",  # uniform numbers
    "check_decision_proba_consistency",  # rows of features
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def listed(mark):
    """A list in the place of the generator that scikit-learn 1.7 gives to pytest 9."""
    names, values = mark.args
    return pytest.mark.parametrize(names, list(values), **mark.kwargs)


@pytest.mark.filterwarnings(AT_BOUNDS)
@listed(parametrize_with_checks(CONFIGURATIONS))
def test_sklearn(estimator, check):
    check(estimator)


def checks_of_gram_matrices():
    for instance in PRECOMPUTED:
        for estimator, check in estimator_checks_generator(instance):
            name = check.func.__name__
            if name not in NOT_A_GRAM_MATRIX:
                yield pytest.param(estimator, check, id=f"{estimator}-{name}")


@pytest.mark.filterwarnings(AT_BOUNDS)
@pytest.mark.parametrize(("estimator", "check"), list(checks_of_gram_matrices()))
def test_sklearn_precomputed(estimator, check):
    """All checks but those that pass a matrix which is no Gram matrix."""
    check(estimator)


BY_HAND = [check_param_validation, check_dataframe_column_names_consistency]


@pytest.mark.parametrize("check", BY_HAND, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", [*ESTIMATORS, *SEARCHES])
def test_sklearn_by_hand(estimator, check):
    """Checks of scikit-learn's that its list does not contain."""
    check(estimator.__name__, estimator())
