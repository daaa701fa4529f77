"""Time of a Gram matrix, a block, a diagonal and a gradient, as ratios.

Everything is timed in one run, in turns, against ``X @ X.T``; with
``--scikit-ntk PYTHON``, the interpreter of an environment that has scikit-ntk, its
kernel is timed in the same turns::

    python examples/benchmarks/gram.py --n 2000 --d 100 --depth 3
"""

import argparse
import json
import subprocess
import time

import numpy as np

from sklearn_ntk import NTK
from sklearn_ntk.networks import MLP

PEER = """
import json, sys, time
import numpy as np
from skntk import NeuralTangentKernel
n, d, depth = map(int, sys.argv[1:])
X = np.random.default_rng(0).standard_normal((n, d))
k = NeuralTangentKernel(depth=depth, bias=0.1)
tasks = {"gram": lambda: k(X), "block": lambda: k(X[: n // 4], X),
         "diagonal": lambda: k.diag(X), "gradient": lambda: k(X, eval_gradient=True)}
for line in sys.stdin:
    start = time.perf_counter()
    tasks[line.strip()]()
    print(json.dumps(time.perf_counter() - start), flush=True)
"""


def seconds(function):
    """Seconds that one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peer_process(python, args):
    """A process in which scikit-ntk does a task for each line it reads."""
    command = [python, "-W", "ignore", "-c", PEER, str(args.n), str(args.d)]
    return subprocess.Popen(
        [*command, str(args.depth)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process, task):
    """Seconds that scikit-ntk took."""
    process.stdin.write(f"{task}\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--d", type=int, default=100)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--scikit-ntk", metavar="PYTHON")
    args = parser.parse_args()

    X = np.random.default_rng(0).standard_normal((args.n, args.d))
    kernel = NTK(MLP(args.depth, args.activation))
    tasks = {
        "gram": lambda: kernel(X),
        "block": lambda: kernel(X[: args.n // 4], X),
        "diagonal": lambda: kernel.diag(X),
        "gradient": lambda: kernel(X, eval_gradient=True),
    }
    peer = peer_process(args.scikit_ntk, args) if args.scikit_ntk else None
    print(f"n={args.n} d={args.d} depth={args.depth} {args.activation}, median seconds")
    for task, function in tasks.items():
        ours, product, theirs = [], [], []
        for _ in range(args.repeats + 1):
            ours.append(seconds(function))
            product.append(seconds(lambda: X @ X.T))
            if peer:
                theirs.append(ask(peer, task))
        report = {"ours": np.median(ours[1:]), "X @ X.T": np.median(product[1:])}
        line = f"{task:9} {report['ours']:8.4f}"
        line += f"   X @ X.T takes {report['X @ X.T'] / report['ours']:7.3f} times ours"
        if peer:
            ratio = np.median(theirs[1:]) / report["ours"]
            line += f"   scikit-ntk takes {ratio:7.2f} times ours"
        print(line)


if __name__ == "__main__":
    main()
