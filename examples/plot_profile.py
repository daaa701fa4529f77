"""
What depth does to a kernel
===========================

For rows of one length the kernel of a fully-connected network is a function of the
angle between them. `NTK.profile` returns that function, for a network of any depth.
Here are networks of up to 100 hidden layers, and what becomes of their neural tangent
kernels.

A layer maps the angle between two rows to another one. With biases it shrinks in each
layer, until all rows look alike and the kernel is a constant. Without biases, and with
an activation that saturates, it grows, until no row has anything to do with any other.
ReLU networks without biases are on the edge between the two: each layer still changes
the angle, but ever less.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ntk import NTK
from sklearn_ntk.networks import MLP

NETWORKS = {
    "ReLU without biases": {"activation": "relu", "bias_variance": 0.0},
    "erf without biases": {"activation": "erf", "bias_variance": 0.0},
    "tanh with biases": {"activation": "tanh", "bias_variance": 1.0},
}
DEPTHS = [1, 2, 4, 10, 30, 100]

# %%
# A profile is a Chebyshev series in the angle, whose error is known. Its degree says
# how much there is to see: some dozens for a shallow network, thousands where the
# kernel falls from 1 to 0 beside parallel rows.

profiles = {
    (name, depth): NTK(MLP(depth, **options)).profile()
    for name, options in NETWORKS.items()
    for depth in DEPTHS
}
print(f"{'':32}degree and bound of the error")
for (name, depth), profile in profiles.items():
    print(f"{name:20}depth {depth:3}  {profile.degree:5}  {profile.error:.0e}")

# %%
# All kernels are 1 for a row with itself; that is what ``output_scale="unit"`` is for.

angle = np.linspace(0.0, np.pi, 500)
colors = plt.get_cmap("viridis")(np.linspace(0.0, 0.9, len(DEPTHS)))
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
for ax, name in zip(axes, NETWORKS, strict=True):
    for depth, color in zip(DEPTHS, colors, strict=True):
        values = profiles[name, depth](np.cos(angle))
        ax.plot(np.degrees(angle), values, color=color, label=f"depth {depth}")
    ax.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    ax.set(title=name, xlabel="angle between two rows", xticks=[0, 45, 90, 135, 180])
    ax.xaxis.set_major_formatter("{x:.0f}°")
axes[0].set_ylabel("neural tangent kernel")
axes[2].legend(frameon=False)
figure.savefig("profiles.png", dpi=100)
