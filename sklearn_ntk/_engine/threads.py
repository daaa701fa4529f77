"""How many threads to use, and BLAS kept to one of its own inside them."""

import os
import threading
from contextlib import contextmanager

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

__all__ = ["n_threads", "single_threaded_blas"]


def n_threads(n_jobs):
    """Number of threads for `n_jobs`; None means all cores, as BLAS does.

    An enclosing `joblib.parallel_config` and OMP_NUM_THREADS, which joblib also
    sets in its worker processes, come before that.
    """
    if n_jobs is None and get_active_backend()[1] is None:
        cores = joblib.cpu_count()
        return max(1, min(cores, int(os.environ.get("OMP_NUM_THREADS", cores))))
    return joblib.effective_n_jobs(n_jobs)


class _SharedLimit:
    """One BLAS limit for all threads that want it.

    Overlapping limits would each restore what they found, and the last to end
    would leave BLAS at one thread for good.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._count = 0
        self._limit = None

    @contextmanager
    def __call__(self):
        with self._lock:
            if self._count == 0:
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if self._count == 0:
                    self._limit.restore_original_limits()


_CONTROLLER = []


def _controller():
    """The controller of the loaded BLAS; making one costs a millisecond."""
    if not _CONTROLLER:
        _CONTROLLER.append(ThreadpoolController())
    return _CONTROLLER[0]


single_threaded_blas = _SharedLimit()
