"""Which blocks of a file are done, in a file of its own that survives a crash."""

import json
import os
import zlib

__all__ = ["Journal", "sync"]

MAGIC = "sklearn_ntk.compute_gram 1"


class Journal:
    """A text file: what is computed on the first line, then a line for each block.

    A line starts with its checksum. Only the last one can be cut short, by a crash
    while it was written, and is then dropped.

    Parameters
    ----------
    path : Path
    fingerprint : dict of str
        What the blocks belong to.
    """

    def __init__(self, path, fingerprint):
        self.path = path
        self.header = {"format": MAGIC, **fingerprint}

    def start(self):
        """Write the first line; all at once, so that it is there or is not."""
        unnamed = self.path.with_name(self.path.name + ".new")
        unnamed.write_text(_line(self.header))
        sync(unnamed)
        os.replace(unnamed, self.path)
        sync(self.path.parent)

    def append(self, indices):
        """Record blocks whose values are on the disk already."""
        with self.path.open("a") as file:
            file.writelines(_line(list(index)) for index in indices)
            file.flush()
            os.fsync(file.fileno())

    def recover(self):
        """The blocks that are done, a set of pairs of int; mends the last line.

        Raises
        ------
        ValueError
            If the file is no journal, is damaged, or belongs to something else.
        """
        header, *records = self._intact_lines()
        self._check(header)
        try:
            return {(int(i), int(j)) for i, j in records}
        except (TypeError, ValueError):
            raise ValueError(_damaged(self.path)) from None

    def _intact_lines(self):
        raw = self.path.read_bytes()
        lines = raw.splitlines(keepends=True)
        values = [_value(line) for line in lines]
        if len(lines) > 1 and values[-1] is None:
            del values[-1]
            with self.path.open("r+b") as file:
                file.truncate(len(raw) - len(lines[-1]))
        if not values or None in values:
            raise ValueError(_damaged(self.path))
        return values

    def _check(self, header):
        if not isinstance(header, dict) or header.get("format") != MAGIC:
            raise ValueError(_damaged(self.path))
        different = [
            f"the {name} differs ({_shortened(header.get(name))} then, "
            f"{_shortened(value)} now)"
            for name, value in self.header.items()
            if header.get(name) != value
        ]
        if different:
            raise ValueError(
                f"{self.path} belongs to another computation: {'; '.join(different)}. "
                "Continue with what it was started with (the working_memory of "
                "sklearn.config_context, too, which the tiling follows), or start "
                "afresh with resume=False."
            )


def sync(path):
    """Have what was written under a path on the disk, not only on its way."""
    if os.name != "posix" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(value):
    text = json.dumps(value)
    return f"{zlib.crc32(text.encode()):08x} {text}\n"


def _value(line):
    """What a line says; None for one that is not whole."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    whole = line.endswith(b"\n") and checksum == b"%08x" % zlib.crc32(text)
    return json.loads(text) if whole else None


def _damaged(path):
    return (
        f"{path} is not a journal of compute_gram, or it is damaged. Remove it and "
        "start afresh with resume=False."
    )


def _shortened(value):
    text = str(value)
    return text if len(text) < 64 else f"{text[:8]}..."
