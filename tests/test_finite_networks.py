"""Ensembles of real networks, trained by gradient descent, against their limit."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.linalg.blas import sgemm
from scipy.stats import chi2
from threadpoolctl import threadpool_limits

from sklearn_ntk import NTKRegressor
from sklearn_ntk.networks import MLP

WIDTH, MEMBERS, RATE = 1024, 20, 0.05
STEPS = [8, 24, 60, 120]
SURE = 1e-3  # how improbable a deviation must be to count


class Network:
    """Two hidden layers of ReLUs, weights of unit variance that the layers scale."""

    def __init__(self, n_features, rng):
        sizes = [n_features, WIDTH, WIDTH, 1]
        self.weights = [
            rng.standard_normal((a, b), dtype=np.float32) for a, b in pairwise(sizes)
        ]
        self.biases = [rng.standard_normal(b, dtype=np.float32) for b in sizes[1:]]

    def forward(self, X):
        """The inputs of all layers, and the output."""
        inputs = [X]
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            gain = np.float32(np.sqrt(2.0 / len(W)))
            z = gain * (inputs[-1] @ W) + b
            inputs.append(z if layer == 2 else np.maximum(z, 0.0))
        return inputs

    def step(self, X, y):
        """One step of gradient descent on the mean over rows of half the squares."""
        *inputs, output = self.forward(X)
        slope = (output - y) / len(X)
        for layer in (2, 1, 0):
            W, h = self.weights[layer], inputs[layer]
            gain = np.float32(np.sqrt(2.0 / len(W)))
            below = gain * (slope @ W.T) * (h > 0)
            self.biases[layer] -= RATE * slope.sum(axis=0)
            sgemm(-RATE * gain, slope.T, h.T, 1.0, W.T, trans_b=1, overwrite_c=1)
            slope = below


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.mark.slow
def test_mean_and_spread_of_trained_networks():
    rng = np.random.default_rng(7)
    X = rng.standard_normal((8, 3)).astype(np.float32)
    new = rng.standard_normal((4, 3)).astype(np.float32)
    y = np.sin(2.0 * X[:, :1])
    found = np.empty((len(STEPS), MEMBERS, len(new)))
    for member in range(MEMBERS):
        network = Network(3, rng)
        for step in range(1, STEPS[-1] + 1):
            network.step(X, y)
            if step in STEPS:
                found[STEPS.index(step), member] = network.forward(new)[-1][:, 0]

    limit = NTKRegressor(
        MLP(depth=2, output_scale=1.0), alpha=0.0, learning_rate=RATE, normalize_y=False
    ).fit(X, y[:, 0])
    for ends, (mean, cov) in zip(
        found, limit.staged_predict(new, STEPS, return_cov=True), strict=True
    ):
        inverse, m = np.linalg.inv(cov), len(new)
        gap, spread = ends.mean(axis=0) - mean, np.cov(ends.T)
        distance = MEMBERS * gap @ inverse @ gap
        assert distance < chi2.isf(SURE, m)
        size = (MEMBERS - 1) * np.trace(inverse @ spread)
        freedom = (MEMBERS - 1) * m
        assert chi2.ppf(SURE, freedom) < size < chi2.isf(SURE, freedom)
