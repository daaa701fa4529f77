"""Random networks on images, sequences and graphs converge to our NNGP kernels.

The networks here draw weights and are written anew; they share no formula with the
package. The readout is averaged over by hand.
"""

import numpy as np
import pytest

from sklearn_ntk import NNGP
from sklearn_ntk.networks import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GraphConv,
    ReLU,
    SelfAttention,
    Sequential,
)

WIDTH, N_NETWORKS = 256, 600
EDGES = np.array([[1.0, 0.5, 0, 0], [0, 1.0, 2.0, 0], [0, 0, 1.0, 1.0], [0.3, 0, 0, 1]])
X = np.random.default_rng(0).standard_normal((3, 4, 4, 2))


def convolved(rng, h, stride, weight_variance, bias_variance):
    """A 3 x 3 convolution with zeros beyond the edges."""
    _, height, width, channels = h.shape
    W = (
        rng.standard_normal((3, 3, channels, WIDTH))
        * (weight_variance / 9 / channels) ** 0.5
    )
    padded = np.pad(h, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = sum(
        padded[:, i : i + height, j : j + width] @ W[i, j]
        for i in range(3)
        for j in range(3)
    )
    bias = rng.standard_normal(WIDTH) * bias_variance**0.5
    return (out + bias)[:, ::stride, ::stride]


def dense(rng, h, weight_variance, bias_variance):
    W = rng.standard_normal((h.shape[-1], WIDTH))
    bias = rng.standard_normal(WIDTH) * bias_variance**0.5
    return (weight_variance / h.shape[-1]) ** 0.5 * h @ W + bias


def relu(h):
    return np.maximum(h, 0.0)


def convolutional(rng):
    h = relu(convolved(rng, X, 1, 1.5, 0.2))
    h = h.reshape(3, 2, 2, 2, 2, WIDTH).mean(axis=(2, 4))
    h = relu(convolved(rng, h, 1, 1.5, 0.2))
    return h.mean(axis=(1, 2))


def attentive(rng):
    h = dense(rng, X.reshape(3, 16, 2)[:, :6], 1.5, 0.2)
    keys = h @ rng.standard_normal((WIDTH, WIDTH))
    scores = 2.0 * keys @ np.swapaxes(keys, 1, 2) / WIDTH**2
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    values = h @ rng.standard_normal((WIDTH, WIDTH)) * (0.8 / WIDTH) ** 0.5
    h = weights @ values @ rng.standard_normal((WIDTH, WIDTH)) * (1.3 / WIDTH) ** 0.5
    return relu(h).mean(axis=1)


def on_graphs(rng):
    h = EDGES @ X.reshape(3, 4, 8)
    h = EDGES @ relu(dense(rng, h, 1.5, 0.2))
    return relu(dense(rng, h, 1.5, 0.2)).reshape(3, -1)


CASES = {
    "convolution": (
        convolutional,
        Sequential(
            Conv(3, weight_variance=1.5, bias_variance=0.2),
            ReLU(),
            AvgPool(2),
            Conv(3, weight_variance=1.5, bias_variance=0.2),
            ReLU(),
            GlobalAvgPool(),
            Dense(1.2, 0.1),
            input_shape=(4, 4, 2),
        ),
        X.reshape(3, -1),
    ),
    "attention": (
        attentive,
        Sequential(
            Dense(1.5, 0.2),
            SelfAttention(key_variance=4.0, value_variance=0.8, output_variance=1.3),
            ReLU(),
            GlobalAvgPool(),
            Dense(1.2, 0.1),
            input_shape=(6, 2),
        ),
        X.reshape(3, 16, 2)[:, :6].reshape(3, -1),
    ),
    "graph": (
        on_graphs,
        Sequential(
            GraphConv(EDGES),
            Dense(1.5, 0.2),
            ReLU(),
            GraphConv(EDGES),
            Dense(1.5, 0.2),
            ReLU(),
            Flatten(),
            Dense(1.2, 0.1),
            input_shape=(4, 8),
        ),
        X.reshape(3, -1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_mean_over_networks_is_our_kernel(name):
    """To five standard errors and 2/width, together below five percent."""
    draw, network, rows = CASES[name]
    rng = np.random.default_rng(0)
    hidden = (draw(rng) for _ in range(N_NETWORKS))
    samples = np.array([1.2 * h @ h.T / h.shape[1] + 0.1 for h in hidden])
    K = NNGP(network)(rows)
    scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    standard_error = samples.std(axis=0) / N_NETWORKS**0.5 / scale
    tolerance = 5.0 * standard_error + 2.0 / WIDTH
    assert np.max(tolerance) < 0.05
    assert np.all(np.abs(samples.mean(axis=0) - K) / scale < tolerance)
