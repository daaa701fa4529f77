"""Programs as CUDA kernels: their source, their arithmetic and how they are launched.

There is no GPU here. Kernels are compiled for one where there is a compiler, and run on
the CPU, compiled as C++.
"""

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import awkward_rows, read_only
from fake_cuda import COMPILER, FakeCupy, joined
from numpy.testing import assert_allclose
from sklearn import config_context
from zoo import ACTIVATIONS, NETWORKS

from sklearn_ntk import NTK
from sklearn_ntk._engine import array_evaluation, array_gram
from sklearn_ntk._engine.array_evaluation import ArrayEvaluation
from sklearn_ntk._engine.cuda_program import cuda_source
from sklearn_ntk.networks import MLP
from sklearn_ntk.networks._numerical import Numerical

ARCHITECTURES = "80", "90"
BY_QUADRATURE = {
    f"one_{name}" for name, a in ACTIVATIONS.items() if isinstance(a, Numerical)
}
SERIES = MLP(activation="tanh")  # a power series where there are many rows
TRACED = [name for name in NETWORKS if name not in BY_QUADRATURE]


def rows():
    generic = np.random.default_rng(2).standard_normal((150, 4))
    return read_only(np.vstack([awkward_rows(), generic]))


def many_rows():
    return read_only(np.random.default_rng(0).standard_normal((520, 50)))


@pytest.fixture(scope="module")
def cupy():
    """A double of CuPy that knows the kernels of the whole zoo."""
    fake = FakeCupy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(array_evaluation, "cupy_of", lambda X: fake)
        for name in TRACED:
            for dtype in (np.float64, np.float32):
                assert runner_of(NETWORKS[name], rows(), dtype).kernels
        assert runner_of(SERIES, many_rows()).kernels
        yield fake


def runner_of(network, X, dtype=np.float64):
    evaluate = array_gram.kernels_of(network, X, ("nngp", "ntk"))
    return ArrayEvaluation(evaluate, X, None, ntk=True, dtype=dtype).runner()


@pytest.fixture(scope="module")
def running(cupy, tmp_path_factory):
    if COMPILER is None:
        pytest.skip("no compiler for C++")
    cupy.compile(tmp_path_factory.mktemp("kernels"))
    return cupy


@pytest.mark.parametrize("name", TRACED)
def test_kernels_do_what_numpy_does(name, running):
    X = rows()
    with config_context(working_memory=1):
        both = array_gram.gram(NETWORKS[name], X, kinds=("nngp", "ntk"))
    exact = NTK(NETWORKS[name])(X)
    assert_allclose(both[1], exact, rtol=1e-12, atol=1e-13 * np.max(np.abs(exact)))
    assert np.array_equal(both[1], both[1].T)


@pytest.mark.parametrize("name", TRACED)
def test_kernels_in_single_precision(name, running):
    X = rows()
    with config_context(working_memory=1):
        both = array_gram.gram(
            NETWORKS[name], X, kinds=("nngp", "ntk"), dtype=np.float32
        )
    exact = NTK(NETWORKS[name])(X)
    assert both[1].dtype == np.float32
    assert_allclose(both[1], exact, rtol=1e-5, atol=1e-6 * np.max(np.abs(exact)))
    assert np.array_equal(both[1], both[1].T)


def test_single_precision_is_single_throughout(cupy):
    segments = runner_of(NETWORKS["deep"], rows()).segments
    for segment in segments:
        assert "double" not in cuda_source(segment, "float")
        assert "float" not in cuda_source(segment)


def test_kernels_of_activations_by_quadrature(running):
    X, running.n_launches = many_rows(), 0
    both = array_gram.gram(SERIES, X, kinds=("nngp", "ntk"))
    assert running.n_launches > 0
    exact = NTK(SERIES)(X)
    assert_allclose(both[1], exact, rtol=1e-12, atol=1e-13 * np.max(np.abs(exact)))


def test_layers_are_fused(running):
    running.n_launches = 0
    array_gram.gram(NETWORKS["deep"], rows(), kinds=("nngp", "ntk"))
    assert 1 <= running.n_launches <= 12
    assert any("atan2" in source for source in running.sources)


def test_layers_of_a_kind_share_a_kernel(cupy):
    segments = runner_of(NETWORKS["deep"], rows()).segments
    assert len({cuda_source(s) for s in segments}) < len(segments)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvrtc_compiles_the_kernels(architecture, cupy):
    nvrtc = _nvrtc()
    if nvrtc is None:
        pytest.skip("no NVRTC")
    program, source = ctypes.c_void_p(), joined(cupy.sources).encode()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"k.cu", 0, None, None)
    options = (ctypes.c_char_p * 1)(f"--gpu-architecture=sm_{architecture}".encode())
    failed = nvrtc.nvrtcCompileProgram(program, 1, options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert not failed, log.value.decode()
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    assert size.value > 1000 * len(cupy.sources)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvcc_compiles_the_kernels(architecture, cupy, tmp_path):
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc")
    path = tmp_path / "kernels.cu"
    path.write_text(joined(cupy.sources))
    command = ["nvcc", "--ptx", f"-arch=sm_{architecture}", str(path), "-o"]
    subprocess.run([*command, str(tmp_path / "kernels.ptx")], check=True)
    entries = (tmp_path / "kernels.ptx").read_text().count(".visible .entry")
    assert entries == len(cupy.sources)


def _nvrtc():
    """The library, of a package or of the system; None if there is none."""
    names = ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]
    try:
        spec = importlib.util.find_spec("nvidia.cuda_nvrtc")
    except ImportError:
        spec = None
    for place in spec.submodule_search_locations if spec else ():
        names += map(str, Path(place).glob("lib/libnvrtc.so.*"))
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
