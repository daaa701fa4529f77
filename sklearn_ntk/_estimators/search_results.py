"""The table of a search, laid out as by scikit-learn's."""

import numpy as np
from scipy.stats import rankdata

__all__ = ["search_results"]


def search_results(candidates, scores, names, *, pooled):
    """What `GridSearchCV` calls ``cv_results_``, but for times.

    Parameters
    ----------
    candidates : list of dict
        Parameters, of the same names in each.
    scores : ndarray of shape (n_candidates, n_splits, n_scores)
    names : list of str
        Of the scores.
    pooled : bool
        Whether there is one split in name only, of all rows: it gets no columns of
        its own and has no deviation.

    Returns
    -------
    dict of str to array or list
    """
    results = {f"param_{key}": _column(candidates, key) for key in candidates[0]}
    results["params"] = candidates
    for name, per_split in zip(names, np.moveaxis(scores, -1, 0), strict=True):
        if not pooled:
            for at, column in enumerate(per_split.T):
                results[f"split{at}_test_{name}"] = column
            results[f"std_test_{name}"] = per_split.std(axis=1)
        mean = per_split.mean(axis=1)
        results[f"mean_test_{name}"] = mean
        results[f"rank_test_{name}"] = _ranks(mean)
    return results


def _column(candidates, key):
    values = [candidate[key] for candidate in candidates]
    numeric = all(isinstance(value, int | float) for value in values)
    column = np.ma.masked_all(len(values), dtype=None if numeric else object)
    if numeric:
        return np.ma.array(values)
    for at, value in enumerate(values):
        column[at] = value
    return column


def _ranks(scores):
    """1 for the largest score; equal ones share a rank, and NaN is last."""
    lowest = np.nanmin(scores, initial=0.0) - 1.0
    ranks = rankdata(-np.where(np.isnan(scores), lowest, scores), method="min")
    return ranks.astype(np.int32)
