"""The program of a network, for generic pairs of rows."""

from functools import cache

import numpy as np

from sklearn_ntk._engine.devices import host_array
from sklearn_ntk._engine.forward_mode import Dual, DualNamespace, value_of
from sklearn_ntk._engine.program import Program
from sklearn_ntk._engine.tracing import Pair, Trace, TracingError
from sklearn_ntk.networks._inputs import CLOSE, Inputs, standard_row
from sklearn_ntk.networks._pairs import Pairs

__all__ = ["HIGHEST", "LOWEST", "TracedInputs", "TracedPairs", "settled", "traced"]

LOWEST, HIGHEST = 1e-60, 1e60  # norms of rows whose powers and products are floats


def traced(evaluate, X, Y, *, ntk, dual, arrays=np):
    """The program that computes what `evaluate` does.

    Parameters
    ----------
    evaluate : callable
        Takes inputs and returns a list of symbols.
    X, Y : array or CSR array
        Y is X itself where the matrix is symmetric.
    ntk : bool
        Whether the neural tangent kernel is wanted.
    dual : bool
        Whether there is something to be differentiated.
    arrays : namespace, default=numpy
        Of X and Y. Numbers for each row are worked out by NumPy, whatever it is.

    Returns
    -------
    Program or None
        None where a layer cannot be traced, or rows are so small or so large that
        products of theirs may not be floats.
    """
    trace = Trace()
    inputs = TracedInputs(trace, X, Y, ntk=ntk, dual=dual, arrays=arrays)
    try:
        with np.errstate(all="ignore"):
            return Program(trace, evaluate(inputs))
    except TracingError:
        return None
    finally:
        trace.forget()


def settled(x):
    """x with its factors multiplied out, for it will be used more than once."""
    if isinstance(x, Dual):
        return Dual(settled(x.value), {d: settled(t) for d, t in x.tangents.items()})
    return x.trace.settled(x) if isinstance(x, Pair) else x


def _cosine(xp, nngp, std_x, std_y):
    return settled(nngp / (std_x * std_y))


class TracedPairs(Pairs):
    """Pairs of symbols."""

    def resolve(self):
        """These pairs themselves; a layer begins here."""
        self.xp.boundary()
        return self

    def replace(self, **changes):
        """A copy with some fields changed.

        Where the covariance is a sum, the cosine follows from it and is not computed
        as a sum of its own.
        """
        new = super().replace(**changes)
        if {"nngp", "cosine"} <= changes.keys() and self._is_sum(new.nngp):
            return new.with_cosine(_cosine)
        return new

    def with_cosine(self, function):
        """A copy with a cosine that a function gives, once a layer asks for it.

        ``function(xp, nngp, std_x, std_y)``
        """
        known = self.xp, self.nngp, self.std_x, self.std_y  # without a cycle
        return Pairs.replace(self, cosine=cache(lambda: function(*known)))

    def are_close(self, close, squared):
        """None is; those that are count only where the squared sine is needed."""
        if not isinstance(close, Pair):
            return super().are_close(close, squared)
        close.trace.guard(close, of=squared)
        return False

    def _is_sum(self, symbol):
        core = getattr(value_of(symbol), "core", None)
        return core is not None and value_of(symbol).trace.nodes[core].op == "add"


class TracedInputs(Inputs):
    """Rows of X against rows of Y, as symbols."""

    _state = TracedPairs

    def __init__(self, trace, X, Y, *, ntk, dual, arrays=np):
        super().__init__(DualNamespace(trace) if dual else trace, X, Y, ntk=ntk)
        self.trace, self.dual, self.library = trace, dual, arrays

    def standard_row(self):
        """A single row of ones, which is not a symbol."""
        return standard_row(self.width, dual=self.dual)

    @property
    def _arrays(self):
        return self.library

    def _block(self):
        (unit_x, norm_x), (unit_y, norm_y) = self._rows_x, self._rows_y
        norm_x, norm_y = host_array(norm_x), host_array(norm_y)
        for norm in (norm_x, norm_y):
            if np.any((norm > 0) & ((norm < LOWEST) | (norm > HIGHEST))):
                raise TracingError("rows of extreme size")
        cos = self.trace.cosine((unit_x, unit_y))
        self.trace.guard(abs(cos) > 1.0 - CLOSE)
        sin = self.trace.sqrt((1.0 - cos) * (1.0 + cos))
        root_d = self.X.shape[1] ** 0.5
        std_x = self.trace.row(0, norm_x / root_d)
        return std_x, self.trace.row(1, norm_y / root_d), cos, sin
