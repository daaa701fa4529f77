"""What every layer has: parameters, hyperparameters and one formula."""

import copy
from abc import ABCMeta, abstractmethod
from inspect import Parameter, signature

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.gaussian_process.kernels import Hyperparameter

from sklearn_ntk._sklearn_private import InvalidParameterError, StrOptions

__all__ = ["BOUNDS", "Layer"]

BOUNDS = ["array-like", StrOptions({"fixed"})]


class Layer(BaseEstimator, metaclass=ABCMeta):
    """Base class of layers and networks, which are layers too.

    A layer is a description with scikit-learn parameters and no weights. It
    implements one method, `propagate`, which says how it transforms the
    covariance of a pair of inputs; values, diagonals, blocks and the gradients in
    its hyperparameters all come from that one formula.

    A continuous hyperparameter is one that has a companion parameter
    ``<name>_bounds``, as in scikit-learn's kernels: a pair (low, high), one such
    pair per element, or "fixed".
    """

    _parameter_constraints: dict = {}
    node_attribute = None  # of networkx graphs: what holds the features of a node

    @abstractmethod
    def propagate(self, pairs):
        """Transform the state of pairs of inputs.

        Parameters
        ----------
        pairs : Pairs or Inputs
            ``pairs.resolve()`` is a `Pairs` in either case.

        Returns
        -------
        Pairs
        """

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return False

    def needs(self, after):
        """What this layer and those that follow need of the pixels that come in.

        Parameters
        ----------
        after : Need
            What those that follow need.

        Returns
        -------
        Need
        """
        return after

    def shapes(self, shape):
        """The shapes, without channels, of images on their way through this layer.

        Parameters
        ----------
        shape : tuple of int
            Of what comes in; () for rows of features.

        Returns
        -------
        list of tuple of int
            The last is that of what goes out.
        """
        return [shape]

    @property
    def image_shape(self):
        """How a network reads a row, channels last, or None where it need not."""
        return None

    @property
    def has_constants(self):
        """Whether there is something for `build` to work out."""
        return type(self).build is not Layer.build

    @property
    def image_mask(self):
        """The number of which a pixel consists that does not exist, or None."""
        return None

    @property
    def reads_graphs(self):
        """Whether a row of X is a graph of any number of nodes."""
        return False

    def build(self, standard_row):
        """This layer, with all that does not depend on the data worked out.

        Parameters
        ----------
        standard_row : Pairs or Inputs
            The state, at this place of the network, of one standardised row.

        Returns
        -------
        Layer
        """
        return self

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        ours, theirs = self.get_params(deep=False), other.get_params(deep=False)
        return ours.keys() == theirs.keys() and all(
            _are_equal(value, theirs[name]) for name, value in ours.items()
        )

    __hash__ = None  # equal networks may change apart

    def __repr__(self, N_CHAR_MAX=700):
        return f"{type(self).__name__}({', '.join(self._changed_params())})"

    def _changed_params(self):
        """The parameters that are not at their defaults, as ``name=value``."""
        defaults = signature(type(self)).parameters
        return [
            f"{name}={getattr(self, name)!r}"
            for name, parameter in defaults.items()
            if parameter.kind is not Parameter.VAR_POSITIONAL
            and repr(getattr(self, name)) != repr(parameter.default)
        ]

    def children(self):
        """Nested layers by the prefix of their parameters' names."""
        return {
            name: value
            for name, value in self.get_params(deep=False).items()
            if isinstance(value, Layer)
        }

    def validate(self):
        """Check all parameters, nested ones included.

        Raises
        ------
        ValueError
            Naming the parameter, what was expected and what was given.
        """
        self._validate_params()
        for child in self.children().values():
            child.validate()

    def _require_positive(self, name):
        value = np.asarray(getattr(self, name), dtype=float)
        if not (value.ndim <= 1 and np.all(np.isfinite(value)) and np.all(value > 0)):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(self).__name__} must be a positive "
                "float or a 1-D array of positive floats. Got "
                f"{getattr(self, name)!r} instead."
            )

    @property
    def hyperparameters(self):
        """Continuous hyperparameters, nested ones included, sorted by name.

        A value of 0 says that there is no such term, and is fixed.
        """
        found = [h for name in self._continuous() for h in self._hyperparameter(name)]
        for prefix, child in self.children().items():
            found += [
                Hyperparameter(f"{prefix}__{h.name}", *h[1:])
                for h in child.hyperparameters
            ]
        return sorted(found, key=lambda h: h.name)

    def _continuous(self):
        params = self.get_params(deep=False)
        return [name for name in params if f"{name}_bounds" in params]

    def _hyperparameter(self, name):
        value, bounds = getattr(self, name), getattr(self, f"{name}_bounds")
        if isinstance(value, str) or value is None:
            return []
        size = np.size(value)
        if np.any(np.asarray(value) <= 0):
            bounds = "fixed"
        return [Hyperparameter(name, "numeric", bounds, size)]

    def with_values(self, values):
        """A shallow copy in which some parameters, named as nested, are replaced.

        Parameters
        ----------
        values : dict of str to object
            A value may be a `Dual`: that is how a gradient is asked for.
        """
        if not values:
            return self
        new = copy.copy(self)
        nested = {}
        for name, value in values.items():
            prefix, _, rest = name.partition("__")
            if rest:
                nested.setdefault(prefix, {})[rest] = value
            else:
                setattr(new, name, value)
        for prefix, inner in nested.items():
            new._replace_child(prefix, self.children()[prefix].with_values(inner))
        return new

    def _replace_child(self, prefix, child):
        setattr(self, prefix, child)


def _are_equal(a, b):
    """Whether two values of a parameter are the same, NaN or sparse ones, too."""
    if sparse.issparse(a) or sparse.issparse(b):
        both = sparse.issparse(a) and sparse.issparse(b) and a.shape == b.shape
        return both and (a != b).nnz == 0
    both_nan = isinstance(a, float) and isinstance(b, float) and a != a and b != b
    return both_nan or np.array_equal(a, b)
