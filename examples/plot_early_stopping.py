"""
Early stopping
==============

The networks of this package are trained in closed form, and so one can stop them
anywhere. Gradient descent learns the smooth part of a function first and the noise
last: a short training regularises, as a large `alpha` does. Here both are compared,
and `GridSearchCV` chooses how long to train.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ntk import NTKRegressor
from sklearn_ntk.networks import MLP

# %%
# A noisy sine
# ------------
# Without `alpha` a network that is trained to the end goes through every point.
# `staged_predict` has the predictions at any number of times from one decomposition
# of the kernel matrix. Times are in the units of gradient descent with a learning
# rate of 1: a time of 100 is as long as 100 steps of it, or 1000 of a tenth.

rng = np.random.default_rng(0)
X = rng.uniform(-1.5, 1.5, (40, 1))
y = np.sin(3.0 * X[:, 0]) + 0.4 * rng.standard_normal(40)
grid = np.linspace(-1.5, 1.5, 300)[:, None]
truth = np.sin(3.0 * grid[:, 0])

network = MLP(depth=3, output_scale=1.0)
times = np.logspace(-2, 6, 80)
model = NTKRegressor(network, alpha=0.0).fit(X, y)
train_error = [
    root_mean_squared_error(y, stage) for stage in model.staged_predict(X, times)
]
error = [
    root_mean_squared_error(truth, stage) for stage in model.staged_predict(grid, times)
]
best = times[np.argmin(error)]
print(f"best time {best:.3g}: off the sine by {min(error):.3f}")
print(f"trained to the end: {error[-1]:.3f}")

# %%
# The other way to keep the noise out is `alpha`, with training to the end.

alphas = np.logspace(-4, 3, 30)
ridge_error = [
    root_mean_squared_error(
        truth, NTKRegressor(network, alpha=a).fit(X, y).predict(grid)
    )
    for a in alphas
]
print(f"best alpha {alphas[np.argmin(ridge_error)]:.3g}: {min(ridge_error):.3f}")

# %%
# Left, the function when training begins to see the sine, at the best time and at
# the end. Right, the error on the training set falls for ever, and that on the sine
# has a minimum, about as deep as that of the best `alpha`.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ax = axes[0]
ax.plot(X[:, 0], y, "k.", label="data")
ax.plot(grid[:, 0], truth, "k--", linewidth=1, label="sine")
stages = [best / 30.0, best, np.inf]
for time, stage in zip(stages, model.staged_predict(grid, stages), strict=True):
    label = f"time {time:.2g}" if time < np.inf else "to the end"
    ax.plot(grid[:, 0], stage, label=label)
ax.set(title="What is learned when", xlabel="x", ylabel="y", ylim=(-2.3, 2.6))
ax.legend(loc="upper left", ncols=2, frameon=False)

ax = axes[1]
ax.semilogx(times, train_error, label="training set")
ax.semilogx(times, error, label="sine")
ax.axhline(min(ridge_error), color="k", linestyle=":", label="sine, best alpha")
ax.axvline(best, color="0.8", zorder=0)
ax.set(title="Errors on the way", xlabel="training time", ylabel="root mean square")
ax.set_ylim(0.0, 1.02 * max(train_error))
ax.legend(frameon=False)
figure.savefig("early_stopping.png", dpi=150)
print("saved early_stopping.png")

# %%
# A table
# -------
# `training_time` is a parameter like others. On the diabetes table, whose targets are
# noisy, cross-validation stops the training early, and it serves as well as `alpha`.
# (`NTKRegressorCV` chooses both from one decomposition, without refitting.)

X, y = load_diabetes(return_X_y=True)
cv = KFold(n_splits=5, shuffle=True, random_state=0)
searches = {
    "training_time": (NTKRegressor(alpha=1e-3), [10.0, 30.0, 100.0, 300.0, np.inf]),
    "alpha": (NTKRegressor(), [30.0, 10.0, 3.0, 1.0, 0.1, 1e-3]),
}
for name, (model, values) in searches.items():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), model), {f"ntkregressor__{name}": values}, cv=cv
    ).fit(X, y)
    chosen = search.best_params_[f"ntkregressor__{name}"]
    least = search.cv_results_["mean_test_score"][-1]
    print(f"{name:14} {chosen:5.3g}: R² {search.best_score_:.3f}, without {least:.3f}")
