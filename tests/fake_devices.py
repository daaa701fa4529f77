"""Devices of array-api-strict, in the place of GPUs."""

import threading
from contextlib import contextmanager

import array_api_strict as strict
import numpy as np

from sklearn_ntk._engine import devices

NAMES = "CPU_DEVICE", "device1", "device2"


class FakeLanes:
    """What `CudaLanes` does, on devices that have a lane or two each.

    Attributes
    ----------
    log : list of tuple
        What happened: the device, the event and the shape of the array.
    """

    library = "fake"
    current = threading.local()

    def __init__(self, n_devices=None, per_device=2):
        self.names = NAMES[:n_devices]
        self.n_lanes, self.log = per_device * len(self.names), []

    @contextmanager
    def lane(self, number):
        """A context whose arrays are on the device whose turn it is."""
        self.current.name = self.names[number % len(self.names)]
        yield
        del self.current.name

    def moved(self, X):
        """X on the device of the lane."""
        name = self.current.name
        self.log.append((name, "moved", X.shape))
        return strict.asarray(np.array(X), device=strict.Device(name))

    def to_host(self, values):
        """A block, that must come from the device of the lane."""
        name = self.current.name
        assert values.device == strict.Device(name)
        self.log.append((name, "brought", values.shape))
        return devices.host_array(values)
