"""Which rows are held out together, and what is predicted for them."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.model_selection import check_cv

__all__ = ["Splits"]


@dataclass(frozen=True)
class Splits:
    """Splits of n rows into rows for training, rows for the test and others.

    Parameters
    ----------
    held_out : list of ndarray of int
        The rows that are not for training.
    tests : list of ndarray of int
        Those of them that are for the test.
    pooled : bool
        Whether each row is held out alone and predictions are scored together:
        there is one test, of all rows.
    """

    held_out: list
    tests: list
    pooled: bool

    @classmethod
    def leave_one_out(cls, n):
        """Each row is held out alone, and all predictions are scored together."""
        rows = np.arange(n)
        return cls(list(rows[:, None]), [rows], pooled=True)

    @classmethod
    def of(cls, cv, X, y, groups, rows, *, classifier):
        """The splits of a cross-validation, among the rows that count.

        A splitter sees these rows only. Splits that are given as indices are those of
        all rows, and one without test rows that count is left out.

        Parameters
        ----------
        cv : int, splitter or iterable of (train, test)
        X : array or CSR array of shape (n, d)
            Rows that count.
        y : ndarray of shape (n,) or (n, n_targets)
        groups : array-like of shape (n_samples,) or None
            Of all rows.
        rows : ndarray of int, shape (n,)
            Which of all rows count.
        classifier : bool
            Whether an int means stratified folds.

        Raises
        ------
        ValueError
            If a split leaves nothing to train on, or tests rows that it trains on,
            or if there is no split.
        """
        if isinstance(cv, Integral) or hasattr(cv, "split"):
            groups = None if groups is None else np.asarray(groups)[rows]
            splits = check_cv(cv, y, classifier=classifier).split(X, y, groups)
        else:
            splits = ([_positions(part, rows) for part in split] for split in cv)
        found = [_checked(*split, len(rows)) for split in splits if len(split[1])]
        if not found:
            raise ValueError("The 'cv' parameter gives no split with rows to test on.")
        return cls(*map(list, zip(*found, strict=True)), pooled=False)

    def values(self, system, alphas, times):
        """Held-out values of the targets in each test.

        Parameters
        ----------
        system : HeldOut
        alphas, times
            As for its methods.

        Returns
        -------
        list of ndarray of shape (n_alphas, n_times, n_rows_tested, k)
        """
        if all(len(rows) == 1 for rows in self.held_out):
            values = system.one_by_one(alphas, times)
            return [values[:, :, test] for test in self.tests]
        pairs = zip(self.held_out, self.tests, strict=True)
        return [
            system.together(rows, alphas, times)[:, :, np.searchsorted(rows, test)]
            for rows, test in pairs
        ]


def _positions(indices, rows):
    """Where in `rows` the given rows are, as far as they are there."""
    indices = np.asarray(indices)
    is_mask = indices.dtype == bool
    indices = np.flatnonzero(indices) if is_mask else indices.astype(np.intp)
    place = np.full(1 + max(np.max(rows), np.max(indices, initial=0)), -1)
    place[rows] = np.arange(len(rows))
    return place[indices][place[indices] >= 0]


def _checked(train, test, n):
    held_out = np.setdiff1d(np.arange(n), train)
    if len(held_out) == n:
        raise ValueError("The 'cv' parameter gives a split without rows to train on.")
    if not np.all(np.isin(test, held_out)):
        raise ValueError(
            "The 'cv' parameter gives a split whose test rows are also for training: "
            "no prediction of them is held out."
        )
    return held_out, np.asarray(test)
