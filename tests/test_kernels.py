"""NTK and NNGP as scikit-learn kernel objects."""

import inspect
import pickle

import numpy as np
import pytest
from conftest import awkward_rows, read_only
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF as RBFKernel
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.gaussian_process.tests import test_kernels as shipped
from zoo import NETWORKS, dense

from sklearn_ntk import NNGP, NTK, networks
from sklearn_ntk._engine.gram import path
from sklearn_ntk.networks import MLP, Dense, Identity, ReLU, Residual, Sequential

zoo = pytest.mark.parametrize("name", NETWORKS)
kernel_types = pytest.mark.parametrize("kernel_type", [NTK, NNGP])


@zoo
@kernel_types
def test_symmetric_to_the_bit_finite_and_positive_semidefinite(
    name, kernel_type, awkward
):
    K = kernel_type(NETWORKS[name])(awkward)
    assert_array_equal(K, K.T)
    assert np.isfinite(K).all()
    smallest = np.linalg.eigvalsh(K)[0]
    assert smallest > -1e-12 * np.trace(K)


@zoo
@kernel_types
def test_diagonal_is_that_of_the_matrix(name, kernel_type, awkward):
    kernel = kernel_type(NETWORKS[name])
    assert_allclose(kernel.diag(awkward), np.diag(kernel(awkward)), rtol=1e-13)


@zoo
def test_block_is_part_of_the_matrix(name, awkward):
    kernel = NTK(NETWORKS[name])
    K = kernel(awkward)
    block = kernel(awkward[:4], awkward[4:])
    assert_allclose(block, K[:4, 4:], rtol=1e-13, atol=1e-14 * np.max(K))


@zoo
def test_does_not_depend_on_tiles_threads_or_sparsity(name, awkward, monkeypatch):
    kernel = NTK(NETWORKS[name])
    K, K_gradient = kernel(awkward, eval_gradient=True)
    scale = np.max(np.abs(K))
    assert_allclose(kernel(awkward), K, rtol=1e-13, atol=1e-14 * scale)
    assert_allclose(
        kernel(sparse.csr_array(awkward)), K, rtol=1e-13, atol=1e-14 * scale
    )
    part = awkward[4:]
    for X, Y in ((awkward, sparse.csr_array(part)), (sparse.csr_array(awkward), part)):
        assert_allclose(kernel(X, Y), kernel(awkward, part), rtol=1e-13)
    monkeypatch.setattr("sklearn_ntk._engine.evaluation._Exact.shape", (2, 2))
    monkeypatch.setattr("sklearn_ntk._engine.numpy_program.NumpyProgram.shape", (2, 3))
    tiled, tiled_gradient = kernel(awkward, eval_gradient=True)
    assert_allclose(tiled, K, rtol=1e-13, atol=1e-14 * scale)
    atol = 1e-12 * np.max(np.abs(K_gradient)) + 1e-15 * scale
    assert_allclose(tiled_gradient, K_gradient, rtol=1e-9, atol=atol)


@zoo
@kernel_types
def test_gradient_agrees_with_central_differences(name, kernel_type, awkward):
    kernel = kernel_type(NETWORKS[name])
    _, analytic = kernel(awkward, eval_gradient=True)
    theta, step = kernel.theta, 1e-3

    def at(index, steps):
        moved = theta.copy()
        moved[index] += steps * step
        return kernel.clone_with_theta(moved)(awkward)

    assert analytic.shape == (*(2 * [len(awkward)]), len(theta))
    for index in range(len(theta)):
        near = (at(index, 1) - at(index, -1)) / (2 * step)
        far = (at(index, 2) - at(index, -2)) / (4 * step)
        farther = (at(index, 3) - at(index, -3)) / (6 * step)
        numeric = 1.5 * near - 0.6 * far + 0.1 * farther
        assert_allclose(
            analytic[..., index],
            numeric,
            rtol=1e-6,
            atol=1e-8 * (np.max(np.abs(numeric)) + np.max(np.abs(at(index, 0)))),
        )


@zoo
def test_gradient_dot_is_the_contracted_gradient(name, awkward):
    kernel = NTK(NETWORKS[name])
    W = read_only(np.random.default_rng(2).standard_normal(2 * (len(awkward),)))
    _, K_gradient = kernel(awkward, eval_gradient=True)
    assert_allclose(
        kernel.gradient_dot(awkward, W),
        np.einsum("ij,ijp->p", W, K_gradient),
        rtol=1e-9,
        atol=1e-11 * np.sum(np.abs(K_gradient)),
    )


def test_gradient_dot_of_length_scales_at_close_and_at_sparse_rows():
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((6, 4)) * (rng.random((6, 4)) < 0.7)
    X = np.vstack([rows, rows[0] + 1e-5, -rows[1] + 1e-9, rows[2] * 1.001])
    kernel = NTK(NETWORKS["relevance"])
    W = rng.standard_normal((9, 9))
    _, K_gradient = kernel(X, eval_gradient=True)
    expected = np.einsum("ij,ijp->p", W, K_gradient)
    for given_rows in (X, sparse.csr_array(X)):
        assert_allclose(kernel.gradient_dot(given_rows, W), expected, rtol=1e-9)
        _, gradient = kernel(given_rows, eval_gradient=True)
        assert_allclose(gradient, K_gradient, rtol=1e-9, atol=1e-12)


@zoo
def test_clones_pickles_and_compares_by_value(name, X):
    kernel = NTK(NETWORKS[name])
    for copy in (clone(kernel), pickle.loads(pickle.dumps(kernel))):
        assert copy == kernel
        assert copy.network is not kernel.network
        assert_array_equal(copy(X), kernel(X))


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"one_elementwise"}))
def test_repr_rebuilds_the_kernel(name):
    kernel = NTK(NETWORKS[name])
    names = {n: getattr(networks, n) for n in networks.__all__}
    assert eval(repr(kernel), {"NTK": NTK, "array": np.array, **names}) == kernel


SHIPPED = {
    name: function
    for name, function in vars(shipped).items()
    if name.startswith("test_")
    and list(inspect.signature(function).parameters) == ["kernel"]
    and name not in {"test_kernel_theta", "test_kernel_stationary"}
}
EIGHT = [
    "mlp",
    "linear",
    "one_erf",
    "one_gelu",
    "residual",
    "standard",
    "mixed",
    "concatenate",
    "relevance_erf",
]


@pytest.mark.parametrize("function", SHIPPED.values(), ids=SHIPPED)
@pytest.mark.parametrize("name", EIGHT)
@kernel_types
def test_scikit_learns_own_kernel_tests(function, name, kernel_type, monkeypatch):
    if name.startswith("relevance"):
        rows = np.random.RandomState(0).normal(0, 1, (5, 4))
        monkeypatch.setattr(shipped, "X", rows)
        monkeypatch.setattr(shipped, "Y", rows[:3] + 0.1)
    function(kernel_type(clone(NETWORKS[name])))


@zoo
@kernel_types
def test_theta_is_the_logarithm_of_the_free_hyperparameters(name, kernel_type):
    """What `test_kernel_theta` asks for, where the bounds are the network's."""
    kernel = kernel_type(NETWORKS[name])
    params = kernel.get_params()
    free = [h for h in kernel.hyperparameters if not h.fixed]
    assert [h.name for h in free] == sorted(h.name for h in free)
    values = [np.ravel(params[h.name]) for h in free]
    assert_allclose(kernel.theta, np.log(np.concatenate([*values, []])))
    if free:
        assert_allclose(kernel.bounds, np.log(np.vstack([h.bounds for h in free])))
    moved = kernel.clone_with_theta(kernel.theta + 0.1)
    assert_allclose(moved.theta, kernel.theta + 0.1)
    assert kernel.n_dims == len(kernel.theta)
    for h in free:
        fixed = kernel_type(clone(kernel.network)).set_params(
            **{f"{h.name}_bounds": "fixed"}
        )
        assert fixed.n_dims == len(kernel.theta) - h.n_elements


def test_theta_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="theta must have 1 elements"):
        NTK().clone_with_theta(np.zeros(2))


def test_default_network_shows_and_takes_parameters():
    kernel = NTK()
    assert kernel.get_params()["network__depth"] == 2
    kernel.set_params(network__depth=5)
    assert kernel.network == MLP(depth=5)


def test_kernel_algebra(X):
    kernel = 2.0 * NTK() ** 2 + NNGP(MLP(depth=1)) * RBFKernel() + WhiteKernel(0.1)
    expected = 2.0 * NTK()(X) ** 2 + NNGP(MLP(depth=1))(X) * RBFKernel()(X)
    assert_allclose(kernel(X), expected + 0.1 * np.eye(len(X)))
    assert repr(NTK() + ConstantKernel(2.0)) == "NTK() + 1.41**2"
    _, K_gradient = kernel(X, eval_gradient=True)
    assert K_gradient.shape[2] == len(kernel.theta)


@pytest.mark.parametrize("depth", [1, 2, 5, 20])
@pytest.mark.parametrize("activation", ["relu", "erf", "gelu", "sin"])
def test_unit_output_makes_a_standardised_row_one(depth, activation):
    row = np.array([[1.0, -1.0, 1.0, 1.0]])
    for options in ({}, {"length_scale": 3.0}, {"dropout": 0.2}, {"residual": True}):
        kernel = NTK(MLP(depth, activation, **options))
        assert_allclose(kernel.diag(row), 1.0, rtol=1e-13)


class Counting(Identity):
    """An identity that counts the standard rows it sees, the only ones of one row."""

    n_standard_rows = 0

    def propagate(self, pairs):
        Counting.n_standard_rows += pairs.resolve().std_x.shape == (1,)
        return super().propagate(pairs)


class Constant(Identity):
    """A layer with something to be worked out once."""

    factor = 1.0

    def build(self, standard_row):
        built = clone(self)
        built.factor = 1.0 / float(standard_row.resolve().nngp[0])
        return built

    def propagate(self, pairs):
        return pairs.resolve().scaled(self.factor)


@pytest.mark.parametrize("scale", ["unit", 1.0])
def test_a_standard_row_is_looked_at_once_and_where_it_is_needed(scale, X):
    network = Sequential(dense(), Counting(), ReLU(), dense(), output_scale=scale)
    for compute in (
        NTK(network),
        NTK(network).diag,
        lambda X: NTK(network)(X, eval_gradient=True),
        lambda X: NTK(network).gradient_dot(X, np.ones((len(X), len(X)))),
    ):
        Counting.n_standard_rows = 0
        compute(X)
        assert Counting.n_standard_rows == (scale == "unit")


def test_layers_of_a_user_work_out_their_constants(X):
    inside = Residual(Constant(), Dense(1.0, 0.0))
    for body in (Constant(), Sequential(Constant()), inside):
        assert Sequential(Dense(2.0, 0.0), body).has_constants
    assert not Sequential(Dense(), Residual(ReLU(), Dense()), ReLU()).has_constants
    normalised = Sequential(Dense(2.0, 0.0), Constant())
    assert_allclose(NNGP(normalised).diag(X), np.sum(X * X, axis=1) / X.shape[1])


def test_single_layers_have_their_textbook_values():
    x, y = np.array([[3.0, 4.0]]), np.array([[4.0, -3.0]])
    linear = Sequential(Dense(2.0, 0.5))
    assert_allclose(NTK(linear)(x), 2.0 * 12.5 + 0.5)
    assert_allclose(NNGP(linear)(x, y), 0.5)
    relu = Sequential(Dense(1.0, 0.0), ReLU(), Dense(2.0, 0.0))
    assert_allclose(NNGP(relu)(x), 12.5)
    assert_allclose(NNGP(relu)(x, y), 12.5 / np.pi)
    assert_allclose(NTK(relu)(x, y), 12.5 / np.pi)
    assert_allclose(NTK(relu)(x), 25.0)


def test_all_but_the_readout_frozen_is_the_nngp(awkward):
    frozen = MLP(depth=3, n_frozen_layers=3, output_scale=1.0)
    assert_allclose(NTK(frozen)(awkward), NNGP(frozen)(awkward), rtol=1e-13)


def test_bias_from_zero_enters_the_ntk_only(X):
    from_zero = MLP(depth=2, bias_init="zeros", output_scale=1.0)
    without = MLP(depth=2, bias_variance=0.0, output_scale=1.0)
    assert_allclose(NNGP(from_zero)(X), NNGP(without)(X), rtol=1e-13)
    assert np.all(np.diag(NTK(from_zero)(X)) > np.diag(NTK(without)(X)))


def test_dropout_is_noise_on_the_diagonal(X):
    kernel = NNGP(Sequential(Dense(), ReLU(), networks.Dropout(0.5), Dense(1.0, 0.0)))
    plain = NNGP(Sequential(Dense(), ReLU(), Dense(1.0, 0.0)))
    assert_allclose(kernel(X), plain(X) * (1.0 + np.eye(len(X))))
    assert_allclose(kernel(X, X), plain(X))


def test_rbf_activation_is_the_rbf_kernel(X):
    network = Sequential(Dense(1.0, 0.0), networks.RBF(0.5))
    expected = RBFKernel(np.sqrt(X.shape[1]))(X)
    assert_allclose(NNGP(network)(X), expected, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-160, 1e-8, 1e8, 1e150])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "abs", "erf", "gelu"])
def test_rows_of_any_size_are_finite(size, activation):
    X = awkward_rows()
    kernel = NTK(MLP(3, activation, weight_variance_bounds=(1e-3, 1e3)))
    K, K_gradient = kernel(size * X, eval_gradient=True)
    assert np.isfinite(K).all()
    assert np.isfinite(K_gradient).all()


def test_overflow_is_infinite_with_a_warning():
    kernel = NTK(Sequential(Dense(), networks.Exp(), Dense()))
    X = np.array([[0.0, 1.0], [100.0, 0.0]])
    with pytest.warns(RuntimeWarning, match="The kernel overflows"):
        K = kernel(X)
    assert np.isfinite(K[0, 0])
    assert np.isinf(K[1, 1])
    with pytest.warns(RuntimeWarning, match="The kernel overflows"):
        assert_array_equal(kernel.diag(X), np.diag(K))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"residual": True, "layer_norm": True},
        {"activation": "erf", "dropout": 0.2, "output_scale": 1.0},
        {"parametrization": "standard", "width": 32, "length_scale": 0.5},
        {"n_frozen_layers": 1},
    ],
    ids=str,
)
@kernel_types
def test_path_holds_the_kernels_of_all_depths(kernel_type, options, X):
    matrices = kernel_type(MLP(4, **options)).path(X)
    blocks = kernel_type(MLP(4, **options)).path(X, X[:3])
    for depth in range(1, 5):
        kernel = kernel_type(MLP(depth, **options))
        assert_allclose(matrices[depth - 1], kernel(X), rtol=1e-13)
        assert_allclose(blocks[depth - 1], kernel(X, X[:3]), rtol=1e-13)


@pytest.mark.parametrize("depths", [[2, 4], [4, 2, 2], [3]])
def test_path_holds_the_depths_that_are_wanted(depths, X):
    network = MLP(4, n_frozen_layers=2)
    matrices = path(network, X, kind="ntk", depths=depths)
    for depth, K in zip(depths, matrices, strict=True):
        assert_allclose(K, NTK(MLP(depth, n_frozen_layers=2))(X), rtol=1e-13)


def test_path_needs_a_depth(X):
    with pytest.raises(ValueError, match="path needs a network with a depth"):
        NTK(Sequential(Dense())).path(X)
    with pytest.raises(ValueError, match="at most depth=1, got 2"):
        NTK(MLP(3, n_frozen_layers=2)).path(X)


def test_homogeneous_network_scales_with_its_input(X):
    kernel = NTK(MLP(depth=4, bias_variance=0.0))
    assert_allclose(kernel(1e100 * X), 1e200 * kernel(X), rtol=1e-12)


# Their length scales are for four features, their kernel overflows or warns.
NOT_FOR_ANY_INPUT = {
    "relevance",
    "relevance_erf",
    "one_exp",
    "one_hermite",
    "one_elementwise",
}
rows = arrays(
    float,
    st.tuples(st.integers(1, 6), st.just(3)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False),
)


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from(sorted(set(NETWORKS) - NOT_FOR_ANY_INPUT)))
def test_any_input_gives_a_finite_symmetric_matrix(X, name):
    kernel = NTK(NETWORKS[name])
    K = kernel(X)
    assert np.isfinite(K).all()
    assert_array_equal(K, K.T)
    assert_allclose(kernel.diag(X), np.diag(K), rtol=1e-12)
    assert np.linalg.eigvalsh(K)[0] > -1e-10 * (np.trace(K) + 1e-300)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[np.nan, 1.0]], "contains NaN"),
        ([[np.inf, 1.0]], "contains infinity"),
        ([["a", "b"]], "could not convert string to float"),
        ([1.0, 2.0], "Expected 2D array, got 1D array"),
        (np.ones((2, 0)), "0 feature"),
        (np.ones((0, 2)), "0 sample"),
        (np.array([[1.0 + 1.0j]]), "Complex data not supported"),
    ],
)
def test_bad_input_is_refused_as_scikit_learn_does(X, message):
    for call in (NTK(), NNGP().diag, lambda X: NTK()(X, X)):
        with pytest.raises(ValueError, match=message):
            call(X)


def test_other_number_of_features_is_refused(X):
    with pytest.raises(ValueError, match="Incompatible dimension"):
        NTK()(X, X[:, :2])
    with pytest.raises(ValueError, match=r"'length_scale' .* expected shape \(4,\)"):
        NTK(MLP(length_scale=[1.0, 2.0]))(X)


@pytest.mark.parametrize("network", ["mlp", MLP, 3])
def test_what_is_no_network_is_refused(network, X):
    with pytest.raises(ValueError, match="'network' parameter of NTK must be"):
        NTK(network)(X)


def test_gradient_with_two_arguments_is_refused(X):
    with pytest.raises(ValueError, match="only be evaluated when Y is None"):
        NTK()(X, X, eval_gradient=True)


def test_weights_of_the_wrong_shape_are_refused(X):
    with pytest.raises(ValueError, match="W must have shape"):
        NTK().gradient_dot(X, np.ones((2, 2)))
