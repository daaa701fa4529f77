"""Selection of hyperparameters of a regressor."""

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from sklearn_ntk._estimators.known import KnownRegressor
from sklearn_ntk._estimators.selection import Selection
from sklearn_ntk._sklearn_private import StrOptions
from sklearn_ntk._solvers.held_out import HeldOut

__all__ = ["ALPHAS", "RegressorSelection"]

ALPHAS = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


class RegressorSelection(MultiOutputMixin, RegressorMixin, Selection):
    """Base class of a regressor that chooses its hyperparameters.

    A subclass says which regressor it chooses for, ``_type``.
    """

    _type: type
    _default_scoring = "r2"
    _parameter_constraints: dict = {
        **Selection._parameter_constraints,
        "normalize_y": ["boolean"],
        "uncertainty": [StrOptions({"ensemble", "gp", "student_t"})],
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
        normalize_y=True,
        uncertainty="ensemble",
        n_jobs=None,
    ):
        self.network = network
        self.alphas = alphas
        self.depths = depths
        self.training_times = training_times
        self.scoring = scoring
        self.cv = cv
        self.learning_rate = learning_rate
        self.normalize_y = normalize_y
        self.uncertainty = uncertainty
        self.n_jobs = n_jobs

    def _validated_for_selection(self, X, y):
        X, y = self._validated_for_fit(X, y, multi_output=True, y_numeric=True)
        return X, y.astype(np.float64, copy=False)

    def _plain(self):
        return self._type(
            "precomputed" if self._is_precomputed() else None,
            learning_rate=self.learning_rate,
            normalize_y=self.normalize_y,
            uncertainty=self.uncertainty,
            n_jobs=self.n_jobs,
        )

    def _held_out(self, plain, spectrum):
        targets = plain._y.reshape(len(plain._y), -1)
        return HeldOut(spectrum, targets, centred=self.normalize_y)

    def _known(self, plain, tests, values):
        shape = plain._y.shape[1:]
        return [
            KnownRegressor(plain._targets.restored(part.reshape(len(part), *shape)))
            for part in values
        ]

    def predict(self, X, return_std=False, return_cov=False):
        """Predict with the best model: `predict` of `best_estimator_`.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; where `network` is "precomputed" the kernel between them and all
            rows that were given to fit, one in a column.
        return_std : bool, default=False
            Whether to return standard deviations as well.
        return_cov : bool, default=False
            Whether to return covariances instead.

        Returns
        -------
        y_mean : ndarray of shape (n_samples,) or (n_samples, n_targets)
        y_std : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Only where `return_std` is True.
        y_cov : ndarray of shape (n_samples, n_samples[, n_targets])
            Only where `return_cov` is True.
        """
        return self._best(X).predict(X, return_std, return_cov)
