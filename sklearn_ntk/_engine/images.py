"""How many rows are looked at together where each is an image or a sequence."""

import math
from typing import NamedTuple

from sklearn import get_config

from sklearn_ntk._engine.threads import n_threads
from sklearn_ntk.networks._pixels import Need

__all__ = ["Tile", "n_numbers", "tile_of"]

ENTRIES = 2**16  # pairs of pixels in a block: few calls, and arrays stay in cache
ARRAYS = 24  # of them that are alive at once, at most


class Tile(NamedTuple):
    """How large a block of pairs of images is.

    Parameters
    ----------
    size : int
        Rows and columns.
    entries : int
        Pairs of pixels of a pair of rows, at most.
    same : bool
        Whether a row with itself is another pair than it with its like.
    n_jobs : int
        How many threads may evaluate formulas of a block at the same time.
    n_jobs_itself : int
        How many may where each row meets only itself.
    """

    size: int
    entries: int
    same: bool
    n_jobs: int
    n_jobs_itself: int


def n_numbers(network):
    """How many pairs of pixels a pair of rows has; 1 where rows are not images."""
    shape = network.image_shape
    if shape is None:
        return 1
    largest = max(map(math.prod, network.shapes(shape[:-1])))
    return largest**2 if network.needs(Need()).full else largest


def tile_of(network, *, n_directions=0, n_jobs=None):
    """The size of a block of pairs of images; None for rows of features.

    Parameters
    ----------
    network : Layer
    n_directions : int, default=0
        Number of derivatives.
    n_jobs : int or None

    Raises
    ------
    ValueError
        If the pixels of a single pair of rows need more than the working memory.
    """
    shape = network.image_shape
    if shape is None:
        return None
    need, entries = network.needs(Need()), n_numbers(network)
    itself = 8 * entries * ARRAYS * (1 + n_directions)
    size = 3 * itself if need.own else itself
    memory, threads = get_config()["working_memory"] * 2**20, n_threads(n_jobs)
    if size > memory:
        largest = math.isqrt(entries) if need.full else entries
        raise ValueError(
            f"All pairs of {largest} pixels of two rows need {size / 2**20:.0f} MiB "
            f"at once, more than scikit-learn's working_memory of "
            f"{memory / 2**20:.0f} MiB. Use Flatten in the place of pools, which "
            "pairs pixels at the same place only, a stride, Resize or Crop for fewer "
            "pixels; or raise it with sklearn.set_config(working_memory=...)."
        )
    n_at_once, n_itself = (min(threads, int(memory / n)) for n in (size, itself))
    side = math.isqrt(int(min(memory / n_at_once / size, ENTRIES / entries)))
    return Tile(max(1, side), entries, need.same, n_at_once, n_itself)
