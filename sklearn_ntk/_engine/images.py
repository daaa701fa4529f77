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
    """

    size: int
    entries: int
    same: bool


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
    arrays = ARRAYS * (1 + n_directions) * (3 if need.own else 1)
    room = get_config()["working_memory"] * 2**20 / n_threads(n_jobs)
    size = 8 * entries * arrays
    if size > room:
        largest = math.isqrt(entries) if need.full else entries
        raise ValueError(
            f"All pairs of {largest} pixels of two rows need {size / 2**20:.0f} MiB "
            f"at once, more than the {room / 2**20:.0f} MiB that each thread has of "
            "scikit-learn's working_memory. Use Flatten in the place of pools, which "
            "pairs pixels at the same place only, a stride, Resize or Crop for fewer "
            "pixels; or raise it with sklearn.set_config(working_memory=...)."
        )
    side = math.isqrt(int(min(room / size, ENTRIES / entries)))
    return Tile(max(1, side), entries, need.same)
