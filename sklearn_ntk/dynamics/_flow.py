"""Gradient flow under squared error."""

from sklearn_ntk.dynamics._checks import checked_rate, checked_times
from sklearn_ntk.dynamics._system import System, warn_of_rounding

__all__ = ["gradient_flow"]


def gradient_flow(
    k_train_train,
    y,
    times,
    *,
    k_test_train=None,
    f0_train=0.0,
    f0_test=0.0,
    learning_rate=1.0,
    alpha=0.0,
    sample_weight=None,
):
    r"""Gradient descent with infinitely small steps on the squared error.

    From any function :math:`f_0` at time 0,

    .. math::
        f_t(x) = f_0(x) + \Theta(x, X) G^{-1} (I - e^{-\eta t\, G W / \sum_i w_i})
            (y - f_0(X)), \quad G = \Theta(X, X) + \alpha W^{-1},

    with the sample weights W and the learning rate :math:`\eta`. All times come from
    one eigendecomposition.

    Parameters
    ----------
    k_train_train : array-like of shape (n, n)
        The neural tangent kernel of the training rows, or another.
    y : array-like of shape (n,) or (n, n_outputs)
        Targets.
    times : float or array-like of shape (n_times,)
        Times >= 0, infinity included, in any order.
    k_test_train : array-like of shape (m, n), default=None
        The kernel of other rows with the training rows.
    f0_train, f0_test : float or array-like, default=0.0
        The function at time 0, of the shape of `y`, and of that with m rows.
    learning_rate : float, default=1.0
        Only its product with `times` matters.
    alpha : float or array-like of shape (n,), default=0.0
        What is added to the diagonal of the kernel matrix: a penalty on the
        distance from :math:`f_0`.
    sample_weight : array-like of shape (n,), default=None
        Weights >= 0. None: all are 1.

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
    numpy.linalg.LinAlgError
        If the kernel matrix is not positive semi-definite.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If rounding errors are felt in the result.

    See Also
    --------
    sklearn_ntk.NTKRegressor.staged_predict : The same with a network.

    References
    ----------
    .. [1] Lee et al. (2019). Wide neural networks of any depth evolve as linear models
       under gradient descent. Equations 10 and 11.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.dynamics import gradient_flow
    >>> X, y = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 1.0, -1.0])
    >>> kernel = NTK()
    >>> start, end = gradient_flow(kernel(X), y, [0.0, np.inf])
    >>> bool(np.all(start == 0) and np.allclose(end, y))
    True
    >>> new = np.array([[2.0]])
    >>> train, test = gradient_flow(kernel(X), y, 10.0, k_test_train=kernel(new, X))
    >>> train.shape, test.shape
    ((3,), (1,))
    """
    system = System.of(k_train_train, y, f0_train, alpha, sample_weight)
    times, scalar = checked_times(times)
    scaled = checked_rate(learning_rate) * times
    spectrum = system.spectrum()
    warn_of_rounding(spectrum, scaled)
    dual = system.filtered(spectrum, spectrum.filter(scaled))
    return system.outputs(dual, k_test_train, f0_test, scalar)
