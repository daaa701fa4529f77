"""What a Gram matrix is made of, as short strings that can be compared."""

import functools
import hashlib
import types

import numpy as np
from scipy import sparse

import sklearn_ntk
from sklearn_ntk._engine.devices import host_array, is_device_array
from sklearn_ntk._graphs import Graphs

__all__ = ["fingerprint"]

ENGINE_FORMAT = 1  # to be raised when the same input gives other bits
OWN = ("sklearn.", "sklearn_ntk.")  # packages whose code the version stands for
NAMED = (type, types.ModuleType, types.BuiltinFunctionType, np.ufunc)
ROWS = 1024  # of an array, hashed at a time


def fingerprint(kernel, X, Y, plan, dtype, library="numpy"):
    """What must not change between a run and the one that continues it.

    Parameters
    ----------
    kernel : Kernel
    X, Y : array, CSR array, Graphs or None
    plan : BlockPlan
    dtype : dtype
    library : str, default="numpy"
        What computes.

    Returns
    -------
    dict of str
    """
    return {
        "version": f"{sklearn_ntk.__version__}, engine {ENGINE_FORMAT}",
        "kernel": _sha256(kernel),
        "data": _sha256((X, Y)),
        "library": library,
        "dtype": np.dtype(dtype).name,
        "tiling": f"{plan.shape[0]} x {plan.shape[1]} in blocks of {plan.size}",
    }


def _sha256(value):
    digest = _Digest()
    digest.add(value)
    return digest.sha.hexdigest()


class _Digest:
    """A hash of nested objects, by their content; the same in every process."""

    def __init__(self):
        self.sha = hashlib.sha256()
        self.open = []  # objects that are being added, for those in themselves

    def add(self, value):
        """Add an object of any kind."""
        if any(value is other for other in self.open):
            return
        if isinstance(value, np.ndarray):
            value = value.view(np.ndarray)  # a memmap counts as what it holds
        self.open.append(value)
        self._text(f"{type(value).__module__}.{type(value).__qualname__}")
        self._content(value)
        self.open.pop()

    def _text(self, text):
        self.sha.update(f"{len(text)}:{text}".encode())

    def _content(self, value):
        if isinstance(value, NAMED):
            self._text(value.__name__)
        elif isinstance(value, float | np.floating):
            self._text(float(value).hex())
        elif isinstance(value, np.ndarray):
            self._array(value)
        elif is_device_array(value):
            self.add(host_array(value))
        elif sparse.issparse(value):
            csr = value.tocsr()
            self.add((csr.shape, csr.data, csr.indices, csr.indptr))
        elif isinstance(value, Graphs):
            self.add((value.nodes, value.adjacency, value.sizes))
        elif isinstance(value, list | tuple):
            self._items(value)
        elif isinstance(value, dict):
            self._items(value.items())
        elif hasattr(value, "get_params"):
            self._class(type(value))
            self._items(sorted(value.get_params(deep=False).items()))
        else:
            self._code(value)

    def _items(self, values):
        self._text(str(len(values)))
        for value in values:
            self.add(value)

    def _array(self, array):
        self._text(f"{array.dtype.str} {array.shape}")
        if array.dtype.hasobject:
            self.add(array.tolist())
            return
        for start in range(0, len(array) if array.ndim else 0, ROWS):
            self.sha.update(np.ascontiguousarray(array[start : start + ROWS]))
        if not array.ndim:
            self.sha.update(array.tobytes())

    def _class(self, cls):
        """Add the methods of a class that a user wrote."""
        for base in cls.__mro__:
            if base is not object and not base.__module__.startswith(OWN):
                for name, member in sorted(vars(base).items()):
                    if isinstance(member, types.FunctionType | property):
                        self.add((name, member))

    def _code(self, value):
        if isinstance(value, types.FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            defaults = (value.__defaults__, value.__kwdefaults__)
            self.add((value.__qualname__, value.__code__, defaults, cells))
        elif isinstance(value, types.MethodType):
            self.add((value.__self__, value.__func__))
        elif isinstance(value, types.CodeType):
            self.add((value.co_code, value.co_names, value.co_consts))
        elif isinstance(value, functools.partial):
            self.add((value.func, value.args, value.keywords))
        elif isinstance(value, property):
            self.add((value.fget, value.fset))
        elif hasattr(value, "__wrapped__"):
            self.add(value.__wrapped__)
        elif hasattr(value, "__dict__"):
            self._class(type(value))
            self.add(vars(value))
        else:
            self._text(repr(value))
