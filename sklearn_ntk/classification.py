"""Classification with infinitely wide networks."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from sklearn_ntk._estimators.base import NetworkEstimator, noise_of
from sklearn_ntk._estimators.calibration import SoftmaxScale
from sklearn_ntk._estimators.class_weights import weight_of_rows
from sklearn_ntk._estimators.docs import with_shared_parameters
from sklearn_ntk._sklearn_private import StrOptions, _fit_context
from sklearn_ntk._solvers.leave_one_out import leave_one_out

__all__ = ["NNGPClassifier", "NTKClassifier"]


class _NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """What the two classifiers share: all but the kernel."""

    _parameter_constraints: dict = {
        **NetworkEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(self, network=None, *, alpha=0.05, class_weight=None, n_jobs=None):
        self.network = network
        self.alpha = alpha
        self.class_weight = class_weight
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; a Gram matrix of shape (n_samples, n_samples) where `network` is
            "precomputed". Standardise features of different units.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts exactly as the row given twice, and one of
            weight 0 not at all.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or there is only one class.
        numpy.linalg.LinAlgError
            If a precomputed matrix is not positive semi-definite.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If alpha is too small for the conditioning, with the jitter added.
        """
        X, y = self._validated_for_fit(X, y)
        check_classification_targets(y)
        y, weight, alpha = self._keep_rows(X, y, sample_weight)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes in rows of positive "
                f"weight; got 1 class, {self.classes_.tolist()}."
            )
        unit = weight_of_rows(self.class_weight, self.classes_, labels, weight)
        total, rows = weight * unit, weight.sum()
        codes = _codes(labels, len(self.classes_))
        noise = noise_of(alpha, total)
        factor = self._factorize(self._train_gram(self._kind, self.network_), noise)
        self.intercept_ = total @ codes / total.sum()
        self.dual_coef_ = factor.solve(codes - self.intercept_)
        unseen = leave_one_out(factor, codes, noise, total, unit)
        self._probabilities = SoftmaxScale.fit(
            _per_class(unseen), labels, total * (rows / total.sum())
        )
        return self

    def decision_function(self, X):
        """Values of the fitted functions: the larger, the more likely the class.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            Rows; where `network` is "precomputed" the kernel between them and all
            rows that were given to fit, one in a column.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes one value, positive for ``classes_[1]``.
        """
        values = self._values(X)
        return values[:, 0] if len(self.classes_) == 2 else values

    def _values(self, X):
        X = self._validated(X)
        (cross,) = self._cross_gram(X, self._kind)
        return cross @ self.dual_coef_ + self.intercept_

    def predict_proba(self, X):
        """Probabilities of the classes, calibrated on leave-one-out predictions.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`. The largest is that of `predict`.
        """
        values = self._values(X)
        return self._probabilities.predict(_per_class(values))

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
            As for `decision_function`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        values = self._values(X)
        return self.classes_[np.argmax(_per_class(values), axis=1)]


def _codes(labels, n_classes):
    """Targets -1 and +1: one column for two classes, else one column for each."""
    codes = np.where(labels[:, None] == np.arange(n_classes), 1.0, -1.0)
    return codes[:, 1:] if n_classes == 2 else codes


def _per_class(values):
    """One decision value per class, for two classes of opposite signs."""
    return np.hstack([-0.5 * values, 0.5 * values]) if values.shape[1] == 1 else values


@with_shared_parameters
class NTKClassifier(_NetworkClassifier):
    r"""Classification by an infinitely wide network trained to the end.

    Each class is a target, +1 for its own rows and -1 for all others, and gradient
    descent on the squared error of the network ends at

    .. math:: f(x) = \bar y + \Theta(x, X) G^{-1} (y - \bar y),
        \quad G = \Theta(X, X) + \alpha W^{-1}

    with the neural tangent kernel :math:`\Theta` and the weights W of the rows; two
    classes share one target. The class with the largest value is predicted.

    Probabilities are a softmax of the values times one number, so that they agree with
    the prediction. It minimises the log loss of the exact leave-one-out predictions,
    which come from the one factorisation of G.

    Parameters
    ----------
    {network}
    {alpha}
    {class_weight}
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


@with_shared_parameters
class NNGPClassifier(_NetworkClassifier):
    r"""Classification by least squares with the kernel of a random infinite network.

    As `NTKClassifier`, with the NNGP kernel, the covariance of the network at random
    weights, in the place of the neural tangent kernel: only the readout is trained.

    Parameters
    ----------
    {network}
    {alpha}
    {class_weight}
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
