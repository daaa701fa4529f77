"""Kernels of arrays of other libraries, on a device that is not the default one."""

import math
import sys

import array_api_strict as strict
import image_zoo
import numpy as np
import pytest
from conftest import awkward_rows, read_only
from fake_devices import FakeLanes
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.kernel_approximation import Nystroem
from zoo import NETWORKS

from sklearn_ntk import (
    NNGP,
    NTK,
    NNGPClassifier,
    NNGPRegressor,
    NTKClassifier,
    NTKRegressor,
    large_gram,
)
from sklearn_ntk._engine import array_evaluation, array_gram, devices
from sklearn_ntk._engine.array_evaluation import ArrayEvaluation
from sklearn_ntk._engine.array_program import ArrayProgram
from sklearn_ntk._estimators import learning
from sklearn_ntk._solvers import factorizations
from sklearn_ntk._solvers.cholesky import Cholesky
from sklearn_ntk.networks import (
    MLP,
    ConvNet,
    Dense,
    GraphNetwork,
    ReLU,
    Sequential,
)

DEVICE = strict.Device("device1")


class Strict:
    """array-api-strict, on a device of its own."""

    @staticmethod
    def array(rows):
        return strict.asarray(rows, device=DEVICE)

    @staticmethod
    def check(K, dtype="float64"):
        assert isinstance(K, type(strict.asarray(0.0)))
        assert K.device == DEVICE
        assert K.dtype == getattr(strict, dtype)


class Torch:
    """PyTorch, on the CPU."""

    @staticmethod
    def array(rows):
        torch = pytest.importorskip("torch")
        return torch.asarray(np.array(rows))

    @staticmethod
    def check(K, dtype="float64"):
        torch = sys.modules["torch"]
        assert isinstance(K, torch.Tensor)
        assert K.device.type == "cpu"
        assert K.dtype == getattr(torch, dtype)


LIBRARIES = pytest.mark.parametrize("library", [Strict, Torch])


def rows(n=9):
    more = np.random.default_rng(5).standard_normal((n, 4))
    return read_only(np.vstack([awkward_rows(), awkward_rows()[3] * (1 + 1e-9), more]))


def assert_same(library, found, expected, rtol=1e-12):
    library.check(found)
    assert_allclose(
        devices.host_array(found),
        expected,
        rtol=rtol,
        atol=0.1 * rtol * np.max(np.abs(expected)),
    )


@LIBRARIES
@pytest.mark.parametrize("name", NETWORKS)
def test_same_kernel_as_of_numpy_arrays(name, library):
    kernel, X = NTK(NETWORKS[name]), rows()
    there = library.array(X)
    K = kernel(there)
    assert_same(library, K, kernel(X))
    assert np.array_equal(*(devices.host_array(A) for A in (K, K.T)))
    assert_same(library, kernel(there, library.array(X[:5])), kernel(X, X[:5]))
    assert_same(library, kernel.diag(there), kernel.diag(X))
    assert np.array_equal(devices.host_array(there), X)


@LIBRARIES
def test_activations_by_quadrature_as_series(library):
    X = np.random.default_rng(0).standard_normal((520, 50))
    kernel = NTK(MLP(activation="tanh"))
    evaluate = array_gram.kernels_of(kernel.network, library.array(X), ("ntk",))
    evaluation = ArrayEvaluation(evaluate, library.array(X), None, ntk=True)
    assert evaluation.runner() is not None
    assert_same(library, kernel(library.array(X)), kernel(X))


@LIBRARIES
def test_blocks_do_not_show(library, monkeypatch):
    X, kernel = rows(120), NTK(MLP(depth=3))
    whole = kernel(X), kernel(X, X[:100])
    shapes = []
    place = ArrayEvaluation._generic
    monkeypatch.setattr(
        ArrayEvaluation,
        "_generic",
        lambda self, *args: shapes.append(args[-2:]) or place(self, *args),
    )
    there = library.array(X)
    with config_context(working_memory=0):
        assert_same(library, kernel(there), whole[0])
        assert_same(library, kernel(there, library.array(X[:100])), whole[1])
    assert len(shapes) == 6 + 6
    sizes = [part.stop - part.start for pair in shapes for part in pair]
    assert max(sizes) <= 64
    assert min(sizes) > 30


@LIBRARIES
def test_what_is_computed_anew_is_cut_to_what_fits(library, monkeypatch):
    X = 1.0 + 1e-3 * np.random.default_rng(0).standard_normal((120, 3))
    kernel, shapes = NTK(MLP(depth=3)), []
    block = ArrayEvaluation._block

    def spy(self, rows, columns):
        shapes.append((rows.stop - rows.start, columns.stop - columns.start))
        return block(self, rows, columns)

    monkeypatch.setattr(ArrayEvaluation, "_block", spy)
    with config_context(working_memory=1):
        assert_same(library, kernel(library.array(X)), kernel(X))
    assert shapes == [(60, 60)] * 4
    gathered = []
    monkeypatch.setattr(array_evaluation, "GATHERED", 3 * 50)
    monkeypatch.setattr(array_evaluation, "MANY", 2.0)
    values = ArrayEvaluation._values
    monkeypatch.setattr(
        ArrayEvaluation,
        "_values",
        lambda self, inputs, shape: (
            gathered.append(shape) or values(self, inputs, shape)
        ),
    )
    assert_same(library, kernel(library.array(X)), kernel(X))
    assert max(shape for shape in gathered if shape != (120,)) == (50,)


DIFFERENTIATED = [
    "mlp",
    "amplitude_one",
    "residual",
    "mixed",
    "one_elu",
    "one_erf",
    "gated",
    "relevance",
]


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_gradients(name):
    # arrays of array-api-strict do not leave an operation to the other operand
    kernel, X = NTK(NETWORKS[name]), rows()
    K, K_gradient = kernel(Torch.array(X), eval_gradient=True)
    expected = kernel(X, eval_gradient=True)
    assert_same(Torch, K, expected[0])
    assert_same(Torch, K_gradient, expected[1], rtol=1e-10)


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_contracted_gradients(name):
    kernel, X = NTK(NETWORKS[name]), rows(120)
    W = np.random.default_rng(3).standard_normal((len(X), len(X)))
    expected = kernel.gradient_dot(X, W)
    with config_context(working_memory=0):  # several blocks
        found = kernel.gradient_dot(Torch.array(X), Torch.array(W))
    assert_same(Torch, found, expected, rtol=1e-9)
    half = kernel.gradient_dot(
        Torch.array(X.astype(np.float32)), Torch.array(W.astype(np.float32))
    )
    Torch.check(half, "float32")
    scale = np.max(np.abs(expected))
    assert_allclose(devices.host_array(half), expected, rtol=1e-4, atol=1e-4 * scale)


def test_gradients_of_what_has_no_hyperparameters():
    network = Sequential(Dense(1.2, 0.0), ReLU(), Dense(1.0, 0.0))
    kernel, X = NTK(network), Torch.array(rows())
    assert kernel.gradient_dot(X, X @ X.T).shape == (0,)
    K, K_gradient = kernel(X, eval_gradient=True)
    assert_same(Torch, K, kernel(rows()))
    assert tuple(K_gradient.shape) == (19, 19, 0)


def test_weights_of_a_contraction_are_checked():
    X, kernel = Strict.array(rows()), NTK()
    with pytest.raises(TypeError, match=r"X and W .*strict and W of numpy"):
        kernel.gradient_dot(X, rows() @ rows().T)
    with pytest.raises(TypeError, match=r"X is of numpy and W of array_api_strict"):
        kernel.gradient_dot(rows(), X @ X.T)
    elsewhere = strict.asarray(rows() @ rows().T, device=strict.Device("device2"))
    with pytest.raises(ValueError, match=r"X and W .*device1.* and W on .*device2"):
        kernel.gradient_dot(X, elsewhere)
    with pytest.raises(ValueError, match=r"W must have shape \(19, 19\).*\(19, 4\)"):
        kernel.gradient_dot(X, X)
    with pytest.raises(ValueError, match="Input W contains NaN"):
        kernel.gradient_dot(X, X @ X.T * np.nan)


@LIBRARIES
def test_path(library):
    kernel, X = NNGP(MLP(depth=3)), rows()
    assert_same(library, kernel.path(library.array(X)), kernel.path(X))
    Y = X[2:6]
    assert_same(
        library, kernel.path(library.array(X), library.array(Y)), kernel.path(X, Y)
    )


@LIBRARIES
def test_algebra_of_kernels(library):
    X = rows()
    kernel = NTK() * NNGP() + NNGP(MLP(1)) ** 2
    assert_same(library, kernel(library.array(X)), kernel(X))


@LIBRARIES
def test_nystroem_under_array_api_dispatch(library):
    pytest.importorskip("scipy", minversion="1.14")  # scikit-learn asks for it
    X = rows(30)
    there = library.array(X)
    options = {"kernel": NTK(), "n_components": 10, "random_state": 0}
    expected = Nystroem(**options).fit_transform(X)
    with config_context(array_api_dispatch=True):
        features = Nystroem(**options).fit_transform(there)
    library.check(features)
    features = devices.host_array(features)
    assert_allclose(features @ features.T, expected @ expected.T, atol=1e-6)


@LIBRARIES
@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_results_are_of_double_precision(dtype, library):
    X = np.array(rows() > 0 if dtype == "bool" else rows() * 10).astype(dtype)
    assert_same(library, NTK()(library.array(X)), NTK()(X))


SINGLE = ["mlp", "deep", "residual", "mixed", "one_elu", "one_erf", "one_tanh", "gated"]


@LIBRARIES
@pytest.mark.parametrize("name", SINGLE)
def test_single_precision(name, library):
    kernel, X = NTK(NETWORKS[name]), rows(60).astype(np.float32)
    there, here = library.array(X), kernel(X)
    K = kernel(there)
    library.check(K, "float32")
    K = devices.host_array(K)
    assert_allclose(K, here, rtol=1e-5, atol=1e-6 * np.max(np.abs(here)))
    assert np.array_equal(K, K.T)
    rounded = here.astype(np.float32)
    assert_allclose(np.diagonal(K), np.diagonal(rounded), rtol=2e-7)
    assert_allclose(K[0, 5], rounded[0, 5], rtol=2e-7)  # duplicates
    crossed = kernel(there, library.array(X[:5]))
    library.check(crossed, "float32")
    assert_allclose(
        devices.host_array(crossed), here[:, :5], rtol=1e-5, atol=1e-6 * np.max(here)
    )
    diagonal = kernel.diag(there)
    library.check(diagonal, "float32")
    assert_allclose(devices.host_array(diagonal), np.diagonal(here), rtol=2e-7)


@LIBRARIES
def test_generic_pairs_are_computed_in_the_precision_of_the_rows(library, monkeypatch):
    found, run = [], ArrayProgram.run

    def spy(self, cosines, *args):
        values, guarded = run(self, cosines, *args)
        found.extend([*cosines, *values])
        return values, guarded

    monkeypatch.setattr(ArrayProgram, "run", spy)
    NTK(MLP(3))(library.array(rows().astype(np.float32)))
    assert found
    for values in found:
        library.check(values, "float32")


@LIBRARIES
def test_two_precisions_give_the_higher_one(library):
    X = rows().astype(np.float32)
    K = NTK()(library.array(X), library.array(X.astype(float)))
    assert_same(library, K, NTK()(X, X))


def test_paths_and_gradients_in_single_precision():
    X, kernel = rows().astype(np.float32), NTK(MLP(3))
    path = kernel.path(Torch.array(X))
    Torch.check(path, "float32")
    assert_allclose(devices.host_array(path), kernel.path(X), rtol=1e-5)
    found = kernel(Torch.array(X), eval_gradient=True)
    for part, exact in zip(found, kernel(X, eval_gradient=True), strict=True):
        Torch.check(part, "float32")
        scale = np.max(np.abs(exact))
        assert_allclose(devices.host_array(part), exact, rtol=1e-4, atol=1e-5 * scale)


@LIBRARIES
def test_rows_of_any_size(library):
    X = np.vstack([1e-150 * rows(), 1e155 * rows(), rows()])
    kernel = NTK(MLP(bias_variance=0.0, output_scale=1.0))
    with pytest.warns(RuntimeWarning, match="overflows"):
        expected = kernel(X)
    with pytest.warns(RuntimeWarning, match="overflows"):
        K = devices.host_array(kernel(library.array(X)))
    finite = np.isfinite(expected)
    assert np.array_equal(np.isfinite(K), finite)
    assert not np.any(np.isnan(K))
    assert_allclose(K[finite], expected[finite], rtol=1e-12)


def test_two_libraries_are_refused_by_name():
    with pytest.raises(TypeError, match=r"array_api_strict and Y of numpy"):
        NTK()(Strict.array(rows()), rows())
    with pytest.raises(TypeError, match=r"X is of numpy and Y of array_api_strict"):
        NTK()(rows(), Strict.array(rows()))
    there = Torch.array(rows())
    with pytest.raises(TypeError, match=r"X is of torch and Y of array_api_strict"):
        NTK()(there, Strict.array(rows()))


def test_two_devices_are_refused_by_name():
    elsewhere = strict.asarray(rows(), device=strict.Device("device2"))
    with pytest.raises(ValueError, match=r"device1.* and Y on .*device2"):
        NTK()(Strict.array(rows()), elsewhere)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones(3), "Expected 2D array, got 1D array"),
        (np.ones((0, 3)), r"Found array with 0 sample\(s\)"),
        (np.ones((3, 0)), r"Found array with 0 feature\(s\)"),
        (np.array([[1.0, np.nan]]), "X contains NaN"),
        (np.array([[1.0, np.inf]]), "X contains NaN, infinity"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
    ],
)
def test_bad_rows(X, message):
    with pytest.raises(ValueError, match=message):
        NTK()(Strict.array(X))
    with pytest.raises(ValueError, match=message):
        NTK().diag(Strict.array(X))


def test_features_must_agree():
    X = Strict.array(rows())
    with pytest.raises(ValueError, match="same number of features"):
        NTK()(X, X[:, :2])
    with pytest.raises(ValueError, match="input_shape"):
        NTK(Sequential(MLP(), input_shape=(5,)))(X)


def test_what_is_for_numpy_arrays_only():
    with pytest.raises(ValueError, match=r"lists of graphs.*NumPy arrays only"):
        NTK(GraphNetwork())(Strict.array(np.ones((2, 16))))


def sequences(value):
    """Sequences of unequal length, two of them equal."""
    rng = np.random.default_rng(3)
    found = [rng.standard_normal((n, 2)) for n in (3, 7, 5, 4)]
    return image_zoo.padded([*found, found[1]], 7, value)


@LIBRARIES
@pytest.mark.parametrize("name", image_zoo.BLIND)
def test_masks(name, library):
    layers = image_zoo.BLIND[name]
    kernel = NTK(image_zoo.on_images(*layers, shape=(7, 2), mask_value=np.nan))
    X = sequences(np.nan)
    there = library.array(X)
    assert_same(library, kernel(there), kernel(X))
    assert_same(library, kernel(there, library.array(X[:3])), kernel(X, X[:3]))
    assert_same(library, kernel.diag(there), kernel.diag(X))


def test_gradients_with_masks():
    network = ConvNet(1, input_shape=(7, 2), mask_value=-9.0, bias_variance=0.1)
    kernel, X = NTK(network), sequences(-9.0)
    _, found = kernel(Torch.array(X), eval_gradient=True)
    assert_same(Torch, found, kernel(X, eval_gradient=True)[1], rtol=1e-10)
    W = np.ones((len(X), len(X)))
    found = kernel.gradient_dot(Torch.array(X), Torch.array(W))
    assert_same(Torch, found, kernel.gradient_dot(X, W), rtol=1e-9)


def test_rows_without_a_position_are_refused_wherever_they_are():
    kernel, X = NTK(ConvNet(1, input_shape=(7, 2), mask_value=np.nan)), np.ones((3, 14))
    X[1] = np.nan
    X = Strict.array(X)
    for call in (kernel, kernel.diag, lambda X: kernel(X[:1, :], X)):
        with pytest.raises(ValueError, match=r"row 1 of [XY] all features are"):
            call(X)
    with pytest.raises(ValueError, match="row 1 of X all features"):
        kernel(X, eval_gradient=True)
    X[1, 0] = np.inf
    with pytest.raises(ValueError, match="X contains infinity"):
        kernel(X)
    with pytest.raises(ValueError, match="X contains NaN, infinity"):
        NTK(ConvNet(1, input_shape=(7, 2)))(X)


def images(network, n=7):
    """Images with a duplicate, an antipodal one and one of zeros."""
    n_features = math.prod(network.image_shape)
    X = np.random.default_rng(3).standard_normal((n, n_features))
    X[3], X[4], X[5] = X[1], -X[0], 0.0
    return read_only(X)


@LIBRARIES
@pytest.mark.parametrize("name", image_zoo.NETWORKS)
def test_networks_on_images(name, library):
    network = image_zoo.NETWORKS[name]
    kernel, X = NTK(network), images(network)
    there = library.array(X)
    K = kernel(there)
    assert_same(library, K, kernel(X))
    assert np.array_equal(*(devices.host_array(A) for A in (K, K.T)))
    assert_same(library, kernel(there, library.array(X[:3])), kernel(X, X[:3]))
    assert_same(library, kernel.diag(there), kernel.diag(X))


@pytest.mark.parametrize("name", image_zoo.NETWORKS)
def test_gradients_of_networks_on_images(name):
    kernel = NTK(image_zoo.NETWORKS[name])
    X = images(kernel.network)
    K, K_gradient = kernel(Torch.array(X), eval_gradient=True)
    expected = kernel(X, eval_gradient=True)
    assert_same(Torch, K, expected[0])
    atol = 1e-12 * np.max(np.abs(expected[1]))
    assert_allclose(devices.host_array(K_gradient), expected[1], rtol=1e-10, atol=atol)


def test_contracted_gradients_of_networks_on_images():
    kernel = NTK(image_zoo.NETWORKS["average"])
    X = images(kernel.network, 20)
    W = np.random.default_rng(3).standard_normal((20, 20))
    expected = kernel.gradient_dot(X, W)
    with config_context(working_memory=1):  # several blocks
        found = kernel.gradient_dot(Torch.array(X), Torch.array(W))
    assert_same(Torch, found, expected, rtol=1e-9)


@LIBRARIES
def test_blocks_of_images(library, monkeypatch):
    network = image_zoo.NETWORKS["average"]
    kernel, X = NTK(network), images(network, 20)
    shapes, block = [], ArrayEvaluation._block

    def spy(self, rows, columns):
        shapes.append((rows.stop - rows.start, columns.stop - columns.start))
        return block(self, rows, columns)

    monkeypatch.setattr(ArrayEvaluation, "_block", spy)
    assert_same(library, kernel(library.array(X)), kernel(X))
    assert shapes == [(20, 20)]
    with config_context(working_memory=1):
        assert_same(library, kernel(library.array(X)), kernel(X))
        assert_same(library, kernel.diag(library.array(X)), kernel.diag(X))
    assert max(map(max, shapes[1:])) < 10  # 28 kB or more for a pair of images


@LIBRARIES
def test_images_in_single_precision_are_computed_in_double(library):
    network = image_zoo.NETWORKS["average"]
    kernel, X = NTK(network), images(network).astype(np.float32)
    K = kernel(library.array(X))
    library.check(K, "float32")
    assert_allclose(devices.host_array(K), kernel(X), rtol=1e-6, atol=1e-6)


def test_a_result_that_has_no_room_is_refused(monkeypatch):
    monkeypatch.setattr(array_gram, "free_memory", lambda X: 1000)
    with pytest.raises(MemoryError, match=r"takes .* GiB .* compute_gram"):
        NTK()(Strict.array(rows()))


def test_blocks_leave_room_on_the_device(monkeypatch):
    X = Strict.array(rows())
    monkeypatch.setattr(devices, "free_memory", lambda X: 2**20)
    assert devices.scratch_memory(X) == 2**19
    monkeypatch.setattr(devices, "free_memory", lambda X: None)
    with config_context(working_memory=3):
        assert devices.scratch_memory(X) == 3 * 2**20


def test_tensors_that_require_gradients_are_detached():
    X = Torch.array(rows()).requires_grad_()
    K = NTK()(X)
    assert not K.requires_grad
    assert_same(Torch, K, NTK()(rows()))


def test_numpy_stays_numpy():
    X = rows()
    for other in (X.tolist(), np.asfortranarray(X)):
        assert type(NTK()(other)) is np.ndarray
    assert type((NTK() + WhiteKernel())(X)) is np.ndarray
    assert not devices.is_device_array(X)
    assert not devices.is_device_array([[1.0]])
    assert not devices.is_device_array(np.float64(1.0))


@pytest.fixture
def cuda(monkeypatch):
    """The shapes of what a CUDA device was given, for which another one stands in."""
    lanes = FakeLanes(1)
    monkeypatch.setattr(large_gram, "CudaLanes", lambda n_devices: lanes)
    monkeypatch.setattr(factorizations, "to_cuda", Strict.array)
    monkeypatch.setattr(factorizations, "cuda_memory", lambda: 1e9)
    return lambda: [shape for _, event, shape in lanes.log if event == "moved"]


ESTIMATORS = [NTKRegressor, NNGPRegressor, NTKClassifier, NNGPClassifier]


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_estimators_use_the_device(Estimator, cuda):
    X, y = rows(30), np.arange(40) % 3
    here = Estimator().fit(X[:30], y[:30])
    there = Estimator(device="cuda").fit(X[:30], y[:30])
    assert cuda() == [(30, 4)]
    assert_allclose(there.dual_coef_, here.dual_coef_, rtol=1e-9)
    assert type(there.dual_coef_) is np.ndarray
    predicted = there.predict(X[30:])
    assert cuda() == [(30, 4), (10, 4), (30, 4)]
    assert_allclose(predicted, here.predict(X[30:]), rtol=1e-9)
    there.partial_fit(X[30:], y[30:])
    whole = Estimator().fit(X, y)
    assert_allclose(there.predict(X), whole.predict(X), rtol=1e-6, atol=1e-9)


@pytest.fixture
def factorised(cuda, monkeypatch):
    """The shapes of the matrices that a CUDA device has been asked to factorise."""
    shapes = []

    def moved(X):
        shapes.append(X.shape)
        return Strict.array(X)

    monkeypatch.setattr(factorizations, "to_cuda", moved)
    return shapes


@pytest.mark.parametrize(
    "model",
    [
        NTKRegressor(training_time=10.0, alpha=0.1),
        NTKClassifier(),
        NNGPRegressor(alpha=0.2),
    ],
    ids=repr,
)
def test_factorisations_by_the_device(model, factorised):
    X = rows(30)
    y = np.arange(40) % 2
    there = clone(model).set_params(device="cuda").fit(X, y)
    assert (40, 40) in factorised
    here = clone(model).fit(X, y)
    decide = "decision_function" if hasattr(here, "classes_") else "predict"
    found, expected = (getattr(m, decide)(X[:7] + 0.1) for m in (there, here))
    assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def test_a_jitter_is_found_by_the_device(factorised):
    K = np.ones((5, 5))
    there = Cholesky(device="cuda").factorize(K.copy(), np.zeros(5))
    assert len(factorised) > 1
    assert 0 < there.jitter < 1e-10
    assert_allclose(np.tril(there.lower) @ np.tril(there.lower).T, K, atol=1e-10)
    with pytest.raises(np.linalg.LinAlgError, match="not positive semi-definite"):
        Cholesky(device="cuda").factorize(np.diag([1.0, -1.0]), np.zeros(2))


def test_what_the_device_has_no_room_for_is_factorised_here(factorised, monkeypatch):
    monkeypatch.setattr(factorizations, "cuda_memory", lambda: 4 * 8 * 40**2)
    X = rows(30)
    there = NTKRegressor(device="cuda").fit(X, X[:, 0])
    assert not factorised
    assert_allclose(there.dual_coef_, NTKRegressor().fit(X, X[:, 0]).dual_coef_)


def test_spread_by_the_device(cuda):
    X, y = rows(30), rows(30)[:, 0]
    for option in ("return_std", "return_cov"):
        here = NTKRegressor().fit(X, y).predict(X[:3] + 0.1, **{option: True})
        there = NTKRegressor(device="cuda").fit(X, y)
        found = there.predict(X[:3] + 0.1, **{option: True})
        for a, b in zip(found, here, strict=True):
            assert_allclose(a, b, rtol=1e-8, atol=1e-12)


def test_hyperparameters_are_learned_by_the_device(cuda, monkeypatch):
    X = rows(40)
    y = np.sin(X[:, 0]) + 0.1 * X[:, 1]
    moved = []
    monkeypatch.setattr(
        learning, "to_cuda", lambda A: moved.append(A.shape) or Torch.array(A)
    )
    there = NNGPRegressor(optimizer="fmin_l_bfgs_b", device="cuda").fit(X, y)
    here = NNGPRegressor(optimizer="fmin_l_bfgs_b").fit(X, y)
    assert set(moved) == {X.shape, (len(X), len(X))}
    assert_allclose(there.theta_, here.theta_, rtol=1e-5)
    theta = here.theta_ + 0.1
    slopes = (m.log_marginal_likelihood(theta, True)[1] for m in (here, there))
    assert_allclose(*slopes, rtol=1e-8)


class NoCuPy:
    """What finds modules, but not CuPy."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "cupy":
            raise ModuleNotFoundError("No module named 'cupy'", name=name)


def test_without_cupy_the_error_names_the_extras(monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoCuPy, *sys.meta_path])
    model = NTKRegressor(device="cuda")
    with pytest.raises(ImportError, match=r"sklearn-ntk\[cuda12\].*\[cuda13\]"):
        model.fit(rows(), rows()[:, 0])


def test_bad_device():
    X = rows()
    with pytest.raises(ValueError, match="'device' parameter of NTKRegressor"):
        NTKRegressor(device="tpu").fit(X, X[:, 0])
    with pytest.raises(ValueError, match="needs dense rows"):
        NTKRegressor(device="cuda").fit(sparse.csr_array(X), X[:, 0])
