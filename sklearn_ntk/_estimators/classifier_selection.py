"""Selection of hyperparameters of a classifier."""

from functools import cache

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import log_loss

from sklearn_ntk._estimators.codes import per_class
from sklearn_ntk._estimators.known import KnownClassifier
from sklearn_ntk._estimators.regressor_selection import ALPHAS
from sklearn_ntk._estimators.selection import Selection
from sklearn_ntk._sklearn_private import StrOptions
from sklearn_ntk._solvers.held_out import HeldOut

__all__ = ["ClassifierSelection"]


def _log_loss(known, X, y, sample_weight=None):
    """Minus the log loss, also where a class is missing in the test."""
    probabilities = known.predict_proba(X)
    labels = known.classes_
    return -log_loss(y, probabilities, sample_weight=sample_weight, labels=labels)


class ClassifierSelection(ClassifierMixin, Selection):
    """Base class of a classifier that chooses its hyperparameters.

    A subclass says which classifier it chooses for, ``_type``.
    """

    _type: type
    _default_scoring = staticmethod(_log_loss)
    _parameter_constraints: dict = {
        **Selection._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        network=None,
        *,
        alphas=ALPHAS,
        depths=None,
        training_times=None,
        scoring=None,
        cv=None,
        learning_rate=1.0,
        class_weight=None,
        n_jobs=None,
    ):
        self.network = network
        self.alphas = alphas
        self.depths = depths
        self.training_times = training_times
        self.scoring = scoring
        self.cv = cv
        self.learning_rate = learning_rate
        self.class_weight = class_weight
        self.n_jobs = n_jobs

    @property
    def classes_(self):
        """Labels seen in rows of positive weight, sorted."""
        return self.best_estimator_.classes_

    def _weighs_rows(self):
        return self.class_weight is not None

    def _plain(self):
        return self._type(
            "precomputed" if self._is_precomputed() else None,
            learning_rate=self.learning_rate,
            class_weight=self.class_weight,
            n_jobs=self.n_jobs,
        )

    def _held_out(self, plain, spectrum):
        return HeldOut(spectrum, plain._targets + plain.intercept_, centred=True)

    def _known(self, plain, tests, values):
        @cache
        def calibration():
            """One for all tests, made when probabilities are asked for."""
            return plain._calibrated(np.vstack(values), np.concatenate(tests))

        return [
            KnownClassifier(
                plain.classes_,
                plain._decisions(part),
                lambda part=part: calibration().predict(per_class(part)),
            )
            for part in values
        ]

    def decision_function(self, X):
        """Values of the best model: `decision_function` of `best_estimator_`.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; where `network` is "precomputed" the kernel between them and all
            rows that were given to fit, one in a column.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes one value, positive for ``classes_[1]``.
        """
        return self._best(X).decision_function(X)

    def predict_proba(self, X):
        """Probabilities of the best model: `predict_proba` of `best_estimator_`.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`. The largest is that of `predict`.
        """
        return self._best(X).predict_proba(X)

    def predict(self, X):
        """Predict labels with the best model: `predict` of `best_estimator_`.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._best(X).predict(X)
