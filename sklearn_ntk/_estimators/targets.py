"""Centring and scaling of targets, and the way back."""

from dataclasses import dataclass

import numpy as np

__all__ = ["TargetScale"]

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class TargetScale:
    """The affine map between targets and standardised targets.

    Parameters
    ----------
    mean, scale : float or ndarray of shape (n_targets,)
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def identity(cls, y):
        """No centring and no scaling of targets like y."""
        return cls(np.zeros(y.shape[1:]), np.ones(y.shape[1:]))

    @classmethod
    def of(cls, y, weight):
        """Weighted mean and standard deviation of y; a constant y is not scaled."""
        size = np.max(np.abs(y), axis=0)
        unit = y / np.where(size > 0, size, 1.0)
        mean = np.average(unit, axis=0, weights=weight)
        std = np.sqrt(np.average((unit - mean) ** 2, axis=0, weights=weight))
        return cls(mean * size, np.where(std > 10 * EPS, std * size, 1.0))

    def standardized(self, y):
        """Targets with mean 0 and standard deviation 1."""
        return (y - self.mean) / self.scale

    def restored(self, mean):
        """Predictions in the targets' units."""
        return mean * self.scale + self.mean
