"""Layers made of layers, in series and in parallel."""

import math
from functools import cache, reduce
from numbers import Integral, Real
from operator import or_

import numpy as np
from sklearn.base import clone

from sklearn_ntk._engine.forward_mode import as_number, value_of
from sklearn_ntk._sklearn_private import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn_ntk.networks._base import BOUNDS, Layer
from sklearn_ntk.networks._dense import InputScale
from sklearn_ntk.networks._masks import mask_values, of_one_mask
from sklearn_ntk.networks._pairs import add_independent
from sklearn_ntk.networks._pixels import Need

__all__ = [
    "MASK_VALUE",
    "OUTPUT_SCALE",
    "Composite",
    "Concatenate",
    "Product",
    "Residual",
    "Sequential",
    "Sum",
]

MASK_VALUE = [Real, None]
OUTPUT_SCALE = [Interval(Real, 0, np.inf, closed="neither"), StrOptions({"unit"})]


class Composite(Layer):
    """A layer made of layers, named by their index: ``get_params()["0"]``."""

    def __init__(self, *layers):
        self.layers = layers

    @classmethod
    def _get_param_names(cls):
        """Names of the constructor's parameters besides the layers."""
        return list(cls.__init__.__kwdefaults__ or {})

    def _options(self):
        return {name: getattr(self, name) for name in self._get_param_names()}

    def get_params(self, deep=True):
        """Parameters by name; with `deep`, those of nested layers too."""
        params = {str(i): layer for i, layer in enumerate(self.layers)}
        params.update(self._options())
        if deep:
            for prefix, child in self.children().items():
                params.update(
                    {f"{prefix}__{k}": v for k, v in child.get_params().items()}
                )
        return params

    def __setattr__(self, name, value):
        if name.isdigit():
            layers = list(self.layers)
            layers[int(name)] = value
            name, value = "layers", tuple(layers)
        super().__setattr__(name, value)

    def children(self):
        found = {str(i): layer for i, layer in enumerate(self.layers)}
        options = self._options().items()
        return {**found, **{k: v for k, v in options if isinstance(v, Layer)}}

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return all(child.is_homogeneous for child in self.children().values())

    @property
    def has_constants(self):
        """Whether there is something for `build` to work out."""
        return any(child.has_constants for child in self.children().values())

    def _layers_inside(self):
        return [c for c in self.children().values() if isinstance(c, Layer)]

    @property
    def reads_graphs(self):
        """Whether a row of X is a graph of any number of nodes."""
        layers = self._layers_inside()
        if len(layers) < len(self.children()):  # which validation refuses
            return False
        return any(layer.reads_graphs for layer in layers) and self.image_shape is None

    @property
    def node_attribute(self):
        """The attribute of networkx graphs that holds the features of their nodes."""
        found = [layer.node_attribute for layer in self._layers_inside()]
        return next((name for name in found if name is not None), None)

    def validate(self):
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise InvalidParameterError(
                    f"Layer {i} of {type(self).__name__} must be a layer of "
                    f"sklearn_ntk.networks. Got {layer!r} instead."
                )
        super().validate()
        found = mask_values(self)
        if len(np.unique(found)) > 1:
            raise InvalidParameterError(
                "The 'mask_value' parameter must be the same wherever a network has "
                f"one. Got {' and '.join(map(repr, found))}."
            )

    def _validate_params(self):
        validate_parameter_constraints(
            self._parameter_constraints, self._options(), type(self).__name__
        )

    def __sklearn_clone__(self):
        layers = [clone(layer, safe=False) for layer in self.layers]
        options = {k: clone(v, safe=False) for k, v in self._options().items()}
        return type(self)(*layers, **options)

    def _changed_params(self):
        return [*map(repr, self.layers), *super()._changed_params()]

    def _with_layers(self, layers, **options):
        return type(self)(*layers, **{**self._options(), **options})


class Sequential(Composite):
    """Layers applied one after the other; the network itself.

    Parameters
    ----------
    *layers : Layer
        In the order in which they act. None: the network is linear in nothing but
        its input.
    input_shape : tuple of int or None, default=None
        How to read a row of X, channels last: its product is the number of features.
        None: a row of a table.
    mask_value : float or None, default=None
        For sequences (or images) of unequal size, with an `input_shape`: a position
        all of whose features equal this number, which may be NaN, or what it is in
        single precision, does not exist. It is padding to convolutions, has no
        attention, and is left out of means. A row is then treated as if it had been
        given without its padding, but that windows with a stride and padding "same"
        are placed by its whole length, over which
        `Flatten` takes its mean, too. None: all positions exist.
    output_scale : float or "unit", default=1.0
        Multiplies the variance of the output, the NNGP kernel and the NTK alike.
        "unit": the constant that makes the NTK 1 at a standardised row.
    output_scale_bounds : pair of floats or "fixed", default="fixed"
        Between which a numeric `output_scale` may be learned.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, ReLU, Sequential
    >>> NNGP(Sequential(Dense(2.0, 0.0), ReLU(), Dense(1.0, 0.0)))([[3.0, 4.0]])
    array([[12.5]])
    """

    _parameter_constraints = {
        "input_shape": [tuple, list, None],
        "mask_value": MASK_VALUE,
        "output_scale": OUTPUT_SCALE,
        "output_scale_bounds": BOUNDS,
    }

    def __init__(
        self,
        *layers,
        input_shape=None,
        mask_value=None,
        output_scale=1.0,
        output_scale_bounds="fixed",
    ):
        super().__init__(*layers)
        self.input_shape = input_shape
        self.mask_value = mask_value
        self.output_scale = output_scale
        self.output_scale_bounds = output_scale_bounds

    @property
    def image_shape(self):
        """How a network reads a row, channels last, or None where it need not."""
        if self.input_shape is not None:
            return tuple(self.input_shape) if len(self.input_shape) > 1 else None
        return getattr(self._reader, "image_shape", None)

    @property
    def _reader(self):
        """The layer that may say how to read a row: the first behind scales of it."""
        behind = (a for a in self.layers if not isinstance(a, InputScale))
        return next(behind, None)

    @property
    def image_mask(self):
        """The number of which a pixel consists that does not exist, or None."""
        if self.mask_value is not None:
            return self.mask_value
        return getattr(self._reader, "image_mask", None)

    def validate(self):
        super().validate()
        shape = self.input_shape or ()
        if not all(isinstance(n, Integral) and n > 0 for n in shape):
            raise InvalidParameterError(
                "The 'input_shape' parameter of Sequential must be a tuple of positive "
                "ints, such as (height, width, channels), or None. Got "
                f"{self.input_shape!r} instead."
            )
        if self.mask_value is not None and self.image_shape is None:
            raise InvalidParameterError(
                "The 'mask_value' parameter of Sequential needs an 'input_shape' "
                "(length, channels): only positions of a sequence or an image can be "
                f"left out. Got mask_value={self.mask_value!r} and "
                f"input_shape={self.input_shape!r}."
            )

    def needs(self, after):
        for layer in reversed(self.layers):
            after = layer.needs(after)
        return after

    def shapes(self, shape):
        found = [shape]
        for layer in self.layers:
            found += layer.shapes(found[-1])
        return found

    def _read(self, pairs):
        """The inputs as images where they are to be read so, and no layer has yet."""
        self._check_input_shape(pairs.width)
        shape = self.image_shape
        if shape is None or getattr(pairs, "image", shape) is not None:
            return pairs
        output = self.shapes(shape[:-1])[-1]
        if output:
            raise ValueError(
                "A network on images must end in a row of features: put Flatten or "
                "GlobalAvgPool before its last Dense. What goes out here is an image "
                f"of shape {output}."
            )
        need = self.needs(Need())
        if need.graphs and shape[-1] <= math.prod(shape[:-1]):
            raise ValueError(
                "The 'input_shape' parameter of a network with GraphConv('input') must "
                "be (nodes, nodes + features), for each node begins with its row of "
                f"the adjacency matrix. Got {shape}."
            )
        return pairs.as_images(shape, need, self.image_mask)

    @property
    def has_constants(self):
        """Whether there is something for `build` to work out."""
        return isinstance(self.output_scale, str) or super().has_constants

    def build(self, standard_row):
        if not self.has_constants:
            return self
        layers, state = [], self._read(standard_row)
        for layer in self.layers:
            layers.append(layer.build(state))
            state = layers[-1].propagate(state)
        scale = self.output_scale
        if isinstance(scale, str):
            scale = _unit_scale(state.resolve())
        return self._with_layers(layers, output_scale=scale)

    def _check_input_shape(self, width):
        shape = self.input_shape
        if shape is not None and width is not None and math.prod(shape) != width:
            raise ValueError(
                f"The 'input_shape' parameter of Sequential must have the product "
                f"{width}, the number of features of a row. Got {shape!r}."
            )

    def propagate(self, pairs):
        if isinstance(self.output_scale, str):
            return self.build(pairs.standard_row()).propagate(pairs)
        pairs = self._read(pairs)
        for layer in self.layers:
            pairs = layer.propagate(pairs)
        if isinstance(self.output_scale, Real) and self.output_scale == 1.0:
            return pairs
        return pairs.resolve().scaled(self.output_scale)


def _unit_scale(state):
    """The factor that makes the tangent kernel of one row equal to 1."""
    xp = state.xp
    ntk = xp.reshape(state.ntk + xp.zeros_like(value_of(state.nngp)), (-1,))
    value = float(value_of(ntk)[0])
    if not 0.0 < value < np.inf:
        raise ValueError(
            "output_scale='unit' needs a network whose neural tangent kernel is "
            f"positive and finite at a standardised row; here it is {value}. Give "
            "output_scale a number instead."
        )
    return 1.0 / as_number(ntk[0])


class _Parallel(Composite):
    """Branches that all see the same input and whose outputs are joined."""

    @property
    def image_shape(self):
        """How a network reads a row, channels last, or None where it need not."""
        found = [layer.image_shape for layer in self.layers]
        return next((shape for shape in found if shape is not None), None)

    @property
    def image_mask(self):
        """The number of which a pixel consists that does not exist, or None."""
        found = [getattr(layer, "image_mask", None) for layer in self.layers]
        return next((value for value in found if value is not None), None)

    def needs(self, after):
        return reduce(or_, (layer.needs(after) for layer in self.layers), after)

    def shapes(self, shape):
        found = [layer.shapes(shape) for layer in self.layers]
        outputs = [shapes[-1] for shapes in found]
        if len(set(outputs)) > 1:
            raise ValueError(
                f"The branches of {type(self).__name__} must give images of one shape. "
                f"Got {outputs}."
            )
        return [shape for shapes in found for shape in shapes]

    def build(self, standard_row):
        if not self.has_constants:
            return self
        forked = standard_row.forked()
        return self._with_layers([layer.build(forked) for layer in self.layers])

    def _branches(self, pairs):
        if not self.layers:
            raise ValueError(f"{type(self).__name__} needs at least one branch.")
        forked = pairs.forked()
        return of_one_mask([b.propagate(forked).resolve() for b in self.layers])

    def _require(self, fulfilled, what):
        """All branches but one must be `fulfilled`."""
        lacking = [i for i, good in enumerate(fulfilled) if not good]
        if len(lacking) > 1:
            raise ValueError(
                f"The branches of {type(self).__name__} must be independent: all but "
                f"one must {what}. Branches {lacking} do not."
            )


class Sum(_Parallel):
    r"""The sum of the outputs of branches.

    .. math:: K = \sum_b K_b, \quad \Theta = \sum_b \Theta_b

    Branches must be independent and centred: all but one have to end in a `Dense`
    (or another layer with weights), else their covariances do not just add and a
    ValueError says which branches do not.

    Parameters
    ----------
    *branches : Layer

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, Sequential, Sum
    >>> NNGP(Sequential(Sum(Dense(1.0, 0.0), Dense(2.0, 0.0))))([[1.0]])
    array([[3.]])
    """

    def __init__(self, *branches):
        super().__init__(*branches)

    def propagate(self, pairs):
        branches = self._branches(pairs)
        self._require(
            [b.independent and b.gaussian for b in branches], "end in a Dense"
        )
        total = branches[0]
        for branch in branches[1:]:
            total = add_independent(total, branch)
        return total.replace(independent=all(b.independent for b in branches))


class Residual(_Parallel):
    r"""A branch and a shortcut around it, summed.

    .. math:: z \mapsto \mathrm{shortcut}(z) + \mathrm{branch}(z)

    Parameters
    ----------
    *branch : Layer
        The layers of the branch, in series.
    shortcut : Layer or None, default=None
        None: the identity.

    References
    ----------
    .. [1] He, Zhang, Ren, Sun (2016). Identity mappings in deep residual networks.

    Examples
    --------
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Dense, ReLU, Residual, Sequential
    >>> block = Residual(ReLU(), Dense(2.0, 0.0))
    >>> NTK(Sequential(Dense(1.0, 0.0), block))([[1.0]])
    array([[3.]])
    """

    _parameter_constraints = {"shortcut": [Layer, None]}

    def __init__(self, *branch, shortcut=None):
        super().__init__(*branch)
        self.shortcut = shortcut

    def _sum(self):
        shortcut = Sequential() if self.shortcut is None else self.shortcut
        return Sum(Sequential(*self.layers), shortcut)

    def needs(self, after):
        return self._sum().needs(after)

    def shapes(self, shape):
        return self._sum().shapes(shape)

    def build(self, standard_row):
        return self._sum().build(standard_row) if self.has_constants else self

    def propagate(self, pairs):
        return self._sum().propagate(pairs)


class Product(_Parallel):
    r"""The product, feature by feature, of the outputs of independent branches.

    .. math:: K = \prod_b K_b, \quad
        \Theta = \sum_b \Theta_b \prod_{c \neq b} K_c

    Parameters
    ----------
    *branches : Layer
        All but one have to contain a `Dense`, else they are not independent.

    Examples
    --------
    >>> from sklearn_ntk import NTK
    >>> from sklearn_ntk.networks import Dense, Product, Sequential
    >>> gate = Product(Dense(1.0, 0.0), Dense(1.0, 0.0))
    >>> NTK(Sequential(gate))([[2.0]])
    array([[32.]])
    """

    def __init__(self, *branches):
        super().__init__(*branches)

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return False

    def propagate(self, pairs):
        branches = self._branches(pairs)
        self._require([b.independent for b in branches], "contain a Dense")
        product = branches[0]
        for branch in branches[1:]:
            product = _multiply(product, branch)
        return product.replace(independent=all(b.independent for b in branches))


def _multiply(a, b):
    xp = a.xp
    return a.replace(
        nngp=a.nngp * b.nngp,
        std_x=a.std_x * b.std_x,
        std_y=a.std_y * b.std_y,
        cosine=cache(lambda: a.cos * b.cos),
        sine=lambda: xp.sqrt(a.sin**2 + (a.cos * b.sin) ** 2),
        ntk=None if a.ntk is None else a.ntk * b.nngp + a.nngp * b.ntk,
        gaussian=False,
    )


class Concatenate(_Parallel):
    r"""The outputs of branches side by side.

    .. math:: K = \sum_b \frac{n_b}{n} K_b, \quad
        \Theta = \sum_b \frac{n_b}{n} \Theta_b

    Parameters
    ----------
    *branches : Layer
        Each with :math:`n_b` features: the `width` of its last `Dense`. Where no
        branch has one, all count the same.

    Raises
    ------
    ValueError
        If an activation or `LayerNorm` comes next: features of different branches have
        different variances. It can end each of the branches, or follow another `Dense`.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Concatenate, Dense, Sequential
    >>> NNGP(Sequential(Concatenate(Dense(1.0, 0.0), Dense(2.0, 0.0))))([[1.0]])
    array([[1.5]])
    """

    def __init__(self, *branches):
        super().__init__(*branches)

    def propagate(self, pairs):
        branches = self._branches(pairs)
        shares, width = self._shares([b.width for b in branches])
        total = branches[0].scaled(shares[0])
        for branch, share in zip(branches[1:], shares[1:], strict=True):
            total = add_independent(total, branch.scaled(share))
        return total.replace(
            width=width,
            gaussian=len(branches) == 1 and branches[0].gaussian,
            independent=all(b.independent for b in branches),
        )

    def _shares(self, widths):
        if all(width is None for width in widths):
            return [1.0 / len(widths)] * len(widths), None
        if any(width is None for width in widths):
            raise ValueError(
                "The branches of Concatenate must all have a known width, or none: "
                f"got {widths}. Set the 'width' parameter of the Dense that ends each."
            )
        total = sum(widths)
        return [width / total for width in widths], total
