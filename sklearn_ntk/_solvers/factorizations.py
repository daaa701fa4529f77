"""Factorisations of symmetric matrices, by the processor or by a GPU."""

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from sklearn_ntk._engine.devices import (
    checking_factors,
    cuda_memory,
    host_array,
    namespace,
    to_cuda,
)

__all__ = ["cholesky", "eigh"]

COPIES = 4  # of a matrix that a device holds while it factorises it


def cholesky(H, device=None):
    """Factorise ``H = L L'``, with L in the place of the lower triangle of H.

    Parameters
    ----------
    H : ndarray of shape (n, n)
        Symmetric, in Fortran order. What is above the diagonal is left as it is.
    device : "cuda" or None, default=None
        "cuda": by a GPU, if that has room.

    Returns
    -------
    bool
        Whether H is positive definite. If not, the lower triangle is lost.
    """
    if not _has_room(H, device):
        _, info = lapack.dpotrf(H, lower=1, clean=0, overwrite_a=1)
        return info == 0
    there = to_cuda(H)
    try:
        with checking_factors(there):
            lower = namespace(there).linalg.cholesky(there)
    except np.linalg.LinAlgError:
        return False
    for j, row in enumerate(host_array(lower.T)):
        H[j:, j] = row[j:]
    return True


def eigh(H, device=None):
    """Eigenvalues, ascending, and eigenvectors of H, which may be overwritten.

    Parameters
    ----------
    H : ndarray of shape (n, n)
        Symmetric, in Fortran order.
    device : "cuda" or None, default=None
        "cuda": by a GPU, if that has room.

    Returns
    -------
    values : ndarray of shape (n,)
    vectors : ndarray of shape (n, n)
        In columns.
    """
    if not _has_room(H, device):
        # "evd" is as fast as "evr", and its vectors are orthogonal to rounding.
        return linalg.eigh(H, overwrite_a=True, check_finite=False, driver="evd")
    there = to_cuda(H)
    with checking_factors(there):
        values, vectors = namespace(there).linalg.eigh(there)
    return host_array(values), host_array(vectors)


def _has_room(H, device):
    return device is not None and COPIES * H.nbytes < cuda_memory()
