"""Regression with infinitely wide networks."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ntk._estimators.docs import with_shared_parameters
from sklearn_ntk._estimators.learning import LearnedLikelihood
from sklearn_ntk._estimators.regressor import NetworkRegressor
from sklearn_ntk._sklearn_private import Interval, StrOptions

__all__ = ["NNGPRegressor", "NTKRegressor"]


@with_shared_parameters
class NTKRegressor(NetworkRegressor):
    r"""Regression by an infinitely wide network trained to the end.

    Gradient descent on the squared error of such a network, which starts at zero
    mean, ends at kernel regression with its neural tangent kernel :math:`\Theta`:

    .. math:: f(x) = \bar y + \Theta(x, X) G^{-1} (y - \bar y),
        \quad G = \Theta(X, X) + \alpha W^{-1}

    where W holds the sample weights. The standard deviation is that of an ensemble
    of networks trained from different random weights. With
    :math:`A = \Theta(x, X) G^{-1}` and the NNGP kernel K, their covariance is

    .. math:: K(x, x') + A K A'^\top - (A K(X, x') + K(x, X) A'^\top)

    It tells how much networks disagree, and contains no noise of the targets.

    Parameters
    ----------
    {network}
    {alpha}
    {normalize_y}
    {n_jobs}

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_samples_fitted,) or (n_samples_fitted, n_targets)
        :math:`G^{-1} (y - \bar y)`, in standardised targets.
    {fitted}

    See Also
    --------
    NNGPRegressor : The Bayesian counterpart: only the readout is trained.
    sklearn.kernel_ridge.KernelRidge : Takes ``kernel=NTK()``, and gives no spread.

    References
    ----------
    .. [1] Jacot, Gabriel, Hongler (2018). Neural tangent kernel: convergence and
       generalization in neural networks.
    .. [2] Lee et al. (2019). Wide neural networks of any depth evolve as linear models
       under gradient descent. Equation 16.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ntk import NTKRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), NTKRegressor(alpha=1.0))
    >>> model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.45
    True
    >>> mean, std = model.predict(X[300:], return_std=True)
    >>> std.shape
    (142,)
    """

    _kind = "ntk"
    _spread_kinds = ("ntk", "nngp")

    def _update(self, ntk, nngp):
        """A and R such that the covariance of an ensemble is K** + sym(A' R)."""
        A = self._factor.solve(ntk.T)
        return A, self._train_gram("nngp", self.network_) @ A - 2.0 * nngp.T


@with_shared_parameters
class NNGPRegressor(LearnedLikelihood, NetworkRegressor):
    r"""Gaussian process regression with the prior of an infinitely wide network.

    An infinitely wide network with random weights is a Gaussian process; K is its
    covariance. The posterior is

    .. math::
        f(x) &= \bar y + K(x, X) G^{-1} (y - \bar y), \quad G = K(X, X) + \alpha W^{-1}
        \\ \mathrm{cov}(x, x') &= K(x, x') - K(x, X) G^{-1} K(X, x')

    where W holds the sample weights. Its mean is also what gradient descent on the
    readout alone converges to. The hyperparameters of the network that have bounds, and
    `alpha`, can be learned by maximising the marginal likelihood.

    Parameters
    ----------
    {network}
    {alpha}
    alpha_bounds : pair of floats or "fixed", default=(1e-6, 1e2)
        Between which `alpha` is learned, where it is one positive number.
    optimizer : "fmin_l_bfgs_b", callable or None, default=None
        What maximises the marginal likelihood. None keeps all hyperparameters. A
        callable gets and returns what it does in
        :class:`~sklearn.gaussian_process.GaussianProcessRegressor`.
    n_restarts_optimizer : int, default=0
        How many more searches start at random points within the bounds.
    {normalize_y}
    {n_jobs}
    random_state : int, RandomState instance or None, default=None
        Draws the points where further searches start.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_samples_fitted,) or (n_samples_fitted, n_targets)
        :math:`G^{-1} (y - \bar y)`, in standardised targets.
    kernel_ : NNGP or None
        The kernel with the hyperparameters that were used; None if precomputed.
    alpha_ : float or ndarray of shape (n_samples_fitted,)
        The alpha that was used.
    theta_ : ndarray of shape (n_dims,)
        Logarithms of what is free: the hyperparameters of `kernel_`, then `alpha_`.
    log_marginal_likelihood_value_ : float
        At `theta_`.
    {fitted}

    See Also
    --------
    NTKRegressor : All layers are trained, by gradient descent.
    sklearn.gaussian_process.GaussianProcessRegressor : Takes ``kernel=NNGP()`` and
        sums of kernels, but neither sparse X nor sample weights.

    References
    ----------
    .. [1] Lee et al. (2018). Deep neural networks as Gaussian processes.
    .. [2] Rasmussen, Williams (2006). Gaussian Processes for Machine Learning.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk import NNGPRegressor
    >>> X = np.linspace(-2, 2, 20)[:, None]
    >>> y = np.sin(2 * X[:, 0])
    >>> model = NNGPRegressor(optimizer="fmin_l_bfgs_b").fit(X, y)
    >>> mean, std = model.predict([[0.5], [5.0]], return_std=True)
    >>> bool(std[0] < std[1])
    True
    >>> model.sample_y([[0.5], [5.0]], n_samples=3).shape
    (2, 3)
    """

    _kind = "nngp"
    _spread_kinds = ("nngp",)
    _parameter_constraints: dict = {
        **NetworkRegressor._parameter_constraints,
        "alpha_bounds": ["array-like", StrOptions({"fixed"})],
        "optimizer": [StrOptions({"fmin_l_bfgs_b"}), callable, None],
        "n_restarts_optimizer": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        network=None,
        *,
        alpha=0.05,
        alpha_bounds=(1e-6, 1e2),
        optimizer=None,
        n_restarts_optimizer=0,
        normalize_y=True,
        n_jobs=None,
        random_state=None,
    ):
        super().__init__(network, alpha=alpha, normalize_y=normalize_y, n_jobs=n_jobs)
        self.alpha_bounds = alpha_bounds
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.random_state = random_state

    def _update(self, nngp):
        """A and R such that the posterior covariance is K** + sym(A' R)."""
        half = self._factor.half_solve(nngp.T)
        return half, -half

    def sample_y(self, X, n_samples=1, random_state=0):
        """Draw functions from the posterior, at the rows of X.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples_X, n_features)
            Rows.
        n_samples : int, default=1
            Number of functions.
        random_state : int, RandomState instance or None, default=0
            Draws them.

        Returns
        -------
        ndarray of shape (n_samples_X[, n_targets], n_samples)
        """
        rng = check_random_state(random_state)
        mean, cov = self.predict(X, return_cov=True)
        if mean.ndim == 1:
            return rng.multivariate_normal(mean, cov, n_samples).T
        targets = range(mean.shape[1])
        draws = [
            rng.multivariate_normal(mean[:, t], cov[..., t], n_samples) for t in targets
        ]
        return np.stack(draws, axis=-1).transpose(1, 2, 0)
