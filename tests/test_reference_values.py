"""Against values computed independently; see tests/data/README.md."""

import json
from pathlib import Path

import numpy as np
import pytest

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

ACTIVATIONS = {
    "Relu": lambda s: networks.ReLU(),
    "LeakyRelu": lambda s: networks.LeakyReLU(s["alpha"]),
    "ABRelu": lambda s: networks.ABReLU(s["a"], s["b"]),
    "Abs": lambda s: networks.Abs(),
    "Identity": lambda s: networks.Identity(),
    "Erf": lambda s: networks.Erf(s.get("a", 1), s.get("b", 1), s.get("c", 0)),
    "Sin": lambda s: networks.Sin(s.get("a", 1), s.get("b", 1), s.get("c", 0)),
    "Cos": lambda s: networks.Cos(s.get("a", 1), s.get("b", 1), s.get("c", 0)),
    "Rbf": lambda s: networks.RBF(s["gamma"]),
    "Gaussian": lambda s: networks.Gaussian(s.get("a", 1), s.get("b", -1)),
    "Gelu": lambda s: networks.GELU(),
    "Sigmoid_like": lambda s: networks.SigmoidLike(),
    "Gabor": lambda s: networks.Gabor(),
    "Sign": lambda s: networks.Sign(),
    "Exp": lambda s: networks.Exp(s.get("a", 1), s.get("b", 1)),
    "ExpNormalized": lambda s: networks.ExpNormalized(
        s.get("gamma", 1), s.get("shift", -1)
    ),
    "Monomial": lambda s: networks.Monomial(s["degree"]),
    "RectifiedMonomial": lambda s: networks.RectifiedMonomial(s["degree"]),
    "Polynomial": lambda s: networks.Polynomial(s["coef"]),
    "Hermite": lambda s: networks.Hermite(s["degree"]),
    "LayerNorm": lambda s: networks.LayerNorm(),
    "Dropout": lambda s: networks.Dropout(
        0.0 if s["mode"] == "test" else 1.0 - s["rate"]
    ),
    "ElementwiseNumerical": lambda s: {
        "tanh": networks.Tanh,
        "sigmoid": networks.Sigmoid,
        "softplus": networks.Softplus,
        "swish": networks.SiLU,
        "elu": networks.ELU,
    }[s["fn"]](),
}
JOINTS = {
    "FanInSum": networks.Sum,
    "FanInProd": networks.Product,
    "FanInConcat": networks.Concatenate,
}


def layer(spec):
    """One layer of the reference's little language as one of ours."""
    if spec["type"] == "serial":
        return networks.Sequential(*layers(spec["layers"]))
    if spec["type"] == "Dense":
        return networks.Dense(
            spec["W_std"] ** 2,
            (spec["b_std"] or 0.0) ** 2,
            parametrization=spec.get("parameterization", "ntk"),
            width=spec.get("width", 32),
        )
    return ACTIVATIONS[spec["type"]](spec)


def layers(specs):
    """Layers in order, with a fan-out, its branches and their joint made one."""
    found, rest = [], list(specs)
    while rest:
        spec = rest.pop(0)
        if spec["type"] == "FanOut":
            branches, joint = rest.pop(0)["branches"], rest.pop(0)["type"]
            found.append(JOINTS[joint](*map(layer, branches)))
        else:
            found.append(layer(spec))
    return found


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
