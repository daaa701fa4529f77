"""Random networks of growing width converge to our kernels.

The networks here are written anew in NumPy, draw weights and are differentiated by
hand; they share no formula with the package but the activations' definitions.
"""

from functools import cache

import numpy as np
import pytest

from sklearn_ntk import networks
from sklearn_ntk._engine.gram import gram
from sklearn_ntk.networks import Dense, LayerNorm, Residual, Sequential

SHARPNESS = 0.01  # a kernel that is off by this share must fail
ROWS = np.array([[1.0, -0.5, 0.3], [0.2, 0.9, -1.1], [0.9, -0.4, 0.5]])
N_OUTPUTS = 4
BATCH = 100


def network(*activations):
    layers = [Dense(1.5, 0.2)]
    for activation in activations:
        layers += [activation, Dense(1.5, 0.2)]
    return Sequential(*layers)


CASES = {
    "relu": network(networks.ReLU(), networks.ReLU()),
    "erf": network(networks.Erf(), networks.Erf()),
    "gelu": network(networks.GELU()),
    "sin": network(networks.Sin()),
    "tanh": network(networks.Tanh()),
    "mixed": network(networks.Gaussian(), networks.SiLU()),
    "residual": Sequential(
        Dense(1.5, 0.2),
        Residual(networks.ReLU(), Dense(0.5, 0.1)),
        networks.LeakyReLU(0.3),
        Dense(1.0, 0.1),
    ),
    "layer_norm": Sequential(
        Dense(1.5, 0.2), LayerNorm(), networks.ReLU(), Dense(1.5, 0.2)
    ),
}


class Run:
    """A batch of random networks: forward once, then backward from each output."""

    def __init__(self, width, rng):
        self.width, self.rng = width, rng
        self.ntk = 0.0

    def draw(self, *shape):
        return self.rng.standard_normal((BATCH, *shape), dtype=np.float32)

    def dense(self, layer, h, width):
        share, bias = layer.weight_variance / h.shape[-1], layer.bias_variance
        W, b = self.draw(h.shape[-1], width), self.draw(1, width)
        gram_of_inputs = share * h @ np.swapaxes(h, 1, 2) + bias

        def backward(g):
            outer = (g @ np.swapaxes(g, 2, 3)).mean(axis=1)
            self.ntk = self.ntk + outer * gram_of_inputs
            flat = g.reshape(BATCH, -1, width) @ np.swapaxes(W, 1, 2)
            return np.sqrt(share) * flat.reshape(*g.shape[:3], -1)

        self.nngp = gram_of_inputs
        return np.sqrt(share) * h @ W + np.sqrt(bias) * b, backward

    def activation(self, layer, h):
        slope = layer.derivative(h).astype(np.float32)[:, None]
        return layer(h).astype(np.float32), lambda g: g * slope

    def layer_norm(self, h):
        std = np.std(h, axis=-1, keepdims=True)
        out = (h - h.mean(axis=-1, keepdims=True)) / std

        def backward(g):
            along = (g * out[:, None]).mean(axis=-1, keepdims=True)
            g = g - g.mean(axis=-1, keepdims=True) - out[:, None] * along
            return g / std[:, None]

        return out, backward

    def residual(self, layer, h):
        out, backward = self.sequence(layer.layers, h, self.width)
        return h + out, lambda g: g + backward(g)

    def layer(self, layer, h, width):
        if isinstance(layer, Dense):
            return self.dense(layer, h, width)
        if isinstance(layer, Residual):
            return self.residual(layer, h)
        if isinstance(layer, LayerNorm):
            return self.layer_norm(h)
        return self.activation(layer, h)

    def sequence(self, layers, h, last_width):
        tape = []
        for layer in layers:
            width = last_width if layer is layers[-1] else self.width
            h, backward = self.layer(layer, h, width)
            tape.append(backward)

        def backward(g):
            for step in reversed(tape):
                g = step(g)
            return g

        return h, backward


def empirical(layers, width, rng):
    """NNGP and NTK of a batch of networks, as their upper triangles."""
    run = Run(width, rng)
    h = np.broadcast_to(ROWS.astype(np.float32), (BATCH, *ROWS.shape))
    _, backward = run.sequence(layers, h, N_OUTPUTS)
    one_hot = np.eye(N_OUTPUTS, dtype=np.float32)[None, :, None, :]
    nngp = run.nngp
    backward(np.broadcast_to(one_hot, (BATCH, N_OUTPUTS, len(ROWS), N_OUTPUTS)))
    return nngp, run.ntk


@cache
def samples(name, width, n_networks):
    """Errors of random networks' kernels, relative to the exact diagonals."""
    rng = np.random.default_rng(0)
    exact = gram(CASES[name], ROWS, kinds=("nngp", "ntk"))
    upper = np.triu_indices(len(ROWS))
    errors = []
    for _ in range(n_networks // BATCH):
        drawn = empirical(CASES[name].layers, width, rng)
        errors.append(
            [
                ((D - K) / np.sqrt(np.outer(np.diag(K), np.diag(K))))[:, *upper]
                for D, K in zip(drawn, exact, strict=True)
            ]
        )
    return np.concatenate(errors, axis=1)  # (2, n_networks, pairs)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", [0, 1], ids=["nngp", "ntk"])
def test_mean_over_networks_is_our_kernel(name, kind):
    """To four standard errors and 1/width, together below the sharpness."""
    errors = samples(name, 256, 4000)[kind].mean(axis=1)
    standard_error = errors.std() / np.sqrt(len(errors))
    tolerance = 4.0 * standard_error + 0.3 / 256
    assert tolerance < SHARPNESS
    assert abs(errors.mean()) < tolerance


@pytest.mark.parametrize("name", CASES)
def test_deviation_falls_as_the_root_of_the_width(name):
    widths = np.array([16, 64, 256])
    for kind in (0, 1):
        spread = [np.sqrt(np.mean(samples(name, w, 400)[kind] ** 2)) for w in widths]
        slope = np.polyfit(np.log(widths), np.log(spread), 1)[0]
        assert -0.6 < slope < -0.4
