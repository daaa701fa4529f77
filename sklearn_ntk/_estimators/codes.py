"""Labels as targets of a regression, and what its values say of classes."""

import numpy as np

__all__ = ["codes_of", "per_class"]


def codes_of(labels, n_classes):
    """Targets -1 and +1: one column for two classes, else one column for each."""
    codes = np.where(labels[:, None] == np.arange(n_classes), 1.0, -1.0)
    return codes[:, 1:] if n_classes == 2 else codes


def per_class(values):
    """One decision value per class, for two classes of opposite signs."""
    return np.hstack([-0.5 * values, 0.5 * values]) if values.shape[1] == 1 else values
