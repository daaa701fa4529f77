"""What data leave of a prior covariance: of an ensemble, or of a posterior."""

import warnings
from dataclasses import dataclass

import numpy as np

__all__ = ["EnsembleSpread", "PosteriorSpread"]

ROUNDING = 1e-8  # of a variance, relative to the largest one of the prior


class _Spread:
    """Base class: what both do with the `prior` and its update.

    `cross` is the kernel that gives the mean, of new rows with those of the fit.
    ``_update(factor)`` returns A and R such that the covariance is K** + sym(A' R).
    """

    def given(self, factor):
        """Variances, or covariances where `prior` has them, after training.

        Parameters
        ----------
        factor : object with ``solve`` and ``half_solve``
            Of the training: the inverse of G, or what gradient flow has of it.

        Returns
        -------
        ndarray of the shape of `prior`
        """
        A, R = self._update(factor)
        if self.prior.ndim == 1:
            return _clipped(self.prior + np.einsum("ij,ij->j", A, R), self.prior)
        covariance = A.T @ R
        covariance += covariance.T
        covariance *= 0.5
        covariance += self.prior
        variance = _clipped(covariance.diagonal(), self.prior.diagonal())
        np.fill_diagonal(covariance, variance)
        return covariance


@dataclass(frozen=True)
class EnsembleSpread(_Spread):
    r"""Covariance of an ensemble of networks that are trained by gradient flow.

    Training is linear in the function :math:`f_0` that a network starts from:
    :math:`f = f_0 + A (y - f_0(X))`, :math:`A = \Theta_{*X} P`. Hence

    .. math:: K_{**} + A K A^\top - A K_{X*} - K_{*X} A^\top .

    Parameters
    ----------
    prior : ndarray of shape (m,) or (m, m)
        The variances or covariances at initialisation, :math:`K_{**}`.
    cross, nngp : ndarray of shape (m, n)
        Both kernels, :math:`\Theta` and K, of new rows with the rows of the fit.
    nngp_train : ndarray of shape (n, n)
        K of the rows of the fit.

    References
    ----------
    .. [1] Lee et al. (2019). Wide neural networks of any depth evolve as linear models
       under gradient descent. Equation 16.
    """

    prior: np.ndarray
    cross: np.ndarray
    nngp: np.ndarray
    nngp_train: np.ndarray

    def _update(self, factor):
        A = factor.solve(self.cross.T)
        return A, self.nngp_train @ A - 2.0 * self.nngp.T


@dataclass(frozen=True)
class PosteriorSpread(_Spread):
    r"""Covariance of the posterior of a Gaussian process, ``K** - K*X P KX*``.

    Parameters
    ----------
    prior : ndarray of shape (m,) or (m, m)
    cross : ndarray of shape (m, n)
        The kernel of new rows with the rows of the fit.
    """

    prior: np.ndarray
    cross: np.ndarray

    def _update(self, factor):
        half = factor.half_solve(self.cross.T)
        return half, -half


def _clipped(variance, prior):
    """Variances of at least 0; warns where one was negative beyond rounding."""
    lowest = np.min(variance, initial=0.0)
    if lowest < -ROUNDING * np.max(prior, initial=0.0):
        warnings.warn(
            f"Predicted variances down to {lowest:.2g} of the standardised targets are "
            "negative beyond rounding: alpha is too small for the conditioning of the "
            "kernel matrix. They were set to 0.",
            stacklevel=5,
        )
    return np.maximum(variance, 0.0)
