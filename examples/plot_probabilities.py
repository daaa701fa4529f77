"""
Probabilities one can rely on
=============================

Of all cases to which a classifier gives a probability of 80 %, four in five should be
right. `NTKClassifier` fits by least squares, whose values are no probabilities; it
turns them into some by leave-one-out predictions, which it has in closed form. This
needs no held-out rows and no further fit.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_digits, make_classification
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ntk import NTKClassifier

# %%
# Two overlapping classes
# -----------------------
# A table with wrong labels in it, and enough held-out rows to see how often the
# classifier is right. Raw values of a least-squares fit, clipped to 0 and 1, are set
# beside the calibrated ones, and those of a network trained on the cross-entropy.

X, y = make_classification(
    n_samples=6000, n_features=10, n_informative=5, flip_y=0.2, random_state=0
)
X, X_test, y, y_test = train_test_split(X, y, train_size=400, random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)

squared = NTKClassifier().fit(X, y)
entropy = NTKClassifier(loss="log_loss").fit(X, y)
probabilities = {
    "least squares, calibrated": squared.predict_proba(X_test)[:, 1],
    "least squares, raw": np.clip((1 + squared.decision_function(X_test)) / 2, 0, 1),
    "cross-entropy": entropy.predict_proba(X_test)[:, 1],
}
print(f"{'':28} {'log loss':>9} {'Brier':>7} {'accuracy':>9}")
for name, p in probabilities.items():
    loss, brier = log_loss(y_test, p), brier_score_loss(y_test, p)
    print(f"{name:28} {loss:9.3f} {brier:7.3f} {accuracy_score(y_test, p > 0.5):9.3f}")

# %%
# Early stopping
# --------------
# Training on the cross-entropy without `alpha` makes a network ever more certain, and
# in the end wrongly so. Stopped at the right time it is honest.

times = np.logspace(0, 5, 40)
flow = NTKClassifier(loss="log_loss", alpha=0.0, training_time=1.0).fit(X, y)
stages = {
    name: [log_loss(labels, p) for p in flow.staged_predict_proba(rows, times)]
    for name, rows, labels in [("training set", X, y), ("new rows", X_test, y_test)]
}

figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
ax = axes[0]
ax.plot([0, 1], [0, 1], "k:", linewidth=1, label="as it should be")
for name, p in probabilities.items():
    right, said = calibration_curve(y_test, p, n_bins=10, strategy="quantile")
    ax.plot(said, right, ".-", label=name)
ax.set(
    title="Reliability", xlabel="probability of a class", ylabel="share of that class"
)
ax.legend(loc="upper left", frameon=False)

ax = axes[1]
for name, losses in stages.items():
    ax.semilogx(times, losses, label=f"cross-entropy, {name}")
best = log_loss(y_test, probabilities["least squares, calibrated"])
ax.axhline(best, color="k", linestyle=":", label="least squares, new rows")
ax.set(title="Stopped early", xlabel="training time", ylabel="log loss", ylim=(0, 1))
ax.legend(loc="lower left", frameon=False)
figure.savefig("probabilities.png", dpi=150)
print("saved probabilities.png")

# %%
# Many classes
# ------------
# Ten digits are ten functions, fitted in one solve. Among the rows for which the
# largest probability is small the errors are found.

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, train_size=300, random_state=0)
model = make_pipeline(StandardScaler(), NTKClassifier()).fit(X, y)
certainty = model.predict_proba(X_test).max(axis=1)
right = model.predict(X_test) == y_test
for low, high in [(0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)]:
    rows = (certainty > low) & (certainty <= high)
    print(
        f"largest probability {low:.2f} to {high:.2f}: {rows.sum():5d} rows, "
        f"{certainty[rows].mean():.2f} on average, {right[rows].mean():.2f} right"
    )
