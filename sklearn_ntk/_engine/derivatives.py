"""Derivatives of a kernel in the logarithms of its hyperparameters."""

import numpy as np

from sklearn_ntk._engine.forward_mode import Dual, tangents_of, value_of
from sklearn_ntk.networks._nodes import standard_row_of
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
    evaluation : callable
        Makes of `evaluate` what evaluates it at pairs of rows, given `dual` and the
        number of derivatives.
    xp : namespace, default=numpy
        Of the values.

    Attributes
    ----------
    size : int
        Number of derivatives.
    diagonal : list of array
        The values of each row with itself.
    """

    def __init__(self, network, X, kind, evaluation, xp=np):
        network.validate()
        self.kind, self.xp = kind, xp
        free = free_hyperparameters(network)
        self.size = sum(h.n_elements for h in free)
        self.seeds = {h.name: _seed(network, h.name) for h in free}
        with np.errstate(all="ignore"):
            standard = standard_row_of(X, dual=bool(free))
            self.network = network.with_values(self.seeds).build(standard)
        self.evaluation = evaluation(self.evaluate, dual=bool(free), size=self.size)
        self.diagonal = self.evaluation.diagonal()
        self.unit_rows = {  # the inputs seen last are those of all rows
            name: seed.inputs.unit_rows[0]
            for name, seed in self.seeds.items()
            if isinstance(seed, VectorSeed)
        }

    def evaluate(self, inputs):
        """The kernel and what its derivatives follow from."""
        kernel = getattr(self.network.propagate(inputs).resolve(), self.kind)
        tangents, values = tangents_of(kernel), [value_of(kernel)]
        for name, seed in self.seeds.items():
            if isinstance(seed, VectorSeed):
                values += seed.evaluated(tangents)
            else:
                values.append(tangents.get(name, 0.0))
        return values

    @property
    def are_evaluated(self):
        """Whether what is evaluated for each pair are the derivatives themselves."""
        return not any(isinstance(s, VectorSeed) for s in self.seeds.values())

    def slopes(self, values, rows, columns):
        """The derivatives of a block, one after the other."""
        for name, seed, part in self._parts(values):
            if isinstance(seed, VectorSeed):
                x, y = (self.unit_rows[name][a, :] for a in (rows, columns))
                yield from seed.gradients(self.xp, part, x, y)
            else:
                yield part

    def diagonal_slopes(self):
        """The derivatives of the diagonal, one after the other."""
        for name, seed, part in self._parts(self.diagonal):
            if isinstance(seed, VectorSeed):
                unit = self.unit_rows[name]
                yield from seed.gradients(self.xp, part, unit, unit, paired=True)
            else:
                yield part

    def contracted(self, values, weights, rows, columns):
        """The derivatives of ``sum(weights * block)``."""
        sums = []
        for name, seed, part in self._parts(values):
            if isinstance(seed, VectorSeed):
                x, y = (self.unit_rows[name][a, :] for a in (rows, columns))
                sums.append(seed.contraction(self.xp, part, weights, x, y))
            else:
                sums.append(self._sum(weights * part))
        return self.xp.concat(sums)

    def contracted_diagonal(self, weights):
        """The derivatives of ``sum(weights * diagonal)``."""
        slopes = [self._sum(weights * slope) for slope in self.diagonal_slopes()]
        return self.xp.concat(slopes)

    def _sum(self, values):
        return self.xp.reshape(self.xp.sum(values), (1,))

    def _parts(self, values):
        """The seeds and their names, each with what was evaluated for it."""
        start = 1
        for name, seed in self.seeds.items():
            if isinstance(seed, VectorSeed):
                yield name, seed, values[start : start + seed.n_evaluated]
                start += seed.n_evaluated
            else:
                yield name, seed, values[start]
                start += 1


def _seed(network, name):
    value = network.get_params()[name]
    if np.ndim(value) == 0:
        return Dual(value, {name: value})
    return VectorSeed(np.asarray(value, dtype=float), name)
