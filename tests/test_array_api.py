"""The formulas on another array library, on a device that is not its default one."""

import array_api_strict as strict
import numpy as np
import pytest
from conftest import awkward_rows
from numpy.testing import assert_allclose
from zoo import NETWORKS

from sklearn_ntk.networks._inputs import Inputs

DEVICE = strict.Device("device1")


@pytest.mark.parametrize("name", NETWORKS)
def test_formulas_use_the_array_namespace_alone(name):
    rows = np.vstack([awkward_rows(), awkward_rows()[3] * (1 + 1e-9)])

    def ntk(xp, X):
        network = NETWORKS[name].build(Inputs(xp, X).standard_row())
        return network.propagate(Inputs(xp, X, X)).resolve().ntk

    elsewhere = ntk(strict, strict.asarray(rows, device=DEVICE))
    assert elsewhere.device == DEVICE
    K = np.asarray(strict.asarray(elsewhere, device=strict.Device("CPU_DEVICE")))
    expected = ntk(np, rows)
    assert_allclose(K, expected, rtol=1e-12, atol=1e-13 * np.max(np.abs(expected)))
