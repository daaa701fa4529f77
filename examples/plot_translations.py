"""
==========================
A motif at a random place
==========================

Somewhere in a noisy signal there is a short motif, or the same one upside down. Which
of the two? Where it is does not matter, and that is what distinguishes networks:

* `MLP` must learn each place anew, for it sees 24 numbers in no order;
* `ConvNet` with ``pooling="flatten"`` looks at windows, but has weights of its own
  for what it finds at each place;
* `ConvNet` with ``pooling="average"`` takes the mean over all places, so that a motif
  seen once is known everywhere.

The networks are infinitely wide and trained to the end, in closed form.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ntk import NTK, NTKClassifier
from sklearn_ntk.networks import MLP, ConvNet

LENGTH, NOISE, N_TEST = 24, 0.3, 200
SIZES = [8, 16, 32, 64, 128, 256]
MOTIF = np.array([1.0, 1.0, -1.0, -1.0])


def signals(n_samples, rng):
    """Noisy signals with a motif each, and whether it is upside down."""
    X = NOISE * rng.standard_normal((n_samples, LENGTH))
    y = np.arange(n_samples) % 2
    starts = rng.integers(LENGTH - len(MOTIF) + 1, size=n_samples)
    for row, flipped, start in zip(X, y, starts, strict=True):
        row[start : start + len(MOTIF)] += -MOTIF if flipped else MOTIF
    return X, y


rng = np.random.default_rng(0)
X, y = signals(max(SIZES), rng)
X_test, y_test = signals(N_TEST, rng)

# %%
# Of each network one kernel matrix is computed, whose first rows serve for the smaller
# training sets. Two convolutions see five neighbours, which covers a motif.

shape = (LENGTH, 1)
networks = {
    "MLP": MLP(2),
    "ConvNet, flatten": ConvNet(2, "flatten", input_shape=shape),
    "ConvNet, average": ConvNet(2, "average", input_shape=shape),
}
curves = {}
for name, network in networks.items():
    kernel = NTK(network)
    K, K_test = kernel(X), kernel(X_test, X)
    curves[name] = [
        NTKClassifier("precomputed", alpha=1e-3)
        .fit(K[:n, :n], y[:n])
        .score(K_test[:, :n], y_test)
        for n in SIZES
    ]

# %%
# With the mean over all places 16 signals are enough. The other two must see the motif
# at most places before.

fig = plt.figure(figsize=(8.0, 3.8), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1.0, 1.8])
for k, ax in enumerate(left.subplots(4, 1, sharex=True, sharey=True)):
    i = np.flatnonzero(y == k % 2)[k // 2]
    ax.plot(X[i], color=f"C{3 + k % 2}", drawstyle="steps-mid")
    ax.set_title(("upright", "upside down")[k % 2], fontsize="small")
    ax.set(xticks=[], yticks=[])
ax = right.subplots()
for (name, scores), style in zip(curves.items(), ("o-", "s-", "^-"), strict=True):
    ax.plot(SIZES, scores, style, label=name)
ax.axhline(0.5, color="grey", lw=1, ls=":")
ax.set(xscale="log", xlabel="training signals", ylabel="accuracy on test signals")
ax.set_xticks(SIZES, SIZES)
ax.minorticks_off()
ax.legend()
plt.show()
