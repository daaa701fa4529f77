"""Gram matrices in files, which look whole only when they are."""

import errno
import os
import shutil
import time
from abc import ABC, abstractmethod

import numpy as np

from sklearn_ntk._engine.room import check_disk
from sklearn_ntk._large.journal import Journal, sync

__all__ = ["FileOutput", "GramFile", "NpyFile", "remove"]

INTERVAL = 2.0  # seconds of work that a crash may cost
STRIP = 64  # rows of a block copied at a time


class FileOutput:
    """A file that is written block by block, and its journal.

    The file has its name only when it is complete. Until then it is called
    ``<name>.partial``. ``<name>.progress``, the journal, says which blocks it holds,
    and stays beside the complete file to say what that is.

    Parameters
    ----------
    file : GramFile
    fingerprint : dict of str
    plan : BlockPlan
    resume : bool

    Attributes
    ----------
    done : set of pairs of int
    """

    advice = "What was computed is kept: the same call with resume=True continues."
    in_memory = False

    def __init__(self, file, fingerprint, plan, resume):
        self.file, self.plan = file, plan
        self.journal = Journal(_sibling(file.path, ".progress"), fingerprint)
        self.done, self.unsaved = set(), []
        self.saved = time.monotonic()
        if not resume or not self._recover():
            self._start()

    def _start(self):
        self.file.check_room()
        self.journal.path.unlink(missing_ok=True)
        self.file.create()
        self.journal.start()

    def _recover(self):
        """Take up what is there; whether there was something."""
        path, partial = self.file.path, self.file.partial
        if not self.journal.path.exists():
            if path.exists() and not partial.exists():
                raise ValueError(
                    f"{path} exists without {self.journal.path.name}, so that nothing "
                    "says what it is. Remove it, or replace it with resume=False."
                )
            return False
        self.done = self.journal.recover()
        blocks = set(self.plan.indices())
        if not self.done <= blocks:
            raise ValueError(f"{self.journal.path} names blocks that do not exist.")
        if partial.exists():
            self.file.reopen()
            return True
        if path.exists() and self.done != blocks:
            raise ValueError(
                f"{self.journal.path} is not that of {path}, which it calls incomplete."
            )
        self.done = self.done if path.exists() else set()
        return path.exists()

    def write(self, rows, columns, values):
        """Write a block of values."""
        self.file.write(rows, columns, values)

    def record(self, index):
        """Count a block as done, once it has been written."""
        self.done.add(index)
        self.unsaved.append(index)
        if time.monotonic() - self.saved > INTERVAL:
            self.save()

    def close(self):
        """Save what was written; nothing is written after that."""
        try:
            self.save()
        finally:
            self.file.close()

    def save(self):
        """Have the blocks on the disk, and then in the journal."""
        if self.unsaved:
            self.file.flush()
            self.journal.append(self.unsaved)
        self.unsaved, self.saved = [], time.monotonic()

    def finish(self):
        """Give the complete file its name.

        Returns
        -------
        array-like
            What reads it.
        """
        if self.file.partial.exists():
            self.file.publish()
            sync(self.file.path.parent)
        return self.file.load()


class GramFile(ABC):
    """One format of files.

    Parameters
    ----------
    path : Path
    plan : BlockPlan
    dtype : dtype
    """

    def __init__(self, path, plan, dtype):
        self.path, self.plan, self.dtype = path, plan, np.dtype(dtype)
        self.partial = _sibling(path, ".partial")

    def check_room(self):
        """Refuse what the disk cannot hold, before anything is removed for it."""
        freed = _disk_space(self.partial)
        check_disk(self.path, self.plan.shape, self.dtype, freed=freed)

    def create(self):
        """Start with an empty file."""
        remove(self.partial)
        try:
            self._create()
        except OSError:
            self.close()
            remove(self.partial)
            raise

    @abstractmethod
    def _create(self):
        """Make the partial file."""

    @abstractmethod
    def reopen(self):
        """Take up a partial file; a ValueError if it is not what it should be."""

    @abstractmethod
    def write(self, rows, columns, values):
        """Write a block of values."""

    @abstractmethod
    def flush(self):
        """Have what was written on the disk."""

    @abstractmethod
    def close(self):
        """Let go of the partial file."""

    @abstractmethod
    def publish(self):
        """Rename the complete file."""

    @abstractmethod
    def load(self):
        """The complete file, for reading."""

    @staticmethod
    def _damaged(path):
        return (
            f"{path} is damaged: it is too short or too long, or of another "
            "format. Remove it and start afresh with resume=False."
        )

    def _check(self, path, shape, dtype):
        if (shape, dtype) != (self.plan.shape, self.dtype):
            raise ValueError(
                f"{path} should hold shape {self.plan.shape} and dtype "
                f"{self.dtype}. It has shape {shape} and dtype {dtype}."
            )


class NpyFile(GramFile):
    """NumPy's own format.

    It is written through a file and not through a map into memory: an error on the
    way is then an exception, and written pages do not count as the process's memory.
    """

    def __init__(self, path, plan, dtype):
        super().__init__(path, plan, dtype)
        self.file = None
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))

    def _create(self):
        array = np.lib.format.open_memmap(
            self.partial, mode="w+", dtype=self.dtype, shape=self.plan.shape
        )
        self._open(array.offset)
        _allocate(self.file, array.offset + array.nbytes)

    def reopen(self):
        self._open(self._map(self.partial).offset)

    def _map(self, path):
        try:
            array = np.lib.format.open_memmap(path, mode="r")
        except ValueError as error:
            raise ValueError(self._damaged(path)) from error
        self._check(path, array.shape, array.dtype)
        if path.stat().st_size != array.offset + array.nbytes:
            raise ValueError(self._damaged(path))
        return array

    def _open(self, offset):
        self.offset = offset
        self.file = self.partial.open("r+b")

    def write(self, rows, columns, values):
        for i, row in enumerate(_contiguous_rows(values), start=rows.start):
            entry = i * self.plan.shape[1] + columns.start
            self.file.seek(self.offset + entry * self.dtype.itemsize)
            self.file.write(row)

    def flush(self):
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self):
        if self.file is not None:
            self.file.close()

    def publish(self):
        os.replace(self.partial, self.path)

    def load(self):
        return self._map(self.path)


def remove(path):
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _disk_space(path):
    """Bytes that are free once a file or a folder is removed."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _contiguous_rows(values):
    """Rows that can be written, copied a few at a time where they have gaps."""
    for start in range(0, len(values), STRIP):
        yield from np.ascontiguousarray(values[start : start + STRIP])


def _sibling(path, ending):
    return path.with_name(path.name + ending)


def _allocate(file, size):
    """Reserve the disk's blocks now: a file with holes finds out when it is full."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # cannot reserve
                raise
