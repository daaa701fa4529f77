"""Looking at kernels, fits and searches."""

from sklearn_ntk.inspection._selection import SelectionDisplay

__all__ = ["SelectionDisplay"]
