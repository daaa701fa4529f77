"""How many threads to use, and BLAS kept to one of its own inside them."""

import os
import threading
from contextlib import contextmanager
from functools import cache

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

__all__ = ["n_threads", "single_threaded_blas"]


def n_threads(n_jobs):
    """Number of threads for `n_jobs`; None means all cores, as BLAS does.

    An enclosing `joblib.parallel_config` and OMP_NUM_THREADS, which joblib also
    sets in its worker processes, come before that. A worker thread of joblib's gets
    one: the other cores have workers of their own.
    """
    backend, configured = get_active_backend()
    if n_jobs is None and configured is None:
        if backend.nesting_level and not _in_main_thread():
            return 1
        cores = joblib.cpu_count()
        return max(1, min(cores, int(os.environ.get("OMP_NUM_THREADS", cores))))
    return joblib.effective_n_jobs(n_jobs)


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


@contextmanager
def single_threaded_blas():
    """BLAS with one thread of its own, for as long as there are threads of ours.

    Only the main thread sets and restores the limit. From another one OpenBLAS
    ignores it, and limits that overlap would leave BLAS at one thread for good.
    """
    if not _in_main_thread():
        yield
        return
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller():
    """The controller of the loaded BLAS; making one costs a millisecond."""
    return ThreadpoolController()
