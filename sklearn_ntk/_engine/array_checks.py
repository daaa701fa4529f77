"""Rows as arrays of NumPy or of other libraries, checked."""

import numpy as np
from sklearn.metrics.pairwise import check_pairwise_arrays
from sklearn.utils import check_array

from sklearn_ntk._engine.devices import detached, library, namespace
from sklearn_ntk._sklearn_private import array_api_compat

__all__ = ["checked_arrays", "checked_rows", "checked_weights", "precision"]


def precision(*arrays):
    """The dtype of a result: float32 where all arrays are, else float64."""
    xp = namespace(arrays[0])
    single = all(A is None or A.dtype == xp.float32 for A in arrays)
    return np.dtype(np.float32 if single else np.float64)


def checked_rows(X, Y=None, *, allow_nan=False):
    """Rows as float64 arrays of NumPy's, or as CSR arrays.

    Parameters
    ----------
    X, Y : array-like or sparse array
    allow_nan : bool, default=False
        Whether NaN says that a pixel does not exist.

    Raises
    ------
    ValueError
        If they are not finite rows with the same features.
    """
    options = {"accept_sparse": "csr", "dtype": np.float64}
    if allow_nan:
        options["ensure_all_finite"] = "allow-nan"
    if Y is None:
        return check_array(X, **options), None
    return check_pairwise_arrays(X, Y, **options)


def checked_arrays(X, Y=None, *, allow_nan=False):
    """Rows as float64 arrays of one library on one device.

    Parameters
    ----------
    X, Y : array or None
    allow_nan : bool, default=False
        Whether NaN says that a pixel does not exist.

    Raises
    ------
    TypeError
        If they are of two libraries.
    ValueError
        If they are on two devices, or not finite rows with the same real features.
    """
    if Y is None:
        return _checked(X, "X", allow_nan), None
    if X is Y:
        X = _checked(X, "X", allow_nan)
        return X, X
    _check_together(X, Y, "Y")
    X, Y = _checked(X, "X", allow_nan), _checked(Y, "Y", allow_nan)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            "X and Y must have the same number of features. Got X.shape = "
            f"{tuple(X.shape)} and Y.shape = {tuple(Y.shape)}."
        )
    return X, Y


def checked_weights(X, W):
    """One weight for each pair of rows of X, as a float64 array beside X.

    Raises
    ------
    TypeError
        If they are of two libraries.
    ValueError
        If they are on two devices, or W is not a finite matrix.
    """
    _check_together(X, W, "W")
    return _checked(W, "W")


def _check_together(X, Y, name):
    libraries = [library(A) for A in (X, Y)]
    if libraries[0] != libraries[1]:
        raise TypeError(
            f"X and {name} must be arrays of the same library. X is of "
            f"{libraries[0]} and {name} of {libraries[1]}: convert one of them."
        )
    devices = [array_api_compat.device(A) for A in (X, Y)]
    if devices[0] != devices[1]:
        raise ValueError(
            f"X and {name} must be on the same device. X is on {devices[0]!s} and "
            f"{name} on {devices[1]!s}: move one of them."
        )


def _checked(X, name, allow_nan=False):
    xp = namespace(X)
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead: {name} must have one row "
            "for each sample."
        )
    for count, what in zip(X.shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={tuple(X.shape)}) while a "
                f"minimum of 1 is required for {name}."
            )
    if xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported: {name} is of {X.dtype}.")
    # formulas write to arrays, and derivatives are ours
    X = xp.astype(detached(X), xp.float64, copy=False)
    if not xp.all(~xp.isinf(X) if allow_nan else xp.isfinite(X)):
        raise ValueError(
            f"Input {name} contains {'' if allow_nan else 'NaN, '}infinity."
        )
    return X
