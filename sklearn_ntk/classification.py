"""Classification with infinitely wide networks."""

import numpy as np

from sklearn_ntk._estimators.classifier import NetworkClassifier
from sklearn_ntk._estimators.classifier_selection import ClassifierSelection
from sklearn_ntk._estimators.codes import per_class
from sklearn_ntk._estimators.cross_entropy import CrossEntropy
from sklearn_ntk._estimators.docs import with_shared_parameters
from sklearn_ntk._estimators.gradient_flow import GradientFlow, checked_times
from sklearn_ntk._solvers.held_out import HeldOut

__all__ = ["NNGPClassifier", "NTKClassifier", "NTKClassifierCV"]

TINY = 1e-12  # an alpha for held-out predictions where there is none


@with_shared_parameters
class NTKClassifier(CrossEntropy, GradientFlow, NetworkClassifier):
    r"""Classification by an infinitely wide network that gradient descent trains.

    Each class is a target, +1 for its own rows and -1 for all others, and gradient
    descent on the squared error moves the network in a time t to

    .. math::
        f_t(x) &= \bar y + \Theta(x, X) G^{-1}
            (I - e^{-\eta t\, G W / \sum_i w_i}) (y - \bar y), \\
        G &= \Theta(X, X) + \alpha W^{-1}

    with the neural tangent kernel :math:`\Theta`, the weights W of the rows and the
    learning rate :math:`\eta`; two classes share one target. The class with the
    largest value is predicted.

    Probabilities are a softmax of the values times one number, so that they agree with
    the prediction. It minimises the log loss of the exact leave-one-out predictions,
    which come from the one factorisation or decomposition of G.

    With ``loss="log_loss"`` the values are logits, and gradient descent on the
    cross-entropy moves them from those of the class frequencies, :math:`f_0`, by

    .. math::
        f_t(x) = f_0 + \Theta(x, X) c_t, \quad
        \dot c_t = \frac{\eta}{\sum_i w_i} \left( W (y - p(f_t)) - \alpha c_t \right)

    where p is the softmax, or the logistic function for two classes, and y is 1 for a
    row's own class and else 0. Probabilities are :math:`p(f_t)`. The end is
    the minimum of :math:`\sum_i w_i \ell_i + \frac\alpha2 \|f - f_0\|_\Theta^2`:
    kernel logistic regression with ``C = 1 / alpha``.

    Parameters
    ----------
    {network}
    loss : {"squared_error", "log_loss"}, default="squared_error"
        What gradient descent minimises. The squared error is solved in closed form,
        and its calibrated probabilities are the better ones on most tables. For
        "log_loss" an ODE solver follows the training, in steps that are many where
        rows are many and the training is very long, or Newton's method finds its end,
        which needs a positive `alpha`.
    {alpha}
    {training_time}
    {learning_rate}
    {class_weight}
    {device}
    {n_jobs}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels seen in rows of positive weight, sorted.
    dual_coef_ : ndarray of shape (n_samples_fitted, n_outputs)
        What :math:`\Theta(x, X)` is multiplied by; one output for two classes.
    intercept_ : ndarray of shape (n_outputs,)
        :math:`\bar y`, the weighted mean of the targets; with ``loss="log_loss"`` the
        logits of the weighted class frequencies, with a share of one row more.
    {fitted}

    See Also
    --------
    NNGPClassifier : With the kernel of the network at initialisation.
    sklearn.svm.SVC : Takes ``kernel=NTK()``.

    References
    ----------
    .. [1] Jacot, Gabriel, Hongler (2018). Neural tangent kernel: convergence and
       generalization in neural networks.
    .. [2] Arora et al. (2020). Harnessing the power of infinitely wide deep nets on
       small-data tasks.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ntk import NTKClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), NTKClassifier()).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.95
    True
    >>> model.predict_proba(X[1:3]).argmax(axis=1)
    array([0, 0])
    """

    _kind = "ntk"
    _parameter_constraints: dict = {
        **NetworkClassifier._parameter_constraints,
        **GradientFlow._parameter_constraints,
        **CrossEntropy._parameter_constraints,
    }

    def __init__(
        self,
        network=None,
        *,
        loss="squared_error",
        alpha=0.05,
        training_time=np.inf,
        learning_rate=1.0,
        class_weight=None,
        device=None,
        n_jobs=None,
    ):
        super().__init__(
            network,
            alpha=alpha,
            class_weight=class_weight,
            device=device,
            n_jobs=n_jobs,
        )
        self.loss = loss
        self.training_time = training_time
        self.learning_rate = learning_rate

    def staged_decision_function(self, X, training_times):
        """Values of the functions as if training stopped at each of several times.

        All times come from one decomposition, and do not depend on `training_time`.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `decision_function`.
        training_times : array-like of shape (n_times,)
            Times >= 0, infinity included, in any order.

        Returns
        -------
        generator
            Of what `decision_function` returns, for one time after the other.

        Raises
        ------
        ValueError
            If a time is negative or NaN.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the conditioning of the kernel matrix is felt at one of the times.
        """
        stages = self._staged_values(X, training_times)
        return (self._decisions(values) for values in stages)

    def staged_predict(self, X, training_times):
        """Predict labels as if training stopped at each of several times.

        Parameters
        ----------
        X, training_times
            As for `staged_decision_function`.

        Returns
        -------
        generator
            Of what `predict` returns, for one time after the other.
        """
        stages = self._staged_values(X, training_times)
        return (self._winners(values) for values in stages)

    def staged_predict_proba(self, X, training_times):
        """Probabilities as if training stopped at each of several times.

        Those of each time are calibrated on leave-one-out predictions at that time.

        Parameters
        ----------
        X, training_times
            As for `staged_decision_function`.

        Returns
        -------
        generator
            Of what `predict_proba` returns, for one time after the other.
        """
        stages = self._staged_values(X, training_times)
        return (
            self._calibrated_at(time).predict(per_class(values))
            for time, values in zip(training_times, stages, strict=True)
        )

    def _staged_values(self, X, training_times):
        X = self._validated(X)
        duals = self._dual_coefs(self._targets, checked_times(training_times))
        (cross,) = self._cross_gram(X, self._kind)
        return (cross @ dual + self.intercept_ for dual in duals)

    def _unseen(self, time=None):
        time = self.training_time if time is None else time
        if np.isinf(time) and np.isinf(self.training_time):
            return super()._unseen()
        held_out = HeldOut(
            self._spectral(), self._targets + self.intercept_, centred=True
        )
        alphas = np.array([max(self._common_alpha(), TINY)])
        times = np.array([self.learning_rate * time])
        return held_out.one_by_one(alphas, times, self._unit)[0, 0]


@with_shared_parameters
class NNGPClassifier(NetworkClassifier):
    r"""Classification by least squares with the kernel of a random infinite network.

    As `NTKClassifier`, with the NNGP kernel, the covariance of the network at random
    weights, in the place of the neural tangent kernel: only the readout is trained.

    Parameters
    ----------
    {network}
    {alpha}
    {class_weight}
    {device}
    {n_jobs}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels seen in rows of positive weight, sorted.
    dual_coef_ : ndarray of shape (n_samples_fitted, n_outputs)
        :math:`G^{-1} (y - \bar y)`; one output for two classes.
    intercept_ : ndarray of shape (n_outputs,)
        :math:`\bar y`, the weighted mean of the targets.
    {fitted}

    See Also
    --------
    NTKClassifier : All layers are trained, by gradient descent.
    sklearn.gaussian_process.GaussianProcessClassifier : Takes ``kernel=NNGP()``.

    References
    ----------
    .. [1] Lee et al. (2018). Deep neural networks as Gaussian processes.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ntk import NNGPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), NNGPClassifier()).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.95
    True
    """

    _kind = "nngp"


@with_shared_parameters
class NTKClassifierCV(ClassifierSelection):
    r"""An `NTKClassifier` that chooses its hyperparameters without refitting.

    All candidates of a network come from one eigendecomposition of its kernel matrix,
    the best one included. Decision values of held-out rows are exact at any training
    time, as in `NTKRegressorCV`: to rounding, those of a model that is fitted to the
    other rows alone. Probabilities are made of them by one number for each candidate,
    which minimises the log loss of its held-out decision values.

    Parameters
    ----------
    {networks}
    {alphas}
    {depths}
    {training_times}
    {scoring} None: minus the log loss, which tells candidates of the same accuracy
        apart.
    {cv}
    {learning_rate_cv}
    {class_weight} Scores have these weights, too, and "balanced" counts all rows, held
        out or not.
    {n_jobs}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels seen in rows of positive weight, sorted.
    {search}
    best_estimator_ : NTKClassifier
        The best model, trained on all rows.
    {features}

    See Also
    --------
    NTKClassifier : Without a search.
    sklearn.linear_model.RidgeClassifierCV : The same idea for a linear model.
    sklearn_ntk.inspection.SelectionDisplay : A map of the scores.

    References
    ----------
    .. [1] Rasmussen, Williams (2006). Gaussian Processes for Machine Learning,
       section 5.4.2.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ntk import NTKClassifierCV
    >>> X, y = load_wine(return_X_y=True)
    >>> search = NTKClassifierCV(depths=[1, 3], scoring=["neg_log_loss", "accuracy"])
    >>> model = make_pipeline(StandardScaler(), search).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.95
    True
    >>> search.cv_results_["mean_test_accuracy"].shape
    (22,)
    """

    _type = NTKClassifier
