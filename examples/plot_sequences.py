"""
===========================
Sequences of unequal length
===========================

Sequences of 3 to 12 positions with two features each. The target is the mean, over a
sequence's own positions, of the product of the two.

Rows of X have one length, so that shorter sequences are padded. ``mask_value`` tells a
network with what: here NaN, which is nobody's number. Such positions get no attention
from a `Transformer`, are outside of the windows of a `ConvNet`, and do not count in
means. The same networks are tried on sequences that are padded with zeros, which count.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone

from sklearn_ntk import NTK, NTKRegressor
from sklearn_ntk.networks import MLP, ConvNet, Transformer

LENGTH, N_TEST, SIZES = 12, 100, [30, 60, 120]
rng = np.random.default_rng(0)
lengths = rng.integers(3, LENGTH + 1, size=max(SIZES) + N_TEST)
sequences = [rng.standard_normal((length, 2)) for length in lengths]
y = np.array([np.mean(sequence[:, 0] * sequence[:, 1]) for sequence in sequences])


def padded(sequences, length, value):
    """Rows of X: sequences with a value behind them."""
    X = np.full((len(sequences), length, 2), value)
    for row, sequence in zip(X, sequences, strict=True):
        row[: len(sequence)] = sequence
    return X.reshape(len(X), -1)


# %%
# How much padding there is does not matter: the kernel is that of the sequences.

options = {"mask_value": np.nan, "output_scale": 1.0}
for length in (12, 20):
    network = Transformer(1, input_shape=(length, 2), **options)
    print(NTK(network)(padded(sequences[:2], length, np.nan)))

# %%
# Estimators take rows with NaN where their network does. Each is fitted to more and
# more sequences, and tested on 100 others.

shape = (LENGTH, 2)
networks = {
    "Transformer": Transformer(1, positional="none", bias_variance=0.1),
    "ConvNet": ConvNet(2, bias_variance=0.1),
}
with_nan, with_zeros = (padded(sequences, LENGTH, value) for value in (np.nan, 0.0))
models = {"MLP, zeros": (MLP(3), with_zeros)}
for name, network in networks.items():
    network.set_params(input_shape=shape)
    masked = clone(network).set_params(mask_value=np.nan)
    models[f"{name}, zeros"] = network, with_zeros
    models[f"{name}, mask_value"] = masked, with_nan

curves = {}
for name, (network, X) in models.items():
    train, test = X[N_TEST:], X[:N_TEST]
    curves[name] = [
        NTKRegressor(network, alpha=0.01)
        .fit(train[:n], y[N_TEST:][:n])
        .score(test, y[:N_TEST])
        for n in SIZES
    ]

# %%
# With zeros for padding a network has to find out how long a sequence is before it can
# divide by that. With a mask it knows.

fig, ax = plt.subplots(figsize=(6.5, 4.0), layout="constrained")
looks = ("k:", "C0--", "C0-", "C1--", "C1-")
for (name, scores), look in zip(curves.items(), looks, strict=True):
    ax.plot(SIZES, scores, look, marker="o", label=name)
ax.set(xscale="log", xlabel="training sequences", ylabel="$R^2$ on test sequences")
ax.set_xticks(SIZES, SIZES)
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend()
plt.show()
