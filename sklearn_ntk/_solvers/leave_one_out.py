"""Leave-one-out predictions of a kernel regression from its one factorisation."""

import numpy as np

__all__ = ["leave_one_out"]


def leave_one_out(factor, y, noise, weight, unit=1.0):
    r"""Predictions of every row by the model fitted to all the others.

    The model is :math:`f = m + K G^{-1} (y - m)` with the weighted mean m of y and
    :math:`G = K + \mathrm{diag}(\nu)`, :math:`\nu_i = \alpha_i / w_i`. A row of
    weight w counts as w rows, of which one is left out (all of it where
    :math:`w \le 1`; of `unit` for 1 where rows of different kinds count
    differently), so that its noise becomes :math:`\nu'`. With
    :math:`t = y - m'` for the mean m' of what is left,

    .. math:: y_i - f'_i = \frac{(G^{-1} t)_i}
        {1 / \nu'_i + (1 - \nu_i / \nu'_i) (G^{-1})_{ii}},

    which for a row left out as a whole (:math:`\nu' = \infty`) is the familiar
    :math:`(G^{-1} t)_i / (G^{-1})_{ii}`.

    Parameters
    ----------
    factor : object with ``solve`` and ``inverse_diagonal``
        Of G.
    y : ndarray of shape (n, k)
    noise : ndarray of shape (n,)
        The diagonal :math:`\nu` in G.
    weight : ndarray of shape (n,)
        Positive.
    unit : float or ndarray of shape (n,), default=1.0
        The weight of one row.

    Returns
    -------
    ndarray of shape (n, k)

    References
    ----------
    .. [1] Rasmussen, Williams (2006). Gaussian Processes for Machine Learning,
       section 5.4.2.
    """
    removed = np.minimum(weight, unit)
    mean = _mean_of_the_others(y, weight, removed)
    solved = factor.solve(np.column_stack([y, np.ones(len(y))]))
    dual = solved[:, :-1] - mean * solved[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(weight > removed, (weight - removed) / (weight * noise), 0.0)
    shrinkage = kept + removed / weight * factor.inverse_diagonal()
    return y - dual / shrinkage[:, None]


def _mean_of_the_others(y, weight, removed):
    """The weighted mean of y without `removed` of each row; 0 where none is left."""
    left = (weight.sum() - removed)[:, None]
    total = weight @ y - removed[:, None] * y
    return np.divide(total, left, out=np.zeros_like(y), where=left > 0)
