"""GraphNTK and GraphNNGP: oracles, invariants, scikit-learn, bad input."""

import pickle
import tracemalloc
from itertools import pairwise

import joblib
import numpy as np
import pytest
import sklearn
from conftest import read_only
from graph_zoo import du, graphs, random_graph, ring
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.svm import SVC

from sklearn_ntk import (
    NNGP,
    NTK,
    GraphNNGP,
    GraphNTK,
    NNGPClassifier,
    NNGPRegressor,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    compute_gram,
)
from sklearn_ntk._large import plan
from sklearn_ntk.networks import (
    MLP,
    Concatenate,
    Conv,
    Dense,
    Dropout,
    Erf,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    GraphConv,
    GraphNetwork,
    InputScale,
    LayerNorm,
    ReLU,
    Residual,
    SelfAttention,
    Sequential,
)

GRAPHS = graphs()
WEIGHTED = graphs(1, (3, 4, 6), weighted=True)


def layered(conv, input_shape=None):
    """A network of many kinds of layers."""
    return Sequential(
        InputScale(1.3),
        conv,
        Dense(1.5, 0.3),
        LayerNorm(),
        Erf(),
        conv,
        Dense(1.2, 0.2),
        Residual(ReLU(), Dropout(0.2), conv, Dense(0.9, 0.1)),
        ReLU(),
        Concatenate(
            Sequential(GlobalSumPool(), Dense(0.7, 0.1), ReLU()),
            Sequential(GlobalAvgPool(), Dense(0.8, 0.0), ReLU()),
        ),
        Dense(1.0, 0.1),
        input_shape=input_shape,
        output_scale="unit",
    )


@pytest.mark.parametrize("jumping", [False, True])
@pytest.mark.parametrize("aggregation", ["sum", "mean"])
@pytest.mark.parametrize(("blocks", "layers"), [(0, 1), (1, 2), (2, 1)])
def test_recursion_of_du(blocks, layers, aggregation, jumping):
    options = {"aggregation": aggregation, "jumping_knowledge": jumping}
    kernel = GraphNTK(GraphNetwork(blocks, layers, output_scale=1.0, **options))
    for X in (GRAPHS, WEIGHTED):
        exact = [[du(x, y, blocks, layers, aggregation, jumping) for y in X] for x in X]
        exact = 2.0 / 3.0 * np.array(exact)  # our first layer divides by 3 features
        assert_allclose(kernel(X), exact, rtol=1e-12)
        assert_allclose(kernel(X[:2], X), exact[:2], rtol=1e-12)
        assert_allclose(kernel.diag(X), np.diag(exact), rtol=1e-13)


@pytest.mark.parametrize("aggregation", ["sum", "mean"])
def test_graphs_of_one_size_as_flat_rows(aggregation):
    """The same numbers as the layers on pairs of pixels give."""
    X = graphs(2, (5, 5, 5, 5), weighted=True)
    rows = np.array([np.hstack([A, features]).ravel() for features, A in X])
    conv = GraphConv("input", self_loops=True, aggregation=aggregation)
    for kernel, flat in ((GraphNTK, NTK), (GraphNNGP, NNGP)):
        K = kernel(layered(conv))(X)
        L = flat(layered(conv, input_shape=(5, 8)))(rows)
        # "unit" is one graph of one node here, and five nodes of ones there
        assert_allclose(K / K[0, 0], L / L[0, 0], rtol=1e-10)


def test_networks_of_finite_width():
    """Mean over networks of their kernels, to five standard errors and 2/width."""
    width, n_networks, X = 256, 400, GRAPHS[2:5]
    rng = np.random.default_rng(0)
    closed = [(F, A + np.eye(len(A))) for F, A in X]
    nngp, ntk = [], []
    for _ in range(n_networks):
        W, V = rng.standard_normal((3, width)), rng.standard_normal((width, width))
        a = rng.standard_normal(width)
        readouts, slopes = [], []
        for F, A in closed:
            first = A @ F
            u = first @ W * (2.0 / 3.0) ** 0.5
            second = A @ np.maximum(u, 0.0)
            v = second @ V * (2.0 / width) ** 0.5
            readouts.append(np.maximum(v, 0.0).sum(axis=0) * (2.0 / width) ** 0.5)
            of_v = (v > 0) * a * (2.0 / width) ** 0.5
            of_u = (u > 0) * (A.T @ (of_v @ V.T) * (2.0 / width) ** 0.5)
            in_V = second.T @ of_v * (2.0 / width) ** 0.5
            in_W = first.T @ of_u * (2.0 / 3.0) ** 0.5
            slopes.append(np.concatenate([readouts[-1], in_V.ravel(), in_W.ravel()]))
        nngp.append(np.array(readouts) @ np.array(readouts).T)
        ntk.append(np.array(slopes) @ np.array(slopes).T)
    network = GraphNetwork(output_scale=1.0)
    for samples, K in ((nngp, GraphNNGP(network)(X)), (ntk, GraphNTK(network)(X))):
        scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
        error = np.std(samples, axis=0) / n_networks**0.5 / scale
        tolerance = 5.0 * error + 2.0 / width
        assert np.max(tolerance) < 0.15
        assert np.all(np.abs(np.mean(samples, axis=0) - K) / scale < tolerance)


@given(
    st.integers(0, 10**6),
    st.lists(st.integers(1, 7), min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_order_of_nodes_does_not_matter(seed, sizes, weighted):
    X = graphs(seed, sizes, weighted=weighted)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(n) for n in sizes]
    relabelled = [
        (F[order], A[np.ix_(order, order)])
        for (F, A), order in zip(X, orders, strict=True)
    ]
    kernel = GraphNTK(GraphNetwork(aggregation="mean", bias_variance=0.3))
    K = kernel(X)
    scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    error = np.abs(kernel(relabelled, X) - K) / np.where(scale > 0, scale, 1.0)
    # a pair of equal nodes is known as such in kernel(X) alone; else the angle
    # between them has half of the digits
    assert np.max(error) < 1e-7
    assert np.max(np.abs(kernel(relabelled) - K)) <= 1e-11 * np.max(scale)


@pytest.mark.parametrize("kernel", [GraphNTK, GraphNNGP])
def test_kernel_of_a_disjoint_union_is_a_sum(kernel):
    (F, A), (G, B), *others = GRAPHS[2:]
    union = np.vstack([F, G]), sparse.block_diag([A, B])
    for jumping in (False, True):
        network = GraphNetwork(jumping_knowledge=jumping)
        parts = kernel(network)([(F, A), (G, B)], others)
        assert_allclose(
            kernel(network)([union], others)[0], parts.sum(axis=0), rtol=1e-12
        )


@pytest.mark.parametrize("name", ["du", "layered"])
def test_matrix_is_symmetric_and_agrees_with_its_parts(name):
    network = GraphNetwork(bias_variance=0.2, jumping_knowledge=True)
    if name == "layered":
        network = layered(GraphConv("input", aggregation="mean"))
    X = [*GRAPHS, *graphs(3, (1, 9, 7))]
    for kernel in (GraphNTK(network), GraphNNGP(network)):
        K = kernel(X)
        assert np.array_equal(K, K.T)
        assert_allclose(kernel.diag(X), np.diag(K), rtol=1e-13)
        norm = np.sqrt(np.outer(np.diag(K), np.diag(K)))
        assert np.min(np.linalg.eigvalsh(K / norm)) > -1e-12
        different = ~np.eye(len(X), dtype=bool)
        assert_allclose(kernel(X, X)[different], K[different], rtol=1e-11)


def test_graphs_of_one_node_are_rows(X):
    alone = [(x[None], [[0.0]]) for x in X]
    for blocks, layers in ((1, 1), (2, 2)):
        network = GraphNetwork(blocks, layers, bias_variance=0.4)
        rows = MLP(blocks * layers, bias_variance=0.4)
        for kernel, flat in ((GraphNTK, NTK), (GraphNNGP, NNGP)):
            assert_allclose(kernel(network)(alone), flat(rows)(X), rtol=1e-12)
            assert_allclose(
                kernel(network)(alone[:3], alone[3:]), flat(rows)(X[:3], X[3:]), 1e-12
            )


def test_sets_of_nodes_need_no_edges():
    """Deep sets: without graph layers the adjacency matrix does not count."""
    network = Sequential(Dense(), ReLU(), GlobalAvgPool(), Dense())
    bare = [(F, np.zeros_like(A)) for F, A in GRAPHS]
    assert_allclose(GraphNTK(network)(GRAPHS), GraphNTK(network)(bare), rtol=1e-14)


@pytest.mark.parametrize("kernel", [GraphNTK, GraphNNGP])
@pytest.mark.parametrize("jumping", [False, True])
def test_gradients(kernel, jumping):
    kernel = kernel(
        GraphNetwork(
            jumping_knowledge=jumping,
            activation="erf",
            bias_variance=0.3,
            weight_variance_bounds=(1e-3, 1e3),
            output_scale=0.7,
            output_scale_bounds=(1e-3, 1e3),
        )
    )
    K, gradient = kernel(GRAPHS, eval_gradient=True)
    assert_allclose(K, kernel(GRAPHS), rtol=1e-13)
    assert gradient.shape == (len(GRAPHS), len(GRAPHS), 3)
    for k, step in enumerate(1e-4 * np.eye(3)):
        ahead, behind = (
            kernel.clone_with_theta(kernel.theta + s)(GRAPHS) for s in (step, -step)
        )
        numeric = (ahead - behind) / 2e-4
        assert_allclose(gradient[..., k], numeric, rtol=1e-6, atol=1e-6 * np.max(K))
    W = np.random.default_rng(0).standard_normal(K.shape)
    contracted = np.einsum("ij,ijk", W, gradient)
    assert_allclose(kernel.gradient_dot(GRAPHS, W), contracted, rtol=1e-10)


def test_gradient_of_equal_nodes():
    """Nodes of one feature are all parallel; a bias turns them apart."""
    X = [ring(5), ring(6), ring(5)]
    for bias in (0.0, 0.5):
        network = GraphNetwork(
            bias_variance=bias, weight_variance_bounds=(1e-3, 1e3), output_scale=1.0
        )
        kernel = GraphNTK(network)
        K, gradient = kernel(X, eval_gradient=True)
        assert np.all(np.isfinite(K))
        assert np.all(np.isfinite(gradient))
        assert_allclose(K[0, 2], K[0, 0], rtol=1e-7)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_result_does_not_depend_on_blocks(n_jobs):
    X, network = graphs(4, range(1, 20)), GraphNetwork(bias_variance=0.1)
    K = GraphNTK(network)(X)
    with (
        sklearn.config_context(working_memory=1),
        joblib.parallel_config("threading", n_jobs=n_jobs),
    ):
        L = GraphNTK(network)(X)
        C = GraphNTK(network)(X[3:11], X)
    assert_allclose(L, K, rtol=1e-13)
    different = np.arange(3, 11)[:, None] != np.arange(19)
    assert_allclose(C[different], K[3:11][different], rtol=1e-11)


def test_memory_does_not_grow_beside_the_result():
    X, kernel, beside = graphs(5, [20] * 96), GraphNTK(), []
    for n in (48, 96):
        kernel(X[:n])
        tracemalloc.start()
        kernel(X[:n])
        beside.append(tracemalloc.get_traced_memory()[1] - 8 * n**2)
        tracemalloc.stop()
    assert beside[1] < 1.3 * beside[0]


def test_weights_self_loops_and_isolated_nodes():
    F = np.random.default_rng(0).standard_normal((4, 2))
    A = np.array([[0.5, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1.0]])
    conv = {
        False: GraphConv("input"),
        True: GraphConv("input", self_loops=True),
    }
    for self_loops, layer in conv.items():
        sums = (A + self_loops * np.eye(4)) @ F
        network = Sequential(layer, Dense(1.0, 0.0), GlobalSumPool())
        total = sums.sum(axis=0)
        assert_allclose(GraphNNGP(network)([(F, A)]), [[total @ total / 2]], rtol=1e-13)
        mean = GraphConv("input", self_loops=self_loops, aggregation="mean")
        degree = (A + self_loops * np.eye(4)).sum(axis=1)
        total = (sums / np.where(degree > 0, degree, 1.0)[:, None]).sum(axis=0)
        network = Sequential(mean, Dense(1.0, 0.0), GlobalSumPool())
        assert_allclose(GraphNNGP(network)([(F, A)]), [[total @ total / 2]], rtol=1e-13)
    K = GraphNTK()([(F, A), (F, np.zeros((4, 4))), (0.0 * F, A)])
    assert np.all(np.isfinite(K))
    assert np.array_equal(K[2], np.zeros(3))


def test_forms_of_a_graph():
    features, A = GRAPHS[3]
    features = np.abs(features)
    kernel = GraphNTK(GraphNetwork(bias_variance=0.1))
    K = kernel([(features, A)])
    for form in (
        (features, sparse.csr_array(A)),
        [features.tolist(), A.tolist()],
        (sparse.csr_array(features), sparse.coo_matrix(A)),
        (read_only(features), read_only(A)),
    ):
        assert_allclose(kernel([form]), K, rtol=1e-13)
    degrees = A.sum(axis=1, keepdims=True)
    K = kernel([(degrees, A)])
    for form in (A, sparse.csc_array(A), sparse.lil_matrix(A), (None, A), read_only(A)):
        assert_allclose(kernel([form]), K, rtol=1e-13)
    several = [(degrees, A), (degrees[:1], [[0]])]
    assert_allclose(
        kernel(np.fromiter(several, dtype=object)), kernel(several), rtol=1e-14
    )


def test_networkx():
    networkx = pytest.importorskip("networkx")
    pandas = pytest.importorskip("pandas")
    graph = networkx.Graph()
    graph.add_edge("a", "b", weight=2.0)
    graph.add_edge("b", "c")
    graph.add_node("d")
    for node, value in zip(
        "abcd", ([1.0, 0.0], [0.5, 2.0], [0, 0], [1, 1]), strict=True
    ):
        graph.nodes[node].update(x=value, size=value[0])
    A = np.zeros((4, 4))
    A[1, 2] = A[2, 1] = 1.0
    A[0, 1] = A[1, 0] = 2.0
    features = np.array([[1.0, 0.0], [0.5, 2.0], [0, 0], [1, 1]])
    plain = GraphNTK(GraphNetwork(bias_variance=0.1))
    for attribute, pair in (
        ("x", (features, A)),
        ("size", (features[:, :1], A)),
        (None, (None, A)),
    ):
        network = GraphNetwork(bias_variance=0.1, node_attribute=attribute)
        K = plain([pair])
        assert_allclose(GraphNTK(network)([graph]), K, rtol=1e-13)
        assert_allclose(GraphNTK(network)(pandas.Series([graph])), K, rtol=1e-13)
        model = NTKRegressor(network).fit([graph, graph], [1.0, 1.0])
        assert_allclose(model.predict([graph]), [1.0])
    with pytest.raises(ValueError, match="Node 'a' of graph 0 of X has no attribute"):
        GraphNTK(GraphNetwork(node_attribute="colour"))([graph])
    with pytest.raises(ValueError, match="Graph 1 of X has no nodes"):
        plain([graph, networkx.Graph()])
    with pytest.raises(ValueError, match=r"Graph 0 of X .* not symmetric"):
        plain([networkx.DiGraph(graph.edges)])
    with pytest.raises(ValueError, match=r"Graph 0 of X .* not symmetric"):
        plain([networkx.DiGraph([(0, 1)])])


PAIR = (np.ones((2, 3)), np.array([[0.0, 1.0], [1.0, 0.0]]))
BAD = {
    "no graphs": ([], r"Found array with 0 graph\(s\) in X"),
    "a matrix": (np.eye(3), "X must be a list.*ndarray of shape"),
    "a sparse matrix": (sparse.eye_array(3), "X must be a list"),
    "no graph": ([PAIR, 3.0], "Graph 1 of X must be a networkx graph.*float"),
    "no nodes": ([PAIR, np.zeros((0, 0))], "Graph 1 of X has no nodes"),
    "no nodes, features": ([(np.ones((0, 3)), np.zeros((0, 0)))], "Graph 0.*no nodes"),
    "not square": ([PAIR, np.ones((2, 3))], "Graph 1 of X must have a square"),
    "not a matrix": (
        [(np.ones((2, 3)), [1.0, 2.0])],
        "Graph 0 of X must have a square",
    ),
    "no numbers": ([(np.ones((1, 1)), [["x"]])], "adjacency matrix of Graph 0"),
    "asymmetric": ([PAIR, (PAIR[0], [[0, 1], [0, 0]])], "Graph 1 of X.*not symmetric"),
    "negative": ([(PAIR[0], -PAIR[1])], "Graph 0 of X has negative weights"),
    "NaN edge": ([PAIR, (PAIR[0], np.nan * PAIR[1])], "Graph 1 of X has weights.*NaN"),
    "NaN": ([PAIR, (np.nan * PAIR[0], PAIR[1])], "Graph 1 of X has features.*NaN"),
    "infinite": ([PAIR, (np.inf * PAIR[0], PAIR[1])], "Graph 1 of X has features"),
    "rows": (
        [(np.ones((3, 3)), PAIR[1])],
        r"features of graph 0 of X.*\(2, n_features",
    ),
    "one axis": ([(np.ones(2), PAIR[1])], r"features of graph 0 of X.*\(2, n_features"),
    "words": ([(["a", "b"], PAIR[1])], "features of graph 0 of X must be an array"),
    "mixed": ([PAIR, (np.ones((2, 4)), PAIR[1])], "Graph 1 of X has 4, graph 0 has 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_graphs(name):
    X, message = BAD[name]
    for call in (GraphNTK(), GraphNNGP().diag):
        with pytest.raises(ValueError, match=message):
            call(X)
    with pytest.raises(ValueError, match=message):
        NTKRegressor(GraphNetwork()).fit(X, np.zeros(2))


def test_features_of_x_and_y_differ():
    with pytest.raises(ValueError, match="Those of X have 3, those of Y 1"):
        GraphNTK()([PAIR], [(None, PAIR[1])])
    model = NTKRegressor(GraphNetwork()).fit([PAIR, PAIR], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"1 features, but .* expecting 3"):
        model.predict([(None, PAIR[1])])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (MLP(), "must end in a row of features"),
        (Sequential(Conv(3), GlobalSumPool()), "Conv acts on images"),
        (Sequential(Dense(), Flatten(), Dense()), "Flatten acts on images"),
        (Sequential(Dense(), LayerNorm((0, 1)), GlobalSumPool()), "LayerNorm acts"),
        (Sequential(SelfAttention(), GlobalSumPool()), "SelfAttention acts on images"),
        (Sequential(GraphConv(np.eye(2)), GlobalSumPool()), "'adjacency'.*be 'input'"),
        (Sequential(GlobalSumPool(), Dense(), input_shape=(2, 2)), "'input_shape'"),
        (
            Sequential(InputScale([1.0, 2.0, 3.0]), Dense(), GlobalSumPool()),
            "One length scale per feature",
        ),
        (Sequential("relu", GraphConv("input")), "Layer 0 of Sequential"),
        (GraphNetwork(-1), "'blocks'"),
        (GraphNetwork(readout="max"), "'readout'"),
        (GraphNetwork(aggregation="max"), "'aggregation'"),
        (GraphNetwork(activation="none"), "'activation'"),
        (Sequential(GraphConv("input", aggregation=1)), "'aggregation'"),
    ],
)
def test_bad_networks(network, message):
    for kernel in (GraphNTK(network), GraphNNGP(network)):
        with pytest.raises(ValueError, match=message):
            kernel(GRAPHS, eval_gradient=True)


def test_networks_of_other_than_layers():
    with pytest.raises(ValueError, match="Layer 0 of Sequential"):
        NTK(Sequential("relu", GraphConv("input")))(np.eye(2))


def test_graph_too_large_for_the_working_memory():
    X = [ring(3), ring(500)]
    with (
        sklearn.config_context(working_memory=16),
        pytest.raises(ValueError, match="of 500 and 500, need 46 MiB"),
    ):
        GraphNTK()(X)


@pytest.mark.parametrize("processes", [False, True])
def test_compute_gram(tmp_path, monkeypatch, processes):
    monkeypatch.setattr(plan, "MAX_SIZE", 3)
    kernel = GraphNTK(GraphNetwork(bias_variance=0.1)) + WhiteKernel(0.5)
    path = tmp_path / "gram.npy"
    backend = "loky" if processes else "threading"
    with joblib.parallel_config(backend, n_jobs=2):
        K = compute_gram(kernel, GRAPHS, out=path)
        assert_allclose(
            compute_gram(kernel, GRAPHS[:2], GRAPHS), K[:2] - 0.5 * np.eye(2, 7), 1e-7
        )
    assert_allclose(K, kernel(GRAPHS), rtol=1e-11)
    done = path.stat().st_mtime_ns
    compute_gram(kernel, GRAPHS, out=path, resume=True)
    assert path.stat().st_mtime_ns == done
    with pytest.raises(ValueError, match="data"):
        compute_gram(kernel, GRAPHS[::-1], out=path, resume=True)
    with pytest.raises(ValueError, match="device"):
        compute_gram(kernel, GRAPHS, device="cuda")


def test_scikit_learn_interface():
    kernel = GraphNTK()
    assert not kernel.requires_vector_input
    assert not NTK(GraphNetwork()).requires_vector_input
    assert kernel.get_params()["network__blocks"] == 2
    named = clone(kernel).set_params(network__blocks=3, network__bias_variance=0.5)
    assert named.network == GraphNetwork(3, bias_variance=0.5)
    assert clone(named) == named
    assert kernel.network is None
    assert repr(named) == "GraphNTK(GraphNetwork(blocks=3, bias_variance=0.5))"
    again = pickle.loads(pickle.dumps(named))
    assert np.array_equal(again(GRAPHS), named(GRAPHS))
    assert_allclose(NTK(named.network)(GRAPHS), named(GRAPHS), rtol=1e-14)
    assert_allclose(named.theta, np.log([0.5]))
    total = named + 2.0 * WhiteKernel()
    assert_allclose(np.diag(total(GRAPHS)), named.diag(GRAPHS) + 2.0)


@pytest.fixture(scope="module")
def task():
    """Graphs, noisy means of their nodes' degrees, and which of these are large."""
    rng = np.random.default_rng(0)
    X = [random_graph(rng, 5 + i % 5, p=rng.uniform(0.1, 0.9)) for i in range(60)]
    degree = np.array([A.sum() / len(A) for _, A in X])
    X = [(np.ones((len(A), 1)), A) for _, A in X]
    return X, degree + 0.3 * rng.standard_normal(60), (degree > 3.0).astype(int)


NETWORK = GraphNetwork(1, readout="mean", bias_variance=0.1)


def test_support_vector_machines(task):
    X, _, label = task
    assert np.mean(cross_val_score(SVC(kernel=GraphNTK(NETWORK)), X, label)) > 0.8
    grid = {"kernel__network__blocks": [1, 2], "C": [1.0, 10.0]}
    search = GridSearchCV(SVC(kernel=GraphNTK(NETWORK)), grid, cv=3, n_jobs=2)
    assert search.fit(X, label).best_score_ > 0.8
    K = GraphNTK(NETWORK)(X)
    model = SVC(kernel="precomputed").fit(K, label)
    assert np.array_equal(
        model.predict(K), SVC(kernel=GraphNTK(NETWORK)).fit(X, label).predict(X)
    )


def test_gaussian_process(task):
    X, y, _ = task
    X = np.fromiter(X, dtype=object)
    model = GaussianProcessRegressor(GraphNNGP(NETWORK) + WhiteKernel(0.1))
    model = model.fit(X[::2], y[::2])
    start = GaussianProcessRegressor(model.kernel, optimizer=None).fit(X[::2], y[::2])
    assert model.log_marginal_likelihood_value_ > start.log_marginal_likelihood_value_
    mean, std = model.predict(X[1::2], return_std=True)
    assert model.score(X[1::2], y[1::2]) > 0.8
    assert mean.shape == std.shape == (30,)


@pytest.mark.parametrize(
    "model",
    [
        NTKRegressor(NETWORK, alpha=0.01),
        NTKRegressor(NETWORK, alpha=0.01, training_time=1e5),
        NNGPRegressor(NETWORK, alpha=0.01),
        NTKRegressorCV([NETWORK, GraphNetwork(2, readout="mean")], cv=3),
        NTKClassifier(NETWORK, alpha=0.01),
        NTKClassifier(NETWORK, alpha=0.01, loss="log_loss"),
        NNGPClassifier(NETWORK, alpha=0.01),
        NTKClassifierCV([NETWORK, GraphNetwork(2, readout="mean")]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_estimators(model, task):
    X, y, label = task
    target = y if sklearn.base.is_regressor(model) else label
    model = clone(model).fit(X[::2], target[::2])
    assert model.score(X[1::2], target[1::2]) > 0.7
    assert model.n_features_in_ == 1
    assert cross_val_score(model, X, target, cv=3).shape == (3,)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))


def test_what_estimators_share(task):
    X, y, label = task
    model = NTKRegressor(NETWORK, alpha=0.01)
    weight = np.arange(60) % 3.0
    twice = [x for x, w in zip(X, weight, strict=True) for _ in range(int(w))]
    weighted = clone(model).fit(X, y, sample_weight=weight)
    repeated = clone(model).fit(twice, np.repeat(y, weight.astype(int)))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8)
    grown = clone(model)
    for start, stop in pairwise([0, 10, 25, 60]):
        grown.partial_fit(X[start:stop], y[start:stop])
    whole = clone(model).fit(X, y)
    assert_allclose(grown.predict(X), whole.predict(X), rtol=1e-8)
    _, std = whole.predict(X[:5], return_std=True)
    assert std.shape == (5,)
    assert NTKClassifier(NETWORK).fit(X, label).predict_proba(X).shape == (60, 2)
    learned = NNGPRegressor(NETWORK, optimizer="fmin_l_bfgs_b").fit(X, y)
    assert learned.log_marginal_likelihood() > (
        NNGPRegressor(NETWORK).fit(X, y).log_marginal_likelihood()
    )
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match="'device' parameter"):
        clone(model).set_params(device="cuda").fit(X, y)
