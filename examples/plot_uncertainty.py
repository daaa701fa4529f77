"""
Four meanings of uncertainty
============================

How certain is a prediction? For a network of infinite width that has four answers, all
in closed form:

* how much networks disagree that were trained from different random weights
  (``NTKRegressor``),
* the posterior of Bayesian inference, with the NNGP kernel as the prior
  (``NNGPRegressor``); its amplitude and noise are learned by marginal likelihood,
* the posterior with the neural tangent kernel as the prior, or NTKGP
  (``uncertainty="gp"``),
* the same with a scale that is learned from the targets, and predictions that follow
  Student's t for it (``uncertainty="student_t"``).

They are drawn side by side. Then it is counted how many held-out targets
lie in the intervals that should hold 90 % of them.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import t
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from sklearn_ntk import NNGPRegressor, NTKRegressor
from sklearn_ntk.networks import MLP

warnings.simplefilter("ignore", ConvergenceWarning)  # an optimum at a bound


def models(depth, alpha):
    ntk = MLP(depth)
    nngp = MLP(depth, output_scale=0.3, output_scale_bounds=(1e-3, 1e3))
    return {
        "ensemble": NTKRegressor(ntk, alpha=alpha),
        "NNGP posterior": NNGPRegressor(nngp, optimizer="fmin_l_bfgs_b"),
        "NTK as a prior": NTKRegressor(ntk, alpha=alpha, uncertainty="gp"),
        "NTK, Student's t": NTKRegressor(ntk, alpha=alpha, uncertainty="student_t"),
    }


def half_width(model, std, y, coverage=0.9):
    """Of the interval for a new target: the function's spread and the noise.

    The noise has the variance `alpha` for standardised targets.
    """
    noise = getattr(model, "alpha_", model.alpha) * getattr(model, "scale_", 1.0)
    freedom = getattr(model, "degrees_of_freedom_", np.inf)
    quantile = t.ppf(0.5 + 0.5 * coverage, freedom)
    if np.isfinite(freedom):  # std is that of the distribution, not its scale
        quantile *= np.sqrt((freedom - 2.0) / freedom)
    return quantile * np.sqrt(std**2 + noise * np.var(y))


# %%
# Side by side
# ------------
# Dark: the function. Light: a new target, noise included. At the training points the
# ensemble agrees on a function; between and beyond them all grow, by different laws.

rng = np.random.default_rng(3)
X = np.sort(np.r_[rng.uniform(-2.0, -0.6, 12), rng.uniform(0.6, 2.0, 12)])[:, None]
y = np.sin(2.0 * X[:, 0]) + 0.1 * rng.standard_normal(24)
grid = np.linspace(-4.0, 4.0, 300)[:, None]

figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, models(3, 0.02).items(), strict=True):
    mean, std = model.fit(X, y).predict(grid, return_std=True)
    wide, x = half_width(model, std, y), grid[:, 0]
    ax.fill_between(x, mean - wide, mean + wide, alpha=0.15, color="C0", lw=0)
    ax.fill_between(x, mean - 1.645 * std, mean + 1.645 * std, alpha=0.3, color="C0")
    ax.plot(x, mean)
    ax.plot(X[:, 0], y, "k.")
    ax.set(title=name, xlabel="x", xlim=(-4, 4), ylim=(-4, 4))

# %%
# What 90 % intervals cover
# -------------------------
# A real table and a synthetic one with little and with much noise, in five folds. Each
# is fitted with an `alpha` near the noise's share of the variance, and the noisy ones
# also with one that is far too small. The NNGP learns its own. In brackets is the mean
# width of the intervals, in standard deviations of the targets.


def measured(model, X, y, folds):
    inside, width = [], []
    for train, test in folds.split(X):
        mean, std = model.fit(X[train], y[train]).predict(X[test], return_std=True)
        half = half_width(model, std, y[train])
        inside.append(np.abs(y[test] - mean) <= half)
        width.append(2.0 * half / np.std(y[train]))
    return np.mean(np.concatenate(inside)), np.mean(np.concatenate(width))


diabetes = load_diabetes(return_X_y=True)
clean = make_friedman1(300, noise=0.5, random_state=0)
noisy = make_friedman1(300, noise=3.0, random_state=0)
CASES = {
    "friedman1, little noise, alpha=0.01": (clean, 0.01),
    "friedman1, much noise, alpha=0.3": (noisy, 0.3),
    "friedman1, much noise, alpha=0.01": (noisy, 0.01),
    "diabetes, alpha=0.5": (diabetes, 0.5),
    "diabetes, alpha=0.01": (diabetes, 0.01),
}
folds = KFold(n_splits=5, shuffle=True, random_state=0)
print(f"{'covered (width)':35}", *(f"{name:>18}" for name in models(2, 0.0)))
for title, ((X, y), alpha) in CASES.items():
    X = StandardScaler().fit_transform(X)
    cells = [measured(model, X, y, folds) for model in models(2, alpha).values()]
    print(f"{title:35}", *(f"{share:11.0%} ({width:4.2f})" for share, width in cells))

# %%
# What is covered depends on `alpha`, the variance of the noise, more than on anything
# else. The NNGP learned it, and covers what it should. Student's t learns one
# scale for signal and noise together; that is rougher, and holds even where `alpha` was
# far off. The NTK as a prior is as good as `alpha` is. The ensemble says how far
# networks disagree, which is not how far they are from the targets: where data are many
# they agree long before they are right.

plt.show()
