"""Base classes of activations: a function of one variable, applied to every feature."""

from abc import abstractmethod

from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._close import refined_sine
from sklearn_ntk.networks._pairs import ratio, where_nan

__all__ = ["Activation", "Homogeneous", "angle_minus_sine"]

TINY = 1e-100  # standard deviation, whose square is lost in a product


def angle_minus_sine(xp, angle, sin):
    """``t - sin(t)`` for t in [0, pi/2], without cancellation at small t."""
    small = angle < 0.2
    if not xp.any(small):
        return angle - sin
    square = angle * angle
    series = 1.0 / 39916800.0
    for factorial in (362880.0, 5040.0, 120.0, 6.0):
        series = 1.0 / factorial - square * series
    return xp.where(small, angle * square * series, angle - sin)


def _correlation(xp, nngp, std_x, std_y):
    """``nngp / (std_x * std_y)``, even where no float holds the product."""
    tiny_x, tiny_y = std_x < TINY, std_y < TINY
    if xp.any(tiny_x) or xp.any(tiny_y):
        up_x = xp.where(tiny_x, 1.0 / TINY, xp.ones_like(std_x))
        up_y = xp.where(tiny_y, 1.0 / TINY, xp.ones_like(std_y))
        nngp, std_x, std_y = nngp * (up_x * up_y), std_x * up_x, std_y * up_y
    return ratio(xp, nngp, std_x * std_y)


class Activation(Layer):
    r"""A function :math:`\phi` of one variable, applied to every Gaussian feature.

    With :math:`(u, v) \sim N(0, [[q, k], [k, q']])` it transforms the covariance to
    :math:`K = E[\phi(u) \phi(v)]` and multiplies the tangent kernel by
    :math:`\dot K = E[\phi'(u) \phi'(v)] = \partial K / \partial k`. A subclass
    implements `moments`, or `transform` where it can do better than dividing.
    """

    def __call__(self, u):
        """Evaluate the function itself on an array."""
        raise NotImplementedError(
            f"{type(self).__name__} is known by its kernel only, not as a function of "
            "one variable."
        )

    def derivative(self, u):
        """Evaluate the function's derivative on an array."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say what its derivative is."
        )

    def moments(self, xp, std_x, std_y, cos, sin):
        r"""Closed form of K and its derivative in k.

        Parameters
        ----------
        xp : namespace
        std_x, std_y : array
            :math:`\sqrt q` and :math:`\sqrt{q'}`.
        cos, sin : array
            Of the angle: :math:`k = \sqrt{q q'} \cos\vartheta`.

        Returns
        -------
        nngp, derivative : array
        """
        raise NotImplementedError(f"{type(self).__name__} must implement moments.")

    def parts(self, xp, std_x, std_y, cos, sin):
        r"""The odd and the even part of the activation, where the angle is small.

        `transform` asks for them where the cosine that `moments` gives is close to
        1 or -1, for with it alone the sine has half of the digits only.

        Parameters
        ----------
        xp : namespace
        std_x, std_y, cos, sin : array
            As for `moments`, of the same shape, the angle at most :math:`\pi / 2`.

        Returns
        -------
        odd, even : Part or None
            None for a part that is 0; a single None, as here, where they are not known.
        """

    def transform(self, xp, std_x, std_y, cos, sin):
        """The activation's standard deviations, cosine, sine and derivative in k.

        The sine may be a function without arguments, called only where needed.
        """
        nngp, derivative = self.moments(xp, std_x, std_y, cos, sin)
        out_x = self._std(xp, std_x)
        out_y = out_x if std_y is std_x else self._std(xp, std_y)
        out_cos = _correlation(xp, nngp, out_x, out_y)
        one = xp.ones_like(out_cos)
        out_cos = xp.maximum(xp.minimum(out_cos, one), -one)
        itself = (((sin == 0) & (cos > 0)) | (std_x == 0)) & (std_x == std_y)
        out_cos = xp.where(itself, 1.0, out_cos)

        def sine():
            out_sin = xp.sqrt((1.0 - out_cos) * (1.0 + out_cos))
            rows = std_x, std_y, cos, sin
            return refined_sine(xp, self, rows, out_cos, out_sin, itself)

        return out_x, out_y, out_cos, sine, derivative

    def _std(self, xp, std):
        nngp, _ = self.moments(xp, std, std, xp.ones_like(std), xp.zeros_like(std))
        return xp.sqrt(nngp)

    def needs(self, after):
        return after.replace(variances=True)

    def propagate(self, pairs):
        p = pairs.resolve()
        if not p.gaussian:
            raise ValueError(
                f"{type(self).__name__} needs Gaussian features, which a Dense (or "
                "another layer with weights) before it provides; what came is the "
                "input itself, the output of an activation, or that of Product or "
                "Concatenate: there, put the activation into each branch."
            )
        std_x, std_y, cos, sin, derivative = self.transform(
            p.xp, p.std_x, p.std_y, p.cos, p.sin
        )
        ntk = None
        if p.ntk is not None:
            ntk = where_nan(p.xp, p.ntk * derivative, 0.0)
        return p.replace(
            nngp=std_x * std_y * cos,
            std_x=std_x,
            std_y=std_y,
            cosine=cos,
            sine=sin,
            ntk=ntk,
            gaussian=False,
        )


class Homogeneous(Activation):
    r"""An activation whose kernel is :math:`(\sigma \sigma')^p f(\cos\vartheta)`.

    A subclass sets the degree p and gives f by `profile`, normalised by
    :math:`f(1)`, the `gain`.
    """

    @property
    @abstractmethod
    def degree(self):
        """The degree p of homogeneity."""

    @property
    @abstractmethod
    def gain(self):
        """f(1), the second moment at a standard deviation of 1."""

    @abstractmethod
    def profile(self, xp, cos, sin):
        """The function ``h = f / f(1)`` of the angle.

        Returns
        -------
        h : array
        sine : array or callable
            ``sqrt(1 - h**2)`` without cancellation, or a function computing it.
        slope : array
            The derivative of h in the cosine.
        """

    @property
    def is_homogeneous(self):
        """Whether features are proportional to the length of a row."""
        return self.degree == 1

    def transform(self, xp, std_x, std_y, cos, sin):
        h, sine, slope = self.profile(xp, cos, sin)
        out_x = self._std(xp, std_x)
        out_y = out_x if std_y is std_x else self._std(xp, std_y)
        derivative = self.gain * slope
        if self.degree > 1:
            derivative = derivative * (std_x * std_y) ** (self.degree - 1)
        return out_x, out_y, h, sine, derivative

    def _std(self, xp, std):
        root = self.gain**0.5
        if self.degree == 0:
            return xp.where(std > 0, xp.ones_like(std), 0.0) * root
        return std**self.degree * root
