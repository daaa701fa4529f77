"""The kernels of infinitely wide networks, as scikit-learn kernel objects."""

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
from sklearn.utils import check_array

from sklearn_ntk._default_network import DefaultNetwork
from sklearn_ntk._engine import array_gram
from sklearn_ntk._engine import gram as engine
from sklearn_ntk._engine.array_checks import (
    checked_arrays,
    checked_rows,
    checked_weights,
    precision,
)
from sklearn_ntk._engine.derivatives import free_hyperparameters
from sklearn_ntk._engine.devices import is_device_array
from sklearn_ntk._graphs import checked_graphs
from sklearn_ntk._profile import profile_of
from sklearn_ntk._sklearn_private import InvalidParameterError
from sklearn_ntk.networks import Layer
from sklearn_ntk.networks._masks import allows_nan

__all__ = ["NNGP", "NTK"]


class _NetworkKernel(DefaultNetwork, Kernel):
    """What the two kernels of a network share."""

    _kind = None

    def __init__(self, network=None):
        self.network = network

    @property
    def _takes_graphs(self):
        return self._network().reads_graphs

    def _network(self):
        if not isinstance(self.network, Layer | None):
            raise InvalidParameterError(
                f"The 'network' parameter of {type(self).__name__} must be a network "
                f"or layer of sklearn_ntk.networks, or None. Got {self.network!r} "
                "instead."
            )
        return self._default() if self.network is None else self.network

    @property
    def requires_vector_input(self):
        """Whether inputs are rows of numbers, as for all networks but on graphs."""
        return not self._takes_graphs

    def is_stationary(self):
        """Whether the kernel depends on x - x' alone; a network's does not."""
        return False

    @property
    def hyperparameters(self):
        """The network's continuous hyperparameters, sorted by name."""
        return [
            Hyperparameter(f"network__{h.name}", *h[1:])
            for h in self._network().hyperparameters
        ]

    @property
    def theta(self):
        """Logarithms of the hyperparameters that are not fixed."""
        params = self._network().get_params()
        free = free_hyperparameters(self._network())
        if not free:
            return np.array([])
        return np.log(np.hstack([params[h.name] for h in free]).astype(float))

    @theta.setter
    def theta(self, theta):
        values, start = {}, 0
        for h in self.hyperparameters:
            if h.fixed:
                continue
            part = np.exp(theta[start : start + h.n_elements])
            values[h.name] = part if h.n_elements > 1 else float(part[0])
            start += h.n_elements
        if start != len(theta):
            raise ValueError(
                f"theta must have {start} elements, one for each hyperparameter that "
                f"is not fixed. Got {len(theta)}."
            )
        self.set_params(**values)

    def __call__(self, X, Y=None, eval_gradient=False):
        """Evaluate the kernel.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples_X, n_features)
            An array of CuPy, PyTorch or another library that follows the array API
            standard gives arrays of that library, on the same device; float32 gives
            float32.
        Y : array-like or CSR of shape (n_samples_Y, n_features), default=None
            None: X itself.
        eval_gradient : bool, default=False
            Whether to return the gradient in the logarithms of the
            hyperparameters, too. Only where Y is None.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only where `eval_gradient` is True.
        """
        if eval_gradient and Y is not None:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        if _on_device(X, Y):
            return self._device_call(X, Y, eval_gradient)
        X, Y = self._checked(X, Y)
        if eval_gradient:
            return engine.gradient(self._network(), X, kind=self._kind)
        return self._matrix(X, Y)

    def _checked(self, X, Y=None):
        """X, and Y if there is one: graphs, or rows that are finite but for masks."""
        if self._takes_graphs:
            attribute = self._network().node_attribute
            return checked_graphs(X, Y, node_attribute=attribute)
        return checked_rows(X, Y, allow_nan=allows_nan(self._network()))

    def _checked_there(self, X, Y=None):
        """Rows as float64 arrays of one device, and the dtype of the result."""
        allow_nan = allows_nan(self._network())
        return *checked_arrays(X, Y, allow_nan=allow_nan), precision(X, Y)

    def _matrix(self, X, Y=None, *, out=None, **options):
        """The kernel of rows that have been checked; options are the engine's."""
        options["kinds"] = (self._kind,)
        if _on_device(X):
            (K,) = array_gram.gram(self._network(), X, Y, **options)
            return K
        outputs = None if out is None else (out,)
        (K,) = engine.gram(self._network(), X, Y, out=outputs, **options)
        return K

    def _device_call(self, X, Y, eval_gradient):
        """What `__call__` returns for arrays of other libraries."""
        X, Y, dtype = self._checked_there(X, Y)
        if eval_gradient:
            return array_gram.gradient(self._network(), X, kind=self._kind, dtype=dtype)
        return self._matrix(X, Y, dtype=dtype)

    def diag(self, X):
        """The diagonal of ``kernel(X)``, at the cost of n_samples pairs.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        if _on_device(X):
            X, _, dtype = self._checked_there(X)
            diagonal = array_gram.diagonal(
                self._network(), X, kinds=(self._kind,), dtype=dtype
            )
        else:
            X, _ = self._checked(X)
            diagonal = engine.diagonal(self._network(), X, kinds=(self._kind,))
        return diagonal[0]

    def path(self, X, Y=None):
        """The kernels of all depths 1, ..., L of an MLP, from one pass.

        It costs little more than the kernel of the deepest alone, for a network of
        depth l + 1 starts with the hidden layers of that of depth l.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples_X, n_features)
        Y : array-like or CSR of shape (n_samples_Y, n_features), default=None
            None: X itself.

        Returns
        -------
        ndarray of shape (L, n_samples_X, n_samples_Y)
            At index l - 1 the kernel of the network with ``depth=l``.

        Raises
        ------
        ValueError
            If the network is not one with a depth.

        Examples
        --------
        >>> from sklearn_ntk import NTK
        >>> from sklearn_ntk.networks import MLP
        >>> NTK(MLP(depth=3)).path([[1.0, 0.0], [0.0, 2.0]]).shape
        (3, 2, 2)
        """
        network = self._network()
        if not hasattr(network, "stages"):
            raise ValueError(
                f"path needs a network with a depth, such as MLP. Got {network!r}."
            )
        if _on_device(X, Y):
            X, Y, dtype = self._checked_there(X, Y)
            return array_gram.path(network, X, Y, kind=self._kind, dtype=dtype)
        return engine.path(network, *self._checked(X, Y), kind=self._kind)

    def profile(self, rms=1.0, n_features=None):
        r"""The kernel for rows of one length, as a function of their cosine.

        A network treats all directions alike, so that its kernel is determined by
        two lengths and an angle,

        .. math:: K(x, x') = \kappa(\cos\vartheta) \quad \text{where }
            |x| = |x'| = \sqrt d \, \mathrm{rms}.

        Where the network is homogeneous, as with ReLU and without biases, that is all
        there is to know:
        :math:`K(x, x') = |x| |x'| / (d \, \mathrm{rms}^2) \, \kappa(\cos\vartheta)`.

        Parameters
        ----------
        rms : float, default=1.0
            Root mean square of the entries of a row: 1 for standardised rows.
        n_features : int or None, default=None
            Length d of a row. Only networks whose first layer has
            ``parametrization="standard"`` need it.

        Returns
        -------
        Profile
            A function of the cosine, of pairs of different rows: `Dropout` has its
            masks independent.

        Raises
        ------
        ValueError
            If features have length scales of their own, or `n_features` is needed.

        Warns
        -----
        ConvergenceWarning
            If the kernel of a deep network falls so fast beside parallel rows that the
            series cannot follow.

        References
        ----------
        .. [1] Cho, Saul (2009). Kernel methods for deep learning.
        .. [2] Bietti, Bach (2021). Deep equals shallow for ReLU networks in kernel
           regimes.

        Examples
        --------
        >>> from sklearn_ntk import NTK
        >>> from sklearn_ntk.networks import MLP
        >>> profile = NTK(MLP(depth=3)).profile()
        >>> profile([1.0, 0.5, 0.0, -0.5]).round(3)
        array([1.   , 0.665, 0.535, 0.453])
        >>> NTK(MLP(depth=3))([[1.0, 1.0]], [[1.0, -1.0]]).round(3)
        array([[0.535]])
        """
        return profile_of(self._network(), self._kind, rms, n_features)

    def gradient_dot(self, X, W):
        """The gradient of ``sum(W * kernel(X))`` in theta.

        It is what a marginal likelihood needs, and never holds the array of shape
        (n_samples, n_samples, n_dims) that ``eval_gradient=True`` returns.

        Parameters
        ----------
        X : array-like or CSR of shape (n_samples, n_features)
        W : array-like of shape (n_samples, n_samples)
            Where X is an array on a device, one of that library and on that device.

        Returns
        -------
        ndarray of shape (n_dims,)

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_ntk import NTK
        >>> X = np.eye(3)
        >>> K, K_gradient = NTK()(X, eval_gradient=True)
        >>> np.allclose(NTK().gradient_dot(X, K), np.sum(K[..., None] * K_gradient))
        True
        """
        contraction, options = engine.contraction, {"kind": self._kind}
        if _on_device(X, W):
            contraction = array_gram.contraction
            W, options["dtype"] = checked_weights(X, W), precision(X, W)
            X, _, _ = self._checked_there(X)
        else:
            (X, _), W = self._checked(X), check_array(W, dtype=np.float64)
        if tuple(W.shape) != (X.shape[0], X.shape[0]):
            raise ValueError(
                f"W must have shape {(X.shape[0], X.shape[0])}, one row and column for "
                f"each row of X. Got {tuple(W.shape)}."
            )
        return contraction(self._network(), X, 0.5 * (W + W.T), **options)

    def __eq__(self, other):
        return type(self) is type(other) and self.network == other.network

    def __repr__(self):
        inner = "" if self.network is None else repr(self.network)
        return f"{type(self).__name__}({inner})"


class NTK(_NetworkKernel):
    r"""The neural tangent kernel of an infinitely wide network.

    .. math:: \Theta(x, x') = \sum_\theta
        \frac{\partial f(x)}{\partial \theta} \frac{\partial f(x')}{\partial \theta},
        \quad \text{width} \to \infty

    Training such a network by gradient descent on the squared error is kernel
    regression with this kernel. It goes wherever scikit-learn takes a kernel.

    Parameters
    ----------
    network : Layer or None, default=None
        From `sklearn_ntk.networks`; None is ``MLP()``.

    References
    ----------
    .. [1] Jacot, Gabriel, Hongler (2018). Neural tangent kernel: convergence and
       generalization in neural networks.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.gaussian_process.kernels import WhiteKernel
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ntk import NTK
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(
    ...     StandardScaler(),
    ...     GaussianProcessRegressor(NTK() + WhiteKernel(), normalize_y=True),
    ... )
    >>> round(model.fit(X[:300], y[:300]).score(X[300:], y[300:]), 1)
    0.5
    """

    _kind = "ntk"


class NNGP(_NetworkKernel):
    r"""The Gaussian-process kernel of an infinitely wide network at initialisation.

    .. math:: K(x, x') = E[f(x) f(x')], \quad \text{width} \to \infty

    A Gaussian process with this kernel is a Bayesian neural network; equally, it is
    a network of which only the readout is trained.

    Parameters
    ----------
    network : Layer or None, default=None
        From `sklearn_ntk.networks`; None is ``MLP()``.

    References
    ----------
    .. [1] Lee et al. (2018). Deep neural networks as Gaussian processes.
    .. [2] Matthews et al. (2018). Gaussian process behaviour in wide deep neural
       networks.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import MLP
    >>> NNGP(MLP(depth=1, output_scale=1.0))([[1.0, 1.0], [1.0, -1.0]]).round(3)
    array([[4.   , 2.508],
           [2.508, 4.   ]])
    """

    _kind = "nngp"


def _on_device(*arrays):
    return any(is_device_array(A) for A in arrays)
