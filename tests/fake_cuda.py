"""CUDA kernels on the CPU: compiled as C++ and run thread by thread."""

import ctypes
import re
import shutil
import subprocess

import numpy as np

PRELUDE = """
#include <math.h>
#define __global__
struct Index { unsigned x; };
static Index blockIdx, blockDim, threadIdx;
"""
DRIVER = """
extern "C" void run_{k}(unsigned n_blocks, unsigned n_threads, {parameters}) {{
    blockDim.x = n_threads;
    for (blockIdx.x = 0; blockIdx.x < n_blocks; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < n_threads; ++threadIdx.x)
            segment_{k}({names});
}}
"""
COMPILER = shutil.which("g++") or shutil.which("clang++")


def joined(sources):
    """Kernels in one source, the k-th as ``segment_<k>``."""
    return "\n".join(
        source.replace("void segment(", f"void segment_{k}(")
        for k, source in enumerate(sources)
    )


def compiled(sources, folder):
    """A library of the kernels of all sources, by a compiler for C++."""
    drivers = []
    for k, source in enumerate(sources):
        parameters = re.search(r"segment\((.*?)\) \{", source, re.DOTALL)[1]
        names = ", ".join(p.split()[-1] for p in parameters.split(","))
        drivers.append(DRIVER.format(k=k, parameters=parameters, names=names))
    path, library = folder / "kernels.cpp", folder / "kernels.so"
    path.write_text("\n".join([PRELUDE, joined(sources), *drivers]))
    command = [COMPILER, "-O1", "-shared", "-fPIC", "-o", str(library), str(path)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(library))


class FakeCupy:
    """What the engine uses of CuPy, for NumPy arrays."""

    zeros, empty = staticmethod(np.zeros), staticmethod(np.empty)
    ascontiguousarray = staticmethod(np.ascontiguousarray)

    def __init__(self):
        self.sources, self.library, self.n_launches = [], None, 0

    def RawKernel(self, source, name):
        assert name == "segment"
        if source not in self.sources:
            assert self.library is None, "a kernel that has not been compiled"
            self.sources.append(source)
        return lambda *launch: self._launch(self.sources.index(source), *launch)

    def compile(self, folder):
        self.library = compiled(self.sources, folder)

    def _launch(self, k, grid, block, arguments):
        self.n_launches += 1
        plain = []
        for a in arguments:
            if isinstance(a, np.ndarray):
                assert a.flags.c_contiguous
                plain.append(ctypes.c_void_p(a.ctypes.data))
            else:
                assert isinstance(a, np.int64)
                plain.append(ctypes.c_longlong(a))
        (n_blocks,), (n_threads,) = grid, block
        getattr(self.library, f"run_{k}")(
            ctypes.c_uint(n_blocks), ctypes.c_uint(n_threads), *plain
        )
