"""Kernel matrices in blocks: values, files, interruptions, workers."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tracemalloc
from functools import partial

import joblib
import numpy as np
import pytest
from conftest import read_only
from joblib._parallel_backends import LokyBackend
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from sklearn_ntk import NNGP, NTK, compute_gram, large_gram
from sklearn_ntk._engine import room
from sklearn_ntk._engine.threads import n_threads
from sklearn_ntk._large import files
from sklearn_ntk._large import plan as plan_module
from sklearn_ntk._large import workers as workers_module
from sklearn_ntk._large.fingerprint import fingerprint
from sklearn_ntk._large.plan import BlockPlan, block, block_size
from sklearn_ntk._large.progress import Progress
from sklearn_ntk.networks import MLP, ConvNet, Elementwise

MEGABYTES = 0.05  # of working memory: 40 rows and columns in a block
N_BLOCKS = 6  # on and above the diagonal
zarr = pytest.importorskip("zarr")


@pytest.fixture(autouse=True)
def small_blocks():
    with config_context(working_memory=MEGABYTES):
        yield


@pytest.fixture
def X():
    return data()


def data():
    rows = np.random.default_rng(0).standard_normal((100, 4))
    rows[7], rows[90] = rows[60], -rows[2]
    return read_only(rows)


def spied(monkeypatch, *, fail_at=None):
    """The list of blocks computed from now on; optionally, one that fails."""
    computed = []

    def spy(*args, **kwargs):
        if len(computed) == fail_at:
            raise ZeroDivisionError("a bug in the kernel")
        computed.append(args)
        return block(*args, **kwargs)

    monkeypatch.setattr(workers_module, "block", spy)
    return computed


def interrupted(monkeypatch, X, out, kernel=None):
    """Leave an unfinished file with three blocks."""
    with monkeypatch.context() as patch:
        spied(patch, fail_at=3)
        with pytest.raises(ZeroDivisionError):
            compute_gram(kernel or NTK(), X, out=out)


def by_blocks(kernel, X, Y=None, **options):
    """The matrix by blocks, computed without an interruption."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "K.npy")
        return np.array(compute_gram(kernel, X, Y, out=out, **options))


# Values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kernel",
    [NTK(), NNGP(MLP(dropout=0.2)), 2.0 * NTK() + WhiteKernel(0.3), RBF(2.0)],
    ids=repr,
)
def test_equals_the_kernel(kernel, X):
    K = compute_gram(kernel, X)
    assert_allclose(K, kernel(X), rtol=1e-13)
    assert_array_equal(K, K.T)
    assert K.dtype == np.float64


@pytest.mark.parametrize("kernel", [NTK(), NTK() + WhiteKernel()], ids=repr)
def test_two_sets_of_rows(kernel, X):
    for Y in (X[:45], X):
        assert_allclose(compute_gram(kernel, X, Y), kernel(X, Y), rtol=1e-13)


def test_sparse_rows(X):
    S = sparse.csr_array(X * (X > 0))
    assert_allclose(compute_gram(NTK(), S), NTK()(S), rtol=1e-13)
    assert_allclose(compute_gram(NTK(), S, S[:45]), NTK()(S, S[:45]), rtol=1e-13)


def test_costs_what_the_kernel_does_where_nothing_is_written(monkeypatch, X):
    monkeypatch.setattr(large_gram, "_fill", None)
    for kernel in (NTK(), NNGP(MLP(dropout=0.2))):
        assert_array_equal(compute_gram(kernel, X), kernel(X))
        assert_array_equal(compute_gram(kernel, X, X[:45]), kernel(X, X[:45]))


class Halved(NTK):
    def __call__(self, X, Y=None, eval_gradient=False):
        return 0.5 * super().__call__(X, Y)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kernels_derived_from_ours_are_called(dtype, X):
    assert_allclose(compute_gram(Halved(), X, dtype=dtype), 0.5 * NTK()(X), rtol=1e-6)


@pytest.mark.parametrize("compute", [compute_gram, by_blocks])
@pytest.mark.parametrize(
    "kernel", [NTK(MLP(10)), NNGP(MLP(3, "gelu")), NTK(MLP(2, "tanh"))], ids=repr
)
def test_single_precision(kernel, compute, X):
    whole = kernel(X)
    half = compute(kernel, X, dtype=np.float32)
    assert half.dtype == np.float32
    assert_allclose(half, whole, rtol=1e-5)
    assert_array_equal(half, half.T)
    assert_array_equal(np.diagonal(half), np.diagonal(whole).astype(np.float32))
    assert half[7, 60] == pytest.approx(whole[7, 60], rel=1e-7)  # duplicates
    by_quadrature = "tanh" in repr(kernel)
    assert np.all(half == whole.astype(np.float32)) == by_quadrature
    crossed = compute(kernel, X, X[:45], dtype=np.float32)
    assert_allclose(crossed, kernel(X, X[:45]), rtol=1e-5)


@pytest.mark.parametrize("kernel", [2.0 * NTK() + WhiteKernel(), RBF()], ids=repr)
def test_other_kernels_are_rounded_to_single_precision(kernel, X):
    half, whole = (compute_gram(kernel, X, dtype=t) for t in (np.float32, np.float64))
    assert_array_equal(half, whole.astype(np.float32))


def test_an_asymmetric_block_on_the_diagonal_is_made_symmetric(X):
    def rounding(X):
        return np.arange(9.0).reshape(3, 3)

    assert_array_equal(
        block(rounding, X[:3], None, np.float64), [[0, 1, 2], [1, 4, 5], [2, 5, 8]]
    )


def test_blocks_follow_working_memory(monkeypatch, X):
    computed = spied(monkeypatch)
    compute_gram(RBF(), X)
    assert len(computed) == N_BLOCKS
    with config_context(working_memory=1024):
        compute_gram(RBF(), X)
    assert len(computed) == N_BLOCKS + 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_little_memory_is_needed_beyond_the_result(dtype):
    X = read_only(np.random.default_rng(0).standard_normal((5000, 10)))
    compute_gram(NTK(), X[:1000], dtype=dtype)  # compiles what it needs
    tracemalloc.start()
    K = compute_gram(NTK(), X, dtype=dtype, n_jobs=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < K.nbytes + 60e6


@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_memory_does_not_grow_with_the_matrix(tmp_path, ending):
    X = read_only(np.random.default_rng(0).standard_normal((3600, 3)))
    with config_context(working_memory=4):
        tracemalloc.start()
        K = compute_gram(RBF(), X, out=tmp_path / f"K.{ending}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert K.dtype.itemsize * K.size > 100e6
    assert peak < 16e6


# Where it goes --------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
def test_given_array(order, X):
    out = np.full((100, 100), np.nan, order=order)
    assert compute_gram(NTK(), X, out=out) is out
    assert_array_equal(out, compute_gram(NTK(), X))


def test_given_memmap(tmp_path, X):
    out = np.memmap(tmp_path / "raw", mode="w+", dtype=np.float32, shape=(100, 100))
    assert compute_gram(NTK(), X, out=out, dtype="float32") is out
    raw = np.fromfile(tmp_path / "raw", dtype=np.float32).reshape(100, 100)
    assert_array_equal(raw, by_blocks(NTK(), X, dtype=np.float32))


def test_given_zarr_array(tmp_path, X):
    out = zarr.create_array(
        tmp_path / "K", shape=(100, 100), chunks=(30, 70), dtype="f8"
    )
    assert compute_gram(NTK(), X, out=out) is out
    assert_array_equal(out[:], by_blocks(NTK(), X))
    assert out.attrs["complete"] is True


@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_a_path_becomes_a_file_and_replaces_an_older_one(tmp_path, ending, X):
    path = tmp_path / f"K.{ending}"
    for kernel in (NTK(), NNGP()):
        for out in (path, str(path)):
            K = compute_gram(kernel, X, out=out)
            assert_array_equal(K[:], by_blocks(kernel, X))
    assert sorted(os.listdir(tmp_path)) == [path.name, f"{path.name}.progress"]


def test_kinds_of_results(tmp_path, X):
    K = compute_gram(NTK(), X, out=tmp_path / "K.npy")
    assert isinstance(K, np.memmap)
    assert_array_equal(np.load(tmp_path / "K.npy"), K)
    K = compute_gram(NTK(), X, out=tmp_path / "K.zarr", dtype=np.float32)
    assert isinstance(K, zarr.Array)
    assert K.chunks == (40, 40)
    assert K.attrs["complete"] is True


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty((100, 99)), r"shape \(100, 100\) and dtype float64.*\(100, 99\)"),
        (np.empty((100, 100), np.float32), "dtype float64.*dtype float32"),
        (np.empty((100, 100), ">f8"), "dtype float64.*dtype >f8"),
        (read_only(np.empty((100, 100))), "writable"),
        (3, "'out' parameter.*Got 3"),
        ("K.csv", r"'K.csv' must end in one of .npy, .zarr"),
        ("gram", "must end in"),
    ],
)
def test_out_is_checked(out, message, X):
    with pytest.raises(ValueError, match=message):
        compute_gram(NTK(), X, out=out)


@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_that_is_not_there(tmp_path, resume, X):
    out = tmp_path / "missing" / "K.npy"
    with pytest.raises(FileNotFoundError, match="missing"):
        compute_gram(NTK(), X, out=out, resume=resume)


def test_given_zarr_array_is_checked(tmp_path, X):
    create = partial(zarr.create_array, shape=(100, 100))
    with pytest.raises(ValueError, match="dtype float32"):
        compute_gram(NTK(), X, out=create(tmp_path / "a", dtype="f4"))
    create(tmp_path / "b", dtype="f8")
    with pytest.raises(ValueError, match="writable"):
        compute_gram(NTK(), X, out=zarr.open_array(tmp_path / "b", mode="r"))


def test_what_is_no_file_of_ours_is_left_alone(tmp_path, X):
    group = zarr.open_group(tmp_path / "K.zarr", mode="w")
    group.create_array("precious", shape=(3,), dtype="f8")
    with pytest.raises(ValueError, match="not a Zarr array"):
        compute_gram(NTK(), X, out=tmp_path / "K.zarr")
    assert "precious" in group
    (tmp_path / "K.npy").mkdir()
    with pytest.raises(IsADirectoryError, match=r"K\.npy"):
        compute_gram(NTK(), X, out=tmp_path / "K.npy")


def test_missing_zarr_names_the_extra(monkeypatch, tmp_path, X):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"sklearn-ntk\[zarr\]"):
        compute_gram(NTK(), X, out=tmp_path / "K.zarr")


def test_other_parameters_are_checked(X):
    with pytest.raises(ValueError, match="'kernel' parameter of compute_gram"):
        compute_gram("rbf", X)
    with pytest.raises(ValueError, match=r"'dtype' parameter.*int"):
        compute_gram(NTK(), X, dtype=int)
    with pytest.raises(ValueError, match="NaN"):
        compute_gram(NTK(), [[np.nan]])
    with pytest.raises(ValueError, match="infinity"):
        compute_gram(NTK(), X, [[np.inf] * 4])
    with pytest.raises(ValueError, match="Incompatible dimension"):
        compute_gram(NTK(), X, X[:, :3])


# Room -----------------------------------------------------------------------------


def test_larger_than_memory_is_refused():
    message = r"72,000.0 GB, and [\d,.]+ GB of .*out='gram.npy'.*float32.*Nystroem"
    X = np.zeros((3_000_000, 1))
    with pytest.raises(MemoryError, match=message):
        compute_gram(NTK(), X)
    with pytest.raises(MemoryError, match=message):
        NTK()(X)
    with pytest.raises(MemoryError, match="144,000"):
        NTK(MLP(2)).path(X)
    with pytest.raises(MemoryError, match=r"shape \(3000000, 3000000\)"):
        NTK()(X, eval_gradient=True)


def test_a_container_bounds_memory(monkeypatch, X):
    monkeypatch.setattr(room, "_container_limit", lambda: 1000)
    monkeypatch.setattr(room, "SMALL", 0)
    with pytest.raises(MemoryError, match="of memory are available"):
        compute_gram(NTK(), X)


@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_larger_than_the_disk_is_refused(tmp_path, ending):
    with pytest.raises(OSError, match=r"72,000.0 GB, and [\d,.]+ GB are free"):
        compute_gram(NTK(), np.zeros((3_000_000, 1)), out=tmp_path / f"K.{ending}")
    assert not os.listdir(tmp_path)


@pytest.fixture
def largest_file():
    """A function that limits the size of files, as a full disk would."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        limit = limits if size is None else (size, limits[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    yield limit
    limit(None)


@pytest.mark.parametrize("ending", ["npy", "zarr"])
@pytest.mark.parametrize("older", [False, True])
def test_a_disk_that_is_full_from_the_start(tmp_path, largest_file, ending, older, X):
    out = tmp_path / f"K.{ending}"
    if older:
        compute_gram(NNGP(), X, out=out)
    largest_file(1000)
    with pytest.raises(OSError, match="File too large"):
        compute_gram(NTK(), X, out=out)
    largest_file(None)
    assert out.exists() == older
    if older:
        assert_array_equal(contents(out), by_blocks(NNGP(), X))
    assert_array_equal(compute_gram(NTK(), X, out=out)[:], by_blocks(NTK(), X))


@pytest.mark.parametrize("ending", ["npy", "zarr"])
@pytest.mark.parametrize("finished", [True, False])
def test_too_little_room_costs_nothing_that_is_there(
    monkeypatch, tmp_path, finished, ending, X
):
    out = tmp_path / f"K.{ending}"
    if finished:
        compute_gram(NTK(), X, out=out)
    else:
        interrupted(monkeypatch, X, out)
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(tmp_path)._replace(free=-80_000)
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.raises(OSError, match=r"takes 0\.0 GB, and .* are free"):
            compute_gram(NNGP(), X, out=out)
    computed = spied(monkeypatch)
    K = compute_gram(NTK(), X, out=out, resume=True)
    assert len(computed) == (0 if finished else N_BLOCKS - 3)
    assert_array_equal(K[:], by_blocks(NTK(), X))


def test_a_file_that_is_replaced_makes_room(monkeypatch, tmp_path, X):
    interrupted(monkeypatch, X, tmp_path / "K.npy")
    usage = shutil.disk_usage(tmp_path)._replace(free=40_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    compute_gram(NTK(), X, out=tmp_path / "K.npy")
    with pytest.raises(OSError, match="are free"):
        compute_gram(NTK(), X, out=tmp_path / "other.npy")


@pytest.mark.parametrize("ending", ["npy", "zarr"])
@pytest.mark.parametrize("interval", [0.0, 2.0])
def test_a_disk_that_gets_full_on_the_way(
    monkeypatch, tmp_path, largest_file, ending, interval, X
):
    out, computed = tmp_path / f"K.{ending}", []

    def filling(*args, **kwargs):
        computed.append(args)
        if len(computed) == 3:
            largest_file(5000)
        return block(*args, **kwargs)

    monkeypatch.setattr(files, "INTERVAL", interval)
    with monkeypatch.context() as patch:
        patch.setattr(workers_module, "block", filling)
        with pytest.raises(OSError, match="File too large"):
            compute_gram(NTK(), X, out=out)
    largest_file(None)
    assert not out.exists()
    computed = spied(monkeypatch)
    K = compute_gram(NTK(), X, out=out, resume=True)
    kept = 2 if interval == 0.0 or ending == "zarr" else 0
    assert N_BLOCKS - kept - 1 <= len(computed) <= N_BLOCKS - kept
    assert_array_equal(K[:], by_blocks(NTK(), X))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="nothing is reserved")
def test_the_file_has_its_blocks_from_the_start(monkeypatch, tmp_path, X):
    def full(descriptor, offset, length):
        assert length >= offset + 8 * 100 * 100
        raise OSError(28, "No space left on device")

    reserve = os.posix_fallocate
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        compute_gram(NTK(), X, out=tmp_path / "K.npy")
    assert not os.listdir(tmp_path)
    monkeypatch.setattr(os, "posix_fallocate", reserve)
    interrupted(monkeypatch, X, tmp_path / "K.npy")
    assert (tmp_path / "K.npy.partial").stat().st_blocks * 512 >= 8 * 100 * 100


# Interruptions --------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_what_was_computed_is_kept(monkeypatch, tmp_path, ending, X):
    out = tmp_path / f"K.{ending}"
    interrupted(monkeypatch, X, out)
    assert sorted(os.listdir(tmp_path)) == [
        f"{out.name}.partial",
        f"{out.name}.progress",
    ]
    if ending == "zarr":
        array = zarr.open_array(tmp_path / "K.zarr.partial", mode="r")
        assert array.attrs["complete"] is False
    computed = spied(monkeypatch)
    K = compute_gram(NTK(), X, out=out, resume=True)
    assert len(computed) == N_BLOCKS - 3
    assert_array_equal(K[:], by_blocks(NTK(), X))


@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_an_older_file_stays_until_the_new_one_is_complete(
    monkeypatch, tmp_path, ending, X
):
    out = tmp_path / f"K.{ending}"
    old = compute_gram(NNGP(), X, out=out)[:].copy()
    interrupted(monkeypatch, X, out)
    opened = np.load(out) if ending == "npy" else zarr.open_array(out, mode="r")[:]
    assert_array_equal(opened, old)
    K = compute_gram(NTK(), X, out=out, resume=True)
    assert_array_equal(K[:], by_blocks(NTK(), X))


@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_a_finished_file_is_returned_at_once(monkeypatch, tmp_path, ending, X):
    out = tmp_path / f"K.{ending}"
    first = compute_gram(NTK(), X, out=out, resume=True)
    spied(monkeypatch, fail_at=0)
    again = compute_gram(NTK(), X, out=out, resume=True)
    assert_array_equal(again[:], first[:])


def test_without_resume_all_is_computed_again(monkeypatch, tmp_path, X):
    interrupted(monkeypatch, X, tmp_path / "K.npy", NNGP())
    computed = spied(monkeypatch)
    K = compute_gram(NTK(), X, out=tmp_path / "K.npy")
    assert len(computed) == N_BLOCKS
    assert_array_equal(K, by_blocks(NTK(), X))


MOMENTS = {  # when a process dies: in a function, at one of its calls; blocks saved
    "first block": ("workers.block", 0, 0),
    "between a block and its mirror image": ("files.NpyFile.write", 2, 1),
    "before the file is flushed": ("files.os.fsync", 6, 2),
    "before the journal starts": ("journal.os.replace", 0, 0),
    "in the journal": ("journal._line", 4, 3),
    "before the file is renamed": ("files.NpyFile.publish", 0, 6),
    "zarr, fourth block": ("workers.block", 3, 3),
    "zarr, before it is renamed": ("zarr.remove", 0, 6),
}
VICTIMS = """
import json, os, signal, sys
import numpy as np
from sklearn import config_context
from sklearn_ntk import NTK, compute_gram
from sklearn_ntk._large import files, journal, plan, workers, zarr

def die(rows, out, owner, call):
    *modules, name = owner.split(".")
    target = sys.modules["sklearn_ntk._large." + modules[0]]
    for part in modules[1:]:
        target = getattr(target, part)
    original, calls = getattr(target, name), []

    def deadly(*args, **kwargs):
        calls.append(args)
        if len(calls) > call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(target, name, deadly)
    compute_gram(NTK(), np.load(rows), out=out)

rows, megabytes, *moments = json.loads(sys.argv[1])
files.INTERVAL = 0.0
for moment in moments:
    child = os.fork()
    if child == 0:
        with config_context(working_memory=megabytes):
            die(rows, *moment)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, moment
"""


def file_of(moment):
    return "K.zarr" if "zarr" in moment else "K.npy"


@pytest.fixture(scope="module")
def wrecks(tmp_path_factory):
    """A folder for each moment, with what a process left that was killed then."""
    folder = tmp_path_factory.mktemp("wrecks")
    np.save(folder / "X.npy", data())
    deaths = []
    for moment, (owner, call, _) in MOMENTS.items():
        (folder / moment).mkdir()
        deaths.append([str(folder / moment / file_of(moment)), owner, call])
    argument = json.dumps([str(folder / "X.npy"), MEGABYTES, *deaths])
    subprocess.run([sys.executable, "-c", VICTIMS, argument], check=True)
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment(monkeypatch, wrecks, moment, X):
    out = wrecks / moment / file_of(moment)
    assert not out.exists()

    expected = by_blocks(NTK(), X)
    recorded = blocks_in(out.with_name(f"{out.name}.progress"))
    assert len(recorded) == MOMENTS[moment][-1]
    for i, j in recorded:
        tile = np.s_[40 * i : 40 * i + 40, 40 * j : 40 * j + 40]
        written = contents(out.with_name(f"{out.name}.partial"))
        assert_array_equal(written[tile], expected[tile])
    computed = spied(monkeypatch)
    K = compute_gram(NTK(), X, out=out, resume=True)
    assert len(computed) == N_BLOCKS - len(recorded)
    assert_array_equal(K[:], expected)


GAUNTLET = """
import os, random, signal, sys, time
import numpy as np
from sklearn import config_context
from sklearn_ntk import NTK, compute_gram
from sklearn_ntk._large import files

rows, out, dtype = sys.argv[1:]
files.INTERVAL = 0.0
random.seed(0)
killed, X, longest = 0, np.load(rows), 0.005
while True:
    child = os.fork()
    if child == 0:
        with config_context(working_memory=0.01):
            compute_gram(NTK(), X, out=out, dtype=dtype, n_jobs=1, resume=True)
        os._exit(0)
    time.sleep(random.uniform(0.0, longest))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        break
    killed += 1
    longest *= 1.1  # until there is time for all of it
print(killed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    ("ending", "dtype"), [("npy", "float64"), ("npy", "float32"), ("zarr", "float64")]
)
def test_killed_again_and_again(tmp_path, ending, dtype, X):
    np.save(tmp_path / "X.npy", X)
    out = tmp_path / f"K.{ending}"
    command = [sys.executable, "-c", GAUNTLET, tmp_path / "X.npy", out, dtype]
    killed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(killed) > 1
    with config_context(working_memory=0.01):
        assert_array_equal(contents(out), by_blocks(NTK(), X, dtype=dtype))


def blocks_in(journal):
    if not journal.exists():
        return []
    found = re.findall(r"\[(\d+), (\d+)\]", journal.read_text())
    return [(int(i), int(j)) for i, j in found]


def contents(path):
    if path.is_dir():
        return zarr.open_array(path, mode="r")[:]
    return np.load(path)


def test_a_line_cut_short_is_dropped(monkeypatch, tmp_path, X):
    interrupted(monkeypatch, X, tmp_path / "K.npy")
    journal = tmp_path / "K.npy.progress"
    journal.write_bytes(journal.read_bytes()[:-3])
    computed = spied(monkeypatch)
    K = compute_gram(NTK(), X, out=tmp_path / "K.npy", resume=True)
    assert len(computed) == N_BLOCKS - 2
    assert_array_equal(K, by_blocks(NTK(), X))
    assert len(blocks_in(journal)) == N_BLOCKS


def swap_lines(raw):
    return raw.replace(b"[0, 1]", b"[0, 2]", 1)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: b"", lambda raw: b"hello\n", lambda raw: raw[5:], swap_lines],
    ids=["empty", "foreign", "no start", "other block"],
)
def test_a_damaged_journal_is_refused(monkeypatch, tmp_path, damage, X):
    interrupted(monkeypatch, X, tmp_path / "K.npy")
    journal = tmp_path / "K.npy.progress"
    journal.write_bytes(damage(journal.read_bytes()))
    with pytest.raises(ValueError, match=r"K.npy.progress is not a journal .*damaged"):
        compute_gram(NTK(), X, out=tmp_path / "K.npy", resume=True)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[:-8], lambda raw: raw + b"12345678", lambda raw: b"hello"],
    ids=["short", "long", "foreign"],
)
def test_a_damaged_partial_file_is_refused(monkeypatch, tmp_path, damage, X):
    interrupted(monkeypatch, X, tmp_path / "K.npy")
    partial_file = tmp_path / "K.npy.partial"
    partial_file.write_bytes(damage(partial_file.read_bytes()))
    with pytest.raises(ValueError, match=r"K.npy.partial is damaged"):
        compute_gram(NTK(), X, out=tmp_path / "K.npy", resume=True)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[:-8], lambda raw: raw[:300], lambda raw: b"hello"],
    ids=["short", "cut", "foreign"],
)
def test_a_damaged_complete_file_is_refused(tmp_path, damage, X):
    out = tmp_path / "K.npy"
    compute_gram(NTK(), X, out=out)
    out.write_bytes(damage(out.read_bytes()))
    with pytest.raises(ValueError, match=r"K.npy is damaged"):
        compute_gram(NTK(), X, out=out, resume=True)


def test_a_complete_file_of_another_shape_is_refused(tmp_path, X):
    out = tmp_path / "K.npy"
    compute_gram(NTK(), X, out=out)
    np.save(out, np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"\(100, 100\).*\(3, 3\)"):
        compute_gram(NTK(), X, out=out, resume=True)


def test_a_partial_file_of_another_shape_is_refused(monkeypatch, tmp_path, X):
    interrupted(monkeypatch, X, tmp_path / "K.npy")
    np.save(tmp_path / "other.npy", np.zeros((3, 3)))
    os.replace(tmp_path / "other.npy", tmp_path / "K.npy.partial")
    with pytest.raises(ValueError, match=r"\(100, 100\).*\(3, 3\)"):
        compute_gram(NTK(), X, out=tmp_path / "K.npy", resume=True)


def test_a_file_without_its_journal_is_not_trusted(tmp_path, X):
    np.save(tmp_path / "K.npy", np.zeros((100, 100)))
    with pytest.raises(ValueError, match="nothing says what it is"):
        compute_gram(NTK(), X, out=tmp_path / "K.npy", resume=True)


@pytest.mark.parametrize("finished", [True, False])
def test_what_differs_is_named(monkeypatch, tmp_path, finished, X):
    out = tmp_path / "K.npy"
    if finished:
        compute_gram(NTK(), X, out=out)
    else:
        interrupted(monkeypatch, X, out)
    resumed = partial(compute_gram, out=out, resume=True)
    with pytest.raises(ValueError, match="the kernel differs"):
        resumed(NTK(MLP(bias_variance=np.nextafter(1.0, 2.0))), X)
    changed = X.copy()
    changed[50, 2] = np.nextafter(changed[50, 2], np.inf)
    with pytest.raises(ValueError, match=r"computation: the data differs \([^;]*$"):
        resumed(NTK(), changed)
    with pytest.raises(ValueError, match="the data differs"):
        resumed(NTK(), X, X)
    with pytest.raises(ValueError, match=r"the dtype differs \(float64 then, float32"):
        resumed(NTK(), X, dtype=np.float32)
    with (
        config_context(working_memory=0.01),
        pytest.raises(ValueError, match=r"the tiling differs .*blocks of 40 then"),
    ):
        resumed(NTK(), X)
    monkeypatch.setattr("sklearn_ntk.__version__", "9.9")
    with pytest.raises(ValueError, match=r"the version differs .*9.9"):
        resumed(NTK(), X)


def test_resuming_needs_a_path(tmp_path, X):
    memmap = np.memmap(tmp_path / "raw", mode="w+", dtype=float, shape=(100, 100))
    for out in (None, np.empty((100, 100)), memmap):
        with pytest.raises(ValueError, match="needs a path"):
            compute_gram(NTK(), X, out=out, resume=True)


def scaled(factor):
    return lambda u: factor * np.tanh(u)


class Doubled(RBF):
    def __call__(self, X, Y=None, eval_gradient=False):
        return 2.0 * super().__call__(X, Y)


class Tripled(RBF):
    def __call__(self, X, Y=None, eval_gradient=False):
        return 3.0 * super().__call__(X, Y)


Tripled.__qualname__ = Doubled.__qualname__


def test_the_fingerprint_sees_what_users_write(X):
    kernels = [
        NTK(MLP(activation=Elementwise(np.tanh))),
        NTK(MLP(activation=Elementwise(np.sin))),
        NTK(MLP(activation=Elementwise(scaled(2.0)))),
        NTK(MLP(activation=Elementwise(scaled(3.0)))),
        NTK(MLP(activation=Elementwise(lambda u: u * u))),
        NTK(MLP(activation=Elementwise(lambda u: u + u))),
        NTK(MLP(activation=Elementwise(partial(np.clip, a_min=0.0, a_max=1.0)))),
        NTK(MLP(activation=Elementwise(partial(np.clip, a_min=0.0, a_max=2.0)))),
        NTK(MLP(length_scale=np.array([1.0, 2.0, 3.0, 4.0]))),
        NTK(MLP(length_scale=np.array([1.0, 2.0, 3.0, 4.5]))),
        NTK() + WhiteKernel(1.0),
        NTK() + WhiteKernel(2.0),
        Doubled(),
        Tripled(),
    ]
    plan = BlockPlan((100, 100), True, 40)
    prints = [fingerprint(k, X, None, plan, "f8")["kernel"] for k in kernels]
    assert len(set(prints)) == len(kernels)


# Workers --------------------------------------------------------------------------


class Mortal(RBF):
    """A kernel that kills the worker it runs in, once for each file in a folder.

    The folder has the name of the process that lives on.
    """

    def __init__(self, folder, length_scale=1.0, length_scale_bounds="fixed"):
        super().__init__(length_scale, length_scale_bounds)
        self.folder = folder

    def __call__(self, X, Y=None, eval_gradient=False):
        lives = os.listdir(self.folder)
        if (
            lives
            and Y is not None
            and os.path.basename(self.folder) != str(os.getpid())
        ):
            os.remove(os.path.join(self.folder, lives[0]))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(X, Y)


@pytest.fixture
def mortal(tmp_path):
    folder = tmp_path / str(os.getpid())
    folder.mkdir()
    (folder / "life").touch()
    return Mortal(str(folder))


class Recording(RBF):
    threads = []

    def __call__(self, X, Y=None, eval_gradient=False):
        self.threads.append((os.getpid(), n_threads(None)))
        return super().__call__(X, Y)


@pytest.mark.parametrize("n_jobs", [None, 1, 3])
def test_threads_compute_here(n_jobs, X):
    Recording.threads.clear()
    compute_gram(Recording(), X, n_jobs=n_jobs)
    expected = n_threads(None) if n_jobs is None else n_jobs
    assert set(Recording.threads) == {(os.getpid(), expected)}
    with joblib.parallel_config(n_jobs=3):
        compute_gram(Recording(), X)
    assert Recording.threads[-1] == (os.getpid(), 3)


class Placed(RBF):
    """A kernel whose only value is the process that computed it."""

    def __call__(self, X, Y=None, eval_gradient=False):
        return np.full((len(X), len(X if Y is None else Y)), float(os.getpid()))


class ListBackend(LokyBackend):
    supports_return_generator = False


joblib.register_parallel_backend("list", ListBackend)


@pytest.mark.parametrize("backend", ["loky", "list"])
def test_processes_compute_blocks(backend, X):
    with joblib.parallel_config(backend, n_jobs=2):
        assert_array_equal(compute_gram(NTK(), X), by_blocks(NTK(), X, n_jobs=1))
        K = compute_gram(NTK(), X, X[:45])
        assert os.getpid() not in compute_gram(Placed(), X)
    assert_array_equal(K, by_blocks(NTK(), X, X[:45]))


def test_an_error_of_the_kernel_comes_through(monkeypatch, X):
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(ValueError, match="Expected 2D array"),
    ):
        compute_gram(Failing(), X)


class Failing(RBF):
    def __call__(self, X, Y=None, eval_gradient=False):
        raise ValueError("Expected 2D array")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_dead_process_is_reported_and_resumed(tmp_path, mortal, X):
    out = tmp_path / "K.npy"
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(RuntimeError, match=r"processes died.*resume=True continues"),
    ):
        compute_gram(mortal, X, out=out)
    K = compute_gram(mortal, X, out=out, resume=True)
    assert_array_equal(K, by_blocks(RBF(), X))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_cluster_that_loses_a_worker(tmp_path, mortal, X):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2,
        processes=True,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs="CRITICAL",
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config("dask"):
        assert os.getpid() not in compute_gram(Placed(), X)
        K = compute_gram(mortal, X, out=tmp_path / "K.npy")
        half = compute_gram(NTK(MLP(3)), X, dtype=np.float32)
    assert not os.listdir(mortal.folder)
    assert_array_equal(K, by_blocks(RBF(), X))
    assert_array_equal(half, by_blocks(NTK(MLP(3)), X, dtype=np.float32))


def test_a_cluster_that_cannot_live(monkeypatch, X):
    def lost(*args):
        raise workers_module.CancelledError("gone")
        yield

    monkeypatch.setattr(workers_module, "n_workers", lambda n_jobs: 2)
    monkeypatch.setattr(large_gram, "n_workers", lambda n_jobs: 2)
    monkeypatch.setattr(workers_module, "_attempt", lost)
    with pytest.raises(RuntimeError, match=r"died .*Cancelled.*gone\).*is lost"):
        compute_gram(NTK(), X)


# Progress -------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_progress_is_shown_once_a_second(clock, capsys):
    progress = Progress(200, 100, verbose=1)
    for seconds in range(1, 26):
        clock[0] = seconds * 0.2
        progress.update(2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[0] == "compute_gram:  55.0 %, 0:00:01 elapsed, 0:00:09 left"
    assert lines[-1] == "compute_gram:  75.0 %, 0:00:05 elapsed, 0:00:05 left"


def test_progress_counts_the_whole_matrix(clock, capsys, monkeypatch, X):
    def slow(*args, **kwargs):
        clock[0] += 10.0
        return block(*args, **kwargs)

    monkeypatch.setattr(workers_module, "block", slow)
    compute_gram(RBF(), X, verbose=1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == N_BLOCKS
    assert "16.0 %" in lines[0]
    assert "100.0 %, 0:01:00 elapsed, 0:00:00 left" in lines[-1]
    compute_gram(RBF(), X)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("with_itself", [True, False])
def test_progress_of_what_is_computed_at_once(clock, capsys, monkeypatch, with_itself):
    def slow(self, amount):
        clock[0] += 10.0
        update(self, amount)

    update = Progress.update
    monkeypatch.setattr(Progress, "update", slow)
    X = np.random.default_rng(0).standard_normal((700, 3))
    compute_gram(NTK(), X, None if with_itself else X[:600], verbose=1, n_jobs=2)
    lines = capsys.readouterr().err.splitlines()
    assert "100.0 %" in lines[-1]
    assert "0:00:00 left" in lines[-1]
    assert not any("100.0 %" in line for line in lines[:-1])


def test_blocks_are_recorded_every_few_seconds(clock, monkeypatch, tmp_path, X):
    journal = tmp_path / "K.npy.progress"
    seen = []

    def slow(*args, **kwargs):
        seen.append(len(blocks_in(journal)))
        clock[0] += 0.9
        return block(*args, **kwargs)

    monkeypatch.setattr(workers_module, "block", slow)
    compute_gram(NTK(), X, out=tmp_path / "K.npy")
    assert files.INTERVAL == 2.0
    assert seen == [0, 0, 0, 3, 3, 3]
    assert len(blocks_in(journal)) == N_BLOCKS


def test_blocks_of_images_are_as_much_work(tmp_path, monkeypatch):
    """As many pairs of pixels in all, so that little is lost by an interruption."""
    with config_context(working_memory=1024):
        assert block_size(n_numbers=32**2) == 1536
        assert block_size(n_numbers=32**4) == 128
    X = read_only(np.random.default_rng(3).standard_normal((7, 16)))
    monkeypatch.setattr(plan_module, "NUMBERS", 5000)
    for pooling, size in (("average", 4), ("flatten", 17)):
        kernel = NTK(ConvNet(1, pooling, input_shape=(4, 4, 1)))
        out = tmp_path / f"{pooling}.npy"
        both = kernel + WhiteKernel(1.0)
        with config_context(working_memory=64):
            assert_allclose(compute_gram(both, X, out=out), both(X), rtol=1e-12)
        first, *_ = (tmp_path / f"{out.name}.progress").read_text().splitlines()
        assert f"7 x 7 in blocks of {size}" in first
