"""The kernel of a network as a function of the angle between two rows."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ntk._engine.sphere import AngleInputs, AngleSeries, Sphere
from sklearn_ntk._sklearn_private import Interval, validate_parameter_constraints

__all__ = ["Profile", "profile_of"]

LONGEST = 4096  # terms of a series
POOR = 1e-8  # error, in parts of the largest value, that is worth a warning
ROUNDING = 1e-12  # by which a cosine may exceed 1
CONSTRAINTS = {
    "rms": [Interval(Real, 0.0, np.inf, closed="neither")],
    "n_features": [Interval(Integral, 1, None, closed="left"), None],
}


class Profile:
    r"""A kernel for rows of one length, as a function of their cosine.

    `NTK.profile` and `NNGP.profile` make it; it is not constructed directly. With
    :math:`\vartheta = \arccos c` it is a Chebyshev series in the angle,

    .. math:: \kappa(c) = \sum_k a_k T_k(2 \vartheta / \pi - 1),

    because the kernels of networks with piecewise linear activations are analytic
    in the angle up to both ends, and not in the cosine.

    Attributes
    ----------
    coefficients : ndarray of shape (degree + 1,)
        The coefficients :math:`a_k`.
    degree : int
        Of the series.
    error : float
        Bound of the absolute error: twice the largest one at the angles that the series
        was made from and, between them, as many others.
    rms : float
        Root mean square of the entries of a row.
    homogeneous : bool
        Whether the kernel is proportional to the lengths of both rows.

    Examples
    --------
    >>> from sklearn_ntk import NNGP
    >>> from sklearn_ntk.networks import Dense, ReLU, Sequential
    >>> profile = NNGP(Sequential(Dense(2.0, 0.0), ReLU(), Dense(1.0, 0.0))).profile()
    >>> profile([1.0, 0.5, 0.0]).round(3)
    array([1.   , 0.609, 0.318])
    >>> profile.homogeneous, profile.error < 1e-13
    (True, True)

    The coefficients are those of NumPy's:

    >>> import numpy as np
    >>> from numpy.polynomial import Chebyshev
    >>> series = Chebyshev(profile.coefficients, domain=[0, np.pi])
    >>> np.allclose(series(np.arccos(0.5)), profile(0.5))
    True
    """

    def __init__(self, series, rms, homogeneous):
        self._series = series
        self.rms, self.homogeneous = rms, homogeneous
        self.coefficients = series.coefficients[0]
        self.error = float(series.error[0])

    @property
    def degree(self):
        """Degree of the series."""
        return len(self.coefficients) - 1

    def __call__(self, cos):
        """Evaluate the kernel.

        Parameters
        ----------
        cos : array-like of any shape
            Cosines of the angles between two rows, from -1 to 1.

        Returns
        -------
        ndarray of the same shape
        """
        cos = np.asarray(cos, dtype=float)
        if not np.all(np.abs(cos) <= 1.0 + ROUNDING):
            raise ValueError(
                "cos must hold cosines, from -1 to 1. Got values from "
                f"{np.min(cos)} to {np.max(cos)}."
            )
        return self._series(np.arccos(np.clip(cos, -1.0, 1.0)))[0]

    def __repr__(self):
        return (
            f"Profile(degree={self.degree}, error={self.error:.0e}, rms={self.rms}, "
            f"homogeneous={self.homogeneous})"
        )


def profile_of(network, kind, rms, n_features):
    """The `Profile` of a network's kernel of a kind, "nngp" or "ntk"."""
    params = {"rms": rms, "n_features": n_features}
    validate_parameter_constraints(CONSTRAINTS, params, caller_name="profile")
    network.validate()
    if network.image_shape is not None:
        raise ValueError(
            "profile is for networks on rows of features: the kernel of one on images "
            "is not a function of an angle between rows."
        )
    try:
        evaluate = _evaluation(network, kind, n_features)
    except ValueError as error:
        if n_features is None and _works(network, kind):
            raise ValueError(
                "The parameter 'n_features' of profile must be an int: a layer at the "
                "input has parametrization='standard', which depends on it. Got None."
            ) from error
        raise
    sphere = Sphere(evaluate, rms, ntk=kind == "ntk", width=n_features)
    series = AngleSeries.of(sphere, LONGEST)
    profile = Profile(series, float(rms), network.is_homogeneous)
    if not np.isfinite(profile.error):
        raise ValueError(f"The kernel overflows for rows with rms={rms}.")
    if profile.error > POOR * np.max(np.abs(profile([1.0, -1.0]))):
        warnings.warn(
            f"The profile has an error of up to {profile.error:.0e}: the kernel "
            f"changes too fast with the angle for a series of {LONGEST} terms.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return profile


def _evaluation(network, kind, n_features):
    """What evaluates a network, once it has been tried on a row."""
    pair = AngleInputs(
        1.0, np.ones(1), np.zeros(1), ntk=kind == "ntk", width=n_features
    )
    with np.errstate(all="ignore"):
        network = network.build(pair.standard_row())
        network.propagate(pair)
    return lambda inputs: [getattr(network.propagate(inputs).resolve(), kind)]


def _works(network, kind):
    """Whether a network can be evaluated if its input has a width."""
    try:
        _evaluation(network, kind, 1)
    except ValueError:
        return False
    return True
