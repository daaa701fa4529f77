"""The direct solver: a Cholesky factorisation that says when it had to help itself."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import blas, cho_solve, lapack, solve_triangular

from sklearn_ntk._solvers.factorizations import cholesky

__all__ = ["Cholesky", "CholeskyFactor"]

EPS = np.finfo(np.float64).eps
TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Cholesky:
    """Factorisation of a positive semi-definite matrix plus a diagonal.

    Where the sum is not positive definite or its reciprocal condition number is
    below n times the machine epsilon, a *jitter* is added, a small multiple of the
    matrix's own diagonal that grows tenfold until the factorisation is sound. The
    factor tells how much it was.

    Parameters
    ----------
    max_jitter : float, default=1e-4
        The largest jitter tried, relative to the diagonal.
    device : "cuda" or None, default=None
        What factorises; all else is the processor's.
    """

    max_jitter: float = 1e-4
    device: str | None = None

    def factorize(self, matrix, noise):
        """Factorise ``G = matrix + diag(noise)``, in the place of `matrix`.

        Parameters
        ----------
        matrix : ndarray of shape (n, n)
            Symmetric and finite. Overwritten.
        noise : ndarray of shape (n,)
            Finite and >= 0.

        Returns
        -------
        CholeskyFactor

        Raises
        ------
        numpy.linalg.LinAlgError
            If the largest jitter is not enough: G is not positive semi-definite.
        """
        H, scale = equilibrated(matrix, noise)
        diagonal = H.diagonal().copy()
        jitter, step = 0.0, len(H) * EPS
        jittered = diagonal
        while not _factorized(H, jittered, self.device):
            jitter, step = step, 10.0 * step
            if jitter > self.max_jitter:
                raise np.linalg.LinAlgError(
                    "The kernel matrix plus alpha is not positive semi-definite: "
                    f"adding {self.max_jitter:.0e} of its diagonal does not make it "
                    "so."
                )
            jittered = diagonal + jitter * np.maximum(diagonal, 0.5)
        return CholeskyFactor(H, scale, jitter)


@dataclass(frozen=True)
class CholeskyFactor:
    """A factorisation ``G = D^-1 L L' D^-1`` with a diagonal D of powers of two.

    Parameters
    ----------
    lower : ndarray of shape (n, n)
        L, in its lower triangle; what is above is not used.
    scale : ndarray of shape (n,)
        The diagonal of D.
    jitter : float
        What was added to the diagonal of G, relative to it. 0 where all was well.
    leading : ndarray of shape (m,), default=None
        The diagonal of the inverse of the first m rows and columns of G, if known.
    """

    lower: np.ndarray
    scale: np.ndarray
    jitter: float = 0.0
    leading: np.ndarray | None = None

    def solve(self, B):
        """G^-1 B, for B of shape (n,) or (n, k)."""
        X = cho_solve((self.lower, True), self._scaled(B), check_finite=False)
        return self._scaled(X)

    def half_solve(self, B):
        """H = C^-1 B where G = C C', so that H' H = B' G^-1 B."""
        B = self._scaled(B)
        return solve_triangular(self.lower, B, lower=True, check_finite=False)

    def lift(self, V):
        """C V where G = C C', for V of shape (n, k)."""
        return blas.dtrmm(1.0, self.lower, V, lower=1) / self.scale[:, None]

    def project(self, B):
        """C' B, for B of shape (n, k): the transpose of `lift`."""
        return blas.dtrmm(1.0, self.lower, B / self.scale[:, None], lower=1, trans_a=1)

    def _scaled(self, B):
        return (self.scale * B.T).T

    def log_determinant(self):
        """log det G."""
        return 2.0 * np.sum(np.log(self.lower.diagonal()) - np.log(self.scale))

    def inverse(self):
        """G^-1, in full."""
        half, _ = lapack.dpotri(self.lower, lower=1)
        inverse = np.tril(half)
        inverse += np.tril(half, -1).T
        inverse *= self.scale[:, None]
        inverse *= self.scale
        return inverse

    def inverse_diagonal(self):
        """The diagonal of G^-1."""
        return self._inverse_diagonal

    @cached_property
    def _inverse_diagonal(self):
        if self.leading is not None:
            return self._inverse_diagonal_after(self.leading)
        root, _ = lapack.dtrtri(self.lower, lower=1)
        below = (column[j:] for j, column in enumerate(root.T))
        return self.scale**2 * np.array([column @ column for column in below])

    def _inverse_diagonal_after(self, known):
        """The same by the other rows of L^-1 alone."""
        m = len(known)
        L, R, S = self.lower[:m, :m], self.lower[m:, :m], self.lower[m:, m:]
        both = solve_triangular(L, R.T, lower=True, trans="T", check_finite=False).T
        rows = np.hstack([both, -np.eye(len(S))])
        rows = solve_triangular(S, rows, lower=True, check_finite=False)
        added = self.scale**2 * np.einsum("ij,ij->j", rows, rows)
        added[:m] += known
        return added


def equilibrated(matrix, noise):
    """``D G D`` with a diagonal near 1, in the place of `matrix`, and diag(D).

    Rescaling by powers of two is exact. It keeps a row of enormous norm from
    drowning the others in its jitter.
    """
    H = matrix.T if matrix.flags.c_contiguous else np.asfortranarray(matrix)
    np.fill_diagonal(H, H.diagonal() + noise)
    diagonal = H.diagonal()
    positive = diagonal > TINY / EPS
    usual = np.max(diagonal) if positive.any() else 1.0
    _, exponent = np.frexp(np.where(positive, diagonal, usual))
    scale = np.ldexp(1.0, -(exponent // 2))
    H *= scale[:, None]
    H *= scale
    return H, scale


def _factorized(H, diagonal, device):
    """Try to factorise H with this diagonal; whether the factor is sound.

    The factor goes to the lower triangle and H itself is restored, at a
    further try, from the upper one.
    """
    n = len(H)
    if not np.array_equal(H.diagonal(), diagonal):
        for j in range(n - 1):
            H[j + 1 :, j] = H[j, j + 1 :]
        np.fill_diagonal(H, diagonal)
    norm = lapack.dlange("1", H)
    if not cholesky(H, device):
        return False
    rcond, _ = lapack.dpocon(H, norm, uplo="L")
    return rcond >= n * EPS
