"""
Twenty trained networks and their limit
=======================================

Gradient descent on an infinitely wide network has a closed form at every time. Here are
twenty real networks of width 1024 beside it, at four moments of their training.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

from sklearn_ntk import NTKRegressor
from sklearn_ntk.networks import MLP

# %%
# The networks
# ------------
# Two hidden layers of ReLUs. Weights have unit variance, and the layers scale them:
# that is the NTK parametrization, in which a limit exists. Every step goes downhill on
# the mean over rows of half the squared error.

WIDTH, MEMBERS, RATE, STEPS = 1024, 20, 0.05, [4, 12, 36, 108]
SIZES = [1, WIDTH, WIDTH, 1]
rng = np.random.default_rng(0)


class Network:
    def __init__(self):
        self.weights = [
            rng.standard_normal(shape, dtype=np.float32) for shape in pairwise(SIZES)
        ]
        self.biases = [rng.standard_normal(b, dtype=np.float32) for b in SIZES[1:]]
        self.gains = [np.float32(np.sqrt(2.0 / a)) for a in SIZES[:-1]]

    def forward(self, X):
        """What enters each layer, and the output."""
        values = [X]
        for W, b, gain in zip(self.weights, self.biases, self.gains, strict=True):
            z = gain * (values[-1] @ W) + b
            values.append(z if W.shape[1] == 1 else np.maximum(z, 0.0))
        return values

    def step(self, X, y):
        *inputs, output = self.forward(X)
        slope = (output - y) / len(X)
        for layer in (2, 1, 0):
            W, h, gain = self.weights[layer], inputs[layer], self.gains[layer]
            below = gain * (slope @ W.T) * (h > 0)
            self.biases[layer] -= RATE * slope.sum(axis=0)
            W -= h.T @ (RATE * gain * slope)
            slope = below


X = np.linspace(-1.5, 1.5, 9, dtype=np.float32)[:, None]
y = (np.sin(3.0 * X) + 0.4 * X).astype(np.float32)
grid = np.linspace(-2.2, 2.2, 150, dtype=np.float32)[:, None]
finite = np.empty((len(STEPS), MEMBERS, len(grid)))
with threadpool_limits(1):  # matrices are small
    for member in range(MEMBERS):
        network = Network()
        for step in range(1, STEPS[-1] + 1):
            network.step(X, y)
            if step in STEPS:
                curve = network.forward(grid)[-1]
                finite[STEPS.index(step), member] = curve[:, 0]

# %%
# Their limit
# -----------
# `staged_predict` has all four moments, mean and spread, from one decomposition.

limit = NTKRegressor(
    MLP(depth=2, output_scale=1.0), alpha=0.0, learning_rate=RATE, normalize_y=False
).fit(X, y[:, 0])
stages = list(limit.staged_predict(grid, STEPS, return_std=True))

figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), sharey=True, layout="constrained")
for ax, steps, curves, (mean, std) in zip(axes, STEPS, finite, stages, strict=True):
    x = grid[:, 0]
    ax.plot(x, curves.T, color="0.6", lw=0.7)
    ax.fill_between(x, mean - 2 * std, mean + 2 * std, alpha=0.25, label="limit, 2 std")
    ax.plot(x, mean, label="limit, mean")
    ax.plot(X[:, 0], y[:, 0], "k.", label="data")
    ax.set(title=f"{steps} steps", xlabel="x", xlim=(-2.2, 2.2), ylim=(-5, 5))
axes[0].legend(loc="lower right", frameon=False)

print("      squared gap of means / its expectation     variance / that of the limit")
for steps, curves, (mean, std) in zip(STEPS, finite, stages, strict=True):
    gap = MEMBERS * np.mean((curves.mean(axis=0) - mean) ** 2 / std**2)
    ratio = np.mean(curves.var(axis=0, ddof=1) / std**2)
    print(f"{steps:4d} steps {gap:24.2f} {ratio:36.2f}")

# %%
# Both ratios are 1 but for the luck of twenty draws. Functions at different x are
# correlated, so that they come near it together, or stay away together.

plt.show()
