"""Kernel logistic regression, against scikit-learn's and a general optimiser."""

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_ntk._solvers import logistic
from sklearn_ntk._solvers.cholesky import Cholesky
from sklearn_ntk._solvers.logistic import logistic_dual_coef, probabilities


def factor_of(gram):
    return Cholesky().factorize(gram.copy(), np.zeros(len(gram)))


def data(k, n=30, d=4):
    """Features, labels and one column of targets for two classes."""
    rng = np.random.default_rng(k)
    labels = rng.permutation(np.arange(n) % k)
    features = rng.normal(size=(n, d)) + 0.7 * labels[:, None] * np.eye(d)[0]
    targets = np.eye(k)[labels]
    return read_only(features), labels, read_only(targets[:, 1:] if k == 2 else targets)


@pytest.mark.parametrize("alpha", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("k", [2, 3])
def test_dual_of_logistic_regression(k, alpha):
    features, labels, targets = data(k)
    weight = np.linspace(0.5, 2.0, 30)
    primal = LogisticRegression(
        C=1.0 / alpha, fit_intercept=False, tol=1e-10, max_iter=10_000
    ).fit(features, labels, weight)
    gram, zero = read_only(features @ features.T), np.zeros(targets.shape[1])
    dual = logistic_dual_coef(factor_of(gram), targets, weight / alpha, zero)
    assert_allclose(dual.T @ features, primal.coef_, rtol=1e-4, atol=1e-6)
    p = probabilities(gram @ dual)
    assert_allclose(dual, weight[:, None] / alpha * (targets - p), atol=1e-7)


@pytest.mark.parametrize("alpha", [1e-2, 1.0, 1e4])
@pytest.mark.parametrize("rank", [1, 30, 60])
@pytest.mark.parametrize("k", [2, 4])
def test_stationary_at_any_rank_and_offset(k, rank, alpha):
    _, _, targets = data(k)
    root = np.random.default_rng(1).normal(size=(30, rank))
    gram, offset = root @ root.T, np.linspace(-2.0, 1.0, targets.shape[1])
    strength = np.linspace(0.1, 3.0, 30) / alpha
    dual = logistic_dual_coef(factor_of(gram), targets, strength, offset)
    values = gram @ dual
    fixed = strength[:, None] * (targets - probabilities(offset + values))
    tolerance = 1e-5 if rank < 30 else 1e-8  # a singular matrix has a jitter
    assert_allclose(gram @ fixed, values, atol=tolerance * np.max(np.abs(values)))


def test_offset_against_a_general_optimiser():
    features, labels, targets = data(3)
    offset, gram = np.array([0.5, -1.0, 2.0]), features @ features.T

    def objective(flat):
        W = flat.reshape(4, 3)
        values = offset + features @ W
        own = values[np.arange(30), labels]
        return np.sum(logsumexp(values, axis=1) - own) + 0.1 * np.sum(W**2)

    expected = minimize(objective, np.zeros(12), tol=1e-12, method="L-BFGS-B").x
    dual = logistic_dual_coef(factor_of(gram), targets, np.full(30, 5.0), offset)
    found = features.T @ dual
    assert_allclose(found.ravel(), expected, atol=1e-3)
    assert objective(found.ravel()) <= objective(expected) + 1e-12


def test_duplicates_with_different_labels_and_a_zero_matrix():
    gram, targets = np.ones((2, 2)), np.array([[0.0], [1.0]])
    assert_allclose(
        gram
        @ logistic_dual_coef(factor_of(gram), targets, np.full(2, 1e6), np.zeros(1)),
        0.0,
    )
    dual = logistic_dual_coef(factor_of(0.0 * gram), targets, np.ones(2), np.zeros(1))
    assert np.all(np.isfinite(dual))


def test_weights_of_any_size(monkeypatch):
    """Losses of heavy rows that are all but 0 are differences of large numbers."""
    monkeypatch.setattr(logistic, "MAX_NEWTON", 30)
    features, labels, targets = data(3)
    gram, offset = 1.0 + features @ features.T, np.array([10.0, -5.0, -5.0])
    strength = np.array([2e4, 2e-3, 2e-3])[labels]
    dual = logistic_dual_coef(factor_of(gram), targets, strength, offset)
    p = probabilities(offset + gram @ dual)
    assert_allclose(dual, strength[:, None] * (targets - p), rtol=1e-6, atol=1e-9)


def test_warns_where_newton_does_not_converge(monkeypatch):
    monkeypatch.setattr(logistic, "MAX_NEWTON", 1)
    features, _, targets = data(2)
    factor, ones = factor_of(features @ features.T), np.ones(30)
    with pytest.warns(ConvergenceWarning, match="is accurate to .* only"):
        logistic_dual_coef(factor, targets, ones, ones[:1])
