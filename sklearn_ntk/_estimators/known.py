"""Estimators whose predictions are known, for scikit-learn's scorers to look at."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

__all__ = ["KnownClassifier", "KnownRegressor"]


class KnownRegressor(RegressorMixin, BaseEstimator):
    """A regressor whose predictions are known already.

    Parameters
    ----------
    predictions : ndarray of shape (n,) or (n, n_targets)
    """

    def __init__(self, predictions=None):
        self.predictions = predictions

    def predict(self, X):
        """The predictions, whatever X."""
        return self.predictions


class KnownClassifier(ClassifierMixin, BaseEstimator):
    """A classifier whose decision values are known already.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    decisions : ndarray of shape (n,) or (n, n_classes)
    probabilities : callable
        Takes nothing and gives probabilities of shape (n, n_classes).
    """

    def __init__(self, classes=None, decisions=None, probabilities=None):
        self.classes = classes
        self.decisions = decisions
        self.probabilities = probabilities

    @property
    def classes_(self):
        """The classes."""
        return self.classes

    def decision_function(self, X):
        """The decision values, whatever X."""
        return self.decisions

    def predict_proba(self, X):
        """The probabilities, whatever X."""
        return self.probabilities()

    def predict(self, X):
        """The classes of the largest decision values, whatever X."""
        if self.decisions.ndim == 1:
            return self.classes[(self.decisions > 0).astype(int)]
        return self.classes[np.argmax(self.decisions, axis=1)]
