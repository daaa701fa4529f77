"""The program of a network on images, for generic pairs of rows.

Symbols stand for pairs of pixels of pairs of rows. What a layer does to each of them
alone is recorded as for rows of features; what mixes pixels is recorded as the linear
map that it is.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.forward_mode import (
    Dual,
    bilinear,
    chain,
    concatenate,
    part_of,
    value_of,
)
from sklearn_ntk._engine.generic import (
    HIGHEST,
    LOWEST,
    TracedInputs,
    TracedPairs,
    settled,
)
from sklearn_ntk._engine.image_program import ImageProgram
from sklearn_ntk._engine.tracing import (
    NUMPY,
    Node,
    Pair,
    Row,
    Symbol,
    Trace,
    TracingError,
    key_of,
)
from sklearn_ntk.networks._maps import Place
from sklearn_ntk.networks._pairs import Pairs, is_number
from sklearn_ntk.networks._pixels import Pixels, pixel_diagonal

__all__ = ["asked_variances", "traced_images"]

PARALLEL = 64  # roundings that a squared sine may be off 0 where pixels are parallel
CLOSE = 1e-11  # squared sine, below which an angle has less than ten digits
FACTOR = 2.0**30  # that values may be off, or 1 / it, which are floats with it
SUMS = {"add", "map", "mix", "product"}  # covariances that cosines have to be made of
FUNCTIONS = {"reshape", "mean", "broadcast_to"}  # of arrays that rows hold
ARRAYS = {"asarray", "eye", "matmul", "sum"}  # functions of what is known of rows


def traced_images(evaluate, X, Y, *, ntk, dual, own, dtype):
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
    own : callable
        ``own()`` evaluates each row with itself and returns, for every layer that
        makes it necessary, the standard deviations of all pixels, (n, P), or the
        weights that they are mixed by, (n, P, P): those of X and those of Y.
    dtype : dtype
        In which it is to be computed. In single precision angles that are small have
        few digits, and there are no guards for them.

    Returns
    -------
    ImageProgram or None
        None where a layer cannot be traced, or pixels are so small or so large that
        products of theirs may not be floats.

    Raises
    ------
    TooManyNumbersError
        If fewer rows can be traced.
    """
    trace = PixelTrace(dtype)
    inputs = _TracedImages(trace, X, Y, ntk=ntk, dual=dual)._replace(own=own)
    try:
        with np.errstate(all="ignore"):
            return ImageProgram(trace, evaluate(inputs))
    except TracingError:
        return None
    finally:
        trace.forget()


class Asked(Exception):
    """A layer asks for variances of pixels that are not known yet."""

    def __init__(self, variances):
        self.variances = variances


def asked_variances(evaluate, X, known):
    """The program of the variances that the first layer asks for that needs more.

    Parameters
    ----------
    evaluate : callable
        As for `traced_images`.
    X : array or CSR array
    known : list of array of shape (n, P)
        Standard deviations of pixels that have been asked for before, in order.

    Returns
    -------
    ImageProgram or None
        Of each row with itself. None if no more is asked for.

    Raises
    ------
    TracingError
        If a layer cannot be traced, or asks for something else.
    """
    trace = PixelTrace(np.float64)
    inputs = _TracedImages(trace, X, X, ntk=False, dual=False)
    try:
        with np.errstate(all="ignore"):
            evaluate(inputs._replace(own=lambda: (known, known)))
    except Asked as asked:
        return ImageProgram(trace, [asked.variances])
    finally:
        trace.forget()
    return None


class PixelRow(Row):
    """A number per pixel and row, in an array that broadcasts against all pairs.

    Attributes
    ----------
    twin : PixelRow or None
        The same numbers for the rows of X, where these are for those of Y.
    """

    __slots__ = ("twin",)

    def __init__(self, trace, axis, values, twin=None):
        super().__init__(trace, axis, values)
        self.twin = twin

    @property
    def shape(self):
        return self.values.shape

    def turned(self):
        """The same numbers, for the rows of Y."""
        values = self.values.swapaxes(-1, -2)
        if values.ndim == 4:
            values = values.swapaxes(0, 1)
        return PixelRow(self.trace, 1, values, self)

    def mapped(self, pixel_map, sides):
        """These numbers after a linear map of pixels."""
        return self.trace.mapped_row(self, pixel_map, sides)

    def filled(self, number):
        """A row of equal numbers beside this one."""
        if isinstance(number, Row):
            return number
        return self.trace.filled_row(self, float(number))

    def __getitem__(self, key):
        return self.trace.row(self.axis, self.values[key])

    def table(self, size):
        """The numbers as an array (pixels, rows), for a number of pixels."""
        a = self.values
        if a.ndim == 2:
            a = a[None]
        elif a.ndim == 4:
            a = a[:, 0] if self.axis == 0 else a[0]
        a = a[:, :, 0] if self.axis == 0 else a[:, 0]
        return np.broadcast_to(a, (size, a.shape[1]))


class RowWeights:
    """Weights by which the pixels of each row are mixed.

    Parameters
    ----------
    axis : int
        0: of rows of X. 1: of Y.
    values : array of shape (rows, P, P)
    """

    __slots__ = ("axis", "values")

    def __init__(self, axis, values):
        self.axis, self.values = axis, values

    def filled(self, tangent):
        """A tangent, or a number for all weights, as weights like these."""
        if isinstance(tangent, RowWeights):
            return tangent
        return RowWeights(self.axis, np.full(self.values.shape, tangent))


class AllPairs:
    """The shape of numbers for all pairs, which nothing is known of."""

    def __len__(self):
        raise TracingError("the number of axes")


class PixelPair(Pair):
    """A number per pair of pixels and pair of rows."""

    __slots__ = ()
    shape = AllPairs()

    def mapped(self, pixel_map, sides):
        """These numbers after a linear map of pixels."""
        return self.trace.mapped(self, pixel_map)

    def filled(self, number):
        """Equal numbers for pairs such as these."""
        if isinstance(number, Pair):
            return number
        space = self.trace.space_of(self)
        return PixelPair(self.trace, self.trace.constant(number, space))

    def __getitem__(self, key):
        size, full = self.trace.space_of(self)
        if size > 1:
            raise TracingError("indexing")
        return self.trace.mapped(self, Place(1, alone=True)) if full else self


ONE = (1, False)  # pixel, of rows of features


class PixelTrace(Trace):
    """A trace whose pairs are of the pixels of images.

    Masks of pixels are no guards: with so many pixels, few would be left. What
    formulas do in their branches serves relative accuracy, of angles, which `sin`
    guards, or of values far below the others, which are then summed with those.

    Attributes
    ----------
    spaces : list of tuple
        For each node the number of pixels of an image, and whether all pairs count.
    rows : tuple of array
        Those of X and of Y, with zeros for pixels that do not exist.
    """

    pair_type, row_type = PixelPair, PixelRow
    enough = 0
    room = 2**24

    def __init__(self, dtype):
        super().__init__()
        self.spaces, self.rows, precision = [], None, np.finfo(dtype)
        self.parallel = PARALLEL * float(precision.eps)
        self.close = CLOSE if precision.bits == 64 else 0.0

    def product(self, factors, space):
        """Inner products of the features of pixels, an input of the program."""
        self.inputs.append(factors)
        return PixelPair(self, self._record("product", (0,), space))

    def constant(self, number, space):
        """The node of a number that is the same for all pairs."""
        return self._append(("copy", number, space), Node("copy", (number,)), space)

    def mapped(self, pair, pixel_map):
        """The pairs after a linear map of pixels."""
        node, scale = self._source(pair)
        _, full = self.spaces[node]
        args, space = (node, pixel_map), pixel_map.size(full)
        return PixelPair(self, self._append(args, Node("map", args), space), scale)

    def mixed_by_row(self, pair, weights):
        """The pairs after sums over the pixels of one side, weighted by row."""
        node, scale = self._source(pair)
        key, args = ("mix", node, id(weights)), (node, weights)
        node = self._append(key, Node("mix", args), self.spaces[node])
        return PixelPair(self, node, scale)

    def _source(self, pair):
        """The node that a map reads instead of a pair, and the factor that waits."""
        if pair.x is None and pair.y is None and pair.core is not None:
            return pair.core, pair.scale
        return self.output(pair), 1.0

    def _pair(self, op, args):
        """The result of an operation on pairs.

        The factor of what comes out of a map waits for a later one, or for those of
        rows, instead of being multiplied in before there is something added.
        """
        if op == "add":
            for a, b in (args, args[::-1]):
                if self._is_scaled_map(a):
                    map_alone = PixelPair(self, a.core)
                    others = self.apply("mul", b, 1.0 / a.scale)
                    total = super()._pair(op, (map_alone, others))
                    return self._product(total, a.scale)
        return super()._pair(op, args)

    def _is_scaled_map(self, a):
        return (
            isinstance(a, Pair)
            and a.core is not None
            and a.x is None
            and a.y is None
            and a.scale != 1.0
            and 1.0 / FACTOR < a.scale < FACTOR
            and self.nodes[a.core].op in ("map", "mix")
        )

    def sampled(self, pair):
        """A cosine of pixels of one image, which may be any."""
        return np.ones(1)

    def rows_like(self, x, y, values):
        """Symbols for numbers of the rows that two others are of, joined."""
        new_x, new_y = super().rows_like(x, y, values)
        return new_x, new_x.turned() if y.twin is x else new_y

    def mapped_row(self, row, pixel_map, sides):
        """The numbers of pixels of rows after a linear map."""
        key, kept = ("map", id(row), id(pixel_map)), (row, pixel_map)
        if key not in self._rows:
            if row.twin is not None:
                new = self.mapped_row(row.twin, pixel_map, (0,)).turned()
            else:
                new = self.row(row.axis, pixel_map.sums(np, row.values, sides))
            self._rows[key] = new, kept
        return self._rows[key][0]

    def filled_row(self, row, number):
        """Equal numbers for pixels such as those of a row."""
        key = "filled", row.axis, row.shape, number
        if key not in self._rows:
            if row.twin is not None:
                new = self.filled_row(row.twin, number).turned()
            else:
                new = self.row(row.axis, np.full(row.shape, number))
            self._rows[key] = new, ()
        return self._rows[key][0]

    def _row(self, op, axis, args):
        """What concerns rows alone; where Y is X it is computed once."""
        twins = [a.twin if isinstance(a, Row) else a for a in args]
        if axis == 0 or any(a is None for a in twins):
            return super()._row(op, axis, args)
        key = key_of(op, args)
        if key not in self._rows:
            self._rows[key] = super()._row(op, 0, twins).turned(), args
        return self._rows[key][0]

    def space_of(self, pair):
        """The space of the pixels that a pair is of."""
        node = self._node_of(pair)
        return self.spaces[node] if type(node) is int else self._space((node,))

    def _record(self, op, args, space=None):
        known = len(self.nodes)
        node = super()._record(op, args)
        if node == known:
            self.spaces.append(space or self._space(args))
        return node

    def _append(self, key, node, space):
        """The index of a node that is told from others by a key of its own."""
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
            self.spaces.append(space)
        return self._known[key]

    def _space(self, args):
        spaces = [
            self.spaces[a] if type(a) is int else _space_of_row(a)
            for a in args
            if type(a) is int or isinstance(a, Row)
        ]
        return max(spaces, default=ONE)  # an output may be a number

    def ones_like(self, x):
        return x.filled(1.0) if isinstance(x, Row) else super().ones_like(x)

    def where(self, condition, a, b):
        """a or b; a product where pixels of either row that do not exist give 0."""
        rows = self._both_rows(condition)
        if rows is None or isinstance(b, Symbol) or b != 0.0:
            return self._of_arrays("where", condition, a, b)
        for row in rows:
            a = self.apply("mul", a, self.apply("where", row, 1.0, 0.0))
        return a

    def _both_rows(self, mask):
        """The rows that a mask of pairs asks for both of, or None."""
        if not isinstance(mask, Pair) or mask.core is None:
            return None
        op, args = self.nodes[mask.core]
        rows = op == "and" and all(isinstance(a, Row) for a in args)
        return args if rows else None

    def any(self, mask, **options):
        if isinstance(mask, Pair) and self.space_of(mask)[0] > 1:
            return False
        return np.any(mask, **options) if options else super().any(mask)

    def all(self, mask, **options):
        return np.all(mask, **options) if options else super().all(mask)

    def _of_arrays(self, name, *args, **options):
        """NumPy's function where there are arrays and no symbols."""
        arrays = any(isinstance(a, np.ndarray) for a in args)
        if arrays and not any(isinstance(a, Symbol) for a in args):
            return getattr(np, name)(*args, **options)
        return super().__getattr__(name)(*args, **options)

    def __getattr__(self, name):
        if name in NUMPY:
            return partial(self._of_arrays, name)
        if name in ARRAYS:
            return getattr(np, name)
        if name not in FUNCTIONS:
            return super().__getattr__(name)

        def function(a, *args, **options):
            values = a.values if isinstance(a, Row) else a
            values = getattr(np, name)(values, *args, **options)
            return self.row(a.axis, values) if isinstance(a, Row) else values

        return function


def _space_of_row(row):
    values = row.values
    if values.ndim == 2:
        return ONE
    return values.shape[0 if values.ndim == 3 else row.axis], values.ndim == 4


@dataclass(frozen=True)
class _TracedPixels(Pixels):
    """Pixels of rows of which all that concerns one row alone is known."""

    known: Any = None
    trace: Any = None

    def std(self, xp, nngp):
        """Standard deviations of all pixels, as they were recorded."""
        trace = _symbol(nngp).trace
        if self.known is None:
            known = [np.full((n, self.size), np.nan) for n in (self.n, self.m)]
        else:
            known = next(self.known, None)
        if known is None:
            raise Asked(pixel_diagonal(xp, nngp, self))
        return self.of_both(trace, *known)

    def by_row(self, xp, a, function):
        """What a function has made of the pairs of pixels of each row."""
        known = next(self.known, None)
        if known is None:
            raise TracingError("weights of each row")
        return concatenate(np, known)

    def mixed_by_row(self, xp, a, weights):
        """``L a R'``, where each pair of rows has weights L and R of its own."""
        for axis, rows in enumerate((slice(self.n), slice(self.n, None))):
            own = part_of(np, weights, rows)
            own = _each(partial(RowWeights, axis), own)
            a = bilinear(xp, value_of(a).trace.mixed_by_row, a, own)
        return a

    def laid_out(self, xp, rows):
        """Numbers of x and of x' as symbols."""
        x = y = rows[:, : self.n].T
        X, Y = self.trace.rows
        if Y is not X:
            y = rows[:, self.n :].T
        return self.of_both(self.trace, x, y)

    def of_axis(self, trace, axis, a):
        """Numbers of the pixels of rows, (n, P), as a symbol."""
        if not self.full:
            key = (slice(None), slice(None), None) if axis == 0 else (slice(None), None)
        elif axis == 0:
            key = (slice(None), None, slice(None), None)
        else:
            key = (None, slice(None), None)

        def row(values):
            values = np.broadcast_to(values, value_of(a).shape)
            return trace.row(axis, values.T[key])

        return _each(row, a)

    def of_both(self, trace, a, b):
        """Numbers of the pixels of rows of X and of Y, (n, P) each, as symbols."""
        x = self.of_axis(trace, 0, a)
        y = _each(PixelRow.turned, x) if b is a else self.of_axis(trace, 1, b)
        return x, y


class _ImagePairs(TracedPairs):
    """Pairs of pixels, as symbols."""

    def resolve(self):
        """These pairs themselves; their values must not be the same for all rows."""
        if self.pixels is not None:
            _symbol(self.nngp)
            if not callable(self.cosine):
                _symbol(self.cosine)
            if is_number(self.ntk) and value_of(self.ntk):
                _symbol(self.ntk)
        return super().resolve()

    def replace(self, **changes):
        """A copy with some fields changed.

        Where the covariance is a sum over pixels or terms, the cosine follows from it.
        """
        if changes.get("pixels", self.pixels) is None:
            return super().replace(**changes)
        new = Pairs.replace(self, **changes)
        if {"nngp", "cosine"} <= changes.keys() and _op(new.nngp) in SUMS:
            return new.with_cosine(_cosine)
        return new

    @property
    def sin(self):
        if self.pixels is None:
            return super().sin
        cos, xp = self.cos, self.xp
        c = value_of(cos)
        squared = 1.0 - c * c
        if isinstance(c, Pair):
            trace = c.trace
            squared = trace.where(squared <= trace.parallel, 0.0, squared)
        root = xp.sqrt(squared)
        if isinstance(c, Pair):
            close = (squared < trace.close) & (squared > 0.0)
            trace.guard(close, of=value_of(root))
        if not isinstance(cos, Dual):
            return root
        inverse = xp.where(root > 0.0, 1.0 / root, 0.0)
        return chain(root, (cos, -c * inverse))


def _symbol(x):
    """The symbol of a value, which layers that mix pixels can record."""
    if not isinstance(value_of(x), Symbol):
        raise TracingError("features that do not depend on the row")
    return value_of(x)


def _each(function, a):
    """A function of an array, or of a value and of its derivatives."""
    if not isinstance(a, Dual):
        return function(a)
    tangents = {d: function(t) for d, t in a.tangents.items()}
    return Dual(function(a.value), tangents)


def _op(symbol):
    core = getattr(value_of(symbol), "core", None)
    return None if core is None else value_of(symbol).trace.nodes[core].op


def _cosine(xp, nngp, std_x, std_y):
    """The cosine of the angle between pixels; rounding may take it beyond 1."""
    return settled(nngp * _inverse(xp, std_x) * _inverse(xp, std_y))


def _inverse(xp, std):
    """``1 / std``, and 0 for pixels without variance."""
    positive = std > 0.0
    return xp.where(positive, 1.0 / xp.where(positive, std, 1.0), 0.0)


class _TracedImages(TracedInputs):
    """Rows of X against rows of Y, each an image, as symbols."""

    _state = _ImagePairs
    own = None

    @cached_property
    def _pairs(self):
        if self.image is None or self._seeds:
            raise TracingError("no image, or a length scale for each feature")
        shape, need, masks = self.image
        *spatial, _ = shape
        x, std_x, graphs_x = y, std_y, graphs_y = _pixels(self.X, shape, need)
        if self.Y is not self.X:
            y, std_y, graphs_y = _pixels(self.Y, shape, need)
        self.trace.rows = self.X, self.Y
        pixels = _TracedPixels(
            tuple(spatial),
            need.full,
            x.shape[1],
            y.shape[1],
            graphs=np.concatenate([graphs_x, graphs_y]) if need.graphs else None,
            mask=np.concatenate(masks).T if masks else None,
            known=self._known(need),
            trace=self.trace,
        )
        space = pixels.size, need.full
        channels = x.shape[2]
        product = self.trace.product((x, y), space) * (1.0 / channels)
        std_x, std_y = (
            std * self._factor for std in pixels.of_both(self.trace, std_x, std_y)
        )
        nngp = product * self._factor * self._factor
        return _ImagePairs(
            xp=self.xp,
            nngp=nngp,
            std_x=std_x,
            std_y=std_y,
            cosine=_cosine(self.xp, nngp, std_x, std_y),
            sine=None,
            ntk=0.0 if self.ntk else None,
            width=channels,
            pixels=pixels,
        )

    def _known(self, need):
        if not need.own:
            return None
        return iter(zip(*self.own(), strict=True))


def _pixels(X, shape, need):
    """Pixels of rows, (P, n, C), their standard deviations, (n, P), and graphs."""
    X = X.toarray() if sparse.issparse(X) else X
    X, graphs = X.reshape(X.shape[0], -1, shape[-1]), None
    if need.graphs:
        graphs, X = np.split(X, [X.shape[1]], axis=2)
    pixels = np.ascontiguousarray(X.transpose(1, 0, 2), dtype=float)
    norm = np.sqrt(np.vecdot(pixels, pixels))
    if np.any(pixels[norm < LOWEST]) or np.any(norm > HIGHEST):
        raise TracingError("pixels of extreme size")
    return pixels, norm.T / X.shape[2] ** 0.5, graphs
