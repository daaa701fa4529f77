"""Large kernel matrices by devices: blocks take turns, and overlap what is written."""

import sys
import threading
from contextlib import contextmanager
from functools import partial
from types import ModuleType, SimpleNamespace

import array_api_strict as strict
import joblib
import numpy as np
import pytest
from conftest import read_only
from fake_devices import NAMES, FakeLanes
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from sklearn_ntk import NNGP, NTK, compute_gram, large_gram
from sklearn_ntk._engine import lanes as lanes_module
from sklearn_ntk._engine.devices import host_array
from sklearn_ntk._engine.lanes import CudaLanes, lanes_of
from sklearn_ntk._large.plan import BlockPlan, block_size
from sklearn_ntk._large.workers import blocks, n_devices
from sklearn_ntk.networks import MLP, ConvNet

MEGABYTES = 0.05  # of working memory: 40 rows and columns in a block
N_BLOCKS = 6  # on and above the diagonal


@pytest.fixture(autouse=True)
def small_blocks():
    with config_context(working_memory=MEGABYTES):
        yield


@pytest.fixture
def X():
    rows = np.random.default_rng(0).standard_normal((100, 4))
    rows[7], rows[90] = rows[60], -rows[2]
    return read_only(rows)


@pytest.fixture
def made(monkeypatch):
    """The lanes that were made in the place of those of CUDA devices."""
    found = []

    def make(n_devices):
        found.append(FakeLanes(n_devices))
        return found[-1]

    monkeypatch.setattr(large_gram, "CudaLanes", make)
    return found


by_cuda = partial(compute_gram, device="cuda")


KERNELS = [
    NTK(),
    NNGP(MLP(dropout=0.2)),
    NTK() + NNGP() * NTK(),
    2.0 * NTK() ** 2 + RBF() * NNGP() + WhiteKernel(0.3),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_equals_the_kernel(made, kernel, X):
    K = by_cuda(kernel, X)
    assert type(K) is np.ndarray
    assert_allclose(K, kernel(X), rtol=1e-13)
    assert_array_equal(K, K.T)
    assert_allclose(by_cuda(kernel, X, X[:45]), kernel(X, X[:45]), rtol=1e-13)


class Halved(NTK):
    def __call__(self, X, Y=None, eval_gradient=False):
        return 0.5 * super().__call__(X, Y)


def test_kernels_derived_from_ours_are_called_with_arrays_of_the_device(made, X):
    assert_allclose(by_cuda(Halved(), X), 0.5 * NTK()(X), rtol=1e-13)
    assert any(event == "brought" for _, event, _ in made[0].log)


def test_single_precision(made, X):
    kernel = NTK(MLP(10))
    K, whole = by_cuda(kernel, X, dtype=np.float32), kernel(X)
    assert K.dtype == np.float32
    assert_allclose(K, whole, rtol=1e-5)
    assert_array_equal(K, K.T)
    assert_array_equal(np.diagonal(K), np.diagonal(whole).astype(np.float32))
    assert K[7, 60] == pytest.approx(whole[7, 60], rel=1e-7)  # duplicates


def test_networks_on_images(made, X):
    kernel = NTK(ConvNet(1, input_shape=(2, 2, 1)))
    assert_allclose(by_cuda(kernel, X), kernel(X), rtol=1e-12)


@pytest.mark.parametrize("n_jobs", [1, 2, 3, None])
def test_devices_take_turns(made, n_jobs, X):
    K = by_cuda(NTK(), X, n_jobs=n_jobs)
    assert_array_equal(K, by_cuda(NTK(), X))
    used = [name for name, event, _ in made[0].log if event == "brought"]
    for name in NAMES[:n_jobs]:
        assert used.count(name) == N_BLOCKS / (n_jobs or len(NAMES))


def test_only_the_rows_of_a_block_are_moved(made, X):
    by_cuda(NTK(), X, n_jobs=1)
    shapes = [shape for _, event, shape in made[0].log if event == "moved"]
    assert sorted(shapes) == sorted([(40, 4)] * 6 + [(20, 4)] * 3)


@pytest.mark.parametrize("name", ["K.npy", "K.zarr"])
def test_resumed_to_the_same_bits(made, monkeypatch, tmp_path, name, X):
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    whole = np.array(by_cuda(NTK(), X, out=tmp_path / f"whole_{name}")[:])
    resumed = partial(by_cuda, NTK(), X, out=tmp_path / name, resume=True)
    with monkeypatch.context() as patch:
        failing_at(patch, 4)
        with pytest.raises(ZeroDivisionError):
            resumed(n_jobs=1)
    assert_array_equal(resumed(n_jobs=2)[:], whole)
    brought = [event for _, event, _ in made[-1].log if event == "brought"]
    assert 0 < len(brought) < N_BLOCKS


def failing_at(patch, count):
    """Have the host fail at its count-th block."""
    calls, to_host = [], FakeLanes.to_host

    def failing(self, values):
        calls.append(values)
        if len(calls) == count:
            raise ZeroDivisionError("a bug")
        return to_host(self, values)

    patch.setattr(FakeLanes, "to_host", failing)


def test_another_library_does_not_continue(made, tmp_path, X):
    compute_gram(NTK(), X, out=tmp_path / "K.npy")
    with pytest.raises(ValueError, match=r"the library differs \(numpy then, fake now"):
        by_cuda(NTK(), X, out=tmp_path / "K.npy", resume=True)


@pytest.mark.parametrize("library", ["strict", "torch"])
def test_arrays_that_are_on_a_device_already(tmp_path, library, X):
    if library == "torch":
        there = pytest.importorskip("torch").asarray(np.array(X))
    else:
        there = strict.asarray(X, device=strict.Device("device1"))
    K = compute_gram(NTK(), there)
    assert type(K) is np.ndarray
    assert_allclose(K, NTK()(X), rtol=1e-13)
    crossed = compute_gram(NTK(), there, there[:45, :], out=tmp_path / "K.npy")
    assert_allclose(crossed, NTK()(X, X[:45]), rtol=1e-13)
    again = compute_gram(
        NTK(), there, there[:45, :], out=tmp_path / "K.npy", resume=True
    )
    assert_array_equal(again, crossed)
    with joblib.parallel_config("loky", n_jobs=2):  # they are not sent elsewhere
        assert_allclose(compute_gram(NTK(), there), K, rtol=1e-13)
    with pytest.raises(ValueError, match=rf"X is an array of .*{library}"):
        by_cuda(NTK(), there)


def test_processes_have_devices_of_their_own(made, X):
    expected = by_cuda(NTK(), X)
    with joblib.parallel_config("loky", n_jobs=2):
        assert_array_equal(by_cuda(NTK(), X), expected)
    assert made[1].n_lanes == 2 * len(NAMES)  # and here none is used
    assert not made[1].log


class Meeting(FakeLanes):
    """Lanes in which no block is brought before the next one is begun."""

    def __init__(self):
        super().__init__(1)
        self.barrier = threading.Barrier(2, timeout=30.0)

    def to_host(self, values):
        self.barrier.wait()
        return super().to_host(values)


def test_a_block_is_computed_while_another_travels(X):
    plan = BlockPlan((80, 100), False, 40)
    found = blocks(
        NTK(),
        X[:80],
        X,
        plan,
        plan.indices(),
        dtype=np.float64,
        n_jobs=None,
        lanes=Meeting(),
    )
    assert [index for index, _ in found] == plan.indices()


def test_no_more_blocks_wait_than_there_are_lanes(X):
    plan, lanes = BlockPlan((100, 100), False, 10), FakeLanes(1)
    options = {"dtype": np.float64, "n_jobs": None, "lanes": lanes}
    done = 0
    for _ in blocks(NTK(), X, X, plan, plan.indices(), **options):
        done += 1
        begun = sum(event == "moved" for _, event, _ in lanes.log) / 2
        assert begun <= done + lanes.n_lanes
    assert done == 100


def test_blocks_of_devices_are_larger():
    with config_context(working_memory=1024):
        assert block_size(on_device=True) == 4096
        assert block_size() == 1536
    assert block_size(on_device=True) == block_size() == 40


def test_n_jobs_is_the_number_of_devices():
    assert n_devices(None) is None
    assert n_devices(-1) is None
    assert n_devices(3) == 3
    with joblib.parallel_config(n_jobs=2):
        assert n_devices(None) == 2
    with joblib.parallel_config("loky", n_jobs=2):
        assert n_devices(2) is None
    with pytest.raises(ValueError, match="n_jobs == 0"):
        n_devices(0)


def test_device_is_checked(X):
    with pytest.raises(ValueError, match=r"'device' parameter of .*'tpu'"):
        compute_gram(NTK(), X, device="tpu")
    with pytest.raises(ValueError, match="needs dense rows"):
        by_cuda(NTK(), sparse.csr_array(X))


def test_without_cupy_the_error_names_the_extras(monkeypatch, X):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ImportError, match=r"sklearn-ntk\[cuda12\].*\[cuda13\]"):
        by_cuda(NTK(), X)


# CUDA's lanes, with a double of CuPy ------------------------------------------------


@pytest.fixture
def cupy(monkeypatch):
    """A double of CuPy with three devices that keeps a list of what it is asked."""
    asked = []

    @contextmanager
    def device(number):
        asked.append(("device", number))
        yield

    class Stream:
        def __init__(self, non_blocking):
            assert non_blocking

        def __enter__(self):
            asked.append(("stream", self))

        def __exit__(self, *args):
            asked.append(("end", self))

    def empty_pinned(shape, dtype):
        asked.append(("pinned", shape))
        return np.empty(shape, str(dtype).removeprefix("array_api_strict."))

    def copied(values, out):
        out[...] = host_array(values)
        return out

    double, extension = ModuleType("cupy"), ModuleType("cupyx")
    double.cuda = SimpleNamespace(
        Device=device,
        Stream=Stream,
        runtime=SimpleNamespace(getDeviceCount=lambda: 3),
    )
    double.asarray = lambda X: strict.asarray(np.array(X))
    double.asnumpy = copied
    extension.empty_pinned = empty_pinned
    monkeypatch.setitem(sys.modules, "cupy", double)
    monkeypatch.setitem(sys.modules, "cupyx", extension)
    lanes_module._stream.cache_clear()
    yield asked
    lanes_module._stream.cache_clear()


def test_lanes_of_cuda_devices(cupy):
    lanes = CudaLanes()
    assert lanes.ids == [0, 1, 2]
    assert lanes.n_lanes == 6
    assert CudaLanes(2).ids == [0, 1]
    assert CudaLanes([2]).n_lanes == 2
    for number in range(7):
        with lanes.lane(number):
            pass
    assert [what for event, what in cupy if event == "device"] == [0, 1, 2, 0, 1, 2, 0]
    streams = [what for event, what in cupy if event == "stream"]
    assert len(set(streams)) == 6
    assert streams[6] is streams[0]


def test_blocks_come_by_memory_that_stays(cupy):
    lanes = CudaLanes()
    with lanes.lane(0):
        values = lanes.moved(np.arange(6.0).reshape(2, 3))
        found = lanes.to_host(values)
    assert_array_equal(found, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    assert [event for event, _ in cupy] == ["device", "stream", "pinned", "end"]


def test_lanes_of_an_array_of_cupy(monkeypatch):
    waited = []
    device = SimpleNamespace(id=2, synchronize=lambda: waited.append(True))
    monkeypatch.setattr(lanes_module, "cupy_of", lambda X: True)
    lanes = lanes_of(SimpleNamespace(device=device))
    assert lanes.ids == [2]
    assert waited == [True]


def test_the_whole_path_with_a_double_of_cupy(cupy, X):
    K = by_cuda(NTK(), X, n_jobs=2)
    assert_allclose(K, NTK()(X), rtol=1e-13)
    assert {what for event, what in cupy if event == "device"} == {0, 1}
