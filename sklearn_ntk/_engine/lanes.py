"""Where the blocks of a large matrix are computed when not by NumPy.

A *lane* computes one block at a time and brings it to the host. A CUDA device has two,
each with a stream of its own: one computes while the result of the other travels.
"""

from contextlib import contextmanager
from functools import cache

from sklearn_ntk._engine.devices import cupy, cupy_of, host_array, library, to_cuda

__all__ = ["ArrayLanes", "CudaLanes", "lanes_of"]

STREAMS = 2  # of a device


def lanes_of(X):
    """The lanes of the device that an array is on."""
    if cupy_of(X) is None:
        return ArrayLanes(X)
    X.device.synchronize()  # streams of ours do not wait for what X comes from
    return CudaLanes([X.device.id])


class ArrayLanes:
    """The one lane of arrays that are on a device already.

    Parameters
    ----------
    X : array
    """

    n_lanes = 1

    def __init__(self, X):
        self.library = library(X)

    @contextmanager
    def lane(self, number):
        """A context in which a block is computed."""
        yield

    def moved(self, X):
        """Rows as an array of the lane's device."""
        return X

    def to_host(self, values):
        """A block as a NumPy array, once all of it is there."""
        return host_array(values)


class CudaLanes:
    """The lanes of CUDA devices.

    They can be sent to other processes, and are then those of devices there.

    Parameters
    ----------
    devices : list of int, int or None, default=None
        The devices' numbers, or how many to use; None: all.
    """

    library = "cupy"

    def __init__(self, devices=None):
        self.devices = devices

    @property
    def ids(self):
        """The devices' numbers."""
        if isinstance(self.devices, list):
            return self.devices
        return list(range(cupy().cuda.runtime.getDeviceCount()))[: self.devices]

    @property
    def n_lanes(self):
        """How many blocks are computed at once."""
        return STREAMS * len(self.ids)

    @contextmanager
    def lane(self, number):
        """A context in which a block is computed; devices take turns."""
        ids = self.ids
        stream, turn = divmod(number % (STREAMS * len(ids)), len(ids))
        with cupy().cuda.Device(ids[turn]), _stream(ids[turn], stream):
            yield

    def moved(self, X):
        """Rows as an array of the lane's device."""
        return to_cuda(X)

    def to_host(self, values):
        """A block as a NumPy array, once all of it is there.

        Its memory is not moved by the system, so that the device can write to it while
        other streams compute. It is used again when the array is no more.
        """
        import cupyx

        out = cupyx.empty_pinned(values.shape, values.dtype)
        return cupy().asnumpy(values, out=out)  # waits for the lane's stream alone


@cache
def _stream(device, index):
    """A stream of the current device. Each has memory of its own to use again."""
    return cupy().cuda.Stream(non_blocking=True)
