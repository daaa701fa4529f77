"""The activations by name, as `MLP(activation=...)` takes them."""

from sklearn_ntk.networks import (
    _bumps,
    _exponentials,
    _numerical,
    _rectified,
    _sigmoids,
    _waves,
)
from sklearn_ntk.networks._shaping import Identity

__all__ = ["ACTIVATIONS"]

ACTIVATIONS = {
    "abs": _rectified.Abs,
    "cos": _waves.Cos,
    "elu": _numerical.ELU,
    "erf": _sigmoids.Erf,
    "exp": _exponentials.Exp,
    "exp_normalized": _exponentials.ExpNormalized,
    "gabor": _bumps.Gabor,
    "gaussian": _bumps.Gaussian,
    "gelu": _sigmoids.GELU,
    "identity": Identity,
    "leaky_relu": _rectified.LeakyReLU,
    "rbf": _waves.RBF,
    "relu": _rectified.ReLU,
    "selu": _numerical.SELU,
    "sigmoid": _numerical.Sigmoid,
    "sigmoid_like": _sigmoids.SigmoidLike,
    "sign": _rectified.Sign,
    "silu": _numerical.SiLU,
    "sin": _waves.Sin,
    "softplus": _numerical.Softplus,
    "tanh": _numerical.Tanh,
}
