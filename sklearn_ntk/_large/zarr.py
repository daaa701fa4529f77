"""Gram matrices in Zarr arrays; zarr is imported when one is asked for."""

import os
import sys

from sklearn_ntk._large.files import GramFile, remove
from sklearn_ntk._large.journal import sync

__all__ = ["ZarrFile", "is_zarr_array"]


def is_zarr_array(value):
    """Whether a value is a Zarr array, without importing zarr to find out."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(value, zarr.Array)


class ZarrFile(GramFile):
    """A Zarr array in a folder, with the blocks of the plan as its chunks."""

    def __init__(self, path, plan, dtype):
        super().__init__(path, plan, dtype)
        self.zarr = _imported()
        self.written = []
        if path.exists():
            self._check_is_array()

    def _check_is_array(self):
        try:
            self.zarr.open_array(self.path, mode="r")
        except (FileNotFoundError, NotADirectoryError, TypeError, ValueError) as error:
            raise ValueError(
                f"out={str(self.path)!r} exists and is not a Zarr array. It is left "
                "as it is; choose another name."
            ) from error

    def _create(self):
        shape, size = self.plan.shape, self.plan.size
        self.array = self.zarr.create_array(
            self.partial,
            shape=shape,
            chunks=tuple(min(size, length) for length in shape),
            dtype=self.dtype,
            compressors=None,  # digits of a kernel are noise to a compressor
            attributes={"complete": False},
        )

    def reopen(self):
        try:
            self.array = self.zarr.open_array(self.partial, mode="r+")
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(self._damaged(self.partial)) from error
        self._check(self.partial, self.array.shape, self.array.dtype)

    def write(self, rows, columns, values):
        self.array[rows, columns] = values
        size = self.plan.size
        self.written.append((rows.start // size, columns.start // size))

    def flush(self):
        # Zarr leaves no file for a chunk of zeros.
        keys = map(self.array.metadata.encode_chunk_key, self.written)
        chunks = [path for key in keys if (path := self.partial / key).exists()]
        for path in {*chunks, *(path.parent for path in chunks)}:
            sync(path)
        self.written = []

    def close(self):
        pass  # each chunk is a file that is closed already

    def publish(self):
        self.array.attrs["complete"] = True
        sync(self.partial / "zarr.json")
        remove(self.path)
        os.replace(self.partial, self.path)

    def load(self):
        return self.zarr.open_array(self.path, mode="r")


def _imported():
    try:
        import zarr
    except ImportError as error:
        raise ImportError(
            "A Zarr array as out needs the package zarr. Install it with "
            "pip install 'sklearn-ntk[zarr]'."
        ) from error
    return zarr
