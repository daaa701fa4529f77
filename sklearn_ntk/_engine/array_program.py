"""Programs run by any array library, operation by operation."""

import operator

import numpy as np

from sklearn_ntk._engine.devices import data_type, like, namespace
from sklearn_ntk._engine.power_series import derivative, power_series
from sklearn_ntk._engine.program import operands
from sklearn_ntk._engine.tracing import Row

__all__ = ["ArrayProgram"]

# Numbers may stand beside arrays in operators, but not in all libraries' functions.
OPERATORS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "pow": operator.pow,
    "abs": operator.abs,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "not": operator.invert,
    "copy": operator.pos,
    "series": power_series,
    "slope": derivative,
}


class ArrayProgram:
    """A program as a list of calls of functions of the array API standard.

    Parameters
    ----------
    program : Program
    X : array
        Says by its own library and device where to compute.
    dtype : dtype, default=float64
        In which.
    """

    def __init__(self, program, X, dtype=np.float64):
        self.program, self.X, self.xp = program, X, namespace(X)
        self.float = data_type(self.xp, dtype)
        self.last = program.last_uses()
        self.guards = set(program.guards)
        self.rows = {
            id(a): like(X, a.values, bool if a.values.dtype == bool else dtype)
            for index in program.order
            for a in program.nodes[index].args
            if isinstance(a, Row)
        }
        self.n_arrays = _most_at_once(program.order, program.nodes, self.last) + 2

    def run(self, cosines, rows, columns):
        """The outputs for a block, and the mask of pairs they are not right for.

        Parameters
        ----------
        cosines : list of array
            One for each input of the program.
        rows, columns : slice

        Returns
        -------
        outputs : list of array
        guarded : array of bool
        """
        xp, shape = self.xp, cosines[0].shape
        guarded = xp.zeros(shape, dtype=xp.bool, device=cosines[0].device)
        values = {}
        for index in self.program.order:
            op, args = self.program.nodes[index]
            if op == "cosine":
                values[index] = cosines[args[0]]
                continue
            plain = [self._operand(a, values, rows, columns) for a in args]
            values[index] = self._applied(op, plain)
            if index in self.guards:
                guarded = guarded | values[index]
            for done in (index, *(a for a in args if type(a) is int)):
                if self.last.get(done, -1) <= index:
                    values.pop(done, None)
        outputs = (values[index] for index in self.program.outputs)
        # what follows from rows alone has not been spread out
        return [xp.zeros_like(cosines[0]) + value for value in outputs], guarded

    def _operand(self, a, values, rows, columns):
        if type(a) is int:
            return values[a]
        if not isinstance(a, Row):
            return a
        row = self.rows[id(a)]
        return row[rows][:, None] if a.axis == 0 else row[columns][None, :]

    def _applied(self, op, args):
        if op in OPERATORS:
            return OPERATORS[op](*args)
        if len(args) > 1:
            args = [self._array(a) for a in args]
        return getattr(self.xp, op)(*args)

    def _array(self, a):
        """A number as an array of no axes."""
        if isinstance(a, float | bool | np.bool_):
            dtype = self.float if isinstance(a, float) else self.xp.bool
            return self.xp.asarray(a, dtype=dtype, device=self.X.device)
        return a


def _most_at_once(order, nodes, last):
    """How many values there are at once, at most."""
    alive, most = set(), 0
    for index in order:
        alive.add(index)
        most = max(most, len(alive))
        alive -= {
            i for i in (index, *operands(nodes[index])) if last.get(i, -1) <= index
        }
    return most
