"""Descriptions of parameters that several estimators share."""

import inspect

__all__ = ["with_shared_parameters"]

PARAMETERS = {
    "network": """\
network : Layer, "precomputed" or None, default=None
    The infinitely wide network: one of :mod:`sklearn_ntk.networks`. None means
    ``MLP()``, and its parameters can be reached as ``network__depth`` and so on.
    With "precomputed", X is a Gram matrix: to fit, of the rows with each other; to
    predict, of the new rows (down) with all rows that were given to fit. With a
    network on graphs, such as `GraphNetwork`, X is a list of graphs; see
    `GraphNTK`.""",
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
    "device": """\
device : "cuda" or None, default=None
    What computes the kernel matrices and factorises them: "cuda" GPUs, by CuPy, to
    which the rows are moved and from which the matrices come back; None the processor.
    It also factorises what a GPU has no room for, and does all else.""",
    "n_jobs": """\
n_jobs : int or None, default=None
    Number of threads that compute the kernel. None means all cores, as for BLAS.""",
    "networks": """\
network : Layer, list of Layer, "precomputed" or None, default=None
    The infinitely wide network, or several to choose from: of
    :mod:`sklearn_ntk.networks`. None means ``MLP()``. With "precomputed", X is a Gram
    matrix: to fit, of the rows with each other; to predict, of the new rows (down)
    with all rows that were given to fit. With networks on graphs, such as
    `GraphNetwork`, X is a list of graphs; see `GraphNTK`.""",
    "alphas": """\
alphas : array-like of shape (n_alphas,), default=(1e-4, 3e-4, ..., 3.0, 10.0)
    Positive values of alpha, in the kernel's own units: ``MLP()`` is scaled so that
    the neural tangent kernel is 1 at a standardised row. More of them cost little.""",
    "depths": """\
depths : array-like of int, default=None
    Depths of each network, which must have one, as `MLP` does. The kernel matrices
    come from one pass over the deepest. None: the network's own.""",
    "training_times": """\
training_times : array-like of shape (n_times,), default=None
    Times from 0 to infinity at which training may stop. None: it goes on to the
    end. More of them cost little.""",
    "learning_rate_cv": """\
learning_rate : float, default=1.0
    The speed of gradient descent, which multiplies training times.""",
    "scoring": """\
scoring : str, callable, list of str, tuple of str or dict, default=None
    One score or several, as in :class:`~sklearn.model_selection.GridSearchCV`; larger
    is better, and the first of several selects. They see held-out predictions, with
    the sample weights where they take these.""",
    "cv": """\
cv : int, splitter or iterable of (train, test), default=None
    What is held out together. None: each row alone, and a score is computed once,
    of all held-out predictions. Otherwise as in
    :class:`~sklearn.model_selection.GridSearchCV`, with the mean of the scores of
    all splits; rows of weight 0 are removed before, and test rows must not be for
    training.""",
    "search": """\
alpha_ : float
    The best alpha.
training_time_ : float
    The best training time.
depth_ : int or None
    Depth of the best network; None where it has no depth.
network_ : Layer or "precomputed"
    The best network.
best_score_ : float
    The best score.
best_params_ : dict
    What was chosen, of what was searched: "network", "depth", "alpha" and
    "training_time".
best_index_ : int
    Where the best candidate is in `cv_results_`.
cv_results_ : dict of str to array or list
    All candidates and their scores, laid out as by
    :class:`~sklearn.model_selection.GridSearchCV`: ``params``, ``param_alpha``,
    ``mean_test_score``, ``rank_test_score`` and, with `cv`, ``std_test_score``
    and ``split0_test_score``. Several scores have their names in the place of
    "score".""",
    "features": """\
n_features_in_ : int
    Number of features seen in :term:`fit`.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of features seen in :term:`fit`, where X has names that are all strings.""",
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
