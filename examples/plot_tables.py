"""
Infinitely wide networks on real tables
=======================================

Four tables that scikit-learn ships, and on each of them infinitely wide networks
beside the models one would otherwise try: a Gaussian process with an RBF kernel, a
support vector machine, a finite network and a random forest.

Two ways of using a network are shown. `NTKRegressor` and `NTKClassifier` are the
trained network itself, in closed form; a grid search chooses its depth and the variance
of its biases. And `NTK` is a kernel, whose hyperparameters a Gaussian process
learns by marginal likelihood.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
)
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import (
    GaussianProcessClassifier,
    GaussianProcessRegressor,
)
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from sklearn_ntk import NTK, NNGPRegressor, NTKClassifier, NTKRegressor
from sklearn_ntk.networks import MLP

warnings.simplefilter("ignore", ConvergenceWarning)  # scikit-learn's MLP, in 200 steps

# %%
# The models
# ----------
# Depth 0 is a linear network. By default the kernel of a standardised row with itself
# is 1 at every depth, so that one `alpha` suits all of them.

GRID = {"network__depth": [0, 1, 3], "network__bias_variance": [0.1, 1.0]}


def scaled(regressor):
    """The regressor on standardised targets, which the others see by themselves."""
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


REGRESSORS = {
    "NTK, grid over depth and bias": GridSearchCV(NTKRegressor(), GRID, cv=3),
    "Gaussian process, NTK": GaussianProcessRegressor(
        NTK() + WhiteKernel(), normalize_y=True
    ),
    "Gaussian process, RBF": GaussianProcessRegressor(
        RBF(3.0) + WhiteKernel(), normalize_y=True
    ),
    "SVM, RBF": scaled(GridSearchCV(SVR(), {"C": [0.1, 1, 10]}, cv=3)),
    "MLP, 100 units": scaled(MLPRegressor(random_state=0)),
    "random forest": RandomForestRegressor(random_state=0),
}
CLASSIFIERS = {
    "NTK, grid over depth and bias": GridSearchCV(NTKClassifier(), GRID, cv=3),
    "Gaussian process, NTK": GaussianProcessClassifier(NTK()),
    "Gaussian process, RBF": GaussianProcessClassifier(RBF(3.0)),
    "SVM, RBF": GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=3),
    "MLP, 100 units": MLPClassifier(random_state=0),
    "random forest": RandomForestClassifier(random_state=0),
}
TABLES = {
    "diabetes": (load_diabetes, REGRESSORS),
    "breast cancer": (load_breast_cancer, CLASSIFIERS),
    "wine": (load_wine, CLASSIFIERS),
    "digits": (load_digits, CLASSIFIERS),
}
TOO_SLOW = {
    (model, "digits") for model in CLASSIFIERS if model.startswith("Gaussian")
}  # one Laplace approximation for each of ten classes


# %%
# The comparison
# --------------
# R² on diabetes and accuracy elsewhere, on three folds; in brackets the mean time of
# a fit, all of the grid search or of the marginal likelihood's optimisation included.


def compare(model, X, y):
    """Score and fit time of a model on standardised columns, as text."""
    pipeline = make_pipeline(StandardScaler(), model)
    result = cross_validate(pipeline, X, y, cv=3, error_score="raise")
    score, seconds = np.mean(result["test_score"]), np.mean(result["fit_time"])
    return f"{score:.3f} ({seconds:5.2f} s)"


def main():
    start = time.perf_counter()
    cells = {}
    for table, (load, models) in TABLES.items():
        X, y = load(return_X_y=True)
        shuffled = np.random.default_rng(0).permutation(len(y))
        for name, model in models.items():
            if (name, table) in TOO_SLOW:
                cells[name, table] = "-"
            else:
                cells[name, table] = compare(model, X[shuffled], y[shuffled])
    print(f"{'R² or accuracy (fit time)':32}", *(f"{table:>16}" for table in TABLES))
    for name in REGRESSORS:
        print(f"{name:32}", *(f"{cells[name, table]:>16}" for table in TABLES))
    print(f"\nall of it took {time.perf_counter() - start:.0f} s")


main()

# %%
# A fit and its uncertainty
# -------------------------
# Left, the mean and spread of an ensemble of infinitely wide ReLU networks, each
# trained to the end from its own random start. Right, the Bayesian posterior of an
# erf network whose variances, length scale and amplitude, and the noise as well, were
# learned by marginal likelihood. Both are certain where there are data only.

rng = np.random.default_rng(0)
X = np.sort(np.r_[rng.uniform(-2.0, -0.6, 9), rng.uniform(0.5, 2.0, 9)])[:, None]
y = np.sin(3.0 * X[:, 0]) + 0.3 * X[:, 0] + 0.05 * rng.standard_normal(18)
grid = np.linspace(-3.2, 3.2, 400)[:, None]
FREE = (1e-2, 1e2)

ensemble = NTKRegressor(MLP(depth=3, output_scale=1.0), alpha=0.01)
bayesian = NNGPRegressor(
    MLP(
        depth=3,
        activation="erf",
        output_scale=1.0,
        output_scale_bounds=FREE,
        weight_variance_bounds=FREE,
        bias_variance_bounds=FREE,
        length_scale_bounds=FREE,
    ),
    optimizer="fmin_l_bfgs_b",
)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
for ax, model, title in [
    (axes[0], ensemble, "Ensemble of trained networks (NTK)"),
    (axes[1], bayesian, "Bayesian network, hyperparameters learned (NNGP)"),
]:
    mean, std = model.fit(X, y).predict(grid, return_std=True)
    low, high = mean - 2 * std, mean + 2 * std
    ax.fill_between(grid[:, 0], low, high, alpha=0.25, label="two standard deviations")
    ax.plot(grid[:, 0], mean, label="mean")
    ax.plot(X[:, 0], y, "k.", label="data")
    ax.set(title=title, xlabel="x", xlim=(-3.2, 3.2), ylim=(-3.5, 3.5))
axes[0].legend(loc="upper left", frameon=False)
figure.savefig("fit_with_uncertainty.png", dpi=150)
print("saved fit_with_uncertainty.png")
