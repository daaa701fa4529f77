r"""Expectations over a Gaussian pair in polar coordinates.

Two standard normal variables at angle :math:`\vartheta` are
:math:`\rho \sin\tau` and :math:`\rho \sin(\tau + \vartheta)`. The two vanish on
four rays, and between them a function that is smooth on either side of 0 is
smooth: all that is left are the scales :math:`1/\sigma`, :math:`1/\sigma'` and
:math:`\vartheta`, which panels graded towards the rays resolve.
"""

import numpy as np
from scipy.fft import dct
from scipy.special import erfcx

from sklearn_ntk.networks._gauss_rules import graded, legendre, radial_rule

__all__ = [
    "elu_slope_moments",
    "mean_slopes",
    "pair_moments",
    "slope_moments",
    "smooth_slope_moments",
]


def _half_arc(angle, wide, finest):
    """Nodes on half of the arc between the two rays.

    Parameters
    ----------
    angle : float
        In [0, pi/2]. The arc's length is `angle`, or ``pi - angle`` if `wide`.

    Returns
    -------
    near, far, weight : array
        Distances from the ray of this end; from the other's, modulo pi.
    """
    length = np.pi - angle if wide else angle
    if length == 0.0:
        return (np.zeros(0),) * 3
    near, weight = graded(0.5 * length, finest)
    return near, (angle + near if wide else angle - near), weight


def _arc(angle, wide, std_x, std_y):
    """Nodes on the arc, the panels as fine at each end as the scales there ask for."""
    scale_x, scale_y = 0.5 / max(std_x, 0.5), 0.5 / max(std_y, 0.5)
    finest = min(scale_x, max(angle, scale_y)), min(scale_y, max(angle, scale_x))
    near_u, far_v, w_u = _half_arc(angle, wide, finest[0])
    near_v, far_u, w_v = _half_arc(angle, wide, finest[1])
    away = -np.cos(far_v) if wide else np.cos(far_v)
    return (
        np.sin(np.concatenate((near_u, far_u))),
        np.sin(np.concatenate((far_v, near_v))),
        np.concatenate((w_u, w_v)),
        np.concatenate((away, np.cos(near_v))),
    )


def slope_moments(phi, std_x, std_y, angle):
    r"""E[phi'(u) phi'(v)] for all of std_x, std_y at an angle and its supplement.

    Parameters
    ----------
    phi : object with ``slope(u)``, smooth on either side of 0
    std_x, std_y : array of shape (p,), (q,)
    angle : float in [0, pi/2]

    Returns
    -------
    array of shape (2, p, q)
        At `angle` and at ``pi - angle``.
    """
    top = max(std_x.max(), std_y.max())
    rho, w_rho = radial_rule(top)
    out = np.zeros((2, std_x.size, std_y.size))
    for wide in (True, False):
        a, b, w, _ = _arc(angle, wide, std_x.max(), std_y.max())
        weight = (w[:, None] * w_rho).ravel()
        u = std_x[:, None] * (a[:, None] * rho).ravel()
        v = std_y[:, None] * (b[:, None] * rho).ravel()
        up, um = phi.slope(u) * weight, phi.slope(-u) * weight
        vp, vm = phi.slope(v), phi.slope(-v)
        same, opposite = up @ vp.T + um @ vm.T, up @ vm.T + um @ vp.T
        out[0] += same if wide else opposite
        out[1] += opposite if wide else same
    return out


def smooth_slope_moments(phi, std_x, std_y, angles):
    r"""As `slope_moments`, for analytic functions and many angles.

    With :math:`\phi'(a \cos\psi) = \sum_m f_m(a) \cos m\psi` the moments are a
    Fourier series in the angle.
    """
    top = max(std_x.max(), std_y.max())
    rho, w_rho = radial_rule(top)
    count = 192 * 2 ** int(np.ceil(np.log2(max(top, 1.0))))
    f_x, f_y = (_fourier(phi, std, rho, count) for std in (std_x, std_y))
    m = np.arange(f_x.shape[0])
    weight = np.where(m == 0, 1.0, 2.0)[:, None, None] * (2.0 * np.pi * w_rho)
    moments = (f_x * weight) @ f_y.transpose(0, 2, 1)
    waves = np.cos(np.outer(angles, m))
    out = [np.tensordot(waves * s, moments, 1) for s in (1.0, (-1.0) ** m)]
    return np.stack(out)


def _fourier(phi, std, rho, count):
    half = np.cos(np.pi * np.arange(count // 2 + 1) / (count // 2))
    values = phi.slope((std[:, None] * rho)[:, :, None] * half)
    values = dct(values, type=1, axis=-1, overwrite_x=True)[..., : count // 3]
    return np.moveaxis(values, -1, 0) / count


def pair_moments(phi, std_x, std_y, angle, negative, rows, gradient=True):
    r"""All that an activation needs of one pair, with derivatives.

    Parameters
    ----------
    phi : object with ``value``, ``slope`` and ``curvature``
    std_x, std_y, angle : float
        The angle in [0, pi/2] from parallel, or from antipodal if `negative`.
    negative : bool
    rows : ((A, A'), (B, B'))
        Standard deviations of phi(u), phi(v) and their derivatives.
    gradient : bool
        Without it all derivatives are 0.

    Returns
    -------
    array of 7
        ``1 - |cosine|`` of the outputs, its derivatives in std_x and std_y, then
        E[phi'(u) phi'(v)] and its derivatives in std_x, std_y and the angle.
    """
    (A, dA), (B, dB) = rows
    top = max(std_x, std_y)
    rho, w_rho = radial_rule(top)
    flip = -1.0 if negative else 1.0
    out = np.zeros(7)
    for wide in (True, False):
        a, b, w, toward = _arc(angle, wide, std_x, std_y)
        weight = w[:, None] * w_rho
        signs = (1.0, 1.0) if wide != negative else (1.0, -1.0)
        growth = -1.0 if wide else 1.0
        for s in (1.0, -1.0):
            s_u, s_v = s * signs[0], s * signs[1]
            u, v = a[:, None] * rho * s_u, b[:, None] * rho * s_v
            p_u, p_v = phi.slope(std_x * u), phi.slope(std_y * v)
            y_u, y_v = phi.value(std_x * u) / A, flip * phi.value(std_y * v) / B
            gap = (y_u - y_v) * weight
            out[0] += 0.5 * np.sum(gap * (y_u - y_v))
            out[3] += np.sum(weight * p_u * p_v)
            if not gradient:
                continue
            q_u, q_v = phi.curvature(std_x * u), phi.curvature(std_y * v)
            out[1] += np.sum(gap * (u * p_u / A - y_u * (dA / A)))
            out[2] -= np.sum(gap * (flip * v * p_v / B - y_v * (dB / B)))
            out[4] += np.sum(weight * u * q_u * p_v)
            out[5] += np.sum(weight * v * q_v * p_u)
            turn = toward[:, None] * rho * (s_v * std_y)
            end = phi.slope(s_u * std_x * np.sin(angle) * rho) @ w_rho
            edge = phi.slope(np.array([s_v * 1e-300]))[0] * end
            out[6] += growth * (np.sum(weight * p_u * q_v * turn) + edge)
    out[6] *= flip  # with the angle from parallel
    return out


def mean_slopes(phi, std_x, std_y, angle, negative):
    r"""W and S of one pair, as `SlopeTable.evaluate` has them, at a small angle.

    Of use where the angle is much less than ``1 / std``: W, the mean of S over the
    cosines up to the pair's own, is then a short sum.
    """
    nodes, weights = legendre(4)
    t = np.tan(0.5 * angle)
    share = (1.0 + t * t) * 2.0 * nodes * weights / (1.0 + (t * nodes) ** 2) ** 2
    angles = [*(2.0 * np.arctan(t * nodes)), angle]
    rows = (1.0, 0.0), (1.0, 0.0)
    found = [pair_moments(phi, std_x, std_y, a, negative, rows)[3:] for a in angles]
    mean, own = share @ np.stack(found[:-1]), found[-1]
    turn = (-1.0 if negative else 1.0) * 2.0 / (1.0 + t * t)
    return np.array([mean[0], own[0], mean[1], own[1], mean[2], own[2], own[3] * turn])


def _exponential_tail(x):
    r"""E over the radius :math:`\rho` of ``exp(-x rho)``."""
    return 1.0 - x * np.sqrt(0.5 * np.pi) * erfcx(x / np.sqrt(2.0))


def elu_slope_moments(std_x, std_y, angle):
    """As `slope_moments`, for ELU: the coefficients of alpha to the power 0, 1, 2.

    Returns
    -------
    array of shape (3, 2, p, q)
    """
    out = np.zeros((3, 2, std_x.size, std_y.size))
    for end, wide in enumerate((True, False)):
        a, b, w, _ = _arc(angle, wide, std_x.max(), std_y.max())
        u, v = std_x[:, None] * a, std_y[:, None] * b
        one = (_exponential_tail(u) @ w)[:, None] + _exponential_tail(v) @ w
        both = _exponential_tail(u[:, None] + v) @ w
        out[:, end] += np.stack((np.full_like(both, w.sum()), 0.0 * both, both))
        out[1, 1 - end] += one
    return out / (2.0 * np.pi)
