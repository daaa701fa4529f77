"""What the rows of each class count."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from sklearn_ntk._sklearn_private import InvalidParameterError

__all__ = ["weight_of_rows"]


def weight_of_rows(class_weight, classes, labels, sample_weight):
    """The weight that `class_weight` gives to each row, 1 where it gives none.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        As scikit-learn has it.
    classes : ndarray of shape (n_classes,)
        Those without a row do not matter to "balanced".
    labels : ndarray of int, shape (n,)
        Indices into `classes`.
    sample_weight : ndarray of shape (n,)
        What "balanced" counts classes by.

    Raises
    ------
    ValueError
        If a weight is not positive and finite, or a dict names other classes.
    """
    weights, seen = np.ones(len(classes)), np.arange(len(classes))
    if class_weight == "balanced":
        seen = np.unique(labels)
    weights[seen] = compute_class_weight(
        class_weight,
        classes=classes[seen],
        y=classes[labels],
        sample_weight=sample_weight,
    )
    if not (np.all(np.isfinite(weights)) and np.all(weights > 0)):
        raise InvalidParameterError(
            "The 'class_weight' parameter must hold weights that are positive and "
            f"finite. Got {class_weight!r} instead."
        )
    return weights[labels]
