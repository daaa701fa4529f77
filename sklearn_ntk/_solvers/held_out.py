"""Predictions of rows that a kernel regression has not seen, at any time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev

from sklearn_ntk._solvers.partial_fractions import POLES, flow_weights
from sklearn_ntk._solvers.spectral import Spectrum

__all__ = ["HeldOut"]

DONE = 800.0  # exp(-DONE) is 0
EPS = np.finfo(np.float64).eps
SIMILAR = 0.25  # in the logarithm
EIGH = 8.0  # times n^3 multiplications: about what an eigendecomposition takes


@dataclass(frozen=True)
class HeldOut:
    r"""Held-out predictions at a grid of alphas and times, without refitting.

    With the sample weights W, the symmetric matrix
    :math:`S = W^{1/2} K W^{1/2} = U \Lambda U^\top` and
    :math:`z = W^{1/2} (y - m)`, ridge regression on all rows but those of a set R
    predicts

    .. math:: f_R = m + W_R^{-1/2} e_R, \quad
        e_R = z_R - (H_{RR})^{-1} (H z)_R, \quad H = (S + \alpha)^{-1}

    by block elimination, with the weighted mean m of the rows that are left. That is
    true of an inverse and not of gradient flow to a finite time. But gradient flow
    is a sum of ridge regressions with complex alphas, which depend on the poles of a
    rational approximation of the exponential, accurate to rounding. The prediction
    is the same sum of theirs, and so the one of a refit.

    Parameters
    ----------
    spectrum : Spectrum
        Of the kernel matrix of all rows and their weights.
    y : ndarray of shape (n, k)
    centred : bool
        Whether m is the mean of y, or 0.

    References
    ----------
    .. [1] Rasmussen, Williams (2006). Gaussian Processes for Machine Learning,
       section 5.4.2.
    .. [2] Pahikkala, Boberg, Salakoski (2006). Fast n-fold cross-validation for
       regularized least-squares.
    """

    spectrum: Spectrum
    y: np.ndarray
    centred: bool

    def one_by_one(self, alphas, times, unit=np.inf):
        r"""Each row's prediction by the model of all the others.

        Of a row that counts more than `unit` only that much is left out, as if it
        were several rows. Then its :math:`H_{ii}` becomes the mean of that and of
        :math:`1 / \alpha`, weighted by the shares that go and that stay.

        Parameters
        ----------
        alphas : ndarray of shape (n_alphas,)
            Positive.
        times : ndarray of shape (n_times,)
            Times multiplied by the learning rate, from 0 to inf.
        unit : float or ndarray of shape (n,), default=inf
            The weight of one row.

        Returns
        -------
        ndarray of shape (n_alphas, n_times, n, k)
        """
        stays = np.maximum(self.weight - unit, 0.0)
        left = _sums_of_the_others(self.weight) + stays
        mean = np.zeros_like(self.y)
        if self.centred:
            mean += _sums_of_the_others(self.weight[:, None] * self.y)
            mean += stays[:, None] * self.y
            mean /= left[:, None]
        kept = stays / self.weight
        out = np.empty((len(alphas), len(times), *self.y.shape))
        for rows in _of_similar(left):
            part = _Part(self, rows, mean[rows])
            squared = (1.0 - kept[rows, None]) * part.vectors**2

            def eliminated(D, projected, squared=squared, kept=kept[rows, None]):
                return projected / (kept + _product(squared, D))[..., None]

            nodes, interpolation = _interpolation(left[rows])
            found = np.zeros((len(alphas), len(times), *part.target.shape))
            for node, weights in zip(nodes, interpolation.T, strict=True):
                values = part.predictions(alphas, times, node, eliminated)
                found += weights[:, None] * values
            out[:, :, rows] = found
        return out

    def together(self, rows, alphas, times):
        """Predictions of some rows by the model of all the others.

        By elimination of blocks or, where these are large, with an eigendecomposition
        of their own for the others.

        Parameters
        ----------
        rows : ndarray of int, shape (m,)
        alphas, times
            As for `one_by_one`.

        Returns
        -------
        ndarray of shape (n_alphas, n_times, m, k)
        """
        others = np.delete(np.arange(len(self.y)), rows)
        left = self.weight[others].sum()
        mean = np.zeros((1, self.y.shape[1]))
        if self.centred:
            mean += self.weight[others] @ self.y[others] / left
        n_products = len(alphas) + 4 * len(POLES) * np.sum(np.isfinite(times))
        elimination = n_products * len(self.y) * len(rows) ** 2
        if elimination > EIGH * len(others) ** 3:
            return self._refitted(rows, others, mean, alphas, times)
        return self._eliminated(rows, left, mean, alphas, times)

    def _eliminated(self, rows, left, mean, alphas, times):
        part = _Part(self, rows, np.repeat(mean, len(rows), axis=0))

        def eliminated(D, projected):
            blocks = (_product(part.vectors, d[:, None] * part.vectors.T) for d in D.T)
            columns = zip(blocks, np.moveaxis(projected, 1, 0), strict=True)
            return np.stack([np.linalg.solve(*pair) for pair in columns], axis=1)

        return part.predictions(alphas, times, left, eliminated)

    def _refitted(self, rows, others, mean, alphas, times):
        """From an eigendecomposition for the others."""
        half = self.spectrum.vectors / self.spectrum.root[:, None]
        K = (half * self.spectrum.values) @ half[others].T
        spectrum = Spectrum.of(K[others], self.weight[others], overwrite=True)
        target = self.y[others] - mean
        return mean + K[rows] @ spectrum.dual_coef(target, times, alphas[:, None])

    @property
    def weight(self):
        """Sample weights."""
        return self.spectrum.root**2

    @cached_property
    def coefficients(self):
        """Of y and of 1 in the eigenvectors, both times the root of the weight."""
        return self.spectrum.project(np.hstack([self.y, np.ones((len(self.y), 1))]))


class _Part:
    """Rows that are predicted by the model of others, with the others' mean of y."""

    def __init__(self, system, rows, mean):
        self.system = system
        self.mean = mean
        self.vectors = system.spectrum.vectors[rows]
        self.root = system.spectrum.root[rows, None]
        self.target = self.root * (system.y[rows] - mean)

    def predictions(self, alphas, times, left, eliminated):
        """At alphas and times, `left` being the weight of the others: (a, t, m, k).

        ``eliminated(D, B)`` solves with the blocks of U D U', one D for a column of B.
        """
        final = np.moveaxis(self._misfit(alphas, 1.0, eliminated), 1, 0)
        with np.errstate(over="ignore"):
            scales = np.minimum(times / left, DONE / np.min(alphas))
        out = np.empty((len(alphas), len(times), *self.target.shape))
        for at, scale in enumerate(scales):
            own, others = flow_weights(alphas, scale)
            out[:, at] = own[:, None, None] * final
            if np.any(others):
                flow = self._misfit(POLES, scale, eliminated)
                out[:, at] += _real_part(others, flow)
        return self.mean + out / self.root

    def _misfit(self, shifts, scale, eliminated):
        """e_R of ridge regression at each alpha = shift / scale: (m, n_shifts, k)."""
        eigenvalues = np.maximum(self.system.spectrum.values[:, None], 0.0)
        D = shifts / (shifts + scale * eigenvalues)
        weighted = D[:, :, None] * self.system.coefficients[:, None]
        projected = _product(self.vectors, weighted)
        centred = projected[..., :-1] - self.mean[:, None] * projected[..., -1:]
        return self.target[:, None] - eliminated(D, centred)


def _sums_of_the_others(values):
    """Along the first axis, of all but each one: no difference, no cancellation."""
    sums = np.zeros_like(values)
    sums[1:] += np.cumsum(values[:-1], axis=0)
    sums[:-1] += np.cumsum(values[:0:-1], axis=0)[::-1]
    return sums


def _of_similar(left):
    """Indices of elements whose logarithms are in the same interval of SIMILAR."""
    interval = np.floor(np.log(left / np.min(left)) / SIMILAR)
    return [np.flatnonzero(interval == at) for at in np.unique(interval)]


def _interpolation(left):
    """Nodes and weights that interpolate a function of time / left at all of `left`.

    Gradient flow is analytic and bounded in ``|Im log(time)| < pi / 2``, so that
    Chebyshev points in log(left) converge geometrically.
    """
    low, high = np.log(np.min(left)), np.log(np.max(left))
    centre, half = 0.5 * (high + low), 0.5 * (high - low)
    if half < EPS:
        return left[:1], np.ones((len(left), 1))
    n_nodes = int(np.ceil(-np.log(EPS) / np.arcsinh(0.5 * np.pi / half)))
    points = chebyshev.chebpts1(n_nodes)
    basis = chebyshev.chebvander((np.log(left) - centre) / half, n_nodes - 1)
    at_points = chebyshev.chebvander(points, n_nodes - 1)
    return np.exp(centre + half * points), np.linalg.solve(at_points.T, basis.T).T


def _product(A, B):
    """A real matrix times an array, whose first axis is summed; real arithmetic."""
    B = np.ascontiguousarray(B)
    flat = A @ B.reshape(len(B), -1).view(np.float64)
    return flat.view(B.dtype).reshape(len(A), *B.shape[1:])


def _real_part(weights, values):
    """Re sum_p weights[a, p] values[m, p, k], of shape (a, m, k)."""
    real = np.tensordot(weights.real, values.real, axes=(1, 1))
    return real - np.tensordot(weights.imag, values.imag, axes=(1, 1))
