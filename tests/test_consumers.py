"""Everything in scikit-learn that takes a kernel takes ours."""

import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process import (
    GaussianProcessClassifier,
    GaussianProcessRegressor,
)
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.manifold import SpectralEmbedding
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM

from sklearn_ntk import NNGP, NTK
from sklearn_ntk.networks import MLP

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 4))
Y_REAL = np.sin(X[:, 0]) + X[:, 1]
Y_CLASS = (Y_REAL > 0).astype(int)

REGRESSORS = {
    "KernelRidge": KernelRidge(kernel=NTK(), alpha=0.1),
    "SVR": SVR(kernel=NTK()),
    "GaussianProcessRegressor": GaussianProcessRegressor(NTK() + WhiteKernel()),
}
CLASSIFIERS = {
    "SVC": SVC(kernel=NTK()),
    "NuSVC": NuSVC(kernel=NTK()),
    "GaussianProcessClassifier": GaussianProcessClassifier(NTK()),
    "LabelPropagation": LabelPropagation(kernel=NTK(MLP(depth=1))),
    "LabelSpreading": LabelSpreading(kernel=NTK(MLP(depth=1))),
}
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The number of unique classes",
)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_learn(name):
    model = REGRESSORS[name].fit(X[:30], Y_REAL[:30])
    assert model.score(X[30:], Y_REAL[30:]) > 0.5


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_learn(name):
    model = CLASSIFIERS[name].fit(X[:30], Y_CLASS[:30])
    assert model.score(X[30:], Y_CLASS[30:]) > 0.6


def test_pairwise_kernels_with_jobs():
    expected = NTK()(X)
    np.testing.assert_allclose(pairwise_kernels(X, metric=NTK()), expected)
    np.testing.assert_allclose(pairwise_kernels(X, metric=NTK(), n_jobs=2), expected)


@pytest.mark.parametrize("kernel", [NTK(), NNGP()], ids=repr)
def test_transformers(kernel):
    assert KernelPCA(2, kernel=kernel).fit_transform(X).shape == (40, 2)
    features = Nystroem(kernel, n_components=40).fit_transform(X)
    np.testing.assert_allclose(features @ features.T, kernel(X), atol=1e-8)


def test_clustering_embedding_and_outliers():
    clusters = SpectralClustering(2, affinity=NNGP(MLP(depth=1)), random_state=0)
    X_two = np.vstack([X[:10] + 8.0, X[10:20] - 8.0])
    labels = clusters.fit_predict(X_two)
    assert len(set(labels[:10])) == len(set(labels[10:])) == 1
    embedding = SpectralEmbedding(2, affinity=lambda X: NNGP(MLP(depth=1))(X))
    assert embedding.fit_transform(X).shape == (40, 2)
    assert set(OneClassSVM(kernel=NTK()).fit_predict(X)) == {-1, 1}


def test_in_a_pipeline_with_learned_hyperparameters():
    kernel = NTK(MLP(length_scale=np.ones(4), length_scale_bounds=(1e-2, 1e2)))
    model = make_pipeline(
        StandardScaler(),
        GaussianProcessRegressor(kernel + WhiteKernel(0.1), normalize_y=True),
    ).fit(X, Y_REAL)
    learned = model[-1].kernel_.k1.network.length_scale
    assert np.all(learned[2:] > learned[:2].max())
    assert np.all(kernel.network.length_scale == 1.0)
