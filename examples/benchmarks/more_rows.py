"""Time of `partial_fit` with a few more rows, against a new fit to all rows.

In turns, so that both see the same load of the machine::

    python examples/benchmarks/more_rows.py --n 4000 --share 0.05
"""

import argparse
import copy
import time

import numpy as np

from sklearn_ntk import NNGPRegressor, NTKClassifier, NTKRegressor


def seconds(method, *arguments):
    """Seconds that one call takes."""
    start = time.perf_counter()
    method(*arguments)
    return time.perf_counter() - start


def data(n, d):
    """Rows, targets and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    y = np.sin(X[:, 0]) + 0.1 * rng.standard_normal(n)
    return X, y, rng.permutation(np.digitize(y, [-0.5, 0.5]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=4000)
    parser.add_argument("--d", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()

    more = int(args.share * args.n)
    X, values, labels = data(args.n + more, args.d)
    print(f"n={args.n} d={args.d}, {more} more rows; median seconds")
    for model in (NTKRegressor(), NNGPRegressor(), NTKClassifier()):
        y = labels if isinstance(model, NTKClassifier) else values
        model.fit(X[: args.n], y[: args.n])
        updates, refits = [], []
        for _ in range(args.repeats):
            grown, whole = copy.copy(model), copy.copy(model)  # which share one fit
            updates.append(seconds(grown.partial_fit, X[args.n :], y[args.n :]))
            refits.append(seconds(whole.fit, X, y))
        gap = np.max(np.abs(grown.dual_coef_ - whole.dual_coef_))
        update, refit = np.median(updates), np.median(refits)
        print(
            f"{type(model).__name__:14} partial_fit {update:6.3f}   fit {refit:6.3f}   "
            f"ratio {refit / update:5.2f}   dual_coef_ apart by {gap:.0e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
