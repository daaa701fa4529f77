"""Ready-made networks on images and sequences."""

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_ntk import NNGP, NTK, NTKClassifier, NTKRegressor
from sklearn_ntk.networks import (
    AvgPool,
    Conv,
    ConvNet,
    Dense,
    Flatten,
    Myrtle,
    ReLU,
    Sequential,
    Transformer,
    WideResNet,
)

FREE = {"bias_variance": 0.2, "weight_variance_bounds": (1e-3, 1e3)}
ARCHITECTURES = {
    "average": ConvNet(2, input_shape=(4, 4, 2), **FREE),
    "flatten": ConvNet(2, "flatten", "erf", input_shape=(16, 2), stride=2, **FREE),
    "myrtle": Myrtle(5, input_shape=(4, 4, 2), **FREE),
    "wide_resnet": WideResNet(10, input_shape=(4, 4, 2), **FREE),
    "transformer": Transformer(1, input_shape=(16, 2), **FREE),
}


@pytest.fixture
def X():
    return read_only(np.random.default_rng(0).standard_normal((6, 32)))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_kernel_is_that_of_its_layers(name, X):
    network = ARCHITECTURES[name]
    for kernel in (NTK, NNGP):
        K = kernel(network)(X)
        assert_allclose(K, kernel(network.sequential())(X), rtol=1e-13)
        assert_allclose(K, kernel(clone(network))(X), rtol=1e-13)
        assert np.min(np.linalg.eigvalsh(K)) > 0
    assert_allclose(NTK(network)(np.ones((1, 32))), 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradient_agrees_with_central_differences(name, X):
    kernel, step = NTK(ARCHITECTURES[name]), 1e-4
    K, gradient = kernel(X, eval_gradient=True)
    theta = kernel.theta
    assert gradient.shape == (6, 6, 2)
    for k in range(2):
        low, high = (
            kernel.clone_with_theta(theta + s * step * np.eye(2)[k])(X) for s in (-1, 1)
        )
        slope = (high - low) / (2 * step)
        assert np.max(np.abs(slope - gradient[..., k])) < 1e-6 * np.max(K)


def test_myrtle_ends_in_a_pool_of_what_is_left():
    """As with windows of 2 x 2 pixels until there is one."""
    X = np.random.default_rng(1).standard_normal((3, 256))
    layers = Conv(3, bias_variance=0.0), ReLU()
    pool = AvgPool(2)
    written_out = Sequential(
        *(*layers, *layers, pool, *layers, pool, *layers, pool, pool),
        *(Flatten(), Dense(bias_variance=0.0)),
        input_shape=(16, 16, 1),
    )
    network = Myrtle(5, input_shape=(16, 16, 1), output_scale=1.0)
    assert_allclose(NTK(network)(X), NTK(written_out)(X), rtol=1e-12)


def test_grid_search(X):
    y = np.array([0, 1, 0, 1, 0, 1])
    grid = {"network__depth": [1, 2], "network__pooling": ["average", "flatten"]}
    network = ConvNet(input_shape=(4, 4, 2))
    search = GridSearchCV(NTKClassifier(network), grid, cv=2).fit(X, y)
    assert search.best_estimator_.network.depth in (1, 2)
    blocks = {"network__blocks": [0, 1]}
    model = NTKRegressor(Transformer(input_shape=(16, 2)))
    assert GridSearchCV(model, blocks, cv=2).fit(X, X[:, 0]).best_index_ in (0, 1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (ConvNet(), "'input_shape' parameter of ConvNet"),
        (ConvNet(input_shape=(32,)), "'input_shape' parameter of ConvNet"),
        (ConvNet(input_shape=(4, 4, 1)), "'input_shape'.*32"),
        (ConvNet(input_shape=(4, 4, 2), pooling="max"), "'pooling' parameter"),
        (ConvNet(input_shape=(4, 4, 2), kernel_size=0), "'kernel_size' parameter"),
        (Myrtle(6, input_shape=(4, 4, 2)), "'depth'.*5, 7 or 10"),
        (Myrtle(5, input_shape=(2, 8, 2)), "'window'.*must not exceed"),
        (ConvNet(input_shape=(4, 4, 2), mask_value="x"), "'mask_value' parameter"),
        (WideResNet(12, input_shape=(4, 4, 2)), "'depth'.*6 n"),
        (Transformer(), "'input_shape' parameter of Transformer"),
    ],
)
def test_bad_parameters_are_refused(network, message, X):
    with pytest.raises(ValueError, match=message):
        NTK(network)(X)
