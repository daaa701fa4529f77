"""A line on stderr that says how far a long computation is."""

import sys
import threading
import time
from datetime import timedelta

__all__ = ["Progress"]

INTERVAL = 1.0  # seconds between two lines


class Progress:
    """How much of `total` is done, shown at most once a second.

    Parameters
    ----------
    total : int
    done : int
        What an earlier run did; the time left is estimated without it.
    verbose : int
        0: nothing is shown.
    """

    def __init__(self, total, done, verbose):
        self.total, self.done, self.before = total, done, done
        self.verbose = verbose
        self.started = self.shown = time.monotonic()
        self.lock = threading.Lock()

    def update(self, amount):
        """Count `amount` as done, and show the line if it is time to."""
        with self.lock:
            self.done += amount
            now = time.monotonic()
            if self.verbose and now - self.shown >= INTERVAL:
                self.shown = now
                print(self._line(now - self.started), file=sys.stderr, flush=True)

    def _line(self, elapsed):
        left = elapsed * (self.total - self.done) / (self.done - self.before)
        return (
            f"compute_gram: {100 * self.done / self.total:5.1f} %, "
            f"{_clock(elapsed)} elapsed, {_clock(left)} left"
        )


def _clock(seconds):
    return timedelta(seconds=round(seconds))
