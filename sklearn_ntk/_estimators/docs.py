"""Descriptions of parameters that several estimators share."""

import inspect

__all__ = ["with_shared_parameters"]

PARAMETERS = {
    "network": """\
network : Layer, "precomputed" or None, default=None
    The infinitely wide network: one of :mod:`sklearn_ntk.networks`. None means
    ``MLP()``, and its parameters can be reached as ``network__depth`` and so on.
    With "precomputed", X is a Gram matrix: to fit, of the rows with each other; to
    predict, of the new rows (down) with all rows that were given to fit.""",
    "alpha": """\
alpha : float or array-like of shape (n_samples,), default=0.05
    What is added to the diagonal of the kernel matrix: the variance of the noise,
    or the strength of the regularisation. It is absolute, in the kernel's own units
    (and of the standardised targets): ``MLP()`` is scaled so that the neural tangent
    kernel is 1 at a standardised row, and then 0.01 to 0.1 suits most tables, less
    where the targets are clean. One per row where some are noisier than others.""",
    "training_time": """\
training_time : float, default=np.inf
    How long gradient descent goes on: about this many steps of size `learning_rate`
    on the (weighted) mean over rows of half the squared error. 0 leaves the network
    untrained, and to stop early regularises.""",
    "learning_rate": """\
learning_rate : float, default=1.0
    The speed of gradient descent. Steps are infinitely small, so that only its
    product with `training_time` matters.""",
    "normalize_y": """\
normalize_y : bool, default=True
    Whether to centre and scale each target before the fit. Predictions are in the
    targets' own units in either case.""",
    "class_weight": """\
class_weight : dict, "balanced" or None, default=None
    How often a row of each class counts, beside its sample weight: a dict from labels
    to positive numbers, 1 where it has none; with "balanced", all classes count
    the same together. Rows that count more have a smaller `alpha`, and
    probabilities are those where classes are as frequent as their weights say.""",
    "n_jobs": """\
n_jobs : int or None, default=None
    Number of threads that compute the kernel. None means all cores, as for BLAS.""",
    "fitted": """\
network_ : Layer or "precomputed"
    The network that was used.
X_fit_ : ndarray or CSR array of shape (n_samples_fitted, n_features)
    The rows of X of positive weight; their Gram matrix, where it is precomputed.
n_features_in_ : int
    Number of features seen in :term:`fit`.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of features seen in :term:`fit`, where X has names that are all strings.""",
}


def with_shared_parameters(cls):
    """Put the shared descriptions in the place of ``{name}`` in a class's docstring."""
    if cls.__doc__ is not None:
        doc = inspect.cleandoc(cls.__doc__)
        for name, description in PARAMETERS.items():
            doc = doc.replace(f"{{{name}}}", description)
        cls.__doc__ = doc
    return cls
