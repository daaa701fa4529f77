"""
Choosing everything at once, without refitting
==============================================

A wide network has a handful of hyperparameters: its depth and activation, the noise
``alpha``, and when training stops. `NTKRegressorCV` and `NTKClassifierCV` score all of
their combinations by leave-one-out predictions, or by folds, in about the time that
one eigendecomposition of the kernel matrix takes. The predictions for rows that are
held out have a closed form, at finite training times as well; :doc:`/selection` tells
how.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV, LeaveOneOut, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ntk import NTKClassifierCV, NTKRegressor, NTKRegressorCV
from sklearn_ntk.inspection import SelectionDisplay
from sklearn_ntk.networks import MLP

# %%
# A regression
# ------------
# Two activations, three depths, eleven alphas and ten times: 660 candidates, each
# judged by one held-out prediction for each of 331 patients.

X, y = load_diabetes(return_X_y=True)
X, X_new, y, y_new = train_test_split(X, y, random_state=0)
scaler = StandardScaler().fit(X)
X, X_new = scaler.transform(X), scaler.transform(X_new)

search = NTKRegressorCV(
    [MLP(), MLP(activation="erf")],
    depths=[1, 2, 3],
    training_times=[1, 3, 10, 30, 100, 300, 1000, 3000, 10000, np.inf],
)
start = time.perf_counter()
search.fit(X, y)
elapsed = time.perf_counter() - start
n_candidates = len(search.cv_results_["params"])
print(f"{n_candidates} candidates for {len(y)} rows took {elapsed:.1f} s")
print("chosen:", search.best_params_)
print(f"R², each row held out: {search.best_score_:.3f}")
print(f"R² on new rows: {search.score(X_new, y_new):.3f}")
print(
    f"R² of the default on new rows: {NTKRegressor().fit(X, y).score(X_new, y_new):.3f}"
)

# %%
# The map shows that stopping early and a larger alpha do the same: the best scores lie
# along a bend. Where neither is done, at the lower right, the network fits the noise.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
SelectionDisplay.from_estimator(search, ax=axes[0])
SelectionDisplay.from_estimator(search, x="depth", y="network", ax=axes[1])
axes[0].set_title("The best over networks and depths")
axes[1].set_title("The best over alphas and times")
plt.show()

# %%
# They are the scores of refits
# -----------------------------
# Two of the candidates on 60 rows, the slow way: a fit for each row.

few = {"X": X[:60], "y": y[:60]}
two = {"alpha": [0.1], "training_time": [100.0, np.inf]}
start = time.perf_counter()
slow = GridSearchCV(
    NTKRegressor(), two, cv=LeaveOneOut(), scoring="neg_mean_squared_error"
).fit(**few)
middle = time.perf_counter()
fast = NTKRegressorCV(
    alphas=two["alpha"],
    training_times=two["training_time"],
    scoring="neg_mean_squared_error",
).fit(**few)
end = time.perf_counter()
print(f"refits took {middle - start:.2f} s, the closed form {end - middle:.3f} s")
slow, fast = (s.cv_results_["mean_test_score"] for s in (slow, fast))
print(f"largest relative difference: {np.max(np.abs(slow / fast - 1.0)):.0e}")

# %%
# A classification
# ----------------
# By default classifiers are chosen by log loss. Other scores may be computed beside it.
# Accuracy takes few values and has many ties, which the log loss resolves.

X, y = load_breast_cancer(return_X_y=True)
search = NTKClassifierCV(
    training_times=[10, 30, 100, 300, 1000, 3000, 10000, 30000, np.inf],
    scoring=["neg_log_loss", "accuracy"],
)
model = make_pipeline(StandardScaler(), search).fit(X, y)
print("chosen:", search.best_params_)

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for ax, score in zip(axes, search.scoring, strict=True):
    SelectionDisplay.from_estimator(search, score=score, ax=ax)
    ax.set_title(score.replace("_", " "))
plt.show()
