"""From decision values to probabilities."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

__all__ = ["SoftmaxScale"]

SCALES = (1e-3, 1e4)


@dataclass(frozen=True)
class SoftmaxScale:
    r"""Probabilities as a softmax of decision values with one common scale.

    .. math:: p_c(x) = \frac{\exp(s f_c(x))}{\sum_{c'} \exp(s f_{c'}(x))}

    One positive number s for all classes: the most probable class is the one with
    the largest decision value, always.

    Parameters
    ----------
    scale : float

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger (2017). On calibration of modern neural
       networks.
    .. [2] Platt (1999). Probabilistic outputs for support vector machines.
    """

    scale: float

    @classmethod
    def fit(cls, decisions, labels, weight):
        """The scale that minimises the weighted log loss.

        Regularised in the manner of Platt: of N rows each is taken to have its own
        class with certainty N / (N + 1), and any with the rest. On eight tables this
        was better than room for one row per class, by far where classes are many.

        Parameters
        ----------
        decisions : ndarray of shape (n, n_classes)
            Of rows that the model has not seen.
        labels : ndarray of int, shape (n,)
        weight : ndarray of shape (n,)
        """
        targets = _smoothed(labels, weight, decisions.shape[1])

        def slope(scale):
            misfit = softmax(scale * decisions, axis=1) - targets
            return weight @ np.sum(misfit * decisions, axis=1)

        low, high = SCALES
        if slope(low) >= 0:
            return cls(low)
        return cls(high if slope(high) <= 0 else brentq(slope, low, high))

    def predict(self, decisions):
        """Probabilities, of the shape of `decisions`."""
        return softmax(self.scale * decisions, axis=1)


def _smoothed(labels, weight, n_classes):
    """Each row's label as a distribution that leaves room for the unseen."""
    certainty = weight.sum() / (weight.sum() + 1.0)
    return certainty * np.eye(n_classes)[labels] + (1.0 - certainty) / n_classes
