"""More rows in a factorisation, at the cost of these rows alone."""

import numpy as np
from scipy.linalg import lapack, solve_triangular

from sklearn_ntk._solvers.cholesky import EPS, CholeskyFactor, equilibrated

__all__ = ["extended"]

LARGEST = 2.0  # entry of a matrix that was equilibrated


def extended(factor, cross, block, noise):
    r"""Factorisation of a matrix that has grown by m rows and columns.

    .. math::
        \begin{pmatrix} G & C^\top \\ C & B + \mathrm{diag}(\nu) \end{pmatrix}
        = \begin{pmatrix} L & \\ R & S \end{pmatrix}
        \begin{pmatrix} L & \\ R & S \end{pmatrix}^\top, \quad
        R = C L^{-\top}, \quad S S^\top = B + \mathrm{diag}(\nu) - R R^\top

    in :math:`n^2 m` operations where a new factorisation takes :math:`(n + m)^3 / 3`.

    Parameters
    ----------
    factor : CholeskyFactor
        Of G, without a jitter.
    cross : ndarray of shape (m, n)
        C.
    block : ndarray of shape (m, m)
        B, overwritten.
    noise : ndarray of shape (m,)
        :math:`\nu`, finite and >= 0.

    Returns
    -------
    CholeskyFactor or None
        None where the result would need a jitter.

    References
    ----------
    .. [1] Golub, Van Loan (2013). Matrix Computations, section 4.2.9.
    """
    n, m = len(factor.scale), len(block)
    corner, scale = equilibrated(block, noise)
    L = np.empty((n + m, n + m), order="F")
    L[:n, :n], L[n:, n:] = factor.lower, corner
    L[:n, n:] = factor.scale[:, None] * cross.T * scale
    half = solve_triangular(factor.lower, L[:n, n:], lower=True, check_finite=False)
    L[n:, :n] = half.T
    schur, info = lapack.dpotrf(corner - half.T @ half, lower=1, clean=0, overwrite_a=1)
    if info != 0:
        return None
    lower = np.tril_indices(m)
    L[n:, n:][lower] = schur[lower]
    rcond, _ = lapack.dpocon(L, LARGEST * (n + m), uplo="L")
    if rcond < (n + m) * EPS:
        return None
    known = vars(factor).get("_inverse_diagonal")  # if anyone asked for it
    return CholeskyFactor(L, np.concatenate([factor.scale, scale]), leading=known)
