"""What the classifiers share: labels, the fit, decisions and probabilities."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ntk._estimators.base import noise_of
from sklearn_ntk._estimators.calibration import SoftmaxScale
from sklearn_ntk._estimators.class_weights import weight_of_rows
from sklearn_ntk._estimators.codes import codes_of, per_class
from sklearn_ntk._estimators.growing import GrowingEstimator, takes_more_rows
from sklearn_ntk._sklearn_private import (
    StrOptions,
    _check_partial_fit_first_call,
    _fit_context,
)
from sklearn_ntk._solvers.leave_one_out import leave_one_out

__all__ = ["NetworkClassifier"]


class NetworkClassifier(ClassifierMixin, GrowingEstimator):
    """What the two classifiers share: all but the kernel."""

    _parameter_constraints: dict = {
        **GrowingEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        network=None,
        *,
        alpha=0.05,
        class_weight=None,
        device=None,
        n_jobs=None,
    ):
        self.network = network
        self.alpha = alpha
        self.class_weight = class_weight
        self.device = device
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; a Gram matrix of shape (n_samples, n_samples) where `network` is
            "precomputed". Standardise features of different units.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts exactly as the row given twice, and one of
            weight 0 not at all.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or there is only one class.
        numpy.linalg.LinAlgError
            If a precomputed matrix is not positive semi-definite.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If alpha is too small for the conditioning, with the jitter added.
        """
        X, y = self._validated_for_fit(X, y)
        self._prepare(X, y, sample_weight)
        return self._train()

    def _prepare(self, X, y, sample_weight):
        """Keep what counts of the training set, with labels as centred codes."""
        check_classification_targets(y)
        y = self._keep_rows(X, y, sample_weight)
        self.classes_, self._labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes in rows of positive "
                f"weight; got 1 class, {self.classes_.tolist()}."
            )
        self._set_targets()

    @available_if(takes_more_rows)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Fit the model to more rows, beside those it has been fitted to.

        The result is that of a fit to all rows. To the end of training the
        factorisation grows by a block, so that m rows more than n take of the order of
        :math:`n^2 m` operations; for a finite training time, where `class_weight` is
        "balanced", or where a jitter is needed, it is made anew.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            More rows. There is no `partial_fit` for a precomputed matrix.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that there will be; needed at the first call, unless it comes
            after `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights, as for `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not valid, unlike those before, or of other classes.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If alpha is too small for the conditioning, with the jitter added.
        """
        first = not self._is_trained()
        validated = self._validated_for_fit if first else self._validated_for_update
        X, y = validated(X, y)
        check_classification_targets(y)
        _check_partial_fit_first_call(self, classes)
        if first:
            return self._fit_first(X, y, sample_weight)
        X, weight, alpha, rows = self._counting(X, sample_weight)
        labels, blocks = self._labels_of(y[rows]), self._blocks(X)
        self._weight = self._weight_of_rows
        self._append(X, weight, alpha)
        self._labels = np.concatenate([self._labels, labels])
        self._set_targets()
        return self._train(blocks)

    def _fit_first(self, X, y, sample_weight):
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes; got "
                f"{self.classes_.tolist()}."
            )
        self._labels = self._labels_of(self._keep_rows(X, y, sample_weight))
        self._set_targets()
        return self._train()

    def _labels_of(self, y):
        """Indices into `classes_`."""
        unseen = np.setdiff1d(y, self.classes_)
        if len(unseen):
            raise ValueError(
                f"y must hold labels of classes_, {self.classes_.tolist()}, which the "
                f"first fit has set. Got {unseen.tolist()} as well."
            )
        return np.searchsorted(self.classes_, y)

    def _set_targets(self):
        self._weigh_classes()
        codes = codes_of(self._labels, len(self.classes_))
        self.intercept_ = self._weight @ codes / self._weight.sum()
        self._targets = codes - self.intercept_

    def _train(self, blocks=None):
        self._factor = self._retrained(blocks)
        return self._finished()

    def _finished(self):
        self.dual_coef_ = self._factor.solve(self._targets)
        self._probabilities = self._calibrated(self._unseen())
        return self

    def _weigh_classes(self):
        """Let class weights multiply the weights of rows."""
        self._weight_of_rows = self._weight
        self._unit = weight_of_rows(
            self.class_weight, self.classes_, self._labels, self._weight
        )
        self._weight = self._weight * self._unit

    def _unseen(self, time=np.inf):
        """Leave-one-out predictions at the end of training."""
        noise = noise_of(self._alpha, self._weight)
        codes = self._targets + self.intercept_
        return leave_one_out(self._factor, codes, noise, self._weight, self._unit)

    def _calibrated_at(self, time):
        """The scale of probabilities as if training stopped at a time."""
        return self._calibrated(self._unseen(time))

    def _calibrated(self, unseen, rows=slice(None)):
        """The scale of probabilities from predictions of rows when unseen."""
        share = self._weight_of_rows.sum() / self._weight.sum()
        weight = share * self._weight[rows]
        return SoftmaxScale.fit(per_class(unseen), self._labels[rows], weight)

    def decision_function(self, X):
        """Values of the fitted functions: the larger, the more likely the class.

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
        return self._decisions(self._values(X))

    def _values(self, X):
        X = self._validated(X)
        (cross,) = self._cross_gram(X, self._kind)
        return cross @ self.dual_coef_ + self.intercept_

    def predict_proba(self, X):
        """Probabilities of the classes, calibrated on leave-one-out predictions.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`. The largest is that of `predict`.
        """
        values = self._values(X)
        return self._probabilities.predict(per_class(values))

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._winners(self._values(X))

    def _decisions(self, values):
        return values[:, 0] if len(self.classes_) == 2 else values

    def _winners(self, values):
        return self.classes_[np.argmax(per_class(values), axis=1)]
