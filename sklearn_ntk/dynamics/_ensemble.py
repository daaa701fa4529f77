"""The mean and covariance of an ensemble of networks in training."""

import numpy as np
from sklearn.utils import check_array

from sklearn_ntk._solvers.spread import EnsembleSpread
from sklearn_ntk.dynamics._checks import (
    checked_cross,
    checked_gram,
    checked_rate,
    checked_times,
)
from sklearn_ntk.dynamics._system import System, warn_of_rounding

__all__ = ["trained_ensemble"]


def trained_ensemble(
    y,
    times,
    *,
    ntk_train_train,
    ntk_test_train,
    nngp_train_train,
    nngp_test_train,
    nngp_test_test,
    learning_rate=1.0,
    alpha=0.0,
    sample_weight=None,
    noisy_targets=False,
):
    r"""Mean and covariance of infinitely wide networks after training for a time.

    Networks start from draws of a Gaussian process with the NNGP kernel K, and
    gradient flow on the squared error trains them. With
    :math:`A_t = \Theta_{*X} G^{-1} (I - e^{-\eta t\, G W / \sum_i w_i})`,

    .. math::
        \mu_t &= A_t y, \\
        \Sigma_t &= K_{**} + A_t K_{XX} A_t^\top - A_t K_{X*} - K_{*X} A_t^\top .

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
        Targets.
    times : float or array-like of shape (n_times,)
        Times >= 0, infinity included, in any order.
    ntk_train_train, ntk_test_train : array-like of shape (n, n) and (m, n)
        The neural tangent kernel. Where they are those of the NNGP, only the
        readout is trained.
    nngp_train_train, nngp_test_train, nngp_test_test : array-like
        The NNGP kernel, of shape (n, n), (m, n) and (m, m). With its diagonal
        alone, of shape (m,), in the place of the last one variances are returned.
    learning_rate, alpha, sample_weight
        As for `gradient_flow`.
    noisy_targets : bool, default=False
        Whether each network sees targets with a noise of its own, of variance
        :math:`\alpha_i / w_i`, which adds :math:`\alpha A_t W^{-1} A_t^\top` to the
        covariance. With one kernel for both, networks are then draws of the
        posterior of a Gaussian process at infinite time [2]_.

    Returns
    -------
    mean : ndarray of shape ([n_times,] m[, n_outputs])
        Without the axis of times for one time that is no array.
    covariance : ndarray of shape ([n_times,] m, m) or ([n_times,] m)
        The same for all outputs, which are independent.

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

    References
    ----------
    .. [1] Lee et al. (2019). Wide neural networks of any depth evolve as linear models
       under gradient descent. Equation 16.
    .. [2] He, Lakshminarayanan, Teh (2020). Bayesian deep ensembles via the neural
       tangent kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NNGP, NTK
    >>> from sklearn_ntk.dynamics import trained_ensemble
    >>> X, y = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 1.0, -1.0])
    >>> new = np.array([[0.9], [9.0]])
    >>> ntk, nngp = NTK(), NNGP()
    >>> mean, variance = trained_ensemble(
    ...     y,
    ...     [0.0, np.inf],
    ...     ntk_train_train=ntk(X),
    ...     ntk_test_train=ntk(new, X),
    ...     nngp_train_train=nngp(X),
    ...     nngp_test_train=nngp(new, X),
    ...     nngp_test_test=nngp.diag(new),
    ... )
    >>> bool(np.all(variance[1] < variance[0]) and variance[1, 0] < variance[1, 1])
    True
    """
    system = System.of(ntk_train_train, y, 0.0, alpha, sample_weight)
    times, scalar = checked_times(times)
    scaled = checked_rate(learning_rate) * times
    n, rows = len(system.gram), system.rows
    ntk = checked_cross(ntk_test_train, n, "ntk_test_train")
    initial = checked_gram(nngp_train_train, "nngp_train_train")[np.ix_(rows, rows)]
    if noisy_targets:
        initial += np.diag(system.alpha[rows] / system.weight[rows])
    spread = EnsembleSpread(
        _checked_prior(nngp_test_test, len(ntk)),
        ntk[:, rows],
        checked_cross(nngp_test_train, n, "nngp_test_train")[:, rows],
        initial,
    )
    spectrum = system.spectrum()
    warn_of_rounding(spectrum, scaled)
    dual = system.filtered(spectrum, spectrum.filter(scaled))
    _, mean = system.outputs(dual, ntk, 0.0, scalar)
    given = [spread.given(spectrum.at(time)) for time in scaled]
    given = np.reshape(given, (len(scaled), *spread.prior.shape))
    return mean, given[0] if scalar else given


def _checked_prior(K, n_test):
    K = check_array(K, dtype=np.float64, ensure_2d=False, input_name="nngp_test_test")
    if K.shape not in {(n_test,), (n_test, n_test)}:
        raise ValueError(
            f"nngp_test_test must have shape ({n_test}, {n_test}), or ({n_test},) for "
            f"its diagonal. Got {K.shape}."
        )
    return K if K.ndim == 1 else checked_gram(K, "nngp_test_test")
