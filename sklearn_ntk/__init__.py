"""Infinitely wide neural networks as scikit-learn kernels and estimators."""

from sklearn_ntk import dynamics, networks
from sklearn_ntk.classification import NNGPClassifier, NTKClassifier
from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.large_gram import compute_gram
from sklearn_ntk.regression import NNGPRegressor, NTKRegressor

__version__ = "0.1.0"

__all__ = [
    "NNGP",
    "NTK",
    "NNGPClassifier",
    "NNGPRegressor",
    "NTKClassifier",
    "NTKRegressor",
    "compute_gram",
    "dynamics",
    "networks",
]
