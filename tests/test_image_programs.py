"""Programs of images against the formulas they are traced from."""

import gc
import itertools

import numpy as np
import pytest
from conftest import read_only
from image_zoo import (
    BLIND,
    MISSING,
    N_FEATURES,
    NETWORKS,
    attention,
    conv,
    on_images,
    padded,
)
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ntk import NTK
from sklearn_ntk._engine import evaluation, image_evaluation
from sklearn_ntk._engine.gram import gradient, gram
from sklearn_ntk._engine.image_calls import shape_of
from sklearn_ntk._engine.image_plan import Move, Plan
from sklearn_ntk._engine.image_sums import SPARES, Sums
from sklearn_ntk._engine.image_tracing import PixelTrace, asked_variances
from sklearn_ntk._engine.images import tile_of
from sklearn_ntk._engine.tracing import Trace
from sklearn_ntk.networks import (
    ELU,
    GELU,
    MLP,
    AvgPool,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elementwise,
    Erf,
    Flatten,
    GlobalAvgPool,
    GraphConv,
    InputScale,
    LocalConv,
    Monomial,
    Myrtle,
    ReLU,
    SelfAttention,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from sklearn_ntk.networks._names import ACTIVATIONS
from sklearn_ntk.networks._windows import windows_over

KINDS = ("nngp", "ntk")
TRACED = [name for name in NETWORKS if name not in ("attention", "attention_identity")]
COMPILED = [
    *("flatten", "pools", "residual", "local", "graph", "volume"),
    *("attention_relu", "own_graphs"),
]


@pytest.fixture
def formulas(monkeypatch):
    """A function that switches between formulas and programs."""

    def switch(on):
        monkeypatch.setattr(image_evaluation, "FEW", 2**60 if on else 0)

    monkeypatch.setattr(image_evaluation, "MANY", 2**60)
    return switch


@pytest.fixture
def compiled(formulas, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr(image_evaluation, "MANY", 0)
    return formulas


def normal(n=9, d=N_FEATURES, seed=0):
    return read_only(np.random.default_rng(seed).standard_normal((n, d)))


def awkward():
    """Duplicates and near-duplicates, an antipode, zeros, constants, large numbers."""
    X = normal().copy()
    X[1], X[2], X[3], X[4] = X[0], -X[0], 0.0, 1.0
    X[5] *= 1e4
    X[6] = X[7] * (1 + 1e-9)
    X[8] = X[7] + 1e-7 * normal(1, seed=1)[0]
    return read_only(X)


def few_levels():
    """Images whose pixels often are the same, or parallel."""
    X = np.random.default_rng(2).integers(0, 3, (9, N_FEATURES))
    return read_only(X.astype(float))


def assert_close(ours, theirs, tolerance):
    """To a tolerance relative to the diagonal."""
    for a, b in zip(ours, theirs, strict=True):
        norm = np.sqrt(np.outer(np.diag(b), np.diag(b)))
        assert np.all(np.abs(a - b) <= tolerance * norm)


def check_values(network, X, switch):
    switch(on=True)
    expected = gram(network, X, kinds=KINDS)
    across = gram(network, X, X[::2], kinds=KINDS)
    switch(on=False)
    assert_close(gram(network, X, kinds=KINDS), expected, 1e-13)
    half = gram(network, X, kinds=KINDS, dtype=np.float32)
    assert_close(half, expected, 2e-5)
    for a, b in zip(gram(network, X, X[::2], kinds=KINDS), across, strict=True):
        assert_allclose(a, b, rtol=1e-10, atol=1e-13 * np.max(np.abs(b)))


def check_gradient(network, X, switch):
    switch(on=True)
    K, expected = gradient(network, X, kind="ntk")
    switch(on=False)
    L, slopes = gradient(network, X, kind="ntk")
    assert_allclose(L, K, rtol=1e-11, atol=1e-13 * np.max(np.abs(K)))
    assert_allclose(slopes, expected, rtol=0, atol=1e-12 * np.max(np.abs(expected)))


@pytest.mark.parametrize("rows", [awkward, few_levels])
@pytest.mark.parametrize("name", TRACED)
def test_values(name, rows, formulas):
    check_values(NETWORKS[name], rows(), formulas)


@pytest.mark.parametrize("rows", [normal, few_levels])
@pytest.mark.parametrize("name", TRACED)
def test_gradients(name, rows, formulas):
    check_gradient(NETWORKS[name], rows(), formulas)


@pytest.mark.parametrize("name", TRACED)
def test_there_is_a_program(name):
    assert program_of(NETWORKS[name]) is not None


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_values(name, compiled):
    check_values(NETWORKS[name], awkward(), compiled)
    check_values(NETWORKS[name], few_levels(), compiled)


def test_compiled_gradients(compiled):
    check_gradient(NETWORKS["readout"], normal(), compiled)


@pytest.mark.parametrize("n", [1, 7, 64, 90])
def test_blocks_of_any_size(n, compiled):
    network = NETWORKS["average"]
    X, Y = normal(n), normal(70, seed=1)
    compiled(on=True)
    expected = gram(network, X), gram(network, X, Y)
    compiled(on=False)
    for n_jobs in (1, 2):
        found = gram(network, X, n_jobs=n_jobs), gram(network, X, Y, n_jobs=n_jobs)
        for (a,), (b,) in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-11)


@pytest.mark.parametrize("activation", [ReLU(), Erf(), GELU()])
def test_smooth_and_kinked_activations_between_pools(activation, formulas):
    layers = [conv(), activation, AvgPool(2), conv(), activation, GlobalAvgPool()]
    network = on_images(*layers, Dense(), shape=(4, 6, 1))
    check_values(network, awkward(), formulas)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_a_program(name, formulas):
    layers = [conv(2, 1, "valid"), ReLU(), conv(2), ACTIVATIONS[name]()]
    for end in (Flatten(), GlobalAvgPool()):
        network = on_images(*layers, end, Dense(), shape=(3, 4, 2))
        check_values(network, normal(5), formulas)


SMOOTH = [Tanh(), Sigmoid(), Softplus(), SiLU(), Elementwise(np.sin, np.cos)]


def quiet():
    """Duplicates and near-duplicates, an antipode, zeros, black pixels."""
    X = 0.8 * normal()
    X[1], X[2], X[3] = X[0], -X[0], 0.0
    X[4, :10] = 0.0
    X[8] = X[7] + 1e-7 * normal(1, seed=1)[0]
    return read_only(X)


def on_series(activation, end):
    conv = Conv(3, weight_variance=1.3, bias_variance=0.0)
    layers = [conv, activation, AvgPool(2, 1), conv, activation]
    return on_images(*layers, end, Dense(), shape=(3, 4, 2))


def check_series(activation, switch, scale=1.0):
    """Programs of power series in the cosine, at all angles."""
    X = read_only(scale * quiet())
    for end in (GlobalAvgPool(), Flatten()):
        network = on_series(activation, end)
        assert program_of(network, X) is not None
        check_values(network, X, switch)


@pytest.mark.parametrize("activation", SMOOTH)
def test_power_series(activation, formulas):
    check_series(activation, formulas)


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("end", [GlobalAvgPool(), Flatten()])
def test_gradients_of_power_series(activation, end, formulas):
    check_gradient(on_series(activation, end), quiet(), formulas)


def test_compiled_gradients_of_power_series(compiled):
    check_gradient(on_series(SiLU(), GlobalAvgPool()), quiet(), compiled)


@pytest.mark.parametrize("activation", SMOOTH[:-1])
@pytest.mark.parametrize("scale", [4.0, 10.0])
def test_power_series_of_many_degrees(activation, scale, formulas):
    check_series(activation, formulas, scale)


@pytest.mark.parametrize("activation", [Tanh(), SiLU()])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_compiled_power_series(activation, scale, compiled):
    check_series(activation, compiled, scale)


def test_what_no_series_follows_is_left_to_formulas():
    """Kinks, pixels of large variance, and of some that is almost none."""
    for activation, X in (
        (ELU(), quiet()),
        (Tanh(), 1e3 * normal()),
        (Sigmoid(), np.full((3, N_FEATURES), 1e-9)),
    ):
        layers = [Conv(3, bias_variance=0.0), activation, GlobalAvgPool()]
        assert program_of(on_images(*layers), X) is None


@pytest.mark.parametrize("room", [0, 2500])
def test_rows_with_too_many_coefficients_are_halved(room, formulas, monkeypatch):
    layers = [conv(), SiLU(), AvgPool(2, 1), conv(), SiLU(), GlobalAvgPool(), Dense()]
    network, n_programs = on_images(*layers, shape=(3, 4, 2)), []

    def counted(*args, traced=image_evaluation.traced_images, **options):
        program = traced(*args, **options)
        n_programs.append(len(args[1]))
        return program

    monkeypatch.setattr(PixelTrace, "room", room)
    monkeypatch.setattr(image_evaluation, "traced_images", counted)
    check_values(network, quiet(), formulas)
    assert all(n < 9 for n in n_programs)
    assert bool(n_programs) == (room > 0)
    check_gradient(network, quiet(), formulas)


def test_angles_that_nobody_asks_for_are_not_guarded(formulas):
    layers = [conv(), Tanh(), conv(), Tanh(), conv(), ReLU(), GlobalAvgPool()]
    program = program_of(on_images(*layers), quiet())
    assert len(program.guards) == 1


def test_equal_pixels_are_parallel_behind_a_power_series(formulas, monkeypatch):
    X = normal().copy()
    X[1, :12] = X[0, :12]
    layers = [conv(), Tanh(), conv(), SiLU(), conv(), ReLU(), GlobalAvgPool()]
    network = on_images(*layers, Dense())
    formulas(on=True)
    expected = gram(network, X)
    formulas(on=False)
    monkeypatch.setattr(image_evaluation.ImageBlocks, "_exact", None)
    monkeypatch.setattr(evaluation.Evaluation, "itself", None)
    assert_close(gram(network, X), expected, 1e-13)


def test_pixels_without_variance(formulas):
    """Black pixels, and no bias that would give them any."""
    X = few_levels().copy()
    X[:, :8] = 0.0
    layers = [Conv(3, bias_variance=0.0), ReLU(), Conv(3, bias_variance=0.0), ReLU()]
    check_values(on_images(*layers, GlobalAvgPool(), Dense()), X, formulas)


@pytest.mark.parametrize("mask_value", [None, 0.5])
@pytest.mark.parametrize(
    "layers",
    [
        [Dense(0.0, 0.5), ReLU(), conv()],
        [Dense(0.0, 0.5), SelfAttention(), ReLU(), conv()],
        [conv(), ReLU(), Conv(3, 1, "same", 0.0, 0.5), AvgPool(2, 1)],
        [SelfAttention(value_variance=0.0), conv(), ReLU()],
        [LocalConv(3, 1, "same", 0.0, 0.5), conv(), ReLU()],
        [Dense(0.0, 0.0), ReLU()],
        [conv(), Monomial(0), conv()],
    ],
)
def test_features_that_do_not_depend_on_the_row(layers, mask_value, formulas):
    X = normal(7, 12).copy()
    X[:3, 4:] = 0.5
    network = on_images(
        *layers, GlobalAvgPool(), Dense(), shape=(6, 2), mask_value=mask_value
    )
    check_values(network, X, formulas)


def sequences_of_unequal_length(value):
    """Two of them equal, and two nearly so."""
    rng = np.random.default_rng(5)
    rows = [rng.standard_normal((n, 2)) for n in (3, 7, 5, 4, 8, 6)]
    return padded([*rows, rows[1], rows[2] + 1e-8], 8, value)


# their weights follow from pairs of pixels of two rows, or values hold positions
UNTRACED = {"attention", "sqrt"}


@pytest.mark.parametrize("value", [MISSING, np.nan])
@pytest.mark.parametrize("name", sorted(BLIND.keys() - UNTRACED))
def test_masks(name, value, formulas):
    network = on_images(*BLIND[name], shape=(8, 2), mask_value=value)
    assert program_of(network) is not None
    check_values(network, sequences_of_unequal_length(value), formulas)


@pytest.mark.parametrize("name", ["identity", "means", "normed", "valid"])
def test_compiled_masks(name, compiled):
    network = on_images(*BLIND[name], shape=(8, 2), mask_value=np.nan)
    check_values(network, sequences_of_unequal_length(np.nan), compiled)


@pytest.mark.parametrize("n_pixels", [1, 3, 4, 6, 9])
def test_compiled_attention_over_any_number_of_pixels(n_pixels, compiled):
    layers = [Dense(), attention(), ReLU(), attention(weighting="abs"), GELU()]
    network = on_images(*layers, GlobalAvgPool(), Dense(), shape=(n_pixels, 2))
    check_values(network, normal(9, 2 * n_pixels), compiled)
    check_gradient(network, normal(9, 2 * n_pixels), compiled)


def test_a_scale_for_each_feature_before_a_pool(formulas):
    scale = InputScale(np.linspace(0.5, 2.0, N_FEATURES))
    layers = [scale, conv(), ReLU(), AvgPool((2, 1)), conv(), ReLU(), GlobalAvgPool()]
    check_values(on_images(*layers, Dense()), awkward(), formulas)


def test_what_was_traced_is_freed_at_once(formulas):
    """Without a look for cycles, until which it would take memory."""
    formulas(on=False)
    gc.collect()
    gc.disable()
    try:
        for network in (NETWORKS["average"], MLP()):
            gram(network, normal())
        assert not any(type(a) in (Trace, PixelTrace) for a in gc.get_objects())
    finally:
        gc.enable()


def check_nearly_coinciding_pixels(switch):
    """Rows that differ, with a patch that differs in the seventh digit."""
    X = normal().copy()
    X[1, :12] = X[0, :12] + 1e-7
    layers = [Conv(1, bias_variance=0.1), ReLU(), Conv(1, bias_variance=0.1), ReLU()]
    network = on_images(*layers, Flatten(), Dense())
    switch(on=True)
    (expected,) = gram(network, X)
    switch(on=False)
    (ours,) = gram(network, X)
    assert_allclose(ours, expected, rtol=1e-13)


def test_pixels_that_nearly_coincide_are_guarded(formulas):
    check_nearly_coinciding_pixels(formulas)


def test_compiled_programs_guard_pixels_that_nearly_coincide(compiled):
    check_nearly_coinciding_pixels(compiled)


def test_segments_have_all_guards():
    layers = [Conv(3), ReLU(), Conv(3), ReLU(), Conv(3), ReLU(), GlobalAvgPool()]
    program = program_of(on_images(*layers, Dense(), shape=(8, 6, 1)))
    assert len(program.guards) >= 3
    found = sum(len(segment.guards) for segment in program.segments.values())
    assert found == len(program.guards)


def test_a_single_pixel_that_grows(formulas):
    layers = [ConvTranspose(2, stride=2, padding="valid"), ReLU(), GlobalAvgPool()]
    network = on_images(*layers, Dense(), shape=(1, 1, N_FEATURES))
    check_values(network, normal(), formulas)


def program_of(network, X=None):
    X = normal(3, int(np.prod(network.image_shape))) if X is None else X

    def evaluate(inputs):
        return [network.propagate(inputs).resolve().ntk]

    of = evaluation.Evaluation(evaluate, X, None, ntk=True, tile=tile_of(network))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_evaluation, "FEW", 0)
        return image_evaluation.image_program(of, np.float64)


def plan_of(network):
    program = program_of(network)
    return Plan(program.steps, program.outputs)


def sizes_of(stage):
    """Pairs of pixels of the components that are needed, by space."""
    return {
        space: np.bincount(labels, minlength=stage.n_components)[stage.needed]
        for space, labels in stage.labels.items()
    }


def test_a_convolution_keeps_offsets_apart():
    layers = [Conv(3), ReLU(), Conv(3), ReLU(), GlobalAvgPool(), Dense()]
    first, last = plan_of(on_images(*layers, shape=(8, 6, 1))).stages
    sizes = sizes_of(first)[48, True]
    assert len(sizes) == 15 * 11
    assert np.max(sizes) == 48
    assert last.n_components == 1


def test_a_stride_needs_offsets_that_it_divides_only():
    layers = [Conv(3, 2), ReLU(), Conv(3), ReLU(), GlobalAvgPool(), Dense()]
    first, _ = plan_of(on_images(*layers, shape=(8, 8, 1))).stages
    assert len(sizes_of(first)[16, True]) == 49


def test_flatten_needs_one_offset():
    layers = [Conv(3), ReLU(), Flatten(), Dense()]
    for shape in ((8, 8, 1), (8, 1)):
        plan = plan_of(on_images(*layers, shape=shape))
        assert sum(np.sum(stage.needed) for stage in plan.stages) <= 2


def test_sums_that_one_segment_reads_are_made_there():
    layers = [Conv(3), ReLU(), Conv(3), ReLU(), GlobalAvgPool(), Dense()]
    first, _ = plan_of(on_images(*layers, shape=(8, 6, 1))).stages
    within = [step.sources for _, step in first.steps if not isinstance(step, Move)]
    assert sum(isinstance(s, Move) for sources in within for s in sources) == 3
    assert sum(isinstance(step, Move) for _, step in first.steps) == 3 + 2


@pytest.mark.parametrize("padding", ["same", "valid", "circular"])
@pytest.mark.parametrize(("shape", "size"), [((5, 3), 3), ((2, 7), 5), ((4,), 2)])
def test_factors_of_windows_are_what_windows_do(shape, size, padding):
    axes = len(shape)
    for stride, transposed in ((1, False), (2, False), (1, True), (2, True)):
        if padding == "valid" and not transposed and min(shape) < size:
            continue
        steps = (size,) * axes, (stride,) * axes, padding
        windows = windows_over(shape, *steps, transposed=transposed)
        n = int(np.prod(shape))
        pairs = np.random.default_rng(0).integers(-9, 9, (n, n)).astype(float)
        found = pairs.ravel(), np.diagonal(pairs)
        for full, values in zip((True, False), found, strict=True):
            sides = (0, 1) if full else (0,)
            expected = windows.sums(np, pairs if full else values, sides)
            for factor in windows.factors(full):
                assert factor.has_canonical_format
                values = factor @ values
            assert_allclose(values, np.ravel(expected), rtol=0)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("padding", ["same", "valid", "circular"])
@pytest.mark.parametrize("shape", [(5, 3), (2, 7), (8, 8), (9,), (3, 2, 3)])
def test_calls_of_windows_are_what_windows_do(shape, padding, full):
    """Of windows of any size, for few and for many rows of Y."""
    space = int(np.prod(shape)), full
    options = itertools.product((1, 2, 3, 5), (1, 2), (False, True), (1, 2, 20))
    for size, stride, transposed, m in options:
        if padding == "valid" and not transposed and min(shape) < size:
            continue
        steps = (size,) * len(shape), (stride,) * len(shape), padding
        windows = windows_over(shape, *steps, transposed=transposed)
        sums = Sums.of(windows, space)
        a = np.random.default_rng(0).integers(-9, 9, shape_of(space, 2, m)) + 0.0
        out = np.full(shape_of(windows.size(full), 2, m), np.nan)
        between = [int(np.prod(other)) for other in sums.between(a.shape)]
        spares = np.full((SPARES, max(a.size, out.size, *between, 0)), np.nan)
        for function, arguments, to in sums.calls(a, out, spares):
            function(*arguments, out=to)
        sides = (0, 2) if full else (0,)
        assert_array_equal(out, windows.sums(np, a, sides))


def test_pools_end_stages():
    plan = plan_of(Myrtle(5, input_shape=(8, 8, 1)))
    assert len(plan.stages) == 4


def test_deviations_behind_pools_are_those_of_programs(compiled, monkeypatch):
    pools = [layer for k in (2, 1) for layer in (conv(), ReLU(), AvgPool(2, k))]
    network = on_images(*pools, conv(), ReLU(), GlobalAvgPool(), shape=(4, 6, 1))
    check_values(network, awkward(), compiled)
    X = normal().copy()
    X[4] = 1.0 + 1e-7 * X[4]  # pixels that nearly coincide are left to formulas
    check_values(network, X, compiled)
    layers = [conv(), ReLU(), Dropout(0.3), *pools[2:], GlobalAvgPool()]
    check_values(on_images(*layers, shape=(4, 6, 1)), X, compiled)
    monkeypatch.setattr(image_evaluation, "_of_own_pairs", None)
    gram(network, normal())


@pytest.mark.parametrize(
    "layers",
    [
        [conv(), ReLU(), GlobalAvgPool(), Dense(0.0, 0.5), ReLU(), Dense()],
        [conv(), ReLU(), AvgPool(6), attention(), GlobalAvgPool(), Dense()],
    ],
)
def test_stages_that_nothing_needs(layers, compiled):
    check_values(on_images(*layers, shape=(6, 2)), normal(d=12), compiled)


def test_deviations_need_the_pairs_of_pixels_that_meet_in_a_pool_alone():
    layers = [conv(), ReLU(), conv(), ReLU(), AvgPool(2), conv(), ReLU()]
    network = on_images(*layers, GlobalAvgPool(), shape=(8, 8, 1))

    def evaluate(inputs):
        return [network.propagate(inputs).resolve().nngp]

    X = normal(2, 64)
    program = asked_variances(evaluate, X, [])
    plan = Plan(program.steps, tuple(program.outputs))
    assert np.sum(plan.stages[0].needed) == 3 * 3  # offsets
    known = [np.ones((2, 16)), np.ones((2, 1))]
    assert asked_variances(evaluate, X, known) is None


def layout_of(network):
    from sklearn_ntk._engine.image_layout import Layout

    program = program_of(network)
    outputs = tuple(program.outputs)
    return Layout(Plan(program.steps, outputs), outputs, "float64")


def test_sums_of_the_same_pairs_have_weights_and_bounds_once():
    SUM = pytest.importorskip("sklearn_ntk._engine.image_driver").SUM
    layers = [Conv(3), ReLU(), Conv(3), ReLU(), Conv(3), ReLU(), GlobalAvgPool()]
    layout = layout_of(on_images(*layers, Dense(), shape=(8, 6, 1)))
    joins = [step for step in layout.tables[1].tolist() if step[0] == SUM]
    assert len(joins) == 5  # along one side, of covariances and of the NTK
    assert len({tuple(step[3:5]) for step in joins}) == 1
    assert len({step[2] for step in joins}) == 5


@pytest.mark.parametrize("n_edges", [0, 20])
def test_nodes_without_neighbours(n_edges, compiled):
    adjacency = np.zeros((N_FEATURES, N_FEATURES))
    adjacency[np.arange(n_edges), np.arange(n_edges) + 1] = 1.0
    layers = [Dense(1.0, 0.1), ReLU(), GraphConv(adjacency), Dense(1.0, 0.1), ReLU()]
    for end in (GlobalAvgPool(), Flatten()):
        network = on_images(*layers, end, Dense(), shape=(N_FEATURES, 1))
        check_values(network, awkward(), compiled)


def test_the_diagonal_comes_with_the_blocks(formulas, monkeypatch):
    formulas(on=False)
    X, network = normal(), NETWORKS["average"]
    (K,) = gram(network, X)
    assert_allclose(NTK(network).diag(X), np.diag(K), rtol=1e-13)
    monkeypatch.setattr(evaluation.Evaluation, "itself", None)
    assert_allclose(gram(network, X)[0], K, rtol=0)
