"""Images, sequences and graphs against Neural Tangents; see tests/data/README.md."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import read_only
from reference_networks import layers

from sklearn_ntk import networks
from sklearn_ntk._engine import image_evaluation
from sklearn_ntk._engine.gram import gram
from sklearn_ntk.networks._inputs import Inputs
from sklearn_ntk.networks._pixels import Need

FILE = np.load(Path(__file__).parent / "data" / "reference_values_images.npz")
SPECS = json.loads(FILE["specs"].tobytes())
OF_PIXELS = [name for name in SPECS if "spatial_out" in name]
OF_ROWS = [name for name in SPECS if name not in OF_PIXELS]


def rows(spec):
    """Flat rows of X and Y, and how to read them."""
    X, Y = (FILE[spec[k]] for k in ("X", "Y"))
    if "graphs" in spec:
        edges = (np.swapaxes(FILE[key], 1, 2) for key in spec["graphs"])
        X, Y = (np.concatenate(p, axis=-1) for p in zip(edges, (X, Y), strict=True))
    return *(read_only(a.reshape(len(a), -1)) for a in (X, Y)), X.shape[1:]


def expected(name, kind, n):
    matrix = np.empty((n, n))
    upper = np.triu_indices(n)
    matrix[upper] = matrix.T[upper] = FILE[f"{name}/{kind}_xx"]
    return matrix


@pytest.mark.parametrize("few", [0, 2**60])
@pytest.mark.parametrize("name", OF_ROWS)
def test_agrees_with_reference(name, few, monkeypatch):
    """To 1e-10, and 1e-7 on the diagonal, where the reference is inexact.

    By programs, where layers can be traced, and by formulas.
    """
    monkeypatch.setattr(image_evaluation, "FEW", few)
    X, Y, shape = rows(SPECS[name])
    network = networks.Sequential(*layers(SPECS[name]["layers"]), input_shape=shape)
    kinds = ("nngp", "ntk")
    found = zip(
        kinds, gram(network, X, kinds=kinds), gram(network, X, Y, kinds=kinds), strict=1
    )
    for kind, K, K_cross in found:
        reference = expected(name, kind, len(X))
        off_diagonal = 1e-7 if name.startswith("awk") else 1e-10  # duplicates
        rtol = np.where(np.eye(len(X)), 1e-7, off_diagonal)
        scale = np.sqrt(np.outer(np.diag(reference), np.diag(reference)))
        tolerance = rtol * np.abs(reference) + 1e-15 * scale
        assert np.all(np.abs(K - reference) <= tolerance)
        cross = FILE[f"{name}/{kind}_xy"]
        assert np.all(np.abs(K_cross - cross) <= off_diagonal * np.abs(cross))


@pytest.mark.parametrize("name", OF_PIXELS)
@pytest.mark.parametrize("full", [True, False])
def test_pixels_agree_with_reference(name, full):
    """The state before any readout, for one pair of images."""
    X, Y, shape = rows(SPECS[name])
    inputs = Inputs(np, X[:1], Y[1:2]).as_images(shape, Need(full=full))
    for layer in layers(SPECS[name]["layers"]):
        inputs = layer.propagate(inputs)
    for kind in ("nngp", "ntk"):
        reference = FILE[f"{name}/{kind}_xy"]  # axes h, h', w, w'
        h, _, w, _ = reference.shape
        reference = reference.transpose(0, 2, 1, 3).reshape(h * w, h * w)
        found = getattr(inputs, kind)[..., 0, 0]
        reference = reference if full else np.diag(reference)
        np.testing.assert_allclose(found, reference, rtol=1e-10)
