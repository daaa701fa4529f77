"""Formulas recorded instead of evaluated, as straight-line programs over pairs.

A network runs once on symbols. What concerns one row only is computed at once, as
arrays; what concerns pairs of rows is recorded, node by node, to be run later on any
number of blocks and by any backend. A question a formula asks of its data,
``xp.any(mask)``, is answered with no, the answer for generic pairs, and ``mask`` is
kept as a *guard*: pairs for which it holds are computed anew, by the formula itself.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.devices import (
    host_array,
    is_device_array,
    like,
    namespace,
)
from sklearn_ntk._engine.forward_mode import Dual
from sklearn_ntk._engine.power_series import SERIES, derivative, power_series

__all__ = [
    "NUMPY",
    "SOURCES",
    "Node",
    "Pair",
    "Row",
    "Symbol",
    "TooManyNumbersError",
    "Trace",
    "TracingError",
    "key_of",
]

COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne"}
LOGICAL = {"and", "or", "xor", "not", "within"}
SOURCES = {"cosine", "product", "map", "mix"}  # what is not computed of each pair alone
SAMPLE = 2048  # pairs that values of a symbol are looked at for

# How an operation acts on arrays: on rows while tracing, on blocks later.
NUMPY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
    "abs": np.abs,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
    "not": np.logical_not,
    "where": np.where,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "copysign": np.copysign,
    "copy": np.positive,
    "series": power_series,
    "slope": derivative,
}


class TracingError(Exception):
    """A formula did what cannot be recorded, such as indexing by a mask."""


class TooManyNumbersError(Exception):
    """Rows are so many that what is to be known of each takes too much memory."""


class Node(NamedTuple):
    """An operation on pairs.

    Parameters
    ----------
    op : str
        A key of `NUMPY`, or "cosine" for an input.
    args : tuple of int, Row or float
        An int is the index of another node.
    """

    op: str
    args: tuple

    @property
    def is_mask(self):
        """Whether its values are booleans."""
        return self.op in COMPARISONS or self.op in LOGICAL

    def matches(self, op, *args):
        """Whether it is this operation, on these numbers and nodes."""
        return self.op == op and key_of(op, self.args) == key_of(op, args)


class Symbol:
    """Arithmetic of what stands for an array while a formula is traced."""

    __array_ufunc__ = None
    __hash__ = object.__hash__
    __slots__ = ()

    def _binary(self, op, other, *, swapped=False):
        if isinstance(other, Dual):
            return NotImplemented
        pair = (other, self) if swapped else (self, other)
        return self.trace.apply(op, *pair)

    def __getattr__(self, name):
        raise TracingError(f"an array's {name}")

    def __getitem__(self, key):
        raise TracingError("indexing")

    def __bool__(self):
        raise TracingError("a truth value")

    def __neg__(self):
        return self.trace.apply("neg", self)

    def __abs__(self):
        return self.trace.apply("abs", self)

    def __invert__(self):
        return self.trace.apply("not", self)

    def __pow__(self, power):
        return self.trace.power(self, power)


def _operator(op, *, swapped=False):
    def method(self, other):
        return self._binary(op, other, swapped=swapped)

    return method


for _op in ("add", "sub", "mul", "div", "and", "or", "xor", *COMPARISONS):
    _name = "truediv" if _op == "div" else _op
    setattr(Symbol, f"__{_name}__", _operator(_op))
    if _op not in COMPARISONS:
        setattr(Symbol, f"__r{_name}__", _operator(_op, swapped=True))


class Row(Symbol):
    """One number, or truth value, per row of X (axis 0) or of Y (axis 1)."""

    __slots__ = ("axis", "trace", "values")

    def __init__(self, trace, axis, values):
        self.trace, self.axis, self.values = trace, axis, values


class Pair(Symbol):
    """A number per pair, as a product: ``scale * x[i] * y[j] * node[i, j]``.

    Factors of rows and numbers are gathered and not recorded until something else
    than a product is asked for. `core` is the node's index, or None for 1; `x` and
    `y` are rows or None.
    """

    __slots__ = ("core", "scale", "trace", "x", "y")
    axis = None

    def __init__(self, trace, core, scale=1.0, x=None, y=None):
        self.trace, self.core, self.scale, self.x, self.y = trace, core, scale, x, y


class Trace:
    """The array namespace of symbols, and the record of what was asked of it.

    Attributes
    ----------
    nodes : list of Node
    guards : list of tuple
        Nodes that are masks of pairs which are not generic, each with the node that it
        is a guard of; None: of whatever is computed.
    boundaries : list of int
        Numbers of nodes there were when a layer began.
    inputs : list
        What the nodes "cosine" are to be filled from.
    """

    bool = bool
    pair_type, row_type = Pair, Row
    enough = 2**18  # pairs, for which work on each row is worth its while
    room = math.inf  # for coefficients of all rows

    def __init__(self):
        self.nodes, self.guards, self.boundaries, self.inputs = [], [], [], []
        self._known, self._rows, self._sampled = {}, {}, []

    def cosine(self, source):
        """A new input of the program, of pairs."""
        self.inputs.append(source)
        return self.pair_type(self, self._record("cosine", (len(self.inputs) - 1,)))

    def row(self, axis, values):
        """A symbol for an array of one number per row."""
        return self.row_type(self, axis, values)

    def rows_like(self, x, y, values):
        """Symbols for numbers of the rows that two others are of, joined."""
        count = x.values.size
        x, y = (
            self.row(a.axis, part.reshape(a.values.shape))
            for a, part in ((x, values[:count]), (y, values[count:]))
        )
        return x, y

    def forget(self):
        """Let go of all that was recorded, whose symbols know this trace.

        It would be kept until Python looks for cycles.
        """
        self.nodes, self.guards, self.inputs = [], [], []
        self._known, self._rows, self._sampled = {}, {}, []

    def boundary(self):
        """Note that a layer begins here."""
        self.boundaries.append(len(self.nodes))

    def sampled(self, pair):
        """The values of a symbol for some pairs of different rows."""
        u, v = self.inputs[0]
        rows = _some_pairs(u.shape[0], v.shape[0], u is v)

        def value(a):
            if isinstance(a, Row):
                return a.values[rows[a.axis]]
            return self._sampled[a] if type(a) is int else a

        node = self._node_of(pair)
        with np.errstate(all="ignore"):
            for index in range(len(self._sampled), len(self.nodes)):
                op, args = self.nodes[index]
                if op == "cosine":
                    found = _cosines(*self.inputs[args[0]], *rows)
                else:
                    found = NUMPY[op](*map(value, args))
                self._sampled.append(found)
        return value(node)

    def apply(self, op, *args):
        """The result of an operation, computed where it concerns rows only."""
        args = tuple(map(_plain, args))
        axes = {a.axis for a in args if isinstance(a, Symbol)}
        if not axes:
            return NUMPY[op](*args)[()]
        if len(axes) == 1 and None not in axes:
            simple = self._simplified(op, args)
            return self._row(op, axes.pop(), args) if simple is None else simple
        return self._pair(op, args)

    def guard(self, mask, of=None):
        """Take pairs for which `mask` holds as not generic, where `of` is asked for."""
        if isinstance(mask, Row):
            if not np.any(mask.values):
                return
            mask = self.apply("or", mask, self.pair_type(self, self._node_of(mask)))
        self.guards.append((self._node_of(mask), self._node_of(of)))

    def _row(self, op, axis, args):
        key = key_of(op, args)
        if key not in self._rows:
            plain = [a.values if isinstance(a, Row) else a for a in args]
            # the arguments are kept, so that their ids stay theirs
            self._rows[key] = self.row_type(self, axis, NUMPY[op](*plain)), args
        return self._rows[key][0]

    def _pair(self, op, args):
        simple = self._simplified(op, args)
        if simple is not None:
            return simple
        if op == "mul":
            return self._product(*args)
        if op == "div" and not isinstance(args[1], Pair):
            return self._product(args[0], self.apply("div", 1.0, args[1]))
        if op == "div" and args[1].core is None:
            a, b = args
            for factor in (b.x, b.y, b.scale):
                a = a if factor is None else self.apply("div", a, factor)
            return a
        if op == "neg":
            return self._product(args[0], -1.0)
        if op in ("gt", "le") and _is_outer(args[0]) and args[1] == 0.0:
            rows = [a.values for a in (args[0].x, args[0].y)]
            if args[0].scale > 0 and all(np.all(r > 0) for r in rows):
                return np.bool_(op == "gt")
        return self.pair_type(self, self._record(op, tuple(map(self._node_of, args))))

    def _simplified(self, op, args):
        """The result, where an argument is the neutral element; else None."""
        a, b = args[0], args[-1]
        if op in ("and", "or"):
            for known, other in ((a, b), (b, a)):
                if isinstance(known, bool | np.bool_):
                    return other if bool(known) == (op == "and") else known
        elif op == "where" and isinstance(a, bool | np.bool_):
            return args[1] if a else args[2]
        elif op in ("add", "sub") and _equals(b, 0.0):
            return a
        elif op == "add" and _equals(a, 0.0):
            return b
        elif op in ("mul", "div") and _equals(b, 1.0):
            return a
        elif op == "mul" and _equals(a, 1.0):
            return b
        elif (op in ("mul", "div") and _equals(a, 0.0)) or (
            op == "mul" and _equals(b, 0.0)
        ):
            return 0.0
        return None

    def _product(self, a, b):
        a, b = self._factors(a), self._factors(b)
        core = a.core if b.core is None else b.core
        if a.core is not None and b.core is not None:
            core = self._multiplied(a.core, b.core)
        return self.pair_type(
            self, core, a.scale * b.scale, self._both(a.x, b.x), self._both(a.y, b.y)
        )

    def _multiplied(self, a, b):
        """The product of two nodes; 1 - y**2 for that of 1 - y and 1 + y.

        It is about as exact, for y is not, and takes an operation less.
        """
        first, second = self.nodes[a], self.nodes[b]
        y = first.args[-1] if first.op == "sub" else None
        if first.matches("sub", 1.0, y) and second.matches("add", 1.0, y):
            return self._record("sub", (1.0, self._record("mul", (y, y))))
        return self._record("mul", (a, b))

    def _both(self, a, b):
        if a is None or b is None:
            return b if a is None else a
        return self.apply("mul", a, b)

    def _factors(self, a):
        if isinstance(a, Row):
            return self.pair_type(
                self, None, 1.0, *((a, None) if a.axis == 0 else (None, a))
            )
        return a if isinstance(a, Pair) else self.pair_type(self, None, a)

    def _node_of(self, a):
        """An argument of a node; the factors of a product are recorded now."""
        if not isinstance(a, Pair):
            return a
        core, x, y = a.core, a.x, a.y
        if a.scale != 1.0:
            if x is not None or y is not None:
                x, y = (
                    (self.apply("mul", x, a.scale), y)
                    if x is not None
                    else (x, self.apply("mul", y, a.scale))
                )
            else:
                op = ("neg", (core,)) if a.scale == -1.0 else ("mul", (core, a.scale))
                return self._record(*op)
        for row in (x, y):
            if row is not None:
                core = row if core is None else self._record("mul", (core, row))
        return core

    def _record(self, op, args):
        key = key_of(op, args)
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(Node(op, args))
        return self._known[key]

    def settled(self, pair):
        """The same values, as those of one node."""
        node = self._node_of(pair)
        return self.pair_type(self, node) if type(node) is int else pair

    def output(self, a, taken=()):
        """The index of a node that holds the values of `a`, none of those `taken`."""
        node = self._node_of(_plain(a))
        is_input = type(node) is not int or self.nodes[node].op in SOURCES
        while is_input or node in taken:
            node, is_input = self._record("copy", (node,)), False
        return node

    # The functions that formulas call.

    def __getattr__(self, name):
        if name in NUMPY:
            return partial(self.apply, name)
        raise TracingError(f"the function {name}")

    def series(self, terms, x):
        """The sum of terms ``a * b * x**n``, the highest first, and its derivative.

        Parameters
        ----------
        terms : list of tuple
            The rows a and b of each power of x, down to the first.
        x : Pair
        """
        a, b = zip(*terms, strict=True)
        args = self._node_of(x), float(len(terms)), *a, *b
        return tuple(self.pair_type(self, self._record(op, args)) for op in SERIES)

    def power(self, x, power):
        """``x**power``; a tower of products where the power is a small integer."""
        power = _plain(power)
        if isinstance(power, Symbol):
            return self.apply("pow", x, power)
        if power == 0.5:
            return self.apply("sqrt", x)
        if power == int(power) and 1 <= abs(power) <= 8:
            result = x
            for digit in bin(int(abs(power)))[3:]:
                result = self.apply("mul", result, result)
                if digit == "1":
                    result = self.apply("mul", result, x)
            return result if power > 0 else self.apply("div", 1.0, result)
        return self.apply("pow", x, power)

    def any(self, mask):
        """Whether a mask of rows holds anywhere; of pairs it is taken not to."""
        if isinstance(mask, Pair):
            self.guard(mask)
            return False
        return bool(np.any(mask.values if isinstance(mask, Row) else mask))

    def all(self, mask):
        if isinstance(mask, Pair):
            raise TracingError("all of a mask")
        return bool(np.all(mask.values if isinstance(mask, Row) else mask))

    def isnan(self, x):
        """Nowhere: a NaN reaches the output, where the engine looks for it."""
        if isinstance(x, Pair):
            return np.False_
        return self.apply("ne", x, x)

    def ones_like(self, x):
        return 1.0

    def zeros_like(self, x):
        return 0.0

    def sign(self, x):
        return self.apply("copysign", 1.0, x)


def _some_pairs(n_x, n_y, symmetric):
    """Indices of some pairs, none of a row with itself."""
    i, j = np.random.default_rng(0).integers([[n_x], [n_y]], size=(2, SAMPLE))
    different = i != j if symmetric else slice(None)
    return i[different], j[different]


def _cosines(u, v, i, j):
    if is_device_array(u):
        take = namespace(u).take
        u, v = take(u, like(u, i), axis=0), take(v, like(v, j), axis=0)
        return np.einsum("ij,ij->i", host_array(u), host_array(v))
    u, v = u[i], v[j]
    if sparse.issparse(u):
        return np.asarray(u.multiply(v).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", u, v)


def _plain(a):
    """Numbers and arrays of one number as a Python float or a NumPy boolean."""
    if type(a) is float or isinstance(a, (Symbol, np.bool_)):
        return a
    if isinstance(a, bool):
        return np.bool_(a)
    if np.size(a) != 1:
        raise TracingError("an array that is not a symbol")
    return float(np.asarray(a).reshape(()))


def key_of(op, args):
    """What tells operations apart: rows by identity, numbers from nodes by type."""
    return op, *((type(a), id(a) if isinstance(a, Row) else a) for a in args)


def _equals(a, number):
    return isinstance(a, float) and a == number


def _is_outer(a):
    """Whether a is a product of a row of X and one of Y and nothing else."""
    return isinstance(a, Pair) and a.core is None and not (a.x is None or a.y is None)
