"""Sequences and images of unequal size, padded with `mask_value`."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import sklearn
from conftest import read_only
from image_zoo import (
    BLIND,
    MISSING,
    RING,
    attention,
    conv,
    decay,
    on_images,
    padded,
)
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from zoo import dense

from sklearn_ntk import NNGP, NTK, NNGPRegressor, NTKClassifier, NTKRegressor
from sklearn_ntk import compute_gram as compute_gram_
from sklearn_ntk._engine.gram import gram
from sklearn_ntk.networks import (
    MLP,
    AvgPool,
    ConvNet,
    Crop,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    GraphConv,
    InputScale,
    LayerNorm,
    Myrtle,
    ReLU,
    Resize,
    SelfAttention,
    Sequential,
    Sum,
    SumPool,
    Transformer,
    WideResNet,
)

BOTH = ("nngp", "ntk")
LENGTHS = (3, 7, 5, 4)
END = GlobalAvgPool(), dense()
PLAIN = {"output_scale": 1.0, "bias_variance": 0.1}


def read_as(shape, mask_value):
    return {"input_shape": shape, "mask_value": mask_value}


def network(name, length, mask_value):
    shape = read_as((length, 2), mask_value)
    if name == "conv_net":
        return ConvNet(2, **shape, **PLAIN)
    if name == "transformer":
        return Transformer(1, **shape, **PLAIN)
    layers = BLIND[name]
    if name == "scaled":
        scales = np.tile([1.0, 2.0], length)
        layers = [InputScale(scales, length_scale_bounds="fixed"), *layers]
    return Sequential(*layers, **shape)


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((length, 2)) for length in LENGTHS]


def test_rows_of_single_precision_say_what_is_missing(sequences):
    X, kernel = padded(sequences, 7, 0.1), NTK(network("conv", 7, 0.1))
    assert_allclose(kernel(X.astype(np.float32)), kernel(X), rtol=1e-5)
    tiny = NTK(network("conv", 7, 1e-50))  # 0 in single precision, which exists
    zeros = padded(sequences, 7, 0.0)
    assert_allclose(tiny(zeros), NTK(network("conv", 7, None))(zeros), rtol=1e-13)


@pytest.mark.parametrize("name", [*BLIND, "conv_net", "transformer"])
def test_row_has_the_kernel_of_what_is_not_padding(name, sequences):
    X, longer = padded(sequences, 7, MISSING), padded(sequences, 9, np.nan)
    for kernel in (NTK, NNGP):
        masks = kernel(network(name, 7, MISSING))
        K = masks(X)
        assert np.array_equal(K, K.T)
        assert np.min(np.linalg.eigvalsh(K)) > 0
        assert_allclose(masks.diag(X), np.diag(K), rtol=1e-12)
        assert_allclose(masks(X[:2], X[2:]), K[:2, 2:], rtol=1e-11)
        more = kernel(network(name, 9, np.nan))
        assert_allclose(more(longer), K, rtol=1e-11)
        assert_allclose(more(longer[:2], longer[2:]), K[:2, 2:], rtol=1e-11)
        assert_allclose(more.diag(longer), np.diag(K), rtol=1e-11)
        for i, sequence in enumerate(sequences):
            alone = kernel(network(name, len(sequence), None))
            assert_allclose(alone(sequence.reshape(1, -1)), K[i, i], rtol=1e-11)
            two = padded([sequence, sequence[::-1]], 7, MISSING)
            bare = np.stack([sequence, sequence[::-1]]).reshape(2, -1)
            assert_allclose(masks(two), alone(bare), rtol=1e-11)


@pytest.mark.parametrize("mask_value", [MISSING, np.nan])
def test_scale_before_a_network_that_reads_the_rows(mask_value, sequences):
    """What is missing is so before features are divided."""
    X, scale = padded(sequences, 7, mask_value), InputScale(np.linspace(0.5, 2.0, 14))
    inner = network("conv", 7, mask_value)
    one = NTK(Sequential(scale, inner))
    other = NTK(inner._with_layers((scale, *inner.layers)))
    assert_allclose(one(X), other(X), rtol=1e-13)
    with pytest.raises(ValueError, match="Every row must have a position"):
        one(np.full((1, 14), mask_value))


@pytest.mark.parametrize("name", [*BLIND, "conv_net", "transformer"])
def test_gradient(name, sequences):
    kernel = NTK(network(name, 7, MISSING))
    X, theta, step = padded(sequences, 7, MISSING), kernel.theta, 1e-4
    K, gradient = kernel(X, eval_gradient=True)
    assert_allclose(K, kernel(X), rtol=1e-11)
    direction = np.random.default_rng(1).standard_normal(len(theta))
    ends = [
        kernel.clone_with_theta(theta + s * step * direction)(X) for s in (-2, -1, 1, 2)
    ]
    slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)
    norm = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    assert np.max(np.abs(slope - gradient @ direction) / norm) < 1e-6
    more = NTK(network(name, 9, np.nan))
    _, same = more(padded(sequences, 9, np.nan), eval_gradient=True)
    assert_allclose(same, gradient, rtol=1e-9, atol=1e-10 * np.max(norm))
    W = np.random.default_rng(2).standard_normal((4, 4))
    assert_allclose(
        kernel.gradient_dot(X, W), np.einsum("ij,ijk", W, gradient), rtol=1e-9
    )


def relu_moments(K, q, r):
    """Those of a rectifier, of covariances K and variances q and r."""
    norm = np.sqrt(np.outer(q, r))
    angle = np.arccos(np.clip(K / norm, -1.0, 1.0))
    moment = norm * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    return moment, (np.pi - angle) / (2 * np.pi)


def window_means(K):
    """Means of three neighbours along both axes, zeros beyond the edges."""
    wide = np.pad(K, 1)
    return (wide[:-2, :-2] + wide[1:-1, 1:-1] + wide[2:, 2:]) / 3.0


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def written_out(x, y):
    """NNGP and NTK of two sequences without padding, straight from the formulas."""
    pairs = {"xx": (x, x), "xy": (x, y), "yy": (y, y)}
    K = {k: a @ b.T / x.shape[1] for k, (a, b) in pairs.items()}
    T = {k: np.zeros_like(K[k]) for k in K}
    for k in K:
        K[k], T[k] = 1.3 * window_means(K[k]) + 0.2, 1.3 * window_means(T[k])
        T[k] = T[k] + K[k]
    A, B = softmax(K["xx"]), softmax(K["yy"])
    sides = {"xx": (A, A), "xy": (A, B), "yy": (B, B)}
    for k, (left, right) in sides.items():
        T[k] = left @ (T[k] + 2 * K[k]) @ right.T
        K[k] = left @ K[k] @ right.T
    moment, slope = relu_moments(K["xy"], np.diag(K["xx"]), np.diag(K["yy"]))
    nngp = 1.5 * moment.mean() + 0.3
    return nngp, 1.5 * (T["xy"] * slope).mean() + nngp


def test_agrees_with_formulas_written_out(sequences):
    masks = on_images(
        conv(),
        SelfAttention(),
        ReLU(),
        GlobalAvgPool(),
        Dense(1.5, 0.3),
        shape=(7, 2),
        mask_value=MISSING,
    )
    X = padded(sequences, 7, MISSING)
    expected = np.array([[written_out(x, y) for y in sequences] for x in sequences])
    for k, K in enumerate(gram(masks, X, kinds=BOTH)):
        assert_allclose(K, expected[..., k], rtol=1e-7)


REFERENCES = {
    "gap": [conv(), ReLU(), conv(), ReLU(), GlobalAvgPool()],
    "flat": [conv(), ReLU(), conv(), ReLU(), Flatten()],
    "stride": [conv(3, 2), ReLU(), conv(), ReLU(), GlobalAvgPool()],
    "avg": [conv(), ReLU(), AvgPool(3, 1, "same"), conv(), ReLU(), GlobalAvgPool()],
    "att": [
        Dense(1.96, 1.0),
        SelfAttention(bias_variance=0.09, positional="sum", positional_decay=decay),
        ReLU(),
        GlobalAvgPool(),
    ],
    "ln": [conv(), LayerNorm((0, 1)), ReLU(), GlobalAvgPool()],
}


@pytest.mark.parametrize("name", REFERENCES)
def test_agrees_with_reference(name):
    """Neural Tangents with its mask_constant; see tests/data/README.md."""
    file = np.load(Path(__file__).parent / "data" / "reference_values_masks.npz")
    layers = *REFERENCES[name], Dense(1.0, 1.0)
    masks = on_images(*layers, shape=(7, 2), mask_value=MISSING)
    upper = np.triu_indices(4)
    for kind, K in zip(BOTH, gram(masks, file["X"], kinds=BOTH), strict=True):
        rtol = np.where(np.equal(*upper), 1e-7, 1e-10)  # inexact on the diagonal
        reference = file[f"{name}/{kind}"]
        assert np.all(np.abs(K[upper] - reference) <= rtol * reference)


def features(layer, rows):
    """What a linear layer makes of one sequence, a list of means and sums of rows."""
    return {
        "global mean": lambda: [rows.mean(axis=0)],
        "global sum": lambda: [rows.sum(axis=0)],
        "tiles": lambda: [rows[i : i + 2].mean(axis=0) for i in (0, 2, 4)],
        "sums of tiles": lambda: [rows[i : i + 2].sum(axis=0) for i in (0, 2, 4)],
        "full windows": lambda: [rows[i : i + 2].mean(axis=0) for i in (0, 2)],
        "counted": lambda: [
            rows[max(i - 1, 0) : i + 2].sum(axis=0) / 3.0 for i in range(5)
        ],
        "uncounted": lambda: [
            rows[max(i - 1, 0) : i + 2].mean(axis=0) for i in range(5)
        ],
        "part": lambda: list(rows[1:4]),
        "all": lambda: list(rows),
    }[layer]()


@pytest.mark.parametrize(
    ("name", "layers", "size"),
    [
        ("global mean", [GlobalAvgPool()], 1),
        ("global sum", [GlobalSumPool()], 1),
        ("tiles", [AvgPool(2), Flatten()], 4),
        ("sums of tiles", [SumPool(2), Flatten()], 4),
        ("full windows", [AvgPool(2, 2), Flatten()], 4),
        ("counted", [AvgPool(3, 1, "same"), Flatten()], 8),
        ("uncounted", [AvgPool(3, 1, "same", False), Flatten()], 8),
        ("part", [Crop(1, 4), Flatten()], 3),
        ("all", [Flatten()], 8),
        ("all", [Resize(16, method="nearest"), AvgPool(2), Flatten()], 8),
    ],
)
def test_features_of_linear_layers(name, layers, size):
    """Of a sequence of 5 positions, padded to 8, beside one of 8."""
    short, long = np.random.default_rng(3).standard_normal((2, 8, 2))
    layers = *layers, Dense(1.0, 0.0)
    masks = on_images(*layers, shape=(8, 2), mask_value=MISSING)
    K = NNGP(masks)(padded([short[:5], long], 8, MISSING))
    found = np.zeros((size, 2))
    of_short = features(name, short[:5])
    found[: len(of_short)] = of_short
    assert_allclose(K[0, 0], np.sum(found**2) / (2 * size), rtol=1e-12)
    plain = on_images(*layers, shape=(8, 2))
    assert_allclose(K[1, 1], NNGP(plain)(long.reshape(1, -1))[0, 0], rtol=1e-12)


def test_strides_where_lengths_differ_by_multiples(sequences):
    layers = conv(3, 2), ReLU(), conv(2, 2), ReLU(), *END
    rng = np.random.default_rng(4)
    rows = [rng.standard_normal((length, 2)) for length in (4, 8, 12)]
    masks = on_images(*layers, shape=(12, 2), mask_value=MISSING)
    K = NTK(masks)(padded(rows, 12, MISSING))
    for i, row in enumerate(rows):
        alone = NTK(on_images(*layers, shape=row.shape))
        assert_allclose(alone(row.reshape(1, -1)), K[i, i], rtol=1e-11)


@pytest.mark.parametrize("value", [MISSING, np.nan])
def test_positions_may_be_missing_anywhere(value, sequences):
    """Attention without positional embeddings sees a set."""
    masks = on_images(
        dense(), attention(), ReLU(), attention(), *END, shape=(7, 2), mask_value=value
    )
    X = padded(sequences, 7, value)
    order = np.random.default_rng(5).permutation(7)
    moved = read_only(X.reshape(4, 7, 2)[:, order].reshape(4, -1))
    assert_allclose(NTK(masks)(moved), NTK(masks)(X), rtol=1e-11)


@pytest.mark.parametrize(
    "make",
    [
        lambda shape, value: ConvNet(2, **read_as(shape, value), **PLAIN),
        lambda shape, value: Myrtle(5, **read_as(shape, value), **PLAIN),
        lambda shape, value: WideResNet(10, **read_as(shape, value), **PLAIN),
        lambda shape, value: Sequential(
            *(conv(), LayerNorm((1, 2)), ReLU(), AvgPool(2), conv(), ReLU(), *END),
            **read_as(shape, value),
        ),
    ],
)
def test_images_of_unequal_size(make):
    rng = np.random.default_rng(6)
    sizes = (8, 8), (4, 8), (8, 4), (4, 4)
    images = [rng.standard_normal((*size, 1)) for size in sizes]
    X = np.full((4, 8, 8, 1), MISSING)
    for row, image in zip(X, images, strict=True):
        row[: image.shape[0], : image.shape[1]] = image
    K = NTK(make((8, 8, 1), MISSING))(X.reshape(4, -1))
    for i, image in enumerate(images):
        alone = NTK(make(image.shape, None))
        assert_allclose(alone(image.reshape(1, -1)), K[i, i], rtol=1e-11)


def test_graphs_of_unequal_size():
    rng = np.random.default_rng(7)
    nodes, ring = rng.standard_normal((4, 3)), RING[:4, :4]
    layers = dense(), ReLU(), GraphConv("input"), dense(), ReLU(), *END
    graph = np.hstack([ring, nodes])
    alone = NTK(on_images(GraphConv("input"), *layers, shape=(4, 7)))
    wide = np.full((6, 9), np.nan)
    wide[:4, :6], wide[:4, 6:] = np.hstack([ring, np.zeros((4, 2))]), nodes
    masks = on_images(GraphConv("input"), *layers, shape=(6, 9), mask_value=np.nan)
    assert_allclose(
        NTK(masks)(wide.reshape(1, -1)), alone(graph.reshape(1, -1)), rtol=1e-11
    )
    path = np.eye(6, k=1) + np.eye(6, k=-1)
    layers = dense(), ReLU(), GraphConv(path), dense(), ReLU(), *END
    masks = on_images(*layers, shape=(6, 3), mask_value=0.0)
    layers = dense(), ReLU(), GraphConv(path[:4, :4]), dense(), ReLU(), *END
    alone = NTK(on_images(*layers, shape=(4, 3)))
    X = np.vstack([nodes, np.zeros((2, 3))]).reshape(1, -1)
    assert_allclose(NTK(masks)(X), alone(nodes.reshape(1, -1)), rtol=1e-11)


def test_branches_that_leave_different_positions(sequences):
    """Where one of them has none, the sum is the other."""
    short, tiles = conv(3, 2), Sequential(AvgPool(2, 2), dense())
    ends = GlobalSumPool(), Dense(1.0, 0.0)
    X = padded(sequences, 8, MISSING)
    one, other, both = (
        NNGP(on_images(branch, *ends, shape=(8, 2), mask_value=MISSING))(X)
        for branch in (short, tiles, Sum(short, tiles))
    )
    assert_allclose(both, one + other, rtol=1e-11)


def test_flatten_shares_weights_among_all_positions(sequences):
    layers = conv(), ReLU(), Flatten(), Dense(1.0, 0.0)
    few, many = (
        NTK(on_images(*layers, shape=(n, 2), mask_value=MISSING))(
            padded(sequences, n, MISSING)
        )
        for n in (7, 10)
    )
    assert_allclose(7 * few, 10 * many, rtol=1e-12)


def test_standard_row_is_not_masked(sequences):
    X = padded(sequences, 7, 1.0)
    one, other = (
        NTK(ConvNet(2, input_shape=(7, 2), mask_value=value))(rows)
        for value, rows in ((1.0, X), (MISSING, padded(sequences, 7, MISSING)))
    )
    assert_allclose(one, other, rtol=1e-12)


def test_rows_without_padding_are_as_without_masks():
    X = read_only(np.random.default_rng(8).standard_normal((5, 14)))
    for end in (GlobalAvgPool(), Flatten()):
        layers = conv(3, 2, "circular"), ReLU(), Resize(3), end, dense()
        plain, masks = (
            NTK(on_images(*layers, shape=(7, 2), mask_value=value))(X)
            for value in (None, MISSING)
        )
        assert np.array_equal(plain, masks)
        partly = np.vstack([X, padded([X[:1].reshape(7, 2)[:4]], 7, MISSING)])
        network = on_images(*layers, shape=(7, 2), mask_value=MISSING)
        assert_allclose(NTK(network)(partly)[:5, :5], plain, rtol=1e-12)


def test_blocks_do_not_matter(sequences):
    X = padded([s for s in sequences for _ in range(8)], 7, MISSING)
    X = X + np.where(X == MISSING, 0.0, 0.1 * np.arange(32)[:, None])
    network = on_images(*BLIND["attention"], shape=(7, 2), mask_value=MISSING)
    K = gram(network, X, kinds=BOTH)
    with sklearn.config_context(working_memory=1):
        small = gram(network, X, kinds=BOTH, n_jobs=2)
    for a, b in zip(K, small, strict=True):
        assert_allclose(a, b, rtol=1e-11)


def test_inner_network_reads_masks(sequences):
    X = padded(sequences, 7, MISSING)
    inner = on_images(*BLIND["conv"], shape=(7, 2), mask_value=MISSING)
    one = NTK(Sequential(inner, ReLU(), Dense()))(X)
    layers = *BLIND["conv"], ReLU(), Dense()
    other = NTK(on_images(*layers, shape=(7, 2), mask_value=MISSING))(X)
    assert_allclose(one, other, rtol=1e-12)
    branches = NTK(Sequential(Sum(inner, inner)))(X)
    assert_allclose(branches, 2 * NTK(inner)(X), rtol=1e-12)


def test_inner_networks_have_the_same_mask():
    inner, other = (
        on_images(*BLIND["conv"], shape=(7, 2), mask_value=a) for a in (np.nan, 0.0)
    )
    X = np.ones((2, 14))
    for both in (Sum(inner, other), Sequential(inner, other, mask_value=np.nan)):
        with pytest.raises(ValueError, match=r"'mask_value'.* same .*nan and 0\.0"):
            NTK(Sequential(both))(X)
    assert np.all(np.isfinite(NTK(Sequential(Sum(inner, inner)))(X)))


@pytest.mark.parametrize("value", [MISSING, np.nan])
def test_networks_clone_compare_and_pickle(value):
    network = ConvNet(2, input_shape=(7, 2), mask_value=value)
    for copy in (clone(network), pickle.loads(pickle.dumps(network))):
        assert copy == network
        assert NTK(copy) == NTK(network)
    assert network != ConvNet(2, input_shape=(7, 2))
    assert NTK(network) != NTK(ConvNet(2, input_shape=(7, 2)))
    assert NTK(network) != NNGP(network)
    assert "mask_value" in repr(network)


def test_sparse_rows(sequences):
    network = ConvNet(2, input_shape=(7, 2), mask_value=0.0)
    X = padded(sequences, 7, 0.0)
    assert_allclose(NTK(network)(sparse.csr_array(X)), NTK(network)(X), rtol=1e-12)


@pytest.fixture
def task():
    """Sequences of unequal length: whether their largest value comes early."""
    rng = np.random.default_rng(9)
    lengths = rng.integers(3, 9, size=40)
    rows = [rng.standard_normal((length, 1)) for length in lengths]
    y = np.array([np.argmax(row) < len(row) / 2 for row in rows]).astype(int)
    return rows, y


@pytest.mark.parametrize("model", [NTKClassifier, NTKRegressor, NNGPRegressor])
def test_estimators(model, task):
    rows, y = task
    found = []
    for length, value in ((8, np.nan), (10, -5.0)):
        X = padded(rows, length, value)
        network = Transformer(
            1, input_shape=(length, 1), mask_value=value, output_scale=1.0
        )
        fitted = model(network, alpha=0.1).fit(X[:30], y[:30])
        found.append(fitted.predict(X[30:]))
        assert fitted.__sklearn_tags__().input_tags.allow_nan == np.isnan(value)
        grown = model(network, alpha=0.1)
        for part in (slice(15), slice(15, 30)):
            classes = {"classes": [0, 1]} if model is NTKClassifier else {}
            grown.partial_fit(X[part], y[part], **classes)
        assert_allclose(grown.predict(X[30:]), found[-1], rtol=1e-6, atol=1e-8)
    assert_allclose(found[0], found[1], rtol=1e-7, atol=1e-9)


def test_pipeline_and_grid_search(task):
    """StandardScaler leaves NaN alone."""
    rows, y = task
    X = padded(rows, 8, np.nan)
    model = make_pipeline(
        StandardScaler(),
        NTKClassifier(ConvNet(input_shape=(8, 1), mask_value=np.nan), alpha=0.1),
    )
    grid = {"ntkclassifier__network__depth": [1, 2]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.predict(X).shape == (40,)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))


def test_learned_hyperparameters(task):
    rows, y = task
    network = ConvNet(
        1, input_shape=(8, 1), mask_value=np.nan, weight_variance_bounds=(0.1, 10.0)
    )
    model = NNGPRegressor(network, optimizer="fmin_l_bfgs_b", alpha=0.5)
    X = padded(rows, 8, np.nan)
    learned = model.fit(X, y).log_marginal_likelihood()
    assert (
        learned >= model.set_params(optimizer=None).fit(X, y).log_marginal_likelihood()
    )


def test_finite_mask_in_other_estimators(task):
    rows, y = task
    X = padded(rows, 8, 0.0)
    network = ConvNet(1, input_shape=(8, 1), mask_value=0.0)
    assert SVC(kernel=NTK(network)).fit(X, y).predict(X).shape == (40,)


def test_compute_gram(task, tmp_path):
    rows, _ = task
    X = padded(rows, 8, np.nan)
    kernel = NTK(ConvNet(2, input_shape=(8, 1), mask_value=np.nan))
    for out in (None, tmp_path / "gram.npy"):
        assert_allclose(compute_gram_(kernel, X, out=out), kernel(X), rtol=1e-12)
    resumed = compute_gram_(kernel, X, out=tmp_path / "gram.npy", resume=True)
    assert_allclose(resumed, kernel(X), rtol=1e-12)
    total = compute_gram_(kernel + NNGP(kernel.network), X[:5], X)
    assert_allclose(total, (kernel + NNGP(kernel.network))(X[:5], X), rtol=1e-12)


@pytest.mark.parametrize("value", [MISSING, np.nan])
def test_row_without_positions_is_named(value, sequences, tmp_path):
    network = ConvNet(2, input_shape=(7, 2), mask_value=value)
    X = np.array(padded(sequences, 7, value))
    good, message = X[[0, 1]], r"position that exists. In row 2 of X"
    X[2] = value
    for call in (
        lambda: NTK(network)(X),
        lambda: NTK(network)(X, eval_gradient=True),
        lambda: NTK(network)(X, good),
        lambda: NNGP(network).diag(X),
        lambda: NTKRegressor(network).fit(X, np.arange(4.0)),
        lambda: NTKRegressor(network).fit(good, [0.0, 1.0]).predict(X),
        lambda: compute_gram_(NTK(network), X, out=tmp_path / "gram.npy"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match="In row 2 of Y"):
        NTK(network)(good, X)
    with pytest.raises(ValueError, match="In row 2 of Y"):
        compute_gram_(NTK(network), good, X)


def test_missing_features_are_refused(sequences):
    X = np.array(padded(sequences, 7, np.nan))
    X[1, 5] = np.nan
    network = ConvNet(2, input_shape=(7, 2), mask_value=np.nan)
    with pytest.raises(ValueError, match=r"contains NaN.*row 1 .*position 2"):
        NTK(network)(X)
    with pytest.raises(ValueError, match=r"contains NaN.*row 1 .*position 2"):
        NTKRegressor(network).fit(X, np.arange(4.0))
    for finite in (ConvNet(2, input_shape=(7, 2), mask_value=0.0), MLP()):
        with pytest.raises(ValueError, match="contains NaN"):
            NTK(finite)(X)
        with pytest.raises(ValueError, match="contains NaN"):
            NTKRegressor(finite).fit(X, np.arange(4.0))
    X[1, 5] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        NTK(network)(X)


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([conv(4, 1, "valid"), *END], {}, r"Conv\(.*too few positions"),
        ([conv(), AvgPool(4, 1), *END], {}, r"AvgPool\(.*too few positions"),
        ([conv(), Crop(3), *END], {}, r"Crop\(start=3\).*too few positions"),
        ([Dense()], {"input_shape": None}, "'mask_value'.*'input_shape'"),
        ([conv(), *END], {"mask_value": "nan"}, "'mask_value' parameter"),
    ],
)
def test_bad_input_is_refused(layers, options, message, sequences):
    options = {"input_shape": (7, 2), "mask_value": MISSING, **options}
    with pytest.raises(ValueError, match=message):
        NTK(Sequential(*layers, **options))(padded(sequences, 7, MISSING))
