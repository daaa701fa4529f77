"""Gradient flow in closed form: one eigendecomposition for all times and alphas."""

from dataclasses import dataclass

import numpy as np

from sklearn_ntk._solvers.factorizations import eigh

__all__ = ["LOST", "Spectrum", "Stage"]

EPS = np.finfo(np.float64).eps
SMALL = 1e-300  # exponent at which exp is linear, and a product loses digits
LOST = 1e-6  # rounding errors relative to the targets that are worth a warning
FELT = 1e-3  # the same, from which on a direction is left alone
INDEFINITE = 1e-4  # of a matrix, relative to its mean eigenvalue


@dataclass(frozen=True)
class Spectrum:
    r"""Eigendecomposition of a kernel matrix in the metric of the sample weights.

    Gradient flow on the weighted squared error, from 0 and for a time t at learning
    rate :math:`\eta`, ends at the dual coefficients :math:`P_t y` with

    .. math::
        P_t = G^{-1} (I - e^{-\tau G W}), \quad G = K + \alpha W^{-1}, \quad
        \tau = \eta t / \textstyle\sum_i w_i .

    With :math:`S = W^{1/2}` and :math:`S K S = U \Lambda U^\top` that is the symmetric

    .. math::
        P_t = S U \varphi(\Lambda) U^\top S, \quad
        \varphi(\lambda) = \frac{1 - e^{-\tau (\lambda + \alpha)}}{\lambda + \alpha},

    so that one decomposition serves all times and all alphas.

    Parameters
    ----------
    values : ndarray of shape (n,)
        :math:`\Lambda`, ascending; negative by rounding at most.
    vectors : ndarray of shape (n, n)
        U, one eigenvector in a column.
    root : ndarray of shape (n,)
        The diagonal of S.
    """

    values: np.ndarray
    vectors: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, gram, weight=None, alpha=0.0, *, overwrite=False, device=None):
        """Decompose ``S gram S + diag(alpha)``.

        Parameters
        ----------
        gram : ndarray of shape (n, n)
            Symmetric and positive semi-definite but for rounding.
        weight : ndarray of shape (n,), default=None
            Positive. None: all are 1.
        alpha : float or ndarray of shape (n,), default=0.0
            What cannot be given later: an alpha that differs between rows. It adds
            to that of the methods, which shifts the eigenvalues and costs nothing.
        overwrite : bool, default=False
            Whether `gram` may be overwritten.
        device : "cuda" or None, default=None
            What decomposes; all else is the processor's.
        """
        n = len(gram)
        root = np.ones(n) if weight is None else np.sqrt(weight)
        matrix = gram if overwrite else gram.copy()
        matrix = matrix.T if matrix.flags.c_contiguous else np.asfortranarray(matrix)
        if weight is not None:
            matrix *= root[:, None]
            matrix *= root
        np.fill_diagonal(matrix, matrix.diagonal() + alpha)
        values, vectors = eigh(matrix, device)
        return cls(values, vectors, root)

    def project(self, B):
        r""":math:`U^\top S B`, for B of shape (n,) or (n, k)."""
        return self.vectors.T @ (self.root * B.T).T

    def lift(self, C):
        """``S U C``, for C of shape (n,) or (n, k): the transpose of `project`."""
        return (self.root * (self.vectors @ C).T).T

    def filter(self, time, alpha=0.0):
        r"""The function :math:`\varphi` at the eigenvalues.

        Exact at time 0 and infinity. Where :math:`\lambda + \alpha` is no larger than
        its rounding error the filter is :math:`\tau`, its limit at 0, until that
        error matters; from then on, and at infinite time, 0 as in a pseudo-inverse.

        Parameters
        ----------
        time : float or array
            Learning rate times training time, >= 0, infinity included.
        alpha : float or array that broadcasts with `time`, default=0.0

        Returns
        -------
        ndarray of shape (..., n)
            With the shape that `time` and `alpha` broadcast to in front.
        """
        tau, shifted, floor = self._scales(time, alpha)
        with np.errstate(all="ignore"):
            hopeless = np.isinf(tau) | (tau * floor >= FELT)
        return np.where((shifted <= floor) & hopeless, 0.0, _filter(tau, shifted))

    def rounding(self, time, alpha=0.0):
        """About how much rounding errors move a fit at this time, relative to y.

        Parameters
        ----------
        time, alpha
            As for `filter`.

        Returns
        -------
        float or ndarray
            Of the shape that `time` and `alpha` broadcast to.
        """
        tau, shifted, floor = self._scales(time, alpha)
        smallest = np.maximum(shifted[..., :1], floor)
        gain = np.where(smallest > 0, _filter(tau, smallest), 0.0)
        return (np.maximum(EPS * shifted[..., -1:], -self.values[0]) * gain)[..., 0]

    def dual_coef(self, y, time, alpha=0.0):
        """``P_t y`` for all times in one matrix product.

        Parameters
        ----------
        y : ndarray of shape (n, k)
        time, alpha
            As for `filter`.

        Returns
        -------
        ndarray of shape (..., n, k)
            With the shape that `time` and `alpha` broadcast to in front.
        """
        return self.filtered(y, self.filter(time, alpha))

    def filtered(self, y, gain):
        """``S U gain U' S y`` for several functions of the eigenvalues.

        Parameters
        ----------
        y : ndarray of shape (n, k)
        gain : ndarray of shape (..., n)

        Returns
        -------
        ndarray of shape (..., n, k)
        """
        columns = np.moveaxis(gain[..., None] * self.project(y), -2, 0)
        lifted = self.lift(columns.reshape(len(self.root), -1))
        return np.moveaxis(lifted.reshape(columns.shape), 0, -2)

    def at(self, time, alpha=0.0):
        """The operator ``P_t`` at one time and one alpha.

        Parameters
        ----------
        time, alpha : float
            As for `filter`.

        Returns
        -------
        Stage
        """
        return Stage(self, self.filter(time, alpha), self.rounding(time, alpha))

    def _scales(self, time, alpha):
        """Tau, the shifted eigenvalues, and up to where they are rounding errors."""
        with np.errstate(over="ignore"):
            tau = np.asarray(time, dtype=np.float64) / np.sum(self.root**2)
        shifted = self.values + np.asarray(alpha, dtype=np.float64)[..., None]
        if np.any(shifted[..., 0] < -INDEFINITE * np.mean(np.abs(shifted), axis=-1)):
            raise np.linalg.LinAlgError(
                "The kernel matrix plus alpha is not positive semi-definite: its "
                f"smallest eigenvalue is {np.min(shifted):.2g}."
            )
        largest = np.maximum(shifted[..., -1:], 0.0)
        floor = np.maximum(len(self.values) * EPS * largest, -self.values[0])
        return tau[..., None], np.maximum(shifted, 0.0), floor


@dataclass(frozen=True)
class Stage:
    """Gradient flow stopped at one time: stands where a factorisation of G may.

    Parameters
    ----------
    spectrum : Spectrum
    gain : ndarray of shape (n,)
        Its filter at this time.
    rounding : float
        Its estimate of the error.
    """

    spectrum: Spectrum
    gain: np.ndarray
    rounding: float

    def solve(self, B):
        """``P_t B``, for B of shape (n,) or (n, k): G^-1 B at infinite time."""
        return self.spectrum.lift((self.gain * self.spectrum.project(B).T).T)

    def inverse_diagonal(self):
        """The diagonal of P_t, which is that of G^-1 at infinite time."""
        return self.spectrum.root**2 * (self.spectrum.vectors**2 @ self.gain)

    def half_solve(self, B):
        """H such that ``H' H = B' P_t B``."""
        return (np.sqrt(self.gain) * self.spectrum.project(B).T).T


def _filter(tau, values):
    """(1 - exp(-tau v)) / v: tau at v = 0, 1 / v at infinite tau."""
    with np.errstate(all="ignore"):
        exponent = tau * values
        stopped = -np.expm1(-exponent) / values
    return np.where(exponent > SMALL, stopped, tau)
