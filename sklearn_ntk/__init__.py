"""Infinitely wide neural networks as scikit-learn kernels and estimators."""

from sklearn_ntk import dynamics, inspection, networks
from sklearn_ntk.classification import (
    NNGPClassifier,
    NTKClassifier,
    NTKClassifierCV,
)
from sklearn_ntk.graph_kernels import GraphNNGP, GraphNTK
from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.large_gram import compute_gram
from sklearn_ntk.regression import NNGPRegressor, NTKRegressor, NTKRegressorCV

__version__ = "0.1.0"

__all__ = [
    "NNGP",
    "NTK",
    "GraphNNGP",
    "GraphNTK",
    "NNGPClassifier",
    "NNGPRegressor",
    "NTKClassifier",
    "NTKClassifierCV",
    "NTKRegressor",
    "NTKRegressorCV",
    "compute_gram",
    "dynamics",
    "inspection",
    "networks",
]
