"""Time and memory of kernel matrices of images, as ratios, everything in one run.

Three convolutions of 3 x 3 pixels with ReLU between them, and a linear readout of the
mean over all pixels or of all pixels. Against Neural Tangents where it is installed,
in an environment of its own; and all pairs of scikit-learn's digits::

    python examples/benchmarks/images.py
    python examples/benchmarks/images.py --numpy
    python examples/benchmarks/images.py --neural-tangents nt/bin/python --digits
    python examples/benchmarks/images.py --neural-tangents nt/bin/python --families

``--numpy`` does without numba where it is installed. ``--families`` goes through other
networks: residual ones, pools and strides, sequences, attention, graphs; and one with
an activation that has no closed form, where Neural Tangents takes a rule of 25 nodes.
"""

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time

import numpy as np
from sklearn.datasets import load_digits

from sklearn_ntk import NTK
from sklearn_ntk.networks import ConvNet

BLOCK = "conv(), relu(), "
MEAN = "mean(), dense()"
ATTENTION = "residual(normed(), attention())"
FEEDFORWARD = "residual(normed(), dense(), relu(), dense())"

# What it is, the shape of a row, how many rows, and layers.
CASES = [
    ("8 x 8, mean", (8, 8, 3), 100, 3 * BLOCK + MEAN),
    ("16 x 16, mean", (16, 16, 3), 20, 3 * BLOCK + MEAN),
    ("8 x 8, Flatten", (8, 8, 3), 500, 3 * BLOCK + "flatten(), dense()"),
]
FAMILIES = [
    (
        "residual",
        (8, 8, 3),
        50,
        "conv(), " + 2 * "residual(relu(), conv(), relu(), conv()), " + MEAN,
    ),
    ("pools", (16, 16, 3), 20, 2 * (BLOCK + "pool(), ") + BLOCK + MEAN),
    ("strides", (16, 16, 3), 40, 2 * "conv(2), relu(), " + BLOCK + MEAN),
    ("erf", (8, 8, 3), 50, 2 * "conv(), erf(), " + MEAN),
    ("tanh", (8, 8, 3), 10, 2 * "conv(), tanh(), " + MEAN),
    ("volumes", (4, 4, 4, 3), 50, 2 * BLOCK + MEAN),
    ("sequences", (32, 4), 200, 2 * BLOCK + MEAN),
    ("sequences, padded", (32, 4), 200, 2 * BLOCK + MEAN),
    ("attention", (16, 4), 100, "dense(), relu(), attention(), relu(), " + MEAN),
    ("attention on images", (8, 8, 3), 40, BLOCK + "attention(), relu(), " + MEAN),
    (
        "transformer",
        (16, 4),
        100,
        "dense(), " + 3 * f"{ATTENTION}, {FEEDFORWARD}, " + MEAN,
    ),
    ("graph", (24, 5), 100, 2 * "graph(), dense(), relu(), " + MEAN),
]

NEURAL_TANGENTS = """
import jax
from neural_tangents import stax
jax.config.update("jax_enable_x64", True)
n_axes, weights = len(shape) - 1, {"W_std": 1.4, "b_std": 0.1}
def conv(stride=1):
    window, strides = (3,) * n_axes, (stride,) * n_axes
    return stax.Conv(1, window, strides, padding="SAME", **weights)
def pool():
    return stax.AvgPool((2,) * n_axes, (2,) * n_axes)
def attention():
    return stax.GlobalSelfAttention(1, 1, 1, 1, linear_scaling=True, W_key_std=1.0,
        W_query_std=1.0, W_value_std=1.0, W_out_std=1.0)
def tanh():
    return stax.ElementwiseNumerical(jax.numpy.tanh, deg=25)
def residual(*layers):
    both = stax.parallel(stax.serial(*layers), stax.Identity())
    return stax.serial(stax.FanOut(2), both, stax.FanInSum())
def graph():
    return stax.Aggregate(aggregate_axis=1, batch_axis=0, channel_axis=2)
def dense():
    return stax.Dense(1, **weights)
relu, erf, normed = stax.Relu, stax.Erf, stax.LayerNorm
mean, flatten = stax.GlobalAvgPool, stax.Flatten
kernel = stax.serial(*eval(layers))[2]
options = {"mask_constant": missing} if missing else {}
if "graph" in layers:
    patterns = np.repeat(edges[None], n, 0)
    options = {"pattern": (patterns, patterns)}
jitted = jax.jit(lambda X: kernel(X, None, get="ntk", **options))
def compute(X):
    return np.asarray(jitted(X.reshape(n, *shape)))
"""
OURS = """
import importlib.util
if numpy_only:
    found = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *a: name != "numba" and found(name, *a)
from sklearn_ntk import NTK, networks
variances = {"weight_variance": 1.96, "bias_variance": 0.01}
def conv(stride=1):
    return networks.Conv(3, stride, "same", **variances)
def dense():
    return networks.Dense(**variances)
def graph():
    return networks.GraphConv(edges)
pool, attention, residual = networks.AvgPool, networks.SelfAttention, networks.Residual
relu, erf, tanh = networks.ReLU, networks.Erf, networks.Tanh
normed = networks.LayerNorm
mean, flatten = networks.GlobalAvgPool, networks.Flatten
options = {"mask_value": missing} if missing else {}
network = networks.Sequential(*eval(layers), input_shape=shape, **options)
compute = NTK(network)
"""
RUN = """
import json, resource, sys, time
import numpy as np
what, shape, n, layers, repeats, numpy_only = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
X = rng.standard_normal((n, *shape))
edges = (rng.random((shape[0], shape[0])) < 0.1).astype(float)
edges += edges.T
missing = -100.0 if "padded" in what else None
if missing:
    for i, row in enumerate(X):
        row[len(row) - i % (len(row) // 2):] = missing
X = X.reshape(n, -1)
exec(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
times = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    K = compute(X)
    times.append(time.perf_counter() - start)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([np.median(times[1:]), (after - before) / 1024, K[0].tolist()]))
"""


def run(python, source, *case):
    """Median seconds after a first call, MiB of memory added, and the first row."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", RUN, json.dumps(case), source],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def compare(case, args):
    """Print a line of the table."""
    what, shape, n, _ = case
    ours, memory, row = run(sys.executable, OURS, *case, args.repeats, args.numpy)
    rows = f"{n} of {' x '.join(map(str, shape))}"
    print(f"{what:20}{rows:22}{1e3 * ours:8.1f} ms {memory:5.0f} MiB", end="")
    if args.neural_tangents:
        command = args.neural_tangents, NEURAL_TANGENTS
        theirs, more, other = run(*command, *case, args.repeats, False)
        gap = np.max(np.abs(np.divide(row, other)[1:] - 1.0))
        print(
            f"   Neural Tangents {theirs / ours:6.1f} times as long, "
            f"{more / max(1.0, memory):5.1f} times the memory, "
            f"differs by {gap:.0e}",
            end="",
        )
    print(flush=True)


def digits(numpy_only):
    """Seconds for all pairs of digits, after a first call for some of them."""
    if numpy_only:
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name: name != "numba" and find(name)
    X = load_digits().data / 16.0
    kernel = NTK(ConvNet(4, "average", input_shape=(8, 8, 1), weight_variance=2.0))
    kernel(X[:100])
    start = time.perf_counter()
    kernel(X)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numpy", action="store_true", help="without numba")
    parser.add_argument("--neural-tangents", metavar="PYTHON")
    parser.add_argument("--digits", action="store_true")
    parser.add_argument("--families", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    for case in FAMILIES if args.families else CASES:
        compare(case, args)
    if args.digits:
        print(f"1797 digits, four convolutions {digits(args.numpy):.1f} s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process {peak:.0f} MiB")


if __name__ == "__main__":
    main()
