"""Gradient flow as a sum of resolvents, which is what can be updated exactly."""

import numpy as np

__all__ = ["POLES", "flow_weights"]

N_NODES = 24


def _talbot(n):
    """Poles z and residues a: exp(-x) = 2 Re sum(a / (x + z)) for all x >= 0.

    The midpoint rule on a cotangent contour around the negative axis; its error is
    about 3.89^-n [1]_. Of the n nodes, which come in conjugate pairs, half are given.

    References
    ----------
    .. [1] Trefethen, Weideman, Schmelzer (2006). Talbot quadratures and rational
       approximations. Equation 3.3.
    """
    angle = np.pi * np.arange(1, n, 2) / n
    scaled = 0.6407 * angle
    poles = n * (0.5017 * angle / np.tan(scaled) - 0.6122 + 0.2645j * angle)
    slopes = 0.5017 / np.tan(scaled) - 0.5017 * scaled / np.sin(scaled) ** 2 + 0.2645j
    return poles, -1j * np.exp(poles) * slopes


POLES, RESIDUES = _talbot(N_NODES)


def flow_weights(alphas, scale):
    r"""Gradient flow to time c as a sum of ridge regressions.

    With the poles z and residues a of the exponential and any :math:`\mu \ge 0`

    .. math:: \frac{1 - e^{-c (\mu + \alpha)}}{\mu + \alpha}
        = \frac{u_0}{\mu + \alpha} + 2 \mathrm{Re} \sum_p \frac{u_p}{\mu + z_p / c},
        \qquad u_p = \frac{e^{-c \alpha} a_p}{z_p - c \alpha},
        \quad u_0 = 1 - 2 \mathrm{Re} \sum_p u_p,

    by partial fractions, for :math:`1 / ((c \mu + z)(\mu + \alpha))`.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Positive.
    scale : float
        c, finite and >= 0.

    Returns
    -------
    ridge : ndarray of shape (n_alphas,)
        :math:`u_0`.
    others : ndarray of complex, shape (n_alphas, n_poles)
        :math:`2 u_p`, whose products' real parts are to be summed.
    """
    decay = np.exp(-scale * alphas)[:, None]
    others = 2.0 * decay * RESIDUES / (POLES - scale * alphas[:, None])
    return 1.0 - np.sum(others.real, axis=1), others
