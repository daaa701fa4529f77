"""Descriptions of infinitely wide networks: layers, and ready-made architectures."""

from sklearn_ntk.networks._activation import Activation
from sklearn_ntk.networks._architectures import MLP
from sklearn_ntk.networks._attention import SelfAttention
from sklearn_ntk.networks._base import Layer
from sklearn_ntk.networks._bumps import Gabor, Gaussian
from sklearn_ntk.networks._composite import (
    Concatenate,
    Product,
    Residual,
    Sequential,
    Sum,
)
from sklearn_ntk.networks._convolution import Conv, ConvTranspose, LocalConv
from sklearn_ntk.networks._dense import Dense, InputScale
from sklearn_ntk.networks._elementwise import Elementwise
from sklearn_ntk.networks._exponentials import Exp, ExpNormalized
from sklearn_ntk.networks._graph import GraphConv
from sklearn_ntk.networks._graph_network import GraphNetwork
from sklearn_ntk.networks._image_architectures import ConvNet, Myrtle, WideResNet
from sklearn_ntk.networks._numerical import ELU, SELU, Sigmoid, SiLU, Softplus, Tanh
from sklearn_ntk.networks._polynomial import Hermite, Polynomial
from sklearn_ntk.networks._pooling import (
    AvgPool,
    Crop,
    GlobalAvgPool,
    GlobalSumPool,
    Resize,
    SumPool,
)
from sklearn_ntk.networks._powers import Monomial, RectifiedMonomial
from sklearn_ntk.networks._rectified import ABReLU, Abs, LeakyReLU, ReLU, Sign
from sklearn_ntk.networks._shaping import Dropout, Flatten, Identity, LayerNorm
from sklearn_ntk.networks._sigmoids import GELU, Erf, SigmoidLike
from sklearn_ntk.networks._transformer import Transformer
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
    "AvgPool",
    "Concatenate",
    "Conv",
    "ConvNet",
    "ConvTranspose",
    "Cos",
    "Crop",
    "Dense",
    "Dropout",
    "Elementwise",
    "Erf",
    "Exp",
    "ExpNormalized",
    "Flatten",
    "Gabor",
    "Gaussian",
    "GlobalAvgPool",
    "GlobalSumPool",
    "GraphConv",
    "GraphNetwork",
    "Hermite",
    "Identity",
    "InputScale",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LocalConv",
    "Monomial",
    "Myrtle",
    "Polynomial",
    "Product",
    "ReLU",
    "RectifiedMonomial",
    "Residual",
    "Resize",
    "SelfAttention",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SigmoidLike",
    "Sign",
    "Sin",
    "Softplus",
    "Sum",
    "SumPool",
    "Tanh",
    "Transformer",
    "WideResNet",
]
