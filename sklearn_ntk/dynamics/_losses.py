"""Gradient flow under cross-entropy, or any other differentiable loss."""

import numpy as np
from scipy.special import expit, softmax

from sklearn_ntk._solvers.loss_flow import loss_flow
from sklearn_ntk.dynamics._checks import checked_rate, checked_times
from sklearn_ntk.dynamics._system import System

__all__ = ["gradient_flow_of_loss"]


def gradient_flow_of_loss(
    k_train_train,
    y,
    times,
    *,
    loss="log_loss",
    k_test_train=None,
    f0_train=0.0,
    f0_test=0.0,
    learning_rate=1.0,
    alpha=0.0,
    sample_weight=None,
    method=None,
    rtol=1e-8,
    atol=1e-10,
):
    r"""Gradient descent with infinitely small steps on any differentiable loss.

    The function is :math:`f_t(x) = f_0(x) + \Theta(x, X) a_t`, where the coefficients
    of each row obey

    .. math:: \dot a_i = -\frac{\eta}{\sum_j w_j}
        \left( w_i \nabla \ell(f_t(x_i), y_i) + \alpha_i a_i \right),
        \quad a_0 = 0 .

    An ODE solver of SciPy's integrates that once, up to the last time. By default it
    is LSODA, which changes to an implicit method when the problem becomes stiff, as it
    does at long times; that takes a dense matrix of ``n * n_outputs`` rows. Where
    these are more than 600 it is DOP853, which takes none, and a number of steps in
    proportion to the time.

    Parameters
    ----------
    k_train_train : array-like of shape (n, n)
        The neural tangent kernel of the training rows, or another.
    y : array-like of shape (n,) or (n, n_outputs)
        Targets. For "log_loss" the probability of the positive class, 0 or 1 for
        known labels, or those of all classes: rows of an identity matrix.
    times : float or array-like of shape (n_times,)
        Finite times >= 0, in any order.
    loss : "log_loss", "squared_error" or callable, default="log_loss"
        With "log_loss" f is the logit of one class or, in several columns, those of
        all classes. A callable is the gradient of the loss of each row in that
        row's outputs: ``loss(f, y)`` returns an array of their shape.
    k_test_train, f0_train, f0_test, learning_rate, alpha, sample_weight
        As for `gradient_flow`.
    method : str, OdeSolver or None, default=None
        Of :func:`scipy.integrate.solve_ivp`. None chooses as told above.
    rtol, atol : float, default=1e-8 and 1e-10
        Relative and absolute tolerance of the coefficients.

    Returns
    -------
    f_train : ndarray of shape ([n_times,] n[, n_outputs])
        The function on the training rows. Without the axis of times for one time
        that is no array.
    f_test : ndarray of shape ([n_times,] m[, n_outputs])
        The function on the other rows. Only where `k_test_train` is given.

    Raises
    ------
    ValueError
        If an argument is not valid.
    RuntimeError
        If the solver gives up.

    See Also
    --------
    gradient_flow : In closed form, for the squared error.

    References
    ----------
    .. [1] Lee et al. (2019). Wide neural networks of any depth evolve as linear models
       under gradient descent. Section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.dynamics import gradient_flow_of_loss
    >>> X, y = np.array([[0.0], [1.0], [3.0]]), np.array([0, 1, 1])
    >>> logits = gradient_flow_of_loss(NTK()(X), y, [0.0, 1e3])
    >>> (logits > 0).astype(int)
    array([[0, 0, 0],
           [0, 1, 1]])

    The loss log cosh, whose gradient is tanh of the residual:

    >>> f = gradient_flow_of_loss(NTK()(X), y, 1e4, loss=lambda f, y: np.tanh(f - y))
    >>> bool(np.allclose(f, y, atol=1e-3))
    True
    """
    system = System.of(k_train_train, y, f0_train, alpha, sample_weight)
    times, scalar = checked_times(times, finite=True)
    rows, rate = system.rows, checked_rate(learning_rate) / system.weight.sum()
    dual = loss_flow(
        system.gram[np.ix_(rows, rows)],
        _slope(loss, system),
        system.start[rows],
        rate * times,
        weight=system.weight[rows],
        alpha=system.alpha[rows],
        method=method,
        rtol=rtol,
        atol=atol,
    )
    return system.outputs(dual, k_test_train, f0_test, scalar)


def _slope(loss, system):
    """The gradient of the loss as a function of f of shape (n_rows, k) alone."""
    y = system.y[system.rows]
    if callable(loss):
        shape = len(y) if system.flat else y.shape

        def slope(f):
            return np.reshape(loss(f.reshape(shape), y.reshape(shape)), y.shape)

        return slope
    if loss == "squared_error":
        return lambda f: f - y
    if loss != "log_loss":
        raise ValueError(
            f"loss must be 'log_loss', 'squared_error' or a callable. Got {loss!r}."
        )
    if np.any(y < 0) or np.any(y > 1):
        raise ValueError("y must hold probabilities in [0, 1] for loss='log_loss'.")
    if y.shape[1] == 1:
        return lambda f: expit(f) - y
    if not np.allclose(y.sum(axis=1), 1.0):
        raise ValueError("Rows of y must sum to 1 for loss='log_loss'.")
    return lambda f: softmax(f, axis=1) - y
