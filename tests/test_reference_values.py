"""Against values computed independently; see tests/data/README.md."""

import json
from pathlib import Path

import numpy as np
import pytest
from reference_networks import layers

from sklearn_ntk import networks
from sklearn_ntk._engine.gram import gram

FILE = np.load(Path(__file__).parent / "data" / "reference_values.npz")
SPECS = json.loads(FILE["specs"].tobytes())

# Where Neural Tangents itself is inexact: near-duplicates, the zero row (eps of
# LayerNorm and ExpNormalized's clipping), rows of size 1e-8, 1e8 and 1e-160.
SOUND_AWKWARD_ROWS = [0, 3, 4, 11, 12]
# Eighty digits do not reach 1e-160: the exact values there are 0 where ours are not.
WITHOUT_TINY_ROW = [*range(10), 11, 12]
BY_QUADRATURE = ("tanh_deg25", "elu_deg100")  # of Neural Tangents', 1e-3 to 1e-6 off


def expected(name, kind, n):
    matrix = np.empty((n, n))
    upper = np.triu_indices(n)
    matrix[upper] = matrix.T[upper] = FILE[f"{name}/{kind}"]
    return matrix


def assert_agree(K, reference, rtol, rounding=1e-15):
    """Entry by entry, where the reference is a number, but for what a float can hold.

    `rounding` is relative to the diagonal: it counts where an entry has cancelled.
    """
    with np.errstate(invalid="ignore"):
        norm = np.sqrt(np.abs(np.diag(K)))
        rounding = np.nan_to_num(rounding * np.outer(norm, norm)) + 1e-307
        close = np.abs(K - reference) <= rtol * np.abs(reference) + rounding
    assert np.all(close | (reference == K) | np.isnan(reference))


def rows_to_compare(name, source, n):
    if not name.startswith("awk_"):
        return list(range(n))
    if source == "neural_tangents":
        return SOUND_AWKWARD_ROWS
    return WITHOUT_TINY_ROW if "fc_sin_" in name and "b0" in name else list(range(n))


@pytest.mark.filterwarnings("ignore:The kernel overflows:RuntimeWarning")
@pytest.mark.parametrize(
    "name", [n for n in SPECS if not any(q in n for q in BY_QUADRATURE)]
)
def test_agrees_with_reference(name):
    spec = SPECS[name]
    X = FILE[spec["X"]]
    network = networks.Sequential(*layers(spec["layers"]))
    rows = rows_to_compare(name, spec["source"], X.shape[0])
    rtol = 1e-12 if spec["source"] == "exact" else 1e-10
    rounding = 1e-14 if "ElementwiseNumerical" in str(spec) else 1e-15
    for kind, K in zip(
        ("nngp", "ntk"), gram(network, X, kinds=("nngp", "ntk")), strict=True
    ):
        reference = expected(name, kind, X.shape[0])
        assert not np.isnan(K).any()
        pairs = np.ix_(rows, rows)
        assert_agree(K[pairs], reference[pairs], rtol, rounding)


@pytest.mark.parametrize("name", [n for n in SPECS if n.startswith("awk_fc_relu")])
def test_relu_is_the_rectified_monomial_of_degree_one(name):
    spec = SPECS[name]
    X = FILE[spec["X"]]
    text = json.dumps(spec["layers"])
    text = text.replace('"Relu"', '"RectifiedMonomial", "degree": 1')
    (K,) = gram(networks.Sequential(*layers(json.loads(text))), X)
    (expected_K,) = gram(networks.Sequential(*layers(spec["layers"])), X)
    assert_agree(K, expected_K, rtol=1e-12)
