"""Descriptions of infinitely wide networks: layers, and ready-made architectures."""

from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._architectures import MLP
from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._composite import (
    Concatenate,
    Product,
    Residual,
    Sequential,
    Sum,
)
from sklearn_ntk.networks._dense import Dense, InputScale
from sklearn_ntk.networks._polynomial import Hermite, Polynomial
from sklearn_ntk.networks._rectified import (
    Abs,
    ABReLU,
    ExpNormalized,
    LeakyReLU,
    Monomial,
    RectifiedMonomial,
    ReLU,
    Sign,
)
from sklearn_ntk.networks._shaping import Dropout, Flatten, Identity, LayerNorm
from sklearn_ntk.networks._smooth import (
    GELU,
    RBF,
    Cos,
    Erf,
    Exp,
    Gabor,
    Gaussian,
    SigmoidLike,
    Sin,
)

__all__ = [
    "GELU",
    "MLP",
    "RBF",
    "ABReLU",
    "Abs",
    "Activation",
    "Concatenate",
    "Cos",
    "Dense",
    "Dropout",
    "Erf",
    "Exp",
    "ExpNormalized",
    "Flatten",
    "Gabor",
    "Gaussian",
    "Hermite",
    "Identity",
    "InputScale",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Monomial",
    "Polynomial",
    "Product",
    "RBF",
    "ReLU",
    "RectifiedMonomial",
    "Residual",
    "Sequential",
    "SigmoidLike",
    "Sign",
    "Sin",
    "Sum",
]
