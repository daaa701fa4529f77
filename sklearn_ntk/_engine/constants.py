"""What networks work out once for all rows, kept where it takes long."""

import copy
from functools import lru_cache

import numpy as np

from sklearn_ntk._engine.images import n_numbers
from sklearn_ntk.networks._inputs import standard_row
from sklearn_ntk.networks._nodes import standard_row_of

__all__ = ["with_constants"]

MANY = 2**14  # pairs of pixels of an image, above which constants are kept


def with_constants(network, X):
    """A network with all that does not depend on the rows of X worked out.

    Parameters
    ----------
    network : Layer
    X : array, CSR array or Graphs

    Returns
    -------
    Layer
    """
    if not network.has_constants or n_numbers(network) <= MANY:
        return _built(network, standard_row_of(X))
    return _kept(_ByValue(copy.deepcopy(network)), X.shape[1])


@lru_cache(maxsize=4)
def _kept(key, width):
    return _built(key.network, standard_row(width))


def _built(network, row):
    with np.errstate(all="ignore"):
        return network.build(row)


class _ByValue:
    """A network as a key: one is as good as another with the same parameters.

    Parameters
    ----------
    network : Layer
        That nobody changes.
    """

    def __init__(self, network):
        self.network = network

    def __eq__(self, other):
        return self.network == other.network

    def __hash__(self):
        return hash(type(self.network))
