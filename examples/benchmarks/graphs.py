"""Time of a kernel matrix of graphs, against a loop over the pairs of graphs.

The loop is the recursion of Du et al. (2019) on a pair after the other, in NumPy, with
the variances of each graph's nodes worked out once. Both are timed in turns, in one
run, the loop on a part of the graphs whose time is scaled up to all of them::

    python examples/benchmarks/graphs.py --n 200 --blocks 3 --layers 2
"""

import argparse
import time

import numpy as np
from scipy import sparse

from sklearn_ntk import GraphNTK
from sklearn_ntk.networks import GraphNetwork


def random_graphs(n, smallest, largest, n_features, rng):
    """Pairs (features, adjacency) of about four neighbours for each node."""
    graphs = []
    for size in rng.integers(smallest, largest + 1, n):
        A = np.triu(rng.random((size, size)) < 4.0 / size, 1).astype(float)
        features = np.eye(n_features)[rng.integers(0, n_features, size)]
        graphs.append((features, sparse.csr_array(A + A.T)))
    return graphs


class PairByPair:
    """The kernel as a loop over pairs of graphs."""

    def __init__(self, blocks, layers):
        self.blocks, self.layers = blocks, layers

    def __call__(self, graphs):
        closed = [
            (features, sparse.csr_array(A + sparse.eye_array(A.shape[0])))
            for features, A in graphs
        ]
        lengths = [self.of_itself(*graph) for graph in closed]
        K = np.empty((len(graphs), len(graphs)))
        for i in range(len(graphs)):
            for j in range(i + 1):
                found = self.pair(*closed[i], lengths[i], *closed[j], lengths[j])
                K[i, j] = K[j, i] = found
        return K

    def of_itself(self, X, A):
        """The standard deviations of a graph's nodes at every layer."""
        K, lengths = X @ X.T, []
        for _ in range(self.blocks):
            K = (A @ (A @ K).T).T
            for _ in range(self.layers):
                lengths.append(np.sqrt(np.diag(K)))
                K, _ = self.rectified(K, lengths[-1], lengths[-1])
        return lengths

    def pair(self, X, A, lengths_x, Y, B, lengths_y):
        K = X @ Y.T
        theta = np.zeros_like(K)
        lengths = zip(lengths_x, lengths_y, strict=True)
        for _ in range(self.blocks):
            K = (B @ (A @ K).T).T
            theta = (B @ (A @ theta).T).T
            for _ in range(self.layers):
                theta = theta + K
                K, slope = self.rectified(K, *next(lengths))
                theta = theta * slope
        return np.sum(theta + K)

    def rectified(self, K, length_x, length_y):
        lengths = length_x[:, None] * length_y
        c = np.clip(K / lengths, -1.0, 1.0)
        angle = np.pi - np.arccos(c)
        return lengths * (np.sqrt(1.0 - c * c) + angle * c) / np.pi, angle / np.pi


def seconds(function):
    """Seconds that one call takes, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--smallest", type=int, default=10)
    parser.add_argument("--largest", type=int, default=40)
    parser.add_argument("--features", type=int, default=7)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--part", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    graphs = random_graphs(args.n, args.smallest, args.largest, args.features, rng)
    part = graphs[: args.part]
    network = GraphNetwork(args.blocks, args.layers, output_scale=args.features / 2)
    kernel, loop = GraphNTK(network), PairByPair(args.blocks, args.layers)
    n_pairs, n_part = (n * (n + 1) // 2 for n in (len(graphs), len(part)))
    ours, theirs = [], []
    for _ in range(args.repeats + 1):
        taken, K = seconds(lambda: kernel(graphs))
        ours.append(taken)
        taken, L = seconds(lambda: loop(part))
        theirs.append(taken * n_pairs / n_part)
    block = K[: len(part), : len(part)]
    print(f"largest relative difference {np.max(np.abs(block / L - 1.0)):.1e}")
    ours, theirs = np.median(ours[1:]), np.median(theirs[1:])
    print(f"GraphNTK       {ours:8.3f} s  {1e6 * ours / n_pairs:8.1f} us a pair")
    print(f"pair by pair   {theirs:8.3f} s  {1e6 * theirs / n_pairs:8.1f} us a pair")
    print(f"ratio          {theirs / ours:8.2f}")


if __name__ == "__main__":
    main()
