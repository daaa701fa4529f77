"""Time of kernel matrices as ratios, everything in one run and in turns.

Against ``X @ X.T``, which has as many entries, and against other packages where they
are installed, each in an environment of its own, since they do not go together::

    python examples/benchmarks/gram.py
    python examples/benchmarks/gram.py --numpy
    python examples/benchmarks/gram.py --neural-tangents nt/bin/python \
        --scikit-ntk sntk/bin/python

``--numpy`` does without numba where it is installed.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np

NEURAL_TANGENTS = """
import json, sys, time
import jax, numpy as np
from neural_tangents import stax
n, d = map(int, sys.argv[1:])
X = np.random.default_rng(0).standard_normal((n, d))
jax.config.update("jax_enable_x64", True)
kernels = {}
def compute(depth, dtype):
    if depth not in kernels:
        layers = [stax.Dense(1, 2**0.5, 1.0), stax.Relu()] * depth
        kernel = stax.serial(*layers, stax.Dense(1, 2**0.5, 1.0))[2]
        kernels[depth] = jax.jit(kernel, static_argnames="get")
    return np.asarray(kernels[depth](X.astype(dtype), None, get="ntk"))
"""
SCIKIT_NTK = """
import json, sys, time
import numpy as np
from skntk import NeuralTangentKernel
n, d = map(int, sys.argv[1:])
X = np.random.default_rng(0).standard_normal((n, d))
def compute(depth, dtype):
    return NeuralTangentKernel(depth=depth, bias=0.1)(X)
"""
TURNS = """
for line in sys.stdin:
    depth, dtype = line.split()
    start = time.perf_counter()
    compute(int(depth), dtype)
    print(json.dumps(time.perf_counter() - start), flush=True)
"""
FIRST_CALL = """
import sys, time
import numpy as np
from sklearn_ntk import NTK
from sklearn_ntk.networks import MLP
X = np.random.default_rng(0).standard_normal((2000, 10))
for _ in range(2):
    start = time.perf_counter()
    NTK(MLP(3))(X)
    print(time.perf_counter() - start)
"""
PEAK = """
import resource, sys
import numpy as np
if "--numpy" in sys.argv:
    sys.modules["numba"] = None
from sklearn_ntk import NTK
from sklearn_ntk.networks import MLP
n, d = map(int, sys.argv[1:3])
X = np.random.default_rng(0).standard_normal((n, d))
NTK(MLP(3))(X[:600])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
NTK(MLP(3))(X)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
MEMORY = 2**26  # numbers


class Peer:
    """Another package, in a process that computes when it is asked to."""

    def __init__(self, name, python, source, args):
        self.name = name
        self.process = subprocess.Popen(
            [python, "-W", "ignore", "-c", source + TURNS, str(args.n), str(args.d)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def seconds(self, depth, dtype):
        self.process.stdin.write(f"{depth} {dtype}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def seconds(function):
    """Seconds that one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(repeats, *tasks):
    """Medians of the seconds that tasks take, after a first call of each.

    A virtual machine may give memory back to its host some seconds after it was
    freed, and have it again at ten times the cost of clearing it. It is made to have
    some before each task, so that nobody pays for what others took their time for.
    """
    times = []
    for _ in range(repeats + 1):
        times.append([])
        for task in tasks:
            np.ones(MEMORY)
            times[-1].append(task())
    return np.median(times[1:], axis=0)


def timed(function):
    return lambda: seconds(function)


def show(what, ours, **others):
    """A line with our time, and how it compares."""
    ratios = [f"{name} {value / ours:6.2f}" for name, value in others.items()]
    print(f"{what:42} {1e3 * ours:8.1f} ms   " + "   ".join(ratios), flush=True)


def first_call():
    """Seconds of a first and a second call in new processes."""
    for what in ("first process", "second process"):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_CALL], capture_output=True, text=True
        )
        first, second = map(float, done.stdout.split())
        print(f"{what}: first call {first:.2f} s, second {second:.3f} s")


def peak_memory(args):
    """What a new process takes at most for a result, beyond the result."""
    options = [str(args.n), str(args.d), *(["--numpy"] if args.numpy else [])]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *options], capture_output=True, text=True
    )
    beyond = int(done.stdout) / 1024 - 8 * args.n**2 / 2**20
    print(f"peak memory beyond the result: {beyond:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--d", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--numpy", action="store_true", help="without numba")
    parser.add_argument("--neural-tangents", metavar="PYTHON")
    parser.add_argument("--scikit-ntk", metavar="PYTHON")
    args = parser.parse_args()
    if args.numpy:
        sys.modules["numba"] = None

    from sklearn_ntk import NTK, compute_gram
    from sklearn_ntk.networks import MLP

    def gram(network, rows=None, **options):
        rows = X if rows is None else rows
        return timed(lambda: compute_gram(NTK(network), rows, **options))

    X = np.random.default_rng(0).standard_normal((args.n, args.d))
    single = X.astype(np.float32)
    products = {
        "float64": timed(lambda: X @ X.T),
        "float32": timed(lambda: single @ single.T),
    }
    peers = []
    if args.neural_tangents:
        python = args.neural_tangents
        peers.append(Peer("neural-tangents", python, NEURAL_TANGENTS, args))
    if args.scikit_ntk:
        peers.append(Peer("scikit-ntk", args.scikit_ntk, SCIKIT_NTK, args))
    print(f"n={args.n} d={args.d}, median of {args.repeats}; what others take of ours")

    for depth, dtype in ((3, "float64"), (10, "float64"), (3, "float32")):
        tasks = [gram(MLP(depth), dtype=dtype), products[dtype]]
        tasks += [lambda p=p: p.seconds(depth, dtype) for p in peers]  # noqa: B023
        ours, product, *theirs = in_turns(args.repeats, *tasks)
        others = dict(zip([p.name for p in peers], theirs, strict=True))
        show(f"depth {depth}, {dtype}", ours, **{"X @ X.T": product}, **others)
    for peer in peers:
        peer.process.stdin.close()

    Z = X / np.linalg.norm(X, axis=1, keepdims=True)
    ours, other = in_turns(args.repeats, gram(MLP(100), Z), gram(MLP(2), Z))
    show("depth 100, rows of one length", ours, **{"depth 2": other})

    relu = gram(MLP(3))
    for activation in ("erf", "gelu", "tanh"):
        ours, other = in_turns(args.repeats, gram(MLP(3, activation)), relu)
        show(f"depth 3, {activation}", ours, relu=other)

    deep = gram(MLP(10))
    for activation in ("tanh", "sigmoid"):
        ours, other = in_turns(args.repeats, gram(MLP(10, activation)), deep)
        show(f"depth 10, {activation}", ours, relu=other)

    for activation in ("relu", "tanh"):
        both = NTK(MLP(3, activation, weight_variance_bounds=(1e-3, 1e3)))
        gradient = timed(lambda both=both: both(X, eval_gradient=True))
        value = timed(lambda both=both: both(X))
        ours, other = in_turns(args.repeats, gradient, value)
        show(f"{activation}, gradient in two variances", ours, value=other)

    ours, other = in_turns(args.repeats, relu, gram(MLP(3), n_jobs=1))
    show("depth 3, all cores", ours, **{"one core": other})

    block = timed(lambda: NTK(MLP(3))(X, X[: args.n // 4]))
    diagonal = timed(lambda: NTK(MLP(3)).diag(X))
    ours, its, product = in_turns(args.repeats, block, diagonal, products["float64"])
    show("a quarter of the columns", ours, **{"X @ X.T": product})
    show("the diagonal", its, **{"X @ X.T": product})

    peak_memory(args)
    if not args.numpy:
        first_call()


if __name__ == "__main__":
    main()
