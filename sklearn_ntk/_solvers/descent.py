"""Gradient descent in steps that are not small, in closed form."""

import numpy as np

__all__ = ["descent_filter", "largest_stable_step"]


def descent_filter(values, steps, step_size, momentum):
    r"""What k steps of gradient descent make of each eigenvector.

    With an eigenvalue m, the step size h and the momentum :math:`\mu` (the heavy ball
    of Polyak), the coefficient of a residual of 1 obeys

    .. math:: d_{j+1} = \mu d_j + h (1 - m a_j), \quad a_{j+1} = a_j + d_{j+1},
        \quad a_0 = d_0 = 0,

    an affine recurrence of two numbers. Its k-th power comes from repeated squaring of
    the map less the identity, which is exact where eigenvalues of the recurrence
    coincide (critical damping) and keeps all digits where m is small.

    Parameters
    ----------
    values : ndarray of shape (n,)
        m >= 0.
    steps : ndarray of int, shape (n_steps,)
        k >= 0.
    step_size, momentum : float

    Returns
    -------
    ndarray of shape (n_steps, n)
        :math:`a_k`; without momentum :math:`(1 - (1 - h m)^k) / m`.
    """
    pull = -step_size * values
    stay = np.ones_like(pull)
    D = np.array([[pull, momentum * stay], [pull, (momentum - 1.0) * stay]])
    shift = np.full((2, len(values)), step_size)
    state = np.zeros((2, len(steps), len(values)))
    for bit in range(int(np.max(steps, initial=0)).bit_length()):
        taken = (steps >> bit & 1).astype(bool)
        state[:, taken] += _applied(D, state[:, taken]) + shift[:, None]
        shift = 2.0 * shift + _applied(D, shift)
        D = 2.0 * D + _applied(D, D)
    return state[0]


def largest_stable_step(largest_value, momentum):
    """The largest step size at which no eigenvector grows (Polyak 1964)."""
    with np.errstate(divide="ignore"):
        return 2.0 * (1.0 + momentum) / np.float64(largest_value)


def _applied(D, x):
    """D x for matrices of shape (2, 2, n) and x of shape (2, ..., n)."""
    return np.einsum("ijn,j...n->i...n", D, x)
