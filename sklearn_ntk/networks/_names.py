"""The activations by name, as `MLP(activation=...)` takes them."""

from sklearn_ntk.networks import _rectified, _smooth
from sklearn_ntk.networks._shaping import Identity

__all__ = ["ACTIVATIONS"]

ACTIVATIONS = {
    "abs": _rectified.Abs,
    "cos": _smooth.Cos,
    "erf": _smooth.Erf,
    "exp": _smooth.Exp,
    "exp_normalized": _rectified.ExpNormalized,
    "gabor": _smooth.Gabor,
    "gaussian": _smooth.Gaussian,
    "gelu": _smooth.GELU,
    "identity": Identity,
    "leaky_relu": _rectified.LeakyReLU,
    "rbf": _smooth.RBF,
    "relu": _rectified.ReLU,
    "sigmoid_like": _smooth.SigmoidLike,
    "sign": _rectified.Sign,
    "sin": _smooth.Sin,
}
