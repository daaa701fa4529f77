"""Any function of one variable as an activation."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ntk.networks._numerical import Numerical
from sklearn_ntk.networks._quadrature.hermite import HermiteKernel, NumericFunction

__all__ = ["Elementwise"]

_TOLERANCE = 1e-8


class Elementwise(Numerical):
    r"""Any function of one variable.

    .. math:: \phi(u) = \mathrm{fn}(u)

    The kernel is computed from 256 terms of a Hermite expansion and a fine
    quadrature of each row.

    Parameters
    ----------
    fn : callable
        Takes an ndarray and returns one of its shape. To pickle the network, or to
        run it in other processes, use a function that can be pickled: one defined
        in a module, not a lambda.
    derivative : callable or None, default=None
        The derivative of `fn`, likewise. If None, finite differences are taken.

    Warns
    -----
    ConvergenceWarning
        Where the estimated relative error exceeds 1e-8.

    Notes
    -----
    Accuracy: a function that is smooth on the scale of the rows' standard deviation
    has its kernel to about 1e-12. One with kinks or jumps has rows (diagonals) to
    1e-12 if those are at 0, to about 1e-6 if not; for pairs, an error of at most
    :math:`r r' |\cos\vartheta|^{256}`, with :math:`r^2` the share of the second
    moment in terms beyond the 256th, is added. That is negligible for
    :math:`|\cos\vartheta| < 0.9` and about 1e-4 for a kink near
    :math:`|\cos\vartheta| = 1`. Where there is an activation of the package's own
    for a function, use it: it is exact, and faster.

    References
    ----------
    .. [1] A. Daniely, R. Frostig and Y. Singer, "Toward deeper understanding of
       neural networks: the power of initialization and a dual view on
       expressivity", NIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ntk.networks import Elementwise
    >>> float(Elementwise(np.cos)(0.0))
    1.0
    """

    _parameter_constraints = {"fn": [callable], "derivative": [callable, None]}

    def __init__(self, fn, derivative=None):
        self.fn = fn
        self.derivative = derivative

    # The parameter `derivative` takes the place of the method of that name: with
    # None there, `network.derivative` is None.

    def _kernel(self):
        return HermiteKernel(NumericFunction(self._evaluate, self.derivative))

    def _evaluate(self, u):
        with np.errstate(over="ignore"):
            return np.asarray(self.fn(u), dtype=np.float64)

    def __call__(self, u):
        return self._evaluate(np.asarray(u, dtype=float))[()]

    def transform(self, xp, std_x, std_y, cos, sin):
        kernel = self._kernel()
        out = self._transform(kernel, xp, std_x, std_y, cos, sin)
        if kernel.error > _TOLERANCE:
            warnings.warn(
                f"The kernel of Elementwise({self.fn!r}) has an estimated relative "
                f"error of {kernel.error:.0e}. Its function is not smooth on the scale "
                "of the rows. Standardise the rows, merge near-duplicates, or use one "
                "of the package's own activations (ReLU, Tanh, ...).",
                ConvergenceWarning,
                stacklevel=2,
            )
        return out
