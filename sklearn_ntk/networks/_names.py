"""The activations by name, as `MLP(activation=...)` takes them."""

from sklearn_ntk.networks import _numerical, _rectified, _smooth
from sklearn_ntk.networks._shaping import Identity

__all__ = ["ACTIVATIONS"]

ACTIVATIONS = {
    "abs": _rectified.Abs,
    "cos": _smooth.Cos,
    "elu": _numerical.ELU,
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
    "selu": _numerical.SELU,
    "sigmoid": _numerical.Sigmoid,
    "sigmoid_like": _smooth.SigmoidLike,
    "sign": _rectified.Sign,
    "silu": _numerical.SiLU,
    "sin": _smooth.Sin,
    "softplus": _numerical.Softplus,
    "tanh": _numerical.Tanh,
}
