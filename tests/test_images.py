"""Networks on images, sequences and graphs: invariants, limits, bad input."""

import pickle
import threading
import time

import numpy as np
import pytest
import sklearn
from conftest import read_only
from image_zoo import (
    N_FEATURES,
    NETWORKS,
    RING,
    SEQUENCE,
    attention,
    conv,
    decay,
    on_images,
)
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from zoo import FREE, dense

from sklearn_ntk import NNGP, NTK
from sklearn_ntk._engine import constants, image_evaluation, image_numpy
from sklearn_ntk._engine.evaluation import Evaluation
from sklearn_ntk._engine.gram import gram
from sklearn_ntk._engine.images import ARRAYS, n_numbers, tile_of
from sklearn_ntk.networks import (
    ELU,
    MLP,
    AvgPool,
    Conv,
    ConvNet,
    ConvTranspose,
    Crop,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    GlobalSumPool,
    GraphConv,
    InputScale,
    LayerNorm,
    LeakyReLU,
    LocalConv,
    RectifiedMonomial,
    ReLU,
    Resize,
    SelfAttention,
    Sequential,
    SumPool,
)

BOTH = ("nngp", "ntk")


@pytest.fixture
def images():
    """Generic rows, a duplicate, an antipodal one, zeros, ones, a large one."""
    X = np.random.default_rng(0).standard_normal((7, N_FEATURES))
    X[1], X[2], X[3], X[4] = X[0], -X[0], 0.0, 1.0
    X[5] *= 1e4
    return read_only(X)


def assert_same(one, other, X, rtol=1e-12, atol=0.0):
    for K, L in zip(gram(one, X, kinds=BOTH), gram(other, X, kinds=BOTH), strict=True):
        assert_allclose(K, L, rtol=rtol, atol=atol * np.max(np.abs(L)))


@pytest.mark.parametrize("name", NETWORKS)
def test_matrix_is_symmetric_and_agrees_with_its_parts(name, images):
    network = NETWORKS[name]
    for kernel in (NTK(network), NNGP(network)):
        K = kernel(images)
        assert np.array_equal(K, K.T)
        assert np.all(np.isfinite(K))
        assert_allclose(kernel.diag(images), np.diag(K), rtol=1e-13)
        norm = np.sqrt(np.outer(np.diag(K), np.diag(K)))
        assert np.min(np.linalg.eigvalsh(K / np.where(norm > 0, norm, 1.0))) > -1e-12
        distinct = np.array([0, 2, 3, 4, 5, 6])
        cross = kernel(images[distinct], images)
        different = distinct[:, None] != np.arange(7)
        if name != "dropout":
            different &= (distinct[:, None] != 0) | (np.arange(7) != 1)
        error = np.abs(cross - K[distinct]) / np.where(norm > 0, norm, 1.0)[distinct]
        assert np.max(error[different]) < 1e-12


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_agrees_with_central_differences(name, images):
    for kernel in (NTK(NETWORKS[name]), NNGP(NETWORKS[name])):
        K, gradient = kernel(images, eval_gradient=True)
        norm = np.sqrt(np.outer(np.diag(K), np.diag(K))) + 1e-300
        theta, step = kernel.theta, 1e-4
        assert gradient.shape[-1] == len(theta) > 0
        for seed in (0, 1):
            direction = np.random.default_rng(seed).standard_normal(len(theta))
            ends = [
                kernel.clone_with_theta(theta + s * step * direction)(images)
                for s in (-2, -1, 1, 2)
            ]
            slope = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step)
            assert np.max(np.abs(slope - gradient @ direction) / norm) < 1e-6


@pytest.mark.parametrize("name", ["average", "pools", "attention", "own_graphs"])
def test_contraction_is_the_sum_over_the_gradient(name, images):
    kernel = NTK(NETWORKS[name])
    W = np.random.default_rng(1).standard_normal((7, 7))
    _, gradient = kernel(images, eval_gradient=True)
    assert_allclose(
        kernel.gradient_dot(images, W), np.einsum("ij,ijk", W, gradient), rtol=1e-9
    )


@pytest.mark.parametrize("name", ["flatten", "average", "pools", "attention"])
def test_blocks_do_not_matter(name):
    X = read_only(np.random.default_rng(2).standard_normal((30, N_FEATURES)))
    K = gram(NETWORKS[name], X, kinds=BOTH)
    with sklearn.config_context(working_memory=1):
        small = gram(NETWORKS[name], X, kinds=BOTH, n_jobs=2)
    for a, b in zip(K, small, strict=True):
        assert_allclose(a, b, rtol=1e-12)


def memory_for(network, n_pairs):
    """A working memory, for so many pairs of images that meet themselves besides."""
    n_bytes = n_pairs * 3 * ARRAYS * 8 * n_numbers(network)
    return sklearn.config_context(working_memory=n_bytes / 2**20)


def test_one_pair_of_images_may_take_the_whole_working_memory(images):
    network = NETWORKS["pools"]
    with memory_for(network, 0.99):
        with pytest.raises(ValueError, match="All pairs of 12 pixels of two rows need"):
            tile_of(network, n_jobs=4)
        with pytest.raises(ValueError, match=r"sklearn\.set_config\(working_memory="):
            NTK(network)(images)
    for n_pairs, (n_jobs, n_jobs_itself) in {1.01: (1, 3), 3.01: (3, 4)}.items():
        with memory_for(network, n_pairs):
            tile = tile_of(network, n_jobs=4)
        assert tile[-2:] == (n_jobs, n_jobs_itself)


class Watched:
    """What threads hold while they evaluate formulas at the same time.

    A row that meets itself counts 1, a pair of rows 3: itself and each row's own.
    """

    def __init__(self):
        self.values, self.lock = Evaluation.values, threading.Lock()
        self.now = self.most = 0

    def __call__(self, evaluation, inputs, shape):
        size = 1 if inputs.Y is None else 3
        self._add(size)
        time.sleep(0.001)  # in which others may come
        found = self.values(evaluation, inputs, shape)
        self._add(-size)
        return found

    def as_method(self):
        return lambda evaluation, *args: self(evaluation, *args)

    def _add(self, size):
        with self.lock:
            self.now += size
            self.most = max(self.most, self.now)


@pytest.mark.parametrize("few", [0, 2**60], ids=["program", "formulas"])
def test_threads_take_turns_where_memory_is_for_one(monkeypatch, few):
    network, row = NETWORKS["pools"], np.random.default_rng(3).random(N_FEATURES)
    X = row * (1.0 + 1e-12 * np.arange(12)[:, None])  # so close that formulas come in
    expected = gram(network, X, kinds=BOTH)
    monkeypatch.setattr(image_evaluation, "FEW", few)
    monkeypatch.setattr(image_numpy, "ENTRIES", 1)  # one pair in a block
    for n_pairs in (1.01, 4.01):
        watched = Watched()
        with monkeypatch.context() as patch, memory_for(network, n_pairs):
            patch.setattr(Evaluation, "values", watched.as_method())
            found = gram(network, X, kinds=BOTH, n_jobs=4)
        assert (watched.most <= 3) == (n_pairs < 2)
        for K, L in zip(found, expected, strict=True):
            assert_allclose(K, L, rtol=1e-12)


def test_constants_of_large_images_follow_the_parameters(monkeypatch):
    worked_out, X = [], np.ones((1, 144))
    network = ConvNet(
        1, activation=LeakyReLU(0.1), bias_variance=0.1, input_shape=(12, 12, 1)
    )

    def build(network, row, built=constants._built):
        worked_out.append(network)
        return built(network, row)

    constants._kept.cache_clear()
    monkeypatch.setattr(constants, "_built", build)
    for changes, n_times in (
        ({}, 1),
        ({}, 1),
        ({"bias_variance": 0.7}, 2),
        ({"activation__negative_slope": 0.4}, 3),
        ({"activation__negative_slope": 0.1, "bias_variance": 0.1}, 3),
    ):
        network.set_params(**changes)
        for same in (network, clone(network)):
            assert_allclose(NTK(same).diag(X), 1.0, rtol=1e-13)
        assert len(worked_out) == n_times
    NTK(ConvNet(1, input_shape=(8, 8, 1))).diag(X[:, :64])
    assert constants._kept.cache_info().currsize == 3  # nothing of small images


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_clone_and_pickle(name, images):
    network = NETWORKS[name]
    copies = clone(network), pickle.loads(pickle.dumps(network))
    for copy in copies:
        assert copy == network
        assert_allclose(NTK(copy)(images), NTK(network)(images), rtol=0)


def test_image_of_one_pixel_is_a_row(images):
    """Near-duplicates included, for which there is a closed form."""
    X = np.vstack([images, images[0] * (1 + 1e-9), images[6] + 1e-7])
    for conv_ in (Conv(1, 1, "valid", 1.3, 0.2), Conv(1, 1, "circular", 1.3, 0.2)):
        image = on_images(
            conv_, ReLU(), conv_, ReLU(), GlobalAvgPool(), Dense(), shape=(1, 1, 24)
        )
        row = Sequential(Dense(1.3, 0.2), ReLU(), Dense(1.3, 0.2), ReLU(), Dense())
        assert_same(image, row, X)


def test_window_over_the_whole_image_is_a_dense_layer(images):
    """With near-duplicates: the angle of windows has all its digits."""
    X = np.vstack([images, images[6] + 1e-7, images[0] * (1 - 1e-10)])
    image = on_images(Conv((4, 3), 1, "valid", 1.3, 0.2), ReLU(), Flatten(), Dense())
    row = Sequential(Dense(1.3, 0.2), ReLU(), Dense())
    assert_same(image, row, X)
    pooled = on_images(
        Conv((4, 3), 1, "valid", 1.3, 0.2), ReLU(), GlobalAvgPool(), Dense()
    )
    assert_same(pooled, row, X)
    flattened = on_images(Flatten(), Dense(1.3, 0.2), ReLU(), Dense())
    assert_same(flattened, row, X)


def test_near_duplicates_keep_their_angle_through_convolutions():
    """The NTK of nearly equal images tends to that of equal ones linearly."""
    x, step = np.random.default_rng(3).standard_normal((2, N_FEATURES))
    network = on_images(conv(), ReLU(), conv(), ReLU(), Flatten(), Dense())
    sizes = np.array([1e-3, 1e-5, 1e-7, 1e-9, 1e-11])
    K = NTK(network)(np.vstack([x, x + sizes[:, None] * step]))
    drop = (K[0, 0] - K[0, 1:]) / sizes
    assert_allclose(drop[1:-1], drop[2], rtol=1e-3)


def test_pool_after_circular_convolutions_is_blind_to_translations(images):
    network = on_images(
        conv(3, 1, "circular"), ReLU(), conv(2, 1, "circular"), ReLU(), GlobalAvgPool()
    )
    moved = np.roll(images.reshape(-1, 4, 3, 2), (1, 2), axis=(1, 2)).reshape(7, -1)
    assert_allclose(NTK(network)(moved, images), NTK(network)(images, images), 1e-12)
    other = on_images(
        conv(3, 1, "circular", LocalConv), ReLU(), GlobalAvgPool(), dense()
    )
    change = NTK(other)(moved, images) - NTK(other)(images, images)
    assert np.max(np.abs(change)) > 1e-3


def test_pools_are_related(images):
    def pooled(*layers):
        return on_images(conv(), ReLU(), *layers, Dense(1.0, 0.0))

    assert_same(pooled(GlobalAvgPool()), pooled(AvgPool((4, 3)), Flatten()), images)
    assert_same(pooled(GlobalSumPool()), pooled(SumPool((4, 3)), Flatten()), images)
    one, other = pooled(AvgPool(2, 1), Flatten()), pooled(SumPool(2, 1), Flatten())
    for K, L in zip(
        gram(one, images, kinds=BOTH), gram(other, images, kinds=BOTH), strict=True
    ):
        assert_allclose(16.0 * K, L, rtol=1e-12)
    assert_same(pooled(AvgPool(1), Flatten()), pooled(Flatten()), images)
    counted = pooled(AvgPool(3, 1, "same"), Crop(1, 2), Flatten())
    uncounted = pooled(AvgPool(3, 1, "same", False), Crop(1, 2), Flatten())
    assert_same(counted, uncounted, images)  # away from the edges


def test_pool_with_a_stride_leaves_out_what_fills_no_window(images):
    network = on_images(conv(), ReLU(), AvgPool(2, 2), Flatten(), dense())
    whole = on_images(conv(), ReLU(), Crop(0, (4, 2)), AvgPool(2), Flatten(), dense())
    assert_same(network, whole, images)


def test_crop_and_resize_that_change_nothing(images):
    plain = on_images(conv(), ReLU(), conv(), ReLU(), GlobalAvgPool(), Dense())
    for layer in (
        Crop(),
        Crop(0, (4, 3)),
        Resize((4, 3)),
        Resize((4, 3), method="nearest"),
    ):
        same = on_images(
            conv(), ReLU(), layer, conv(), ReLU(), GlobalAvgPool(), Dense()
        )
        assert_same(plain, same, images)


def test_doubled_image_has_the_same_mean(images):
    doubled = on_images(
        conv(), ReLU(), Resize((8, 6), method="nearest"), GlobalAvgPool()
    )
    assert_same(doubled, on_images(conv(), ReLU(), GlobalAvgPool()), images)


def test_transposed_convolution_without_stride_is_a_convolution(images):
    for padding in ("same", "circular"):
        one, other = (
            on_images(conv(3, 1, padding, layer), ReLU(), conv(), ReLU(), Flatten())
            for layer in (Conv, ConvTranspose)
        )
        assert_same(one, other, images)


def test_local_convolution_differs_where_places_meet(images):
    flat, pooled = (
        [
            on_images(conv(layer=layer), ReLU(), end, Dense())
            for layer in (Conv, LocalConv)
        ]
        for end in (Flatten(), GlobalAvgPool())
    )
    assert_same(*flat, images)
    assert NTK(pooled[1])(images)[0, 6] != pytest.approx(NTK(pooled[0])(images)[0, 6])


def test_attention_without_positions_is_blind_to_order(images):
    network = on_images(
        dense(), attention(), ReLU(), attention(), GlobalAvgPool(), shape=SEQUENCE
    )
    order = np.random.default_rng(4).permutation(12)
    moved = images.reshape(7, 12, 2)[:, order].reshape(7, -1)
    assert_allclose(NTK(network)(moved, images), NTK(network)(images, images), 1e-11)
    placed = clone(network).set_params(
        **{"1__positional": "sum", "1__positional_decay": decay}
    )
    change = NTK(placed)(moved, images) - NTK(placed)(images, images)
    assert np.max(np.abs(change)) > 1e-3


def test_uniform_attention_is_a_mean(images):
    """With keys of variance 0 all pixels have the same weight."""
    blind = on_images(
        dense(),
        SelfAttention(key_variance=0.0),
        Flatten(),
        Dense(1.0, 0.0),
        shape=(12, 2),
    )
    mean = on_images(dense(), GlobalAvgPool(), shape=(12, 2))
    assert_allclose(NNGP(blind)(images), NNGP(mean)(images), rtol=1e-12)


def test_graphs_shared_and_by_row(images):
    layers = Dense(), ReLU(), Flatten(), Dense()
    shared = on_images(GraphConv(RING[:4, :4]), *layers, shape=(4, 6))
    by_row = on_images(GraphConv("input"), *layers, shape=(4, 10))
    edges = np.broadcast_to(RING[:4, :4], (7, 4, 4))
    X = np.concatenate([edges, images.reshape(7, 4, 6)], axis=-1).reshape(7, -1)
    assert_allclose(NTK(shared)(images), NTK(by_row)(X), rtol=1e-12)
    alone = on_images(GraphConv(np.eye(4)), *layers, shape=(4, 6))
    assert_same(alone, on_images(*layers, shape=(4, 6)), images)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.coo_matrix])
def test_adjacency_may_be_sparse(form):
    layers = dense(), ReLU(), GlobalAvgPool(), dense()
    full, thin = (
        on_images(GraphConv(A), *layers, shape=(12, 2)) for A in (RING, form(RING))
    )
    X = np.random.default_rng(0).standard_normal((3, 24))
    assert np.array_equal(NTK(thin)(X), NTK(full)(X))
    same, other = (
        on_images(GraphConv(form(A)), *layers, shape=(12, 2)) for A in (RING, 2 * RING)
    )
    assert clone(NTK(thin)) == NTK(same)
    assert NTK(thin) != NTK(other)
    assert NTK(thin) != NTK(full)
    gpr = GaussianProcessRegressor(NTK(thin), optimizer=None).fit(X, np.arange(3.0))
    assert pickle.loads(pickle.dumps(gpr)).kernel_ == NTK(same)


@pytest.mark.parametrize("stride", [1, 2])
def test_numerical_activations_act_on_pixels(stride, images):
    """ELU with alpha = 0 is a rectifier; it goes through quadrature."""
    one, other = (
        on_images(conv(), activation, conv(3, stride), activation, GlobalAvgPool())
        for activation in (ELU(1e-300), ReLU())
    )
    assert_same(one, other, images[[0, 2, 6]], rtol=1e-7)


def test_gradient_of_a_numerical_activation_before_a_stride(images):
    X, elu = images[[0, 2, 6]], ELU(0.7, alpha_bounds=FREE)
    network = on_images(Conv(), elu, Conv(3, 2), Flatten(), Dense())
    kernel = NTK(network)
    _, gradient = kernel(X, eval_gradient=True)
    low, high = (
        NTK(clone(network).set_params(**{"1__alpha": 0.7 * np.exp(step)}))(X)
        for step in (-1e-5, 1e-5)
    )
    free = [h.name for h in kernel.hyperparameters if not h.fixed]
    slope = gradient[..., free.index("network__1__alpha")]
    assert_allclose(slope, (high - low) / 2e-5, rtol=1e-6)


@pytest.mark.parametrize(
    "layers",
    [
        [GlobalAvgPool()],
        [conv(trainable=False), GraphConv(RING), Flatten()],
        [conv(layer=LocalConv, trainable=False), GlobalAvgPool()],
        [Erf(), Crop(1), GlobalAvgPool()],
    ],
)
def test_gradient_behind_layers_that_are_not_trained(layers, images):
    """With the readout alone trained the two kernels are one."""
    network = on_images(dense(trainable=False), *layers, dense(), shape=SEQUENCE)
    ntk, nngp = (kernel(network)(images, eval_gradient=True) for kernel in (NTK, NNGP))
    for a, b in zip(ntk, nngp, strict=True):
        assert_allclose(a, b, rtol=1e-13)


def test_a_black_pixel_with_itself_is_as_with_another(images):
    layers = [conv(bias_init="zeros"), RectifiedMonomial(1), conv(1), GlobalAvgPool()]
    X = np.zeros((2, N_FEATURES))
    X[:, 0] = 1.0
    for first in ([], [AvgPool((2, 1))]):
        K = NTK(on_images(*first, *layers))(X)
        assert_allclose(K, K[0, 1], rtol=1e-13)


def test_unit_output(images):
    network = on_images(conv(), ReLU(), GlobalAvgPool(), Dense(), output_scale="unit")
    assert_allclose(NTK(network)(np.ones((1, N_FEATURES))), 1.0, rtol=1e-13)


def test_inner_network_reads_images(images):
    inner = on_images(conv(), ReLU(), GlobalAvgPool(), Dense())
    one = Sequential(inner, ReLU(), Dense())
    other = on_images(conv(), ReLU(), GlobalAvgPool(), Dense(), ReLU(), Dense())
    assert_same(one, other, images)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (on_images(conv(), Flatten(), shape=(5, 5, 1)), "'input_shape'.*24"),
        (on_images(conv(), Flatten(), shape=(-4, -3, 2)), "'input_shape'.*positive"),
        (on_images(conv(), Flatten(), shape=(4.0, 3, 2)), "'input_shape'.*positive"),
        (on_images(conv(), ReLU()), "must end in a row of features"),
        (on_images(conv(5, 1, "valid"), Flatten()), "'kernel_size' .*must not exceed"),
        (on_images(conv((3, 3, 3)), Flatten()), "'kernel_size'.*2 axes"),
        (on_images(conv(0), Flatten()), "'kernel_size'.*positive"),
        (on_images(conv(3, 0), Flatten()), "'stride'.*positive"),
        (on_images(AvgPool(5), Flatten()), "'window'.*must not exceed"),
        (
            on_images(AvgPool(2), Flatten()),
            r"'window'.*must divide.*\(4, 3\).*'stride'",
        ),
        (on_images(SumPool((4, 2)), Flatten()), r"'window'.*SumPool must divide"),
        (on_images(conv(), Crop(3, 3), Flatten()), "leaves nothing"),
        (on_images(conv(), Crop((1, 1, 1)), Flatten()), "'start'.*2 axes"),
        (on_images(conv(), Crop((1.5, 2)), Flatten()), "'start'.*Crop must be an int"),
        (on_images(conv(), Resize(0), Flatten()), "'shape'.*positive"),
        (on_images(conv(), LayerNorm(0), Flatten()), "'axis'.*LayerNorm"),
        (on_images(conv(), LayerNorm((2, 3)), Flatten()), "'axis'.*LayerNorm"),
        (on_images(conv(), LayerNorm(("a", 2)), Flatten()), "'axis'.*LayerNorm"),
        (on_images(GraphConv(RING), Flatten()), r"GraphConv.*\(nodes, features\)"),
        (on_images(GraphConv(RING), Flatten(), shape=(4, 6)), "'adjacency'.*4 nodes"),
        (on_images(GraphConv(RING[:3]), Flatten()), "'adjacency'.*square"),
        (on_images(GraphConv([[1], [1, 2]]), Flatten()), "'adjacency'.*square"),
        (on_images(GraphConv([["a"]]), Flatten()), "'adjacency'.*square"),
        (on_images(GraphConv(RING * 1j), Flatten()), "'adjacency'.*square"),
        (
            on_images(GraphConv("input"), dense(), Flatten(), shape=(6, 4)),
            r"'input_shape'.*\(nodes, nodes \+ features\).*\(6, 4\)",
        ),
        (
            on_images(dense(), Crop(1), GraphConv("input"), Flatten(), shape=(4, 6)),
            "Rows have 4, and a layer before it has left 3",
        ),
        (
            on_images(dense(), SelfAttention(scaling="sqrt"), Flatten(), shape=(12, 2)),
            "'weighting'.*identity",
        ),
        *(
            (
                on_images(
                    dense(),
                    SelfAttention(positional="sum", positional_decay=decay),
                    GlobalAvgPool(),
                ),
                "'positional_decay'.*in one of the same shape",
            )
            for decay in (
                np.sum,
                lambda d: d[0],
                lambda d: d + np.inf,
                lambda d: 1j * d,
            )
        ),
        (Sequential(Dense(), ReLU(), Conv(), Flatten()), "Conv acts on the pixels"),
        (Sequential(Dense(), GlobalAvgPool()), "GlobalAvgPool acts on the pixels"),
        (Sequential(Dense(), SelfAttention()), "SelfAttention acts on the pixels"),
        (
            on_images(Flatten(), Conv(), Flatten()),
            "Conv acts on the pixels",
        ),
        (on_images(conv(), ReLU(), ReLU(), Flatten()), "ReLU needs Gaussian"),
    ],
)
def test_bad_networks_are_refused(network, message, images):
    with pytest.raises(ValueError, match=message):
        NTK(network)(images)


def test_state_that_is_too_large_is_refused():
    X = np.ones((1, 128 * 128))
    pooled = Sequential(Conv(), ReLU(), GlobalAvgPool(), input_shape=(128, 128, 1))
    with pytest.raises(ValueError, match=r"16384 pixels.*MiB.*Flatten"):
        NTK(pooled)(X)
    flat = Sequential(Conv(), ReLU(), Flatten(), input_shape=(128, 128, 1))
    assert NTK(flat)(X).shape == (1, 1)


def test_length_scales_of_features_are_not_learned_on_images(images):
    network = on_images(
        InputScale(np.ones(24), length_scale_bounds=(1e-3, 1e3)), conv(), Flatten()
    )
    assert_allclose(NTK(network)(images), NTK(on_images(conv(), Flatten()))(images))
    with pytest.raises(ValueError, match="cannot be learned on images"):
        NTK(network)(images, eval_gradient=True)


def test_profile_is_of_rows():
    with pytest.raises(ValueError, match="profile"):
        NTK(on_images(conv(), Flatten())).profile()
    assert NTK(MLP()).profile()(1.0) == pytest.approx(1.0)
