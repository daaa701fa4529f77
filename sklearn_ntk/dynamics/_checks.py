"""Checks of what the functions of this package are given."""

from numbers import Real

import numpy as np
from sklearn.utils import check_array

from sklearn_ntk._sklearn_private import _check_sample_weight

__all__ = [
    "checked_cross",
    "checked_gram",
    "checked_rate",
    "checked_rows",
    "checked_start",
    "checked_times",
]

ASYMMETRY = 1e-8  # of a kernel matrix, relative to its largest entry


def checked_gram(K, name="k_train_train"):
    """A square and symmetric matrix of float64."""
    K = check_array(K, dtype=np.float64, input_name=name)
    if K.shape[0] != K.shape[1]:
        raise ValueError(f"{name} must be a square matrix. Got shape {K.shape}.")
    gap, size = np.max(np.abs(K - K.T)), np.max(np.abs(K))
    if gap > ASYMMETRY * size:
        raise ValueError(
            f"{name} must be symmetric. Entries differ by up to {gap:.2g} from those "
            "of its transpose."
        )
    return K


def checked_cross(K, n_train, name="k_test_train"):
    """A kernel matrix of new rows with the rows of the fit."""
    K = check_array(K, dtype=np.float64, input_name=name)
    if K.shape[1] != n_train:
        raise ValueError(
            f"{name} must have shape (n_test, {n_train}), new rows down and rows of "
            f"the fit across. Got {K.shape}."
        )
    return K


def checked_start(f0, shape, name):
    """A function at the start, broadcast to `shape`."""
    f0 = np.asarray(f0, dtype=np.float64)
    try:
        f0 = np.broadcast_to(f0, shape)
    except ValueError:
        raise ValueError(
            f"{name} must have shape {shape}, or broadcast to it. Got {f0.shape}."
        ) from None
    if not np.all(np.isfinite(f0)):
        raise ValueError(f"{name} must be finite.")
    return f0


def checked_rows(gram, alpha, sample_weight):
    """Weights and alphas of the rows."""
    weight = _check_sample_weight(
        sample_weight, gram, dtype=np.float64, ensure_non_negative=True
    )
    if not np.any(weight):
        raise ValueError("sample_weight must have a positive element. All are 0.")
    alpha = np.asarray(alpha, dtype=np.float64)
    shaped = alpha.ndim == 0 or alpha.shape == weight.shape
    if not (shaped and np.all(np.isfinite(alpha)) and np.all(alpha >= 0)):
        raise ValueError(
            "alpha must be a float in the range [0.0, inf) or an array of such floats "
            f"of shape {weight.shape}. Got {alpha!r}."
        )
    return weight, np.broadcast_to(alpha, weight.shape)


def checked_rate(learning_rate):
    """A positive and finite number."""
    if not (isinstance(learning_rate, Real) and 0 < learning_rate < np.inf):
        raise ValueError(
            "learning_rate must be a float in the range (0.0, inf). Got "
            f"{learning_rate!r}."
        )
    return float(learning_rate)


def checked_times(times, *, name="times", finite=False):
    """Times as an array of shape (n_times,), and whether one number was given."""
    given = np.asarray(times, dtype=np.float64)
    allowed = given >= 0 if not finite else (given >= 0) & np.isfinite(given)
    if given.ndim > 1 or not np.all(allowed):
        end = ")" if finite else "]"
        raise ValueError(
            f"{name} must be a float in the range [0.0, inf{end} or an array of such "
            f"floats of shape (n_times,). Got {times!r}."
        )
    return np.atleast_1d(given), given.ndim == 0
