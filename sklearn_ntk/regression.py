"""Regression with infinitely wide networks."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ntk._estimators.docs import with_shared_parameters
from sklearn_ntk._estimators.gradient_flow import GradientFlow, checked_times
from sklearn_ntk._estimators.learning import LearnedLikelihood
from sklearn_ntk._estimators.regressor import NetworkRegressor
from sklearn_ntk._estimators.regressor_selection import RegressorSelection
from sklearn_ntk._sklearn_private import Interval, StrOptions
from sklearn_ntk._solvers.spread import EnsembleSpread, PosteriorSpread

__all__ = ["NNGPRegressor", "NTKRegressor", "NTKRegressorCV"]


@with_shared_parameters
class NTKRegressor(GradientFlow, NetworkRegressor):
    r"""Regression by infinitely wide networks that gradient descent trains.

    Gradient descent on the squared error, with infinitely small steps, moves the
    mean of such networks in the manner of a kernel method, with the neural tangent
    kernel :math:`\Theta`. After a time t it is

    .. math::
        f_t(x) &= \bar y + \Theta(x, X) P_t (y - \bar y), \quad
            P_t = G^{-1} (I - e^{-\eta t\, G W / \sum_i w_i}), \\
        G &= \Theta(X, X) + \alpha W^{-1}

    where W holds the sample weights and :math:`\eta` is the learning rate. At the end
    of training that is kernel regression, :math:`P_\infty = G^{-1}`.

    How uncertain a prediction is has three meanings to choose from. With
    :math:`A = \Theta(x, X) P_t` and the NNGP kernel K, the covariance is

    "ensemble"
        :math:`K(x, x') + A K A'^\top - (A K(X, x') + K(x, X) A'^\top)`: how much
        networks disagree that start from different random weights [2]_.
    "gp"
        :math:`\Theta(x, x') - \Theta(x, X) P_{2t} \Theta(X, x')`: at the end of
        training the posterior of a Gaussian process with the prior
        :math:`\Theta` (NTKGP [3]_). Before, it is the spread of networks that start
        from draws of that prior and see targets with noise of variance `alpha`.
    "student_t"
        That of "gp" times a scale which is learned from the targets. The
        predictive distribution is then Student's t [4]_.

    None of them contains the noise of the targets.

    Parameters
    ----------
    {network}
    {alpha}
    {training_time}
    {learning_rate}
    {normalize_y}
    uncertainty : {"ensemble", "gp", "student_t"}, default="ensemble"
        What standard deviations and covariances mean.
    {device}
    {n_jobs}

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_samples_fitted,) or (n_samples_fitted, n_targets)
        :math:`P_t (y - \bar y)`, in standardised targets.
    scale_ : float or ndarray of shape (n_targets,)
        The factor of the kernel and of `alpha` in the covariance. For "student_t"
        :math:`(1 + y^\top G^{-1} y) / (1 + n)` in standardised targets, where n is
        the sum of the weights, less 1 if `normalize_y`; else 1.
    degrees_of_freedom_ : float
        Of the predictive distribution: n + 3 for "student_t"; else infinite, that of
        a normal one.
    {fitted}

    See Also
    --------
    NNGPRegressor : The Bayesian counterpart: only the readout is trained.
    sklearn_ntk.dynamics : The same for given kernel matrices, and other losses.
    sklearn.kernel_ridge.KernelRidge : Takes ``kernel=NTK()``, and gives no spread.

    References
    ----------
    .. [1] Jacot, Gabriel, Hongler (2018). Neural tangent kernel: convergence and
       generalization in neural networks.
    .. [2] Lee et al. (2019). Wide neural networks of any depth evolve as linear models
       under gradient descent. Equation 16.
    .. [3] He, Lakshminarayanan, Teh (2020). Bayesian deep ensembles via the neural
       tangent kernel.
    .. [4] Shah, Wilson, Ghahramani (2014). Student-t processes as alternatives to
       Gaussian processes. Lemma 3, with 3 degrees of freedom of the prior.

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

    The same network, stopped at three times:

    >>> model = NTKRegressor(training_time=50.0).fit(X[:300], y[:300])
    >>> stages = model.staged_predict(X[300:], [0.0, 5.0, 50.0])
    >>> [stage.shape for stage in stages]
    [(142,), (142,), (142,)]
    """

    _kind = "ntk"
    _parameter_constraints: dict = {
        **NetworkRegressor._parameter_constraints,
        **GradientFlow._parameter_constraints,
        "uncertainty": [StrOptions({"ensemble", "gp", "student_t"})],
    }

    def __init__(
        self,
        network=None,
        *,
        alpha=0.05,
        training_time=np.inf,
        learning_rate=1.0,
        normalize_y=True,
        uncertainty="ensemble",
        device=None,
        n_jobs=None,
    ):
        super().__init__(
            network, alpha=alpha, normalize_y=normalize_y, device=device, n_jobs=n_jobs
        )
        self.training_time = training_time
        self.learning_rate = learning_rate
        self.uncertainty = uncertainty

    def staged_predict(self, X, training_times, return_std=False, return_cov=False):
        """Predict as training stopped at each of several times would.

        All times come from one decomposition, and do not depend on `training_time`.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `predict`.
        training_times : array-like of shape (n_times,)
            Times >= 0, infinity included, in any order.
        return_std, return_cov : bool, default=False
            As for `predict`.

        Returns
        -------
        generator
            Of what `predict` returns, for one time after the other.

        Raises
        ------
        ValueError
            If a time is negative or NaN, and where `predict` raises it.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the conditioning of the kernel matrix is felt at one of the times.
        """
        self._check_options(return_std, return_cov)
        X = self._validated(X)
        times = checked_times(training_times)
        duals = self._dual_coefs(self._y.reshape(len(self._y), -1), times)
        duals = duals.reshape(len(times), *self._y.shape)
        if return_std or return_cov:
            spread = self._spread(X, full=return_cov)
            return (
                self._restored(spread, dual, self._spread_factor(time))
                for dual, time in zip(duals, times, strict=True)
            )
        (cross,) = self._cross_gram(X, self._kind)
        return (self._targets.restored(cross @ dual) for dual in duals)

    def _scale_spread(self):
        self.scale_ = np.ones(self._y.shape[1:])[()]
        self.degrees_of_freedom_ = np.inf
        if self.uncertainty == "student_t":
            n = self._weight.sum() - self.normalize_y
            misfit = np.sum(self._y * self._at(np.inf).solve(self._y), axis=0)
            self.scale_ = (1.0 + misfit) / (1.0 + n)
            self.degrees_of_freedom_ = 3.0 + n
        self._spread_scale = self._targets.scale * np.sqrt(self.scale_)

    def _spread(self, X, full):
        if self.uncertainty != "ensemble":
            return PosteriorSpread(
                self._prior("ntk", X, full), *self._cross_gram(X, "ntk")
            )
        return EnsembleSpread(
            self._prior("nngp", X, full),
            *self._cross_gram(X, "ntk", "nngp"),
            self._train_gram("nngp", self.network_),
        )

    def _spread_factor(self, time=None):
        time = self.training_time if time is None else time
        return self._at(time if self.uncertainty == "ensemble" else 2.0 * time)


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
    {device}
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
        device=None,
        n_jobs=None,
        random_state=None,
    ):
        super().__init__(
            network, alpha=alpha, normalize_y=normalize_y, device=device, n_jobs=n_jobs
        )
        self.alpha_bounds = alpha_bounds
        self.optimizer = optimizer
        self.n_restarts_optimizer = n_restarts_optimizer
        self.random_state = random_state

    def _spread(self, X, full):
        prior = self._prior("nngp", X, full)
        return PosteriorSpread(prior, *self._cross_gram(X, "nngp"))

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


@with_shared_parameters
class NTKRegressorCV(RegressorSelection):
    r"""An `NTKRegressor` that chooses its hyperparameters without refitting.

    All candidates of a network come from one eigendecomposition of its kernel matrix,
    the best one included. With :math:`H = (\Theta + \alpha W^{-1})^{-1}`, predictions
    for rows R that were held out are, at the end of training,

    .. math:: y_R - (H_{RR})^{-1} (H (y - \bar y))_R

    with the mean :math:`\bar y` of the others. At finite times this is not true, but
    gradient flow is a sum of such regressions with complex alphas, so that held-out
    predictions are exact there, too: to rounding, those of a model that is fitted to
    the other rows alone.

    Parameters
    ----------
    {networks}
    {alphas}
    {depths}
    {training_times}
    {scoring} None: R².
    {cv}
    {learning_rate_cv}
    {normalize_y} The mean is that of the rows that are not held out.
    uncertainty : {"ensemble", "gp", "student_t"}, default="ensemble"
        What standard deviations and covariances mean, as in `NTKRegressor`.
    {n_jobs}

    Attributes
    ----------
    {search}
    best_estimator_ : NTKRegressor
        The best model, trained on all rows.
    {features}

    See Also
    --------
    NTKRegressor : Without a search.
    sklearn.linear_model.RidgeCV : The same idea for a linear model.
    sklearn_ntk.inspection.SelectionDisplay : A map of the scores.

    References
    ----------
    .. [1] Rasmussen, Williams (2006). Gaussian Processes for Machine Learning,
       section 5.4.2.
    .. [2] Pahikkala, Boberg, Salakoski (2006). Fast n-fold cross-validation for
       regularized least-squares.
    .. [3] Trefethen, Weideman, Schmelzer (2006). Talbot quadratures and rational
       approximations.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ntk import NTKRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = NTKRegressorCV(depths=[1, 2, 3], training_times=[10.0, 100.0])
    >>> model = make_pipeline(StandardScaler(), search).fit(X[:300], y[:300])
    >>> len(search.cv_results_["params"])
    66
    >>> search.training_time_
    100.0
    >>> model.score(X[300:], y[300:]) > 0.45
    True
    """

    _type = NTKRegressor
