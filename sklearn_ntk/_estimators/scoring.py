"""Scores by scikit-learn's scorers, one or several."""

from inspect import signature
from numbers import Number

from sklearn.metrics import check_scoring

from sklearn_ntk._sklearn_private import InvalidParameterError

__all__ = ["Scorers"]


class Scorers:
    """One scorer or several, by name.

    Parameters
    ----------
    scoring : str, callable, list of str, tuple of str or dict
        As `GridSearchCV` takes it.
    estimator : object
        Which is to be scored.
    """

    def __init__(self, scoring, estimator):
        if isinstance(scoring, dict):
            named = scoring
        elif isinstance(scoring, list | tuple):
            named = {name: name for name in scoring}
        else:
            named = {"score": scoring}
        if not named or not all(isinstance(name, str) for name in named):
            raise InvalidParameterError(
                f"The 'scoring' parameter of {type(estimator).__name__} must be a str, "
                "a callable, a list of str or a dict from str to scorers, and not be "
                f"empty. Got {scoring!r} instead."
            )
        self.scorers = {
            name: check_scoring(estimator, given) for name, given in named.items()
        }

    @property
    def names(self):
        """Of the scores; the first of them selects."""
        return list(self.scorers)

    def __call__(self, known, X, y, sample_weight):
        """The scores of an estimator.

        Parameters
        ----------
        known : KnownRegressor or KnownClassifier
        X : array or CSR array of shape (n, d)
            Of use only to a callable that looks at it.
        y : ndarray of shape (n,) or (n, n_targets)
        sample_weight : ndarray of shape (n,) or None
            Given to those scorers that take it.

        Returns
        -------
        list of float
        """
        scores = []
        for scorer in self.scorers.values():
            weighted = sample_weight is not None and _takes_weights(scorer)
            options = {"sample_weight": sample_weight} if weighted else {}
            scores.append(scorer(known, X, y, **options))
        if not all(isinstance(score, Number) for score in scores):
            raise ValueError(f"scoring must give numbers. Got {scores!r}.")
        return scores


def _takes_weights(scorer):
    metric = getattr(scorer, "_score_func", scorer)
    return "sample_weight" in signature(metric).parameters
