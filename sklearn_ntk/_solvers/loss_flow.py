"""Gradient flow in function space under any loss, by an ODE solver."""

import numpy as np
from scipy.integrate import solve_ivp

__all__ = ["loss_flow"]

IMPLICIT = ("LSODA", "BDF", "Radau")
DENSE = 600  # unknowns of which the solver may have a Jacobian
EPS = np.finfo(np.float64).eps


def loss_flow(
    gram, slope, start, times, *, weight, alpha, method=None, rtol=1e-8, atol=1e-10
):
    r"""Dual coefficients of gradient flow on the sum of a loss over rows.

    In function space the network is :math:`f = f_0 + K a` at all times, on any rows,
    and the coefficients obey

    .. math:: \dot a_i = -w_i \nabla \ell_i(f_i) - \alpha_i a_i, \quad a(0) = 0.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        K.
    slope : callable
        The gradient of the loss of each row in that row's outputs:
        ``slope(f)`` for f of shape (n, k) returns an array of the same shape.
    start : ndarray of shape (n, k)
        :math:`f_0`.
    times : ndarray of shape (n_times,)
        Finite, >= 0, in any order; in units in which the learning rate is 1.
    weight, alpha : ndarray of shape (n,)
    method : str, OdeSolver or None, default=None
        Of :func:`scipy.integrate.solve_ivp`. None is LSODA, which has a Jacobian of
        n k by n k elements, and DOP853, which has none, where n k is above 600.
    rtol, atol : float
        Tolerances of it.

    Returns
    -------
    ndarray of shape (n_times, n, k)

    Raises
    ------
    RuntimeError
        If the solver gives up.
    """
    shape = start.shape
    if method is None:
        method = "LSODA" if start.size <= DENSE else "DOP853"

    def velocity(_, a):
        a = a.reshape(shape)
        f = start + gram @ a
        return -(weight[:, None] * slope(f) + alpha[:, None] * a).ravel()

    def jacobian(_, a):
        f = start + gram @ a.reshape(shape)
        curved = weight[:, None, None] * _curvature(slope, f)
        matrix = -np.einsum("icd,ij->icjd", curved, gram).reshape(a.size, a.size)
        np.fill_diagonal(matrix, matrix.diagonal() - np.repeat(alpha, shape[1]))
        return matrix

    stops, order = np.unique(times, return_inverse=True)
    path = np.zeros((len(stops), start.size))
    later = stops > 0
    if np.any(later):
        options = {"jac": jacobian} if method in IMPLICIT else {}
        solution = solve_ivp(
            velocity,
            (0.0, stops[-1]),
            path[0],
            method=method,
            t_eval=stops[later],
            rtol=rtol,
            atol=atol,
            **options,
        )
        if not solution.success:
            raise RuntimeError(f"The flow was not integrated: {solution.message}")
        path[later] = solution.y.T
    return path[order].reshape(-1, *shape)


def _curvature(slope, f):
    """Derivatives of `slope` by differences, (n, k, k): a solver needs no more."""
    here = slope(f)
    out = np.empty((*f.shape, f.shape[1]))
    for c in range(f.shape[1]):
        moved = f.copy()
        moved[:, c] += np.sqrt(EPS) * (1.0 + np.abs(f[:, c]))
        out[:, :, c] = (slope(moved) - here) / (moved - f)[:, c, None]
    return out
