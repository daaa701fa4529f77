"""Derivatives of a kernel in the logarithms of its hyperparameters."""

import numpy as np

from sklearn_ntk._engine.evaluation import Evaluation
from sklearn_ntk._engine.forward_mode import Dual, tangents_of, value_of
from sklearn_ntk._engine.images import tile_of
from sklearn_ntk.networks._relevance import VectorSeed

__all__ = ["Derivatives", "free_hyperparameters"]


def free_hyperparameters(network):
    """The hyperparameters that are not fixed, in the order of theta."""
    return [h for h in network.hyperparameters if not h.fixed]


class Derivatives:
    """A kernel and what its derivatives follow from, pair by pair.

    For a number the derivative itself is evaluated; for one length scale per feature,
    what `VectorSeed` makes the derivatives of.

    Parameters
    ----------
    network : Layer
    X : array or CSR array of shape (n, d)
    kind : "nngp" or "ntk"

    Attributes
    ----------
    size : int
        Number of derivatives.
    diagonal : list of array
        The values of each row with itself.
    """

    def __init__(self, network, X, kind):
        network.validate()
        self.network, self.kind = network, kind
        free = free_hyperparameters(network)
        self.names = [h.name for h in free]
        self.size = sum(h.n_elements for h in free)
        self.evaluation = Evaluation(
            self.evaluate,
            X,
            None,
            ntk=kind == "ntk",
            dual=bool(free),
            tile=tile_of(network, n_directions=self.size),
        )
        self.seeds = {}
        self.diagonal = self.evaluation.diagonal()

    def evaluate(self, inputs):
        """The kernel and what its derivatives follow from."""
        seeds = {name: _seed(self.network, name) for name in self.names}
        lifted = self.network.with_values(seeds).build(inputs.standard_row())
        kernel = getattr(lifted.propagate(inputs).resolve(), self.kind)
        self.seeds = self.seeds or seeds  # the first are those of all rows of X
        tangents, values = tangents_of(kernel), [value_of(kernel)]
        for name, seed in seeds.items():
            if isinstance(seed, VectorSeed):
                values += seed.evaluated(tangents)
            else:
                values.append(tangents.get(name, 0.0))
        return values

    def slopes(self, values, rows, columns):
        """The derivatives of a block, one after the other."""
        for seed, part in self._parts(values):
            if isinstance(seed, VectorSeed):
                unit = seed.unit_rows
                yield from seed.gradients(part, unit[rows], unit[columns])
            else:
                yield part

    def diagonal_slopes(self):
        """The derivatives of the diagonal, one after the other."""
        for seed, part in self._parts(self.diagonal):
            if isinstance(seed, VectorSeed):
                unit = seed.unit_rows
                yield from seed.gradients(part, unit, unit, paired=True)
            else:
                yield part

    def contracted(self, values, weights, rows, columns):
        """The derivatives of ``sum(weights * block)``."""
        sums = [np.empty(0)]
        for seed, part in self._parts(values):
            if isinstance(seed, VectorSeed):
                unit = seed.unit_rows
                sums.append(seed.contraction(part, weights, unit[rows], unit[columns]))
            else:
                sums.append([np.sum(weights * part)])
        return np.concatenate(sums)

    def contracted_diagonal(self, weights):
        """The derivatives of ``sum(weights * diagonal)``."""
        slopes = [np.sum(weights * slope) for slope in self.diagonal_slopes()]
        return np.array(slopes, dtype=float)

    def _parts(self, values):
        """The seeds, each with what was evaluated for it."""
        start = 1
        for seed in self.seeds.values():
            if isinstance(seed, VectorSeed):
                yield seed, values[start : start + seed.n_evaluated]
                start += seed.n_evaluated
            else:
                yield seed, values[start]
                start += 1


def _seed(network, name):
    value = network.get_params()[name]
    if np.ndim(value) == 0:
        return Dual(value, {name: value})
    return VectorSeed(np.asarray(value, dtype=float), name)
