"""Selection of networks, depths, alphas and training times without refitting."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import is_classifier

from sklearn_ntk._estimators.base import NetworkEstimator
from sklearn_ntk._estimators.candidates import Candidates
from sklearn_ntk._estimators.scoring import Scorers
from sklearn_ntk._estimators.search_results import search_results
from sklearn_ntk._estimators.splits import Splits
from sklearn_ntk._sklearn_private import Interval, StrOptions, _fit_context
from sklearn_ntk._solvers.spectral import Spectrum
from sklearn_ntk.networks import Layer

__all__ = ["Selection"]


class Selection(NetworkEstimator):
    """Base class of the estimators that choose their hyperparameters.

    A subclass makes the plain estimator that it chooses for, ``_plain()``, and says
    how targets are predicted for it, ``_held_out(plain, spectrum)``. It turns these
    predictions, one array for each test, into estimators that can be scored,
    ``_known(plain, tests, values)``; by default that is ``_default_scoring``.
    """

    _parameter_constraints: dict = {
        "network": [Layer, StrOptions({"precomputed"}), list, tuple, None],
        "alphas": ["array-like"],
        "depths": ["array-like", None],
        "training_times": ["array-like", None],
        "scoring": [str, callable, list, tuple, dict, None],
        "cv": ["cv_object"],
        "learning_rate": [Interval(Real, 0, np.inf, closed="neither")],
        "n_jobs": [Integral, None],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose hyperparameters, and fit the model with them.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; a Gram matrix of shape (n_samples, n_samples) where `network` is
            "precomputed". Standardise features of different units.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels, or targets of which there may be several.
        sample_weight : array-like of shape (n_samples,), default=None
            How much a row counts in the fits and in the scores. A row of weight 0 is
            not there. A held-out row is left out whole, whatever its weight.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows, for a `cv` that splits by them.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, there are not two rows, or
            labels are all the same.
        numpy.linalg.LinAlgError
            If a precomputed matrix plus the best alpha is not positive semi-definite.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the best alpha is too small for the conditioning.
        """
        X, y = self._validated_for_selection(X, y)
        self._select(X, y, sample_weight, groups)
        return self

    def _validated_for_selection(self, X, y):
        """The data of a fit."""
        return self._validated_for_fit(X, y)

    def _select(self, X, y, sample_weight, groups):
        """Score all candidates, and train the best one on all rows."""
        candidates = Candidates.of(self)
        scoring = self._default_scoring if self.scoring is None else self.scoring
        scorers = Scorers(scoring, self)
        plain = self._plain_for(X, y, sample_weight)
        splits = self._splits(plain, y, groups)
        weighted = sample_weight is not None or self._weighs_rows()
        parts = _parts(plain, y, splits.tests, weighted=weighted)
        times = self.learning_rate * candidates.times
        params, scores, best = [], [], None
        for fixed, network, K in candidates.kernels(plain.X_fit_, "ntk", self.n_jobs):
            plain.network_ = network
            spectrum = Spectrum.of(plain._finite(K), plain._weight, overwrite=True)
            held_out = self._held_out(plain, spectrum)
            values = splits.values(held_out, candidates.alphas, times)
            found = self._scores(plain, splits.tests, values, scorers, parts)
            top, at = _top(found)
            if best is None or top > best[0]:
                best = top, len(scores) + at, network, spectrum
            params += candidates.with_parameters(fixed)
            scores += found
        self.cv_results_ = search_results(
            params, np.array(scores), scorers.names, pooled=splits.pooled
        )
        self._keep_best(*best[:2])
        self._train(plain, *best[2:])

    def _scores(self, plain, tests, values, scorers, parts):
        """A list of candidates' scores, (n_tests, n_scores) for each alpha and time."""
        scores = []
        for at in np.ndindex(values[0].shape[:2]):
            known = self._known(plain, tests, [part[at] for part in values])
            scores.append(list(map(scorers, known, *parts)))
        return scores

    def _plain_for(self, X, y, sample_weight):
        """The plain estimator, which has seen the data and is not trained."""
        plain = self._plain()
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(plain, name, getattr(self, name))
        plain._prepare(X, y, sample_weight)
        return plain

    def _weighs_rows(self):
        """Whether rows have weights of which `fit` is not told."""
        return False

    def _splits(self, plain, y, groups):
        rows = plain._rows
        if len(rows) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 rows of positive weight, one "
                "to train on and one to test. Got n_samples = 1."
            )
        if self.cv is None:
            return Splits.leave_one_out(len(rows))
        return Splits.of(
            self.cv, plain.X_fit_, y[rows], groups, rows, classifier=is_classifier(self)
        )

    def _keep_best(self, score, index):
        if np.isinf(score):
            raise ValueError(
                f"The 'scoring' parameter of {type(self).__name__} gives no finite "
                "score for any candidate."
            )
        self.best_score_, self.best_index_ = score, index
        self.best_params_ = self.cv_results_["params"][index]
        self.alpha_ = self.best_params_["alpha"]
        self.training_time_ = self.best_params_.get("training_time", np.inf)

    def _train(self, plain, network, spectrum):
        """Train the plain estimator from what is there already."""
        plain.set_params(
            network=network, alpha=self.alpha_, training_time=self.training_time_
        )
        plain.network_ = self.network_ = network
        plain._alpha = np.full(len(plain._rows), self.alpha_)
        plain._factor = plain._trained_from(spectrum)
        self.depth_ = getattr(network, "depth", None)
        self.best_estimator_ = plain._finished()

    def _best(self, X):
        """The best estimator, for rows that have the features of the fit."""
        self._validated(X)
        return self.best_estimator_


def _parts(plain, y, tests, *, weighted):
    """Rows, targets and weights, each a list with one part for each test."""
    y, weight = y[plain._rows], plain._weight
    weights = [weight[test] if weighted else None for test in tests]
    return [plain.X_fit_[test] for test in tests], [y[test] for test in tests], weights


def _top(scores):
    """The best mean over splits of the first score, and where it is first."""
    means = np.mean(np.array(scores)[:, :, 0], axis=1)
    means[np.isnan(means)] = -np.inf
    index = int(np.argmax(means))
    return float(means[index]), index
