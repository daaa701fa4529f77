"""The grid from which hyperparameters are chosen."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import clone

from sklearn_ntk._default_network import resolve_network
from sklearn_ntk._engine.gram import gram, path
from sklearn_ntk._sklearn_private import InvalidParameterError
from sklearn_ntk.networks import Layer

__all__ = ["Candidates"]


@dataclass(frozen=True)
class Candidates:
    """All combinations of networks, their depths, alphas and training times.

    Parameters
    ----------
    networks : list of Layer, or ["precomputed"]
    depths : list of int or None
        None: that which a network has.
    alphas : ndarray of shape (n_alphas,)
    times : ndarray of shape (n_times,)
    searched : set of str
        Which of "network", "depth", "alpha" and "training_time" are told apart.
    """

    networks: list
    depths: list | None
    alphas: np.ndarray
    times: np.ndarray
    searched: set

    @classmethod
    def of(cls, estimator):
        """The grid of an estimator's parameters; raises if there is none."""
        several = isinstance(estimator.network, list | tuple)
        chosen = {
            "network": several,
            "depth": estimator.depths is not None,
            "alpha": True,
            "training_time": estimator.training_times is not None,
        }
        times = [np.inf] if estimator.training_times is None else None
        return cls(
            _networks(estimator),
            _depths(estimator),
            _numbers(estimator, "alphas", lambda a: (a > 0) & (a < np.inf), "(0, inf)"),
            _numbers(estimator, "training_times", lambda t: t >= 0, "[0, inf]", times),
            {name for name, is_chosen in chosen.items() if is_chosen},
        )

    def kernels(self, X, kind, n_jobs):
        """The kernel matrix of each network at each depth, which may be overwritten.

        Yields
        ------
        params : dict
            "network" as it was given and "depth", as far as they are searched.
        network : Layer
            The network at that depth.
        K : ndarray of shape (n, n)
        """
        for given in self.networks:
            for network, K in self._at_all_depths(given, X, kind, n_jobs):
                params = {"network": given, "depth": getattr(network, "depth", None)}
                yield self._searched(params), network, K

    def with_parameters(self, params):
        """The grid of alphas and times with what else is fixed: a list of dict."""
        return [
            params | self._searched({"alpha": float(a), "training_time": float(t)})
            for a in self.alphas
            for t in self.times
        ]

    def _searched(self, params):
        return {name: value for name, value in params.items() if name in self.searched}

    def _at_all_depths(self, network, X, kind, n_jobs):
        if isinstance(network, str):
            yield network, X.copy()
            return
        depths = self.depths or [None]
        networks = [_at_depth(network, depth) for depth in depths]
        passed = [d for d in depths if d] if hasattr(network, "stages") else []
        matrices = {}
        if len(passed) > 1:
            deepest = _at_depth(network, max(passed))
            found = path(deepest, X, kind=kind, depths=passed, n_jobs=n_jobs)
            matrices = dict(zip(passed, found, strict=True))
        for depth, each in zip(depths, networks, strict=True):
            if depth in matrices:
                yield each, matrices.pop(depth)
            else:
                yield each, gram(each, X, kinds=(kind,), n_jobs=n_jobs)[0]


def _at_depth(network, depth):
    found = clone(network)
    if depth is not None:
        found.set_params(depth=depth)
    found.validate()
    return found


def _networks(estimator):
    network, name = estimator.network, type(estimator).__name__
    several = isinstance(network, list | tuple)
    given = list(network) if several else [network]
    known = (Layer, type(None)) if several else (Layer, str, type(None))
    if not (given and all(isinstance(each, known) for each in given)):
        raise InvalidParameterError(
            f"The 'network' parameter of {name} must be a network, None, "
            "'precomputed' or a list of networks that is not empty. Got "
            f"{network!r} instead."
        )
    networks = [
        each if isinstance(each, str) else resolve_network(each) for each in given
    ]
    flat = [each for each in networks if not hasattr(each, "depth")]
    if estimator.depths is not None and flat:
        raise ValueError(
            f"The 'depths' parameter of {name} needs networks with a depth, such as "
            f"MLP. Got {flat[0]!r}."
        )
    return networks


def _depths(estimator):
    if estimator.depths is None:
        return None
    depths = list(dict.fromkeys(np.ravel(estimator.depths).tolist()))
    if not (depths and all(isinstance(depth, Integral) for depth in depths)):
        raise InvalidParameterError(
            f"The 'depths' parameter of {type(estimator).__name__} must be an "
            "array-like of ints that is not empty. Got "
            f"{estimator.depths!r} instead."
        )
    return depths


def _numbers(estimator, parameter, allowed, interval, default=None):
    given = default if default is not None else getattr(estimator, parameter)
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or len(values) == 0 or not np.all(allowed(values)):
        raise InvalidParameterError(
            f"The {parameter!r} parameter of {type(estimator).__name__} must be an "
            f"array-like of floats in the range {interval} that is not empty. Got "
            f"{given!r} instead."
        )
    return values
