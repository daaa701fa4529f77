"""Gradient descent under squared error, with steps and momentum."""

from numbers import Real

import numpy as np
from scipy.linalg import eigh

from sklearn_ntk._solvers.descent import descent_filter, largest_stable_step
from sklearn_ntk.dynamics._checks import checked_gram, checked_rate, checked_rows
from sklearn_ntk.dynamics._system import System

__all__ = ["gradient_descent", "max_learning_rate"]

SLACK = 1e-9  # by which a rate may exceed the largest one, as eigenvalues do


def gradient_descent(
    k_train_train,
    y,
    steps,
    *,
    k_test_train=None,
    f0_train=0.0,
    f0_test=0.0,
    learning_rate=1.0,
    momentum=0.0,
    alpha=0.0,
    sample_weight=None,
):
    r"""Gradient descent with steps of finite size on the squared error, exactly.

    What k steps do to an eigenvector of :math:`W^{1/2} \Theta W^{1/2}` has a closed
    form. Without momentum, and with :math:`h = \eta / \sum_i w_i`,

    .. math:: f_k(x) = f_0(x) + \Theta(x, X) G^{-1} (I - (I - h\, G W)^k) (y - f_0(X)) .

    With the momentum :math:`\mu` parameters move by :math:`v_{k+1} = \mu v_k - \eta
    \nabla L`, :math:`v_0 = 0`, as in ``SGD`` of PyTorch and of Optax.

    Parameters
    ----------
    k_train_train : array-like of shape (n, n)
        The neural tangent kernel of the training rows, or another.
    y : array-like of shape (n,) or (n, n_outputs)
        Targets.
    steps : int or array-like of int, shape (n_steps,)
        Numbers of steps >= 0, in any order.
    k_test_train, f0_train, f0_test, alpha, sample_weight
        As for `gradient_flow`.
    learning_rate : float, default=1.0
        The size :math:`\eta` of a step, up to `max_learning_rate`.
    momentum : float, default=0.0
        In the range [0, 1).

    Returns
    -------
    f_train : ndarray of shape ([n_steps,] n[, n_outputs])
        The function on the training rows. Without the axis of steps for one number
        that is no array.
    f_test : ndarray of shape ([n_steps,] m[, n_outputs])
        The function on the other rows. Only where `k_test_train` is given.

    Raises
    ------
    ValueError
        If an argument is not valid, among them a learning rate at which gradient
        descent diverges; the error tells the largest one.

    References
    ----------
    .. [1] Polyak (1964). Some methods of speeding up the convergence of iteration
       methods.

    Examples
    --------
    Small steps are gradient flow:

    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.dynamics import gradient_descent, gradient_flow
    >>> X, y = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 1.0, -1.0])
    >>> steps = gradient_descent(NTK()(X), y, 10_000, learning_rate=1e-3)
    >>> flow = gradient_flow(NTK()(X), y, 10_000, learning_rate=1e-3)
    >>> bool(np.allclose(steps, flow, atol=1e-3))
    True
    """
    system = System.of(k_train_train, y, f0_train, alpha, sample_weight)
    steps, scalar = _checked_steps(steps)
    rate, momentum = checked_rate(learning_rate), _checked_momentum(momentum)
    spectrum = system.spectrum()
    values, total = np.maximum(spectrum.values, 0.0), system.weight.sum()
    largest = total * largest_stable_step(values[-1], momentum)
    if rate > largest * (1.0 + SLACK):
        raise ValueError(
            f"learning_rate={rate:.6g} is above the largest one at which gradient "
            f"descent with momentum={momentum:g} is stable, {largest:.6g}."
        )
    dual = system.filtered(
        spectrum, descent_filter(values, steps, rate / total, momentum)
    )
    return system.outputs(dual, k_test_train, f0_test, scalar)


def max_learning_rate(k_train_train, momentum=0.0, *, alpha=0.0, sample_weight=None):
    r"""The largest learning rate at which gradient descent does not diverge.

    .. math:: \eta_{\max} = \frac{2 (1 + \mu) \sum_i w_i}{\lambda_{\max}}

    with the largest eigenvalue of :math:`W^{1/2} \Theta W^{1/2} + \alpha`. At that
    rate one eigenvector oscillates for ever; half of it is the fastest without
    momentum for that one.

    Parameters
    ----------
    k_train_train : array-like of shape (n, n)
        The neural tangent kernel of the training rows, or another.
    momentum : float, default=0.0
        In the range [0, 1).
    alpha, sample_weight
        As for `gradient_flow`.

    Returns
    -------
    float
        Infinite for a matrix of zeros without alpha.

    References
    ----------
    .. [1] Polyak (1964). Some methods of speeding up the convergence of iteration
       methods.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk.dynamics import max_learning_rate
    >>> max_learning_rate(np.eye(3))
    6.0
    >>> max_learning_rate(np.eye(3), momentum=0.5)
    9.0
    """
    gram = checked_gram(k_train_train)
    weight, alpha = checked_rows(gram, alpha, sample_weight)
    rows = np.flatnonzero(weight)
    root = np.sqrt(weight[rows])
    matrix = root[:, None] * gram[np.ix_(rows, rows)] * root + np.diag(alpha[rows])
    last = len(rows) - 1
    (largest,) = eigh(matrix, eigvals_only=True, subset_by_index=[last, last])
    step = largest_stable_step(max(largest, 0.0), _checked_momentum(momentum))
    return float(weight.sum() * step)


def _checked_momentum(momentum):
    if not (isinstance(momentum, Real) and 0 <= momentum < 1):
        raise ValueError(
            f"momentum must be a float in the range [0.0, 1.0). Got {momentum!r}."
        )
    return float(momentum)


def _checked_steps(steps):
    """Steps as an array of shape (n_steps,), and whether one number was given."""
    given = np.asarray(steps)
    whole = np.issubdtype(given.dtype, np.integer) or given.size == 0
    if given.ndim > 1 or not whole or np.any(given < 0):
        raise ValueError(
            "steps must be an int in the range [0, inf) or an array of such ints of "
            f"shape (n_steps,). Got {steps!r}."
        )
    return np.atleast_1d(given).astype(np.int64), given.ndim == 0
