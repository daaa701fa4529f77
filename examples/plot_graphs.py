"""
==================================================
Graphs: what neighbours have to do with each other
==================================================

Graphs of 12 to 30 nodes are told apart by whether neighbours are alike. Each node has a
hidden state, up or down, and four noisy numbers that lean to one side in one state and
to the other in the other. In graphs of the first class neighbours tend to agree, in
those of the second they do not care, in those of the third they tend to differ. Edges
are drawn in the same way for all, so that degrees tell nothing, and the features of
nodes alone hardly anything: it is in how features sit on the graph.

`GraphNTK` is the kernel of infinitely wide graph networks, for a support vector machine
or `NTKClassifier`. It is compared with support vector machines on Weisfeiler-Lehman
features, which count what neighbourhoods there are, on counts of degrees, and on the
same kernel of graphs without their edges.
"""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC

from sklearn_ntk import GraphNTK, NTKClassifier
from sklearn_ntk.networks import GraphNetwork

rng = np.random.default_rng(0)


def graph(coupling):
    """A pair (features, adjacency), with states drawn from an Ising model."""
    n = rng.integers(12, 31)
    A = np.triu(rng.random((n, n)) < 3.0 / n, 1).astype(float)
    A = A + A.T
    state = rng.choice([-1.0, 1.0], n)
    for _ in range(20):
        for u in range(n):
            up = 1.0 / (1.0 + np.exp(-2.0 * coupling * A[u] @ state))
            state[u] = 1.0 if rng.random() < up else -1.0
    lean = 0.5 * state * rng.choice([-1.0, 1.0])
    return lean[:, None] + 0.7 * rng.standard_normal((n, 4)), A


y = np.arange(360) % 3
X = [graph(coupling) for coupling in np.array([0.6, 0.0, -0.6])[y]]

# %%
# A graph is a pair of features and adjacency matrix here; networkx graphs and adjacency
# matrices alone would do as well. In each block of `GraphNetwork` a node takes the mean
# of its neighbours' features and its own, and a layer of hidden units acts on it. With
# ``jumping_knowledge=True`` the classifier sees the nodes' features before and after
# each block.

network = GraphNetwork(
    blocks=2,
    aggregation="mean",
    readout="mean",
    jumping_knowledge=True,
    bias_variance=0.1,
)
K = GraphNTK(network)(X)

# %%
# The others. Weisfeiler-Lehman features need labels of nodes, for which the signs of
# the features are taken. Twice, a node gets a new label for its own and those of its
# neighbours. What such features are worth hangs on the labels: who knows how the
# features were made takes the sign of their sum, and does best of all.


def neighbourhoods(numbers, A, rounds=2):
    """How often each label is there, those of all rounds together."""
    labels = [tuple(signs) for signs in (numbers > 0).astype(int).tolist()]
    counts = Counter(labels)
    for _ in range(rounds):
        labels = [
            (labels[u], *sorted(labels[v] for v in np.flatnonzero(A[u])))
            for u in range(len(A))
        ]
        counts.update(labels)
    return {str(label): count for label, count in counts.items()}


def linear(counts):
    """Kernel matrix of a linear support vector machine on normalised counts."""
    vectors = make_pipeline(DictVectorizer(), Normalizer()).fit_transform(counts)
    return (vectors @ vectors.T).toarray()


models = {
    "GraphNTK, SVC": (SVC(kernel="precomputed", C=100.0), K),
    "GraphNTK, NTKClassifier": (NTKClassifier("precomputed", alpha=1e-3), K),
    "Weisfeiler-Lehman, labels of sums": (
        SVC(kernel="precomputed", C=10.0),
        linear([neighbourhoods(F.sum(axis=1, keepdims=True), A) for F, A in X]),
    ),
    "Weisfeiler-Lehman, labels of features": (
        SVC(kernel="precomputed", C=10.0),
        linear([neighbourhoods(F, A) for F, A in X]),
    ),
    "counts of degrees": (
        SVC(kernel="precomputed", C=10.0),
        linear([Counter(map(str, A.sum(axis=1))) for _, A in X]),
    ),
    "nodes without edges": (
        SVC(kernel="precomputed", C=100.0),
        GraphNTK(network)([(F, np.zeros_like(A)) for F, A in X]),
    ),
}

# %%
# Accuracies on 120 graphs, the mean over ten splits. `GraphNTK` finds a good part of
# what there is in the features as they are. With labels that were not made for the task
# most neighbourhoods occur once, and counts of them say little.

SIZES = [15, 30, 60, 120, 240]
curves = {name: [] for name in models}
for size in SIZES:
    splits = StratifiedShuffleSplit(10, train_size=size, test_size=120, random_state=0)
    for name, (model, matrix) in models.items():
        scores = [
            model.fit(matrix[np.ix_(train, train)], y[train]).score(
                matrix[np.ix_(test, train)], y[test]
            )
            for train, test in splits.split(y, y)
        ]
        curves[name].append(np.mean(scores))

# %%
# The kernel is used like any other of scikit-learn's, and on graphs of its own:
# ``SVC(kernel=GraphNTK(network)).fit(X, y)``, ``NTKClassifier(network).fit(X, y)``.

model = NTKClassifier(network, alpha=1e-3).fit(X[:60], y[:60])
print(f"accuracy of NTKClassifier on graphs: {model.score(X[60:120], y[60:120]):.2f}")

fig, ax = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
for (name, accuracies), style in zip(
    curves.items(), ("o-", "s-", "v--", "^--", "x:", "+:"), strict=True
):
    ax.plot(SIZES, accuracies, style, label=name)
ax.axhline(1 / 3, color="0.6", lw=1)
ax.set(xscale="log", xlabel="training graphs", ylabel="accuracy on test graphs")
ax.set_xticks(SIZES, SIZES)
ax.minorticks_off()
ax.set_ylim(0.25, 1.0)
ax.grid(alpha=0.3)
ax.legend(fontsize=8)
plt.show()
