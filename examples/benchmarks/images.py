"""Time and memory of kernel matrices of images, as ratios, everything in one run.

Three convolutions of 3 x 3 pixels with ReLU between them, and a linear readout of the
mean over all pixels or of all pixels. Against Neural Tangents where it is installed,
in an environment of its own; and all pairs of scikit-learn's digits::

    python examples/benchmarks/images.py
    python examples/benchmarks/images.py --numpy
    python examples/benchmarks/images.py --neural-tangents nt/bin/python --digits

``--numpy`` does without numba where it is installed.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from sklearn.datasets import load_digits

CASES = [(8, 100, "GlobalAvgPool"), (16, 20, "GlobalAvgPool"), (8, 500, "Flatten")]

NEURAL_TANGENTS = """
import jax, numpy as np
from neural_tangents import stax
jax.config.update("jax_enable_x64", True)
layers = []
for _ in range(3):
    layers += [stax.Conv(1, (3, 3), W_std=1.4, b_std=0.1, padding="SAME"), stax.Relu()]
layers += [getattr(stax, readout)(), stax.Dense(1, W_std=1.2, b_std=0.1)]
kernel = jax.jit(stax.serial(*layers)[2], static_argnames="get")
def compute(X):
    X = X.reshape(len(X), size, size, 3)
    return np.asarray(kernel(X, None, get="ntk"))
"""
OURS = """
import importlib.util
if numpy_only:
    found = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *a: name != "numba" and found(name, *a)
from sklearn_ntk import NTK, networks
layers = []
for _ in range(3):
    layers += [networks.Conv(3, 1, "same", 1.96, 0.01), networks.ReLU()]
layers += [getattr(networks, readout)(), networks.Dense(1.44, 0.01)]
compute = NTK(networks.Sequential(*layers, input_shape=(size, size, 3)))
"""
RUN = """
import json, resource, sys, time
import numpy as np
size, n, readout, repeats, numpy_only = json.loads(sys.argv[1])
exec(sys.argv[2])
X = np.random.default_rng(0).standard_normal((n, size * size * 3))
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


def digits(numpy_only):
    """Seconds for all pairs of digits, after a first call for some of them."""
    scope = {"numpy_only": numpy_only, "size": 8, "readout": "GlobalAvgPool"}
    exec(OURS, scope)
    from sklearn_ntk import NTK
    from sklearn_ntk.networks import ConvNet

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
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    for case in CASES:
        size, n, readout = case
        ours, memory, row = run(sys.executable, OURS, *case, args.repeats, args.numpy)
        what = f"{n} images of {size} x {size} x 3, {readout}"
        print(f"{what:42} {1e3 * ours:8.1f} ms {memory:6.0f} MiB", end="", flush=True)
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
    if args.digits:
        print(f"1797 digits, four convolutions {digits(args.numpy):.1f} s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process {peak:.0f} MiB")


if __name__ == "__main__":
    main()
