"""A training problem in function space: what all functions here start from."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from sklearn_ntk._solvers.spectral import LOST, Spectrum
from sklearn_ntk.dynamics._checks import (
    checked_cross,
    checked_gram,
    checked_rows,
    checked_start,
)

__all__ = ["System", "warn_of_rounding"]


@dataclass(frozen=True)
class System:
    """A training problem in function space, checked.

    Rows of weight 0 are not trained on, but have outputs.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
    weight, alpha : ndarray of shape (n,)
    y, start : ndarray of shape (n, k)
        Targets and the function at the start.
    flat : bool
        Whether y was given with the shape (n,).
    """

    gram: np.ndarray
    weight: np.ndarray
    alpha: np.ndarray
    y: np.ndarray
    start: np.ndarray
    flat: bool

    @classmethod
    def of(cls, k_train_train, y, f0_train, alpha, sample_weight):
        """Check what all functions are given."""
        gram = checked_gram(k_train_train)
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim > 2 or len(y) != len(gram):
            raise ValueError(
                f"y must have shape ({len(gram)},) or ({len(gram)}, n_outputs), as "
                f"k_train_train has {len(gram)} rows. Got {y.shape}."
            )
        start = checked_start(f0_train, y.shape, "f0_train")
        weight, alpha = checked_rows(gram, alpha, sample_weight)
        columns = (len(gram), -1)
        return cls(
            gram, weight, alpha, y.reshape(columns), start.reshape(columns), y.ndim == 1
        )

    @property
    def rows(self):
        """Indices of the rows that are trained on."""
        return np.flatnonzero(self.weight)

    def spectrum(self):
        """The decomposition for the rows that are trained on, alpha included."""
        rows = self.rows
        K = self.gram[np.ix_(rows, rows)]
        return Spectrum.of(K, self.weight[rows], self.alpha[rows], overwrite=True)

    def filtered(self, spectrum, gain):
        """Dual coefficients of the residual at the start, for gains of (n_times, n)."""
        return spectrum.filtered((self.y - self.start)[self.rows], gain)

    def outputs(self, dual, k_test_train, f0_test, scalar):
        """The function on the rows of the fit and, where asked for, on others.

        Parameters
        ----------
        dual : ndarray of shape (n_times, n_rows, k)
        k_test_train : array-like of shape (m, n) or None
        f0_test : array-like
        scalar : bool
            Whether one time was given, so that results have no axis of times.
        """
        train = self._shaped(self.start + self.gram[:, self.rows] @ dual, scalar)
        if k_test_train is None:
            return train
        cross = checked_cross(k_test_train, len(self.gram))
        shape = (len(cross),) if self.flat else (len(cross), self.y.shape[1])
        start = checked_start(f0_test, shape, "f0_test").reshape(len(cross), -1)
        return train, self._shaped(start + cross[:, self.rows] @ dual, scalar)

    def _shaped(self, values, scalar):
        values = values[..., 0] if self.flat else values
        return values[0] if scalar else values


def warn_of_rounding(spectrum, times):
    """Warn if rounding errors move a fit at one of these (scaled) times."""
    rounding = np.max(spectrum.rounding(times), initial=0.0)
    if rounding > LOST:
        warnings.warn(
            f"The function may be off by {rounding:.0e} of the targets: the kernel "
            "matrix is too ill-conditioned for such a time in double precision. "
            "Increase alpha, or stop earlier.",
            ConvergenceWarning,
            stacklevel=3,
        )
