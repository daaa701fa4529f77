"""Time of a search over alphas and training times, as a multiple of one ``eigh``.

A kernel matrix, its ``scipy.linalg.eigh`` and the search are timed in turns, in one
run; the search is also taken apart::

    python examples/benchmarks/selection.py --n 2000 --alphas 20 --times 10
"""

import argparse
import time

import numpy as np
from scipy.linalg import eigh

from sklearn_ntk import NTK, NTKRegressor, NTKRegressorCV
from sklearn_ntk._solvers.held_out import HeldOut
from sklearn_ntk._solvers.spectral import Spectrum


def seconds(function):
    """Seconds that one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--d", type=int, default=20)
    parser.add_argument("--alphas", type=int, default=20)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--weighted", action="store_true")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    X = rng.standard_normal((args.n, args.d))
    y = np.tanh(X[:, 0]) * X[:, 1] + 0.3 * rng.standard_normal(args.n)
    weight = rng.uniform(0.5, 2.0, args.n) if args.weighted else None
    alphas = np.geomspace(1e-4, 10.0, args.alphas)
    times = np.append(np.geomspace(1.0, 1e4, args.times - 1), np.inf)
    K = NTK()(X)
    spectrum = Spectrum.of(K, weight)
    held_out = HeldOut(spectrum, y[:, None] - y.mean(), centred=True)
    search = NTKRegressorCV(alphas=alphas, training_times=times)
    tasks = {
        "Gram matrix": lambda: NTK()(X),
        "scipy.linalg.eigh": lambda: eigh(K),
        "search": lambda: search.fit(X, y, weight),
        "  its decomposition": lambda: Spectrum.of(K, weight),
        "  its held-out values": lambda: held_out.one_by_one(alphas, times),
        "one NTKRegressor": lambda: NTKRegressor().fit(X, y, weight),
    }
    taken = {name: [] for name in tasks}
    for _ in range(args.repeats + 1):
        for name, task in tasks.items():
            taken[name].append(seconds(task))
    median = {name: np.median(values[1:]) for name, values in taken.items()}
    for name, value in median.items():
        ratio = value / median["scipy.linalg.eigh"]
        print(f"{name:24} {value:8.3f} s   {ratio:6.2f} times eigh")
    extra = median["search"] - median["Gram matrix"]
    ratio = extra / median["scipy.linalg.eigh"]
    print(f"search less Gram matrix  {extra:8.3f} s   {ratio:6.2f} times eigh")


if __name__ == "__main__":
    main()
