"""Training on the cross-entropy, in the classifier that has it."""

from contextlib import nullcontext

import numpy as np

from sklearn_ntk._engine.threads import single_threaded_blas
from sklearn_ntk._estimators.calibration import SoftmaxScale
from sklearn_ntk._sklearn_private import StrOptions
from sklearn_ntk._solvers.cholesky import Cholesky
from sklearn_ntk._solvers.logistic import logistic_dual_coef, probabilities
from sklearn_ntk._solvers.loss_flow import loss_flow

__all__ = ["CrossEntropy"]

SETTLED = 30.0  # of the time 1 / alpha, in which a flow comes closer to its end by e
SMALL = 500  # rows below which threads of BLAS cost more than they gain
TOLERANCES = {"rtol": 1e-7, "atol": 1e-9}


class CrossEntropy:
    """Mixin of a classifier with a choice of `loss`; goes before `GradientFlow`."""

    _parameter_constraints: dict = {
        "loss": [StrOptions({"squared_error", "log_loss"})],
    }

    def _set_targets(self):
        if self.loss == "squared_error":
            super()._set_targets()
            return
        self._weigh_classes()
        n_classes = len(self.classes_)
        known = np.eye(n_classes)[self._labels]
        self._targets = known[:, 1:] if n_classes == 2 else known
        self.intercept_ = _logits(self._weight @ known)

    def _train(self, blocks=None):
        if self.loss == "squared_error":
            return super()._train(blocks)
        self._factor = self._spectrum = None
        self._probabilities = SoftmaxScale(1.0)
        times = np.array([self.training_time])
        (self.dual_coef_,) = self._dual_coefs(self._targets, times)
        return self

    def _dual_coefs(self, y, times):
        if self.loss == "squared_error":
            return super()._dual_coefs(y, times)
        if np.isinf(np.max(times, initial=0.0)) and np.min(self._alpha) == 0:
            raise ValueError(
                "loss='log_loss' has no end of training where alpha is 0: decision "
                "values grow for ever. Give a finite training time or a positive alpha."
            )
        gram = self._train_gram(self._kind, self.network_)
        scaled = self.learning_rate * times / self._weight.sum()
        with single_threaded_blas() if len(gram) < SMALL else nullcontext():
            return _flow(gram, y, self.intercept_, scaled, self._weight, self._alpha)

    def _calibrated_at(self, time):
        if self.loss == "squared_error":
            return super()._calibrated_at(time)
        return self._probabilities


def _logits(weights):
    """Of class frequencies, each with a share of one row more; they have mean 0."""
    logs = np.log(weights + 1.0 / len(weights))
    return logs[1:] - logs[0] if len(logs) == 2 else logs - np.mean(logs)


def _flow(gram, targets, offset, times, weight, alpha):
    r"""Dual coefficients c of :math:`f = f_0 + K c` at all times, (n_times, n, k).

    .. math:: \dot c = w (y - p(f)) - \alpha c, \quad c(0) = 0

    The distance to where it ends shrinks by :math:`e^{-\alpha t}` at least, in the norm
    of the kernel, so that late times are given that end.
    """
    duals = np.empty((len(times), *targets.shape))
    late = (times > 0) & (np.min(alpha) > 0)
    late[late] = times[late] * np.min(alpha) >= SETTLED
    if not np.all(late):
        duals[~late] = loss_flow(
            gram,
            lambda f: probabilities(f) - targets,
            np.broadcast_to(offset, targets.shape),
            times[~late],
            weight=weight,
            alpha=alpha,
            **TOLERANCES,
        )
    if np.any(late):
        factor = Cholesky().factorize(gram, np.zeros(len(gram)))
        duals[late] = logistic_dual_coef(factor, targets, weight / alpha, offset)
    return duals
