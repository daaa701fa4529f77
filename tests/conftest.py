"""What all tests share: array API support switched on before SciPy is imported."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")


def read_only(array):
    """A copy that explodes when somebody writes to it."""
    array = np.array(array, dtype=float)
    array.flags.writeable = False
    return array


def awkward_rows(n_features=4, seed=0):
    """Generic rows with a duplicate, an antipodal, a parallel and a zero row."""
    rows = np.random.default_rng(seed).standard_normal((5, n_features))
    extra = [rows[0], -rows[1], 2.0 * rows[2], np.zeros(n_features)]
    return read_only(np.vstack([rows, extra]))


@pytest.fixture
def X():
    return read_only(np.random.default_rng(1).standard_normal((8, 4)))


@pytest.fixture
def awkward():
    return awkward_rows()
