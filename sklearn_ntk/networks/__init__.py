"""Descriptions of infinitely wide networks: layers, and ready-made architectures."""

from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._architectures import MLP
from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._bumps import Gabor, Gaussian
from sklearn_ntk.networks._composite import (
    Concatenate,
    Product,
    Residual,
    Sequential,
    Sum,
)
from sklearn_ntk.networks._dense import Dense, InputScale
from sklearn_ntk.networks._elementwise import Elementwise
from sklearn_ntk.networks._exponentials import Exp, ExpNormalized
from sklearn_ntk.networks._numerical import ELU, SELU, Sigmoid, SiLU, Softplus, Tanh
from sklearn_ntk.networks._polynomial import Hermite, Polynomial
from sklearn_ntk.networks._powers import Monomial, RectifiedMonomial
from sklearn_ntk.networks._rectified import ABReLU, Abs, LeakyReLU, ReLU, Sign
from sklearn_ntk.networks._shaping import Dropout, Flatten, Identity, LayerNorm
from sklearn_ntk.networks._sigmoids import GELU, Erf, SigmoidLike
from sklearn_ntk.networks._waves import RBF, Cos, Sin

__all__ = [
    "ELU",
    "GELU",
    "MLP",
    "RBF",
    "SELU",
    "ABReLU",
    "Abs",
    "Activation",
    "Concatenate",
    "Cos",
    "Dense",
    "Dropout",
    "Elementwise",
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
    "ReLU",
    "RectifiedMonomial",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SigmoidLike",
    "Sign",
    "Sin",
    "Softplus",
    "Sum",
    "Tanh",
]
