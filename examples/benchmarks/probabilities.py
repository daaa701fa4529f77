"""Brier score and log loss of the classifiers on the tables that scikit-learn ships.

Repeated stratified cross-validation on standardised columns, with the same folds for
all models and everything at its default. The Gaussian process has an RBF kernel, once
as it comes and once with an amplitude to learn and a length scale that starts at the
distance between rows; its cost is why digits are a sample of 500 rows::

    python examples/benchmarks/probabilities.py --repeats 3
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_ntk import NNGPClassifier, NTKClassifier

TABLES = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}
LARGEST = 600  # rows; of a larger table a stratified sample is taken


def models(n_features):
    return {
        "NTKClassifier": NTKClassifier(),
        "NTKClassifier, log_loss": NTKClassifier(loss="log_loss"),
        "NNGPClassifier": NNGPClassifier(),
        "SVC, calibrated": CalibratedClassifierCV(SVC()),
        "GPC, RBF": GaussianProcessClassifier(RBF()),
        "GPC, 1 * RBF(sqrt(d))": GaussianProcessClassifier(
            1.0 * RBF(np.sqrt(n_features))
        ),
    }


def table(load):
    """X and y of at most so many rows."""
    X, y = load(return_X_y=True)
    if len(y) <= LARGEST:
        return X, y
    return train_test_split(X, y, train_size=500, stratify=y, random_state=0)[::2]


def scores(probability, y):
    """Brier score, summed over classes, log loss and accuracy."""
    own = probability[np.arange(len(y)), y]
    brier = np.sum((probability - np.eye(probability.shape[1])[y]) ** 2, axis=1)
    right = probability.argmax(axis=1) == y
    return np.mean([brier, -np.log(np.maximum(own, 1e-15)), right], axis=1)


def cross_validated(model, X, y, folds):
    """Scores of a model in every fold, and seconds a fold."""
    start, found = time.perf_counter(), []
    for train, test in folds:
        pipeline = make_pipeline(StandardScaler(), model).fit(X[train], y[train])
        found.append(scores(pipeline.predict_proba(X[test]), y[test]))
    return np.array(found), (time.perf_counter() - start) / len(folds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    warnings.simplefilter("ignore", ConvergenceWarning)  # hyperparameters at a bound
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=args.repeats, random_state=0)
    print(f"{'':14} {'':24}    Brier   log loss   accuracy   seconds a fold")
    for name, load in TABLES.items():
        X, y = table(load)
        folds = list(cv.split(X, y))
        for label, model in models(X.shape[1]).items():
            found, seconds = cross_validated(model, X, y, folds)
            brier, loss, right = found.mean(axis=0)
            cells = f"{brier:8.4f}   {loss:8.4f}   {right:8.4f}   {seconds:8.2f}"
            print(f"{name:14} {label:24} {cells}", flush=True)


if __name__ == "__main__":
    main()
