"""Who computes the blocks: this process, its devices, or workers of joblib's."""

import os
import sys
import time
from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend
from sklearn import config_context, get_config

from sklearn_ntk._engine.devices import is_device_array
from sklearn_ntk._large.plan import block, block_by_lane

__all__ = ["WorkerLostError", "blocks", "n_devices", "n_workers"]

ATTEMPTS = 3  # in a row, none of which gave a block
PATIENCE = 10.0  # seconds in which a worker should have started again
TASKS = {"batch_size": 1, "pre_dispatch": "all"}  # workers may join on the way
WAVE = 2  # blocks for each worker, at least, before all wait for the last one


class WorkerLostError(RuntimeError):
    """Processes of joblib's died, and with them the blocks they had."""


def blocks(kernel, X, Y, plan, indices, *, dtype, n_jobs, lanes=None):
    """Blocks of a kernel's matrix, as they are ready.

    Parameters
    ----------
    kernel : Kernel
    X, Y : array or CSR array; Y may be None
    plan : BlockPlan
    indices : list of pairs of int
        Of the blocks that are wanted.
    dtype : dtype
    n_jobs : int or None
    lanes : ArrayLanes, CudaLanes or None, default=None
        What computes; None: NumPy.

    Yields
    ------
    index : pair of int
    values : ndarray
    """
    compute = partial(_by_numpy, kernel, dtype)
    if lanes is not None:
        compute = partial(_in_lane, kernel, dtype, lanes, get_config())
    count = 1 if is_device_array(X) else n_workers(n_jobs)
    if count > 1:
        wave = max(WAVE * count, _n_in_memory(plan, dtype))
        tasks = _Tasks(compute, X, Y, plan, indices)
        yield from _from_workers(tasks, indices, wave, n_jobs)
        return
    if lanes is not None:
        tasks = _Tasks(compute, X, Y, plan, indices)
        yield from _from_lanes(tasks, indices, lanes.n_lanes)
        return
    for number, index in enumerate(indices):
        threads = nullcontext() if n_jobs is None else _threads(n_jobs)
        with threads:
            values = compute(number, *_rows_of(index, plan, X, Y))
        yield index, values
        del values  # before the next block comes


def _by_numpy(kernel, dtype, number, X, Y):
    return block(kernel, X, Y, dtype)


def _in_lane(kernel, dtype, lanes, config, number, X, Y):
    """A block, by the lane whose turn it is."""
    with config_context(**config), lanes.lane(number):
        return block_by_lane(kernel, X, Y, dtype, lanes)


def _from_lanes(tasks, indices, n_lanes):
    """Blocks in order; while one is written, the lanes compute the next ones."""
    begun = deque()
    with ThreadPoolExecutor(n_lanes) as pool:
        try:
            for index in indices:
                task, arguments, _ = tasks(index)
                begun.append(pool.submit(task, *arguments))
                if len(begun) > n_lanes:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def n_devices(n_jobs):
    """Number of devices that are to be used here; None: all there are."""
    _, configured = get_active_backend()
    wanted = configured if n_jobs is None else n_jobs
    if wanted is None or wanted < 0 or n_workers(n_jobs) > 1:
        return None
    return effective_n_jobs(wanted)


def n_workers(n_jobs):
    """Number of processes of the active backend; 1 where it has only threads.

    A preference for threads is overruled by a backend that was asked for by name,
    and by nothing else: joblib's default backend, processes too, is no wish for them.
    """
    backend, _ = get_active_backend(prefer="threads")
    return 1 if getattr(backend, "uses_threads", False) else effective_n_jobs(n_jobs)


def _n_in_memory(plan, dtype):
    """How many blocks may wait to be written."""
    n_bytes = np.dtype(dtype).itemsize * plan.size**2
    return int(get_config()["working_memory"] * 2**20 // n_bytes)


def _rows_of(index, plan, X, Y):
    rows, columns = (slice(k * plan.size, (k + 1) * plan.size) for k in index)
    if plan.on_diagonal(index):
        return X[rows], None
    return X[rows], (X if Y is None else Y)[columns]


class _Tasks:
    """Blocks as tasks for workers.

    A part of the data is the same object in all tasks, so that a backend that can
    sends it once to a worker.
    """

    def __init__(self, compute, X, Y, plan, indices):
        self.compute, self.plan = compute, plan
        self.numbers = {index: number for number, index in enumerate(indices)}
        self.first = [X[rows, :] for rows in plan.rows]
        self.second = self.first if Y is None else [Y[c, :] for c in plan.columns]

    def __call__(self, index):
        """The task of one block."""
        i, j = index
        second = None if self.plan.on_diagonal(index) else self.second[j]
        compute = partial(self.compute, self.numbers[index])
        return delayed(_at_worker)(index, compute, self.first[i], second)


def _at_worker(index, compute, X, Y):
    """A block, on as many threads as the worker's environment grants it."""
    with _threads(int(os.environ.get("OMP_NUM_THREADS", 1))):
        return index, compute(X, Y)


def _threads(n_threads):
    return parallel_config("threading", n_jobs=n_threads)


def _from_workers(tasks, indices, wave, n_jobs):
    """Blocks from workers; those that die with Dask's are handed out again.

    Dask computes the tasks of a lost worker again, but cannot when the data it had
    been sent were on that worker alone.
    """
    left, failures = dict.fromkeys(indices), 0
    while left:
        try:
            for index, values in _attempt(tasks, list(left), wave, n_jobs):
                del left[index]
                failures = 0
                yield index, values
        except CancelledError as error:
            failures += 1
            if failures == ATTEMPTS:
                raise WorkerLostError(_message(error)) from error
            _await_workers(n_jobs)
        except _fatal_errors() as error:
            raise WorkerLostError(_message(error)) from error


def _await_workers(n_jobs):
    """Give lost workers time to start again; joblib uses none where there is one."""
    patience = time.monotonic() + PATIENCE
    while n_workers(n_jobs) == 1 and time.monotonic() < patience:
        time.sleep(0.1)


def _attempt(tasks, indices, wave, n_jobs):
    """Blocks in waves, so that no more wait for this process than fit in memory."""
    backend, _ = get_active_backend()
    streams = backend.supports_return_generator
    return_as = "generator_unordered" if streams else "list"
    with Parallel(n_jobs=n_jobs, return_as=return_as, **TASKS) as parallel:
        for start in range(0, len(indices), wave):
            yield from parallel(map(tasks, indices[start : start + wave]))


def _fatal_errors():
    distributed = sys.modules.get("distributed")
    return (BrokenExecutor, *([distributed.KilledWorker] if distributed else []))


def _message(error):
    cause = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"Worker processes died while computing a kernel matrix ({cause})."
