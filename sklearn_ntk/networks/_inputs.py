"""The first state of a network: the rows of X and Y themselves."""

import copy
from functools import cached_property

import numpy as np
from scipy import sparse

from sklearn_ntk._engine.forward_mode import Dual, DualNamespace, value_of
from sklearn_ntk.networks._double_double import sine_between
from sklearn_ntk.networks._masks import existing_pixels
from sklearn_ntk.networks._pairs import Pairs
from sklearn_ntk.networks._pixel_inputs import pixel_pairs
from sklearn_ntk.networks._relevance import VectorSeed

__all__ = ["Inputs", "standard_row"]

CLOSE = 1e-3  # where 1 - |cos| is below, the angle comes from the rows' difference
TINY = 1e-10  # where the squared difference is below, from a doubled precision
SQUARABLE = 1e-100  # length of a row whose entries' squares neither vanish nor overflow
GATHERED = 2**22  # numbers held at once while close pairs are looked at


class Inputs:
    """Rows of X against rows of Y, before the first layer.

    Parameters
    ----------
    xp : namespace
    X : array or CSR array of shape (n, d)
    Y : array or CSR array of shape (m, d) or None
        None: each row of X with itself alone, as for a diagonal.
    same : array of bool, shape (n, m), or None
        Marks the pairs that are a row with itself.
    paired : bool, default=False
        Whether rows are paired one to one, each of X with the same one of Y.
    ntk : bool, default=True
        Whether the neural tangent kernel is wanted.
    """

    _state = Pairs

    def __init__(self, xp, X, Y=None, *, same=None, paired=False, ntk=True):
        self.xp, self.X, self.Y = xp, X, Y
        self.same, self.paired, self.ntk = same, paired, ntk
        self._factor, self._seeds, self._standard = 1.0, (), False
        self.image = None

    def _replace(self, **changes):
        new = copy.copy(self)
        for name in ("_pairs", *(("_rows_x", "_rows_y") if "X" in changes else ())):
            new.__dict__.pop(name, None)
        for name, value in changes.items():
            setattr(new, name, value)
        return new

    @property
    def width(self):
        """Number of features."""
        return self.X.shape[1]

    @property
    def _arrays(self):
        """The namespace of X and Y."""
        return self.xp

    def standard_row(self):
        """A single row of ones, which has the norm of a standardised row."""
        first = self.X[:1, :]
        row = self.xp.ones_like(first.toarray() if sparse.issparse(first) else first)
        return Inputs(self.xp, row, same=row[:, 0] > 0)._replace(_standard=True)

    def forked(self):
        """These inputs, as a branch of a network sees them."""
        return self

    def as_images(self, shape, need, mask_value=None):
        """The inputs, each row an image or a sequence.

        Parameters
        ----------
        shape : tuple of int
            Of a row, channels last.
        need : Need
            What the network asks of the pixels.
        mask_value : float or None, default=None
            A pixel all of whose features equal it does not exist. None: all do.
        """
        if mask_value is None or self._standard:
            return self._replace(image=(shape, need, None))
        X, mask_x = self._without_padding(self.X, shape, mask_value)
        Y, masks = self.Y, [mask_x]
        if Y is self.X:
            Y, masks = X, [mask_x, mask_x]
        elif Y is not None:
            Y, mask_y = self._without_padding(Y, shape, mask_value)
            masks = [mask_x, mask_y]
        if self._arrays.all(self._arrays.concat(masks)):
            masks = None
        return self._replace(X=X, Y=Y, image=(shape, need, masks))

    def _without_padding(self, X, shape, mask_value):
        """Rows with zeros for pixels that do not exist, and which do."""
        xp, X = self._arrays, X.toarray() if sparse.issparse(X) else X
        exists = existing_pixels(xp, X, shape, mask_value)
        pixels = xp.reshape(X, (*exists.shape, shape[-1]))
        return xp.reshape(xp.where(exists[:, :, None], pixels, 0.0), X.shape), exists

    def flattened(self):
        """The inputs as rows of features."""
        return self._replace(image=None)

    def rescaled(self, length_scale):
        """The inputs divided by `length_scale`, a number or one per feature."""
        if isinstance(length_scale, VectorSeed):
            return self._divided(length_scale.value)._replace(
                _seeds=(*self._seeds, length_scale)
            )
        if np.ndim(value_of(length_scale)) == 0:
            return self._replace(_factor=self._factor / length_scale)
        return self._divided(length_scale)

    def _divided(self, scale):
        scale = np.asarray(scale, dtype=float)
        if scale.shape != (self.X.shape[1],):
            raise ValueError(
                "The 'length_scale' parameter must be a number or have one element "
                f"per feature: expected shape ({self.X.shape[1]},), got {scale.shape}."
            )
        X = _divided(self._arrays, self.X, scale)
        Y = self.Y
        if Y is not None:
            Y = X if Y is self.X else _divided(self._arrays, Y, scale)
        return self._replace(X=X, Y=Y)

    @cached_property
    def _rows_x(self):
        return _unit_rows(self._arrays, self.X)

    @cached_property
    def _rows_y(self):
        return self._rows_x if self.Y is self.X else _unit_rows(self._arrays, self.Y)

    @property
    def unit_rows(self):
        """The rows of X and those of Y, divided by their lengths."""
        rows_x, _ = self._rows_x
        return rows_x, rows_x if self.Y is None else self._rows_y[0]

    def resolve(self):
        """The `Pairs` of the rows: K(x, x') = x.x' / d, as yet without an NTK."""
        return self._pairs

    @cached_property
    def _pairs(self):
        if self.image is not None:
            if self._seeds:
                raise ValueError(
                    "One length scale per feature cannot be learned on images: give "
                    "'length_scale' a number, or set 'length_scale_bounds' to 'fixed'."
                )
            return pixel_pairs(self, *self.image)
        std_x, std_y, cos, sin = self._diagonal() if self.Y is None else self._block()
        for seed in self._seeds:
            along_x, along_y, angle, unit = seed.directions
            if self._standard:
                seed.unit, along_x, along_y = self, unit, unit
            else:
                seed.inputs = self
            std_x = _seeded(std_x, along_x, value_of(std_x))
            std_y = _seeded(std_y, along_y, value_of(std_y))
            if self.Y is not None:
                u, v = value_of(cos), value_of(sin)
                cos, sin = _seeded(cos, angle, -v), _seeded(sin, angle, u)
        std_x, std_y = std_x * self._factor, std_y * self._factor
        return self._state(
            xp=self.xp,
            nngp=std_x * std_y * cos,
            std_x=std_x,
            std_y=std_y,
            cosine=cos,
            sine=sin,
            ntk=0.0 if self.ntk else None,
            same=self.same,
            width=self.width,
        )

    def _diagonal(self):
        _, norm = self._rows_x
        std = norm / self.X.shape[1] ** 0.5
        cos = self.xp.where(std > 0, 1.0, self.xp.zeros_like(std))
        return std, std, cos, 1.0 - cos

    def _block(self):
        xp = self.xp
        unit_x, norm_x = self._rows_x
        unit_y, norm_y = self._rows_y
        cos = _products(xp, unit_x, unit_y, paired=self.paired)
        cos = xp.where(xp.abs(cos) > 1.0, xp.sign(cos), cos)
        sin = xp.sqrt((1.0 - cos) * (1.0 + cos))
        close = (1.0 - xp.abs(cos)) < CLOSE
        if self.same is not None:
            itself = self.same & (norm_x[:, None] > 0)
            cos = xp.where(itself, 1.0, cos)
            sin = xp.where(itself, 0.0, sin)
            close = close & ~self.same
        if xp.any(close):
            sin[close], cos[close] = self._close_angles(close, xp.sign(cos[close]))
        root_d = self.X.shape[1] ** 0.5
        std_x, std_y = norm_x / root_d, norm_y / root_d
        if self.paired:
            return std_x, std_y, cos, sin
        return std_x[:, None], std_y[None, :], cos, sin

    def _close_angles(self, close, signs):
        """Sine and cosine of the pairs marked in `close`, from row differences."""
        xp = self.xp
        places = xp.nonzero(close)
        rows, columns = places[0], places[-1]
        sines = []
        step = max(1, GATHERED // self.X.shape[1])
        for start in range(0, rows.shape[0], step):
            part = slice(start, min(start + step, rows.shape[0]))
            sines.append(self._close_sines(rows[part], columns[part], signs[part]))
        sine = xp.concat(sines)
        return sine, signs * xp.sqrt((1.0 - sine) * (1.0 + sine))

    def _close_sines(self, i, j, sign):
        xp = self.xp
        x, y = _taken(xp, self._rows_x[0], i), _taken(xp, self._rows_y[0], j)
        gap = xp.sum((x - sign[:, None] * y) ** 2, axis=1)
        sine = xp.sqrt(gap * (1.0 - 0.25 * gap))
        tiny = gap < TINY
        if xp.any(tiny):
            x, y = _taken(xp, self.X, i[tiny]), _taken(xp, self.Y, j[tiny])
            sine[tiny] = sine_between(xp, x, y)
        return sine


def standard_row(width, *, dual=False):
    """A single row of ones of NumPy's, by which constants are worked out.

    Parameters
    ----------
    width : int
        Number of features.
    dual : bool, default=False
        Whether there is something to be differentiated.
    """
    xp = DualNamespace(np) if dual else np
    return Inputs(xp, np.ones((1, width))).standard_row()


def _products(xp, X, Y, *, paired):
    """Inner products of rows, each with each or each with its own."""
    if paired:
        products = X.multiply(Y) if sparse.issparse(X) else X * Y
        return (
            np.asarray(products.sum(axis=1))
            if sparse.issparse(X)
            else xp.sum(products, axis=1)
        )
    products = X @ Y.T
    return products.toarray() if sparse.issparse(products) else products


def _seeded(x, direction, tangent):
    """x with one more tangent."""
    known = x.tangents if isinstance(x, Dual) else {}
    return Dual(value_of(x), {**known, direction: tangent})


def _divided(xp, X, scale):
    if sparse.issparse(X):
        return X.multiply(1.0 / np.asarray(scale)).tocsr()
    return X / xp.asarray(scale, dtype=X.dtype, device=X.device)


def _unit_rows(xp, X):
    """Rows of length one (a zero row stays zero) and their lengths."""
    if sparse.issparse(X):
        largest = abs(X).max(axis=1).toarray().ravel()
        scaled = sparse.diags_array(1.0 / np.where(largest > 0, largest, 1.0)) @ X
        length = np.sqrt(scaled.multiply(scaled).sum(axis=1))
        unit = sparse.diags_array(1.0 / np.where(length > 0, length, 1.0)) @ scaled
        return unit.tocsr(), np.asarray(largest * length)
    length = xp.sqrt(xp.sum(X * X, axis=1))
    if xp.min(length) > SQUARABLE and xp.max(length) < 1.0 / SQUARABLE:
        return X / length[:, None], length
    largest = xp.max(xp.abs(X), axis=1)
    scaled = X / xp.where(largest > 0, largest, 1.0)[:, None]
    length = xp.sqrt(xp.sum(scaled * scaled, axis=1))
    return scaled / xp.where(length > 0, length, 1.0)[:, None], largest * length


def _taken(xp, X, index):
    if sparse.issparse(X):
        return X[index].toarray()
    return xp.take(X, index, axis=0)
