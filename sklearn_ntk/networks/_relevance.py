"""Gradients in one length scale per feature (automatic relevance determination)."""

import threading

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.forward_mode import value_of
from sklearn_ntk.networks._pairs import ratio, sign_of

__all__ = ["VectorSeed"]

CLOSE = 1e-3  # sine below which terms of a contraction would cancel
GATHERED = 2**22  # numbers held at once while close pairs are looked at


class VectorSeed:
    """One length scale per feature, to be differentiated.

    Instead of a direction for each of the d features, the network is
    differentiated along the two rows' scales and their angle (and the scale of the
    row that fixes the output's unit), which the chain rule turns into d gradients.

    Parameters
    ----------
    value : ndarray of shape (d,)
    name : str
        Of the hyperparameter.
    """

    n_evaluated = 6  # arrays that `evaluated` returns

    def __init__(self, value, name):
        self.value = value
        self.directions = tuple((name, part) for part in ("x", "y", "angle", "unit"))
        self.unit = None
        self._local = threading.local()

    @property
    def inputs(self):
        """The inputs that this thread has seen last."""
        return self._local.inputs

    @inputs.setter
    def inputs(self, inputs):
        self._local.inputs = inputs

    def evaluated(self, tangents):
        """What the derivatives of a kernel follow from, pair by pair.

        Parameters
        ----------
        tangents : dict
            Of the kernel, along this seed's directions.

        Returns
        -------
        list of array
            Slopes in the two scales, the angle and the unit; cosine and sine.
        """
        pairs = self.inputs.resolve()
        slopes = [tangents.get(direction, 0.0) for direction in self.directions]
        return [*slopes, value_of(pairs.cos), value_of(pairs.sin)]

    @property
    def unit_rows(self):
        """The rows whose angles are differentiated, divided by their lengths."""
        return self.inputs.unit_rows[0]

    def gradients(self, xp, evaluated, X, Y, *, paired=False):
        """Derivatives in the logarithms of the features' length scales.

        Parameters
        ----------
        xp : namespace
        evaluated : list of array
        X, Y : array or CSR array
            The unit rows of the pairs.
        paired : bool, default=False
            Whether rows are paired one to one.

        Yields
        ------
        array
            For one feature after the other.
        """
        along_x, along_y, angle, unit, cos, sin = evaluated
        for feature, unit_slope in enumerate(self._unit_slope().tolist()):
            x, y = _column(X, feature), _column(Y, feature)
            if not paired:
                x, y = x[:, None], y[None, :]
            total = angle * _angle_slope(xp, cos, sin, x, y) - x**2 * along_x
            yield total - y**2 * along_y - unit_slope * unit

    def contraction(self, xp, evaluated, weights, X, Y):
        """Derivatives of ``sum(weights * block)`` in all features' length scales.

        Parameters
        ----------
        xp, evaluated, X, Y
            As for `gradients`.
        weights : array of shape (n, m)

        Returns
        -------
        array of shape (d,)
        """
        along_x, along_y, angle, unit, cos, sin = evaluated
        total = _angle_contraction(xp, X, Y, weights * angle, cos, sin)
        total = total - _square(X).T @ xp.sum(weights * along_x, axis=1)
        total = total - _square(Y).T @ xp.sum(weights * along_y, axis=0)
        unit_slope = xp.asarray(self._unit_slope(), device=cos.device)
        return total - unit_slope * xp.sum(weights * unit)

    def _unit_slope(self):
        """What each feature has of the standard row's squared length."""
        if self.unit is None:
            return np.zeros(len(self.value))
        (row, _) = self.unit.unit_rows
        return row[0] ** 2


def _angle_contraction(xp, X, Y, weights, cos, sin):
    """``sum(weights * slope)`` by matrix products, but for pairs that are close."""
    far = sin > CLOSE
    weights_far = xp.where(far, weights / xp.where(far, sin, 1.0), 0.0)
    diagonal = weights_far * cos
    total = 2.0 * _cross(xp, X, weights_far, Y)
    total = total - _square(X).T @ xp.sum(diagonal, axis=1)
    total = total - _square(Y).T @ xp.sum(diagonal, axis=0)
    close = (sin > 0) & ~far & (weights != 0)
    if not xp.any(close):
        return total
    rows, columns = xp.nonzero(close)
    weights, cos, sin = weights[close], cos[close], sin[close]
    step = max(1, GATHERED // X.shape[1])
    for start in range(0, rows.shape[0], step):
        part = slice(start, min(start + step, rows.shape[0]))
        x, y = _taken(xp, X, rows[part]), _taken(xp, Y, columns[part])
        slopes = _angle_slope(xp, cos[part][:, None], sin[part][:, None], x, y)
        total = total + weights[part] @ slopes
    return total


def _angle_slope(xp, cos, sin, x, y):
    """Derivative of the angle, given one feature of the unit rows.

    It is ``-(cos * (x**2 + y**2) - 2 * x * y) / sin``, rearranged so that nothing
    cancels at either end of the angle; 0 where rows are parallel.
    """
    sign = sign_of(xp, cos)
    inverse = ratio(xp, xp.ones_like(sin), sin)
    slope = 2.0 * x * y * sin / (1.0 + sign * cos) - cos * inverse * (x - sign * y) ** 2
    return xp.where(sin > 0, slope, 0.0)


def _cross(xp, X, weights, Y):
    """``sum_ij weights_ij X_if Y_jf`` for every feature f."""
    if sparse.issparse(X):
        return np.asarray(X.multiply(weights @ Y).sum(axis=0)).ravel()
    return xp.sum(X * (weights @ Y), axis=0)


def _square(X):
    return X.multiply(X) if sparse.issparse(X) else X * X


def _taken(xp, X, index):
    return X[index].toarray() if sparse.issparse(X) else xp.take(X, index, axis=0)


def _column(X, feature):
    if sparse.issparse(X):
        return X[:, [feature]].toarray().ravel()
    return X[:, feature]
