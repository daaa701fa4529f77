"""Smooth activations before kinked ones, at rows whose angle is nearly 0 or pi.

The oracle is the textbook recursion on cosines, with 100 digits, so that nothing in
it needs care; derivatives are differences with a step of 1e-30.
"""

import mpmath as mp
import numpy as np
import pytest

from sklearn_ntk import NNGP, NTK
from sklearn_ntk.networks import (
    GELU,
    Abs,
    Concatenate,
    Cos,
    Dense,
    Erf,
    Gabor,
    Gaussian,
    InputScale,
    ReLU,
    Residual,
    Sequential,
    SigmoidLike,
    Sin,
)

BOUNDS = (1e-3, 1e3)
STEP = mp.mpf(10) ** -30


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(100):
        yield


def awkward_rows():
    x, y, z = np.random.default_rng(0).standard_normal((3, 4))
    near = [x, x * (1 + 1e-9), x + 1e-7 * y, x + 1e-12 * y, x * (1 + 1e-4), 2 * x]
    return np.array([*near, -x, -x + 1e-7 * z, y, np.zeros(4), 1e-8 * x, 1e8 * x])


# Kernels of activations, by the covariance [[q, k], [k, r]]: K and its derivative in k


def erf(f, q, r, k):
    a, b2, c = mp.mpf(f.a), mp.mpf(f.b) ** 2, mp.mpf(f.c)
    size = (1 + 2 * b2 * q) * (1 + 2 * b2 * r)
    ratio = 2 * b2 * k / mp.sqrt(size)
    slope = 4 * a * a * b2 / mp.pi / mp.sqrt(size - 4 * b2 * b2 * k * k)
    return 2 * a * a / mp.pi * mp.asin(ratio) + c * c, slope


def sine(f, q, r, k, sign=-1):
    a2, b2 = mp.mpf(f.a) ** 2 / 2, mp.mpf(f.b) ** 2
    minus = a2 * mp.exp(-b2 * (q + r - 2 * k) / 2)
    plus = a2 * mp.exp(-b2 * (q + r + 2 * k) / 2) * sign * mp.cos(2 * mp.mpf(f.c))
    return minus + plus, b2 * (minus - plus)


def cosine(f, q, r, k):
    return sine(f, q, r, k, sign=1)


def gaussian(f, q, r, k):
    a, b = mp.mpf(f.a), mp.mpf(f.b)
    D = (1 - 2 * b * q) * (1 - 2 * b * r) - 4 * b * b * k * k
    return a * a / mp.sqrt(D), 4 * a * a * b * b * k / mp.sqrt(D) ** 3


def gelu(f, q, r, k):
    x, y = 1 / (1 + q), 1 / (1 + r)
    D = (1 + q) * (1 + r) - k * k
    angle, root = mp.asin(k * mp.sqrt(x * y)), mp.sqrt(D)
    nngp = k * angle + (q * r - k * k + k * k * (x + y)) / root
    slope = angle + k / root * (x + y + 1 / D)
    return k / 4 + nngp / (2 * mp.pi), mp.mpf(1) / 4 + slope / (2 * mp.pi)


def gabor(f, q, r, k):
    D = (1 + 2 * q) * (1 + 2 * r) - 4 * k * k
    t = (q + r + 4 * (q * r - k * k)) / D
    e, w = mp.exp(-t / 2) / mp.sqrt(D), k / D
    nngp = e * mp.sinh(w)
    slope = nngp * 4 * w * (2 - t) + e * mp.cosh(w) * (1 / D + 8 * w * w)
    return nngp, slope


def absolute(f, q, r, k):
    if q == 0 or r == 0:
        return mp.mpf(0), mp.mpf(0)
    size = mp.sqrt(q * r)
    c = max(min(k / size, mp.mpf(1)), mp.mpf(-1))
    s, angle = mp.sqrt(1 - c * c), mp.asin(c)
    return 2 / mp.pi * size * (s + c * angle), 2 / mp.pi * angle


def relu(f, q, r, k):
    nngp, slope = absolute(f, q, r, k)
    return (nngp + k) / 4, (slope + 1) / 4


FORMULAS = {
    Abs: absolute,
    Cos: cosine,
    Erf: erf,
    GELU: gelu,
    Gabor: gabor,
    Gaussian: gaussian,
    ReLU: relu,
    SigmoidLike: erf,
    Sin: sine,
}


def through(layer, state):
    """The state (q, r, k, theta) of a pair of rows after a layer."""
    q, r, k, theta = state
    if isinstance(layer, Sequential):
        for part in layer.layers:
            state = through(part, state)
        return state
    if isinstance(layer, Residual):
        branch = through(Sequential(*layer.layers), state)
        return tuple(a + b for a, b in zip(state, branch, strict=True))
    if isinstance(layer, Concatenate):
        branches = [through(branch, state) for branch in layer.layers]
        return tuple(
            sum(parts) / len(branches) for parts in zip(*branches, strict=True)
        )
    if isinstance(layer, InputScale):
        return tuple(a / layer.length_scale**2 for a in state)
    if isinstance(layer, Dense):
        w, b = layer.weight_variance, layer.bias_variance
        q, r, k = (w * a + b for a in (q, r, k))
        return q, r, k, w * theta + k
    formula = FORMULAS[type(layer)]
    nngp, slope = formula(layer, q, r, k)
    return formula(layer, q, q, q)[0], formula(layer, r, r, r)[0], nngp, theta * slope


def reference(network, X, **changes):
    """NNGP kernel and NTK, in floats with 100 digits."""
    names = [h.name for h in network.hyperparameters]
    params = network.get_params()
    values = {name: mp.mpf(params[name]) for name in names}
    network = network.with_values({**values, **changes})
    rows = [[mp.mpf(float(value)) for value in row] for row in X]
    nngp = np.empty((len(X), len(X)), dtype=object)
    ntk = nngp.copy()
    for i, j in zip(*np.triu_indices(len(X)), strict=True):
        x, y = rows[i], rows[j]
        q, r, k = (mp.fdot(a, b) / len(x) for a, b in ((x, x), (y, y), (x, y)))
        _, _, *pair = through(network, (q, r, k, mp.mpf(0)))
        nngp[i, j], ntk[i, j] = nngp[j, i], ntk[j, i] = pair
    return {NNGP: nngp, NTK: ntk}


def dense(weight_variance, bias_variance, **params):
    params = {"bias_variance_bounds": "fixed", **params}
    return Dense(weight_variance, bias_variance, **params)


def mixed(smooth, kinked, bias):
    return Sequential(dense(1.5, bias), smooth, dense(1.2, bias), kinked, dense(1.0, 0))


SMOOTH = [
    Erf(),
    Erf(1.1, 0.7, 0.3),
    SigmoidLike(),
    Sin(),
    Sin(0.9, 1.2, 0.4),
    Cos(),
    Cos(1.0, 0.3, 1.4),
    Gaussian(),
    Gaussian(1.3, -0.2),
    GELU(),
    Gabor(),
]


def sizes(exact):
    root = np.sqrt(np.diag(exact).astype(float))
    return np.where(root > 0, root, 1.0)[:, None] * np.where(root > 0, root, 1.0)


def error(ours, exact):
    difference = (ours - exact).astype(float)  # in mpmath, where exact is
    return np.max(np.abs(difference) / sizes(exact))


@pytest.mark.parametrize("bias", [0.0, 0.1])
@pytest.mark.parametrize("smooth", SMOOTH, ids=repr)
def test_kinked_after_smooth_activation(smooth, bias):
    X = awkward_rows()
    network = mixed(smooth, ReLU(), bias)
    for kernel, exact in reference(network, X).items():
        K = kernel(network)(X)
        assert error(K, exact) < 1e-12
        K = kernel(network)(X, X)
        assert error(K, K.T) < 1e-15


def composed():
    return Sequential(
        Concatenate(
            Sequential(dense(1.0, 0.2), ReLU(), dense(1.0, 0.1)),
            Sequential(dense(0.5, 0.1), Erf(), dense(1.0, 0.1)),
        ),
        dense(1.0, 0.1),
        GELU(),
        dense(1.0, 0.1, weight_variance_bounds=BOUNDS),
        Residual(Sin(), dense(1.0, 0.1, bias_variance_bounds=BOUNDS)),
        Abs(),
        dense(1.0, 0.0),
    )


def scaled(*layers):
    return Sequential(InputScale(1.3, length_scale_bounds=BOUNDS), *layers)


DIFFERENTIABLE = {
    "erf": scaled(
        dense(1.0, 0.1, weight_variance_bounds=BOUNDS, bias_variance_bounds=BOUNDS),
        Erf(1.1, 0.7, 0.3, a_bounds=BOUNDS, b_bounds=BOUNDS, c_bounds=BOUNDS),
        dense(1.0, 0.1, bias_variance_bounds=BOUNDS),
        ReLU(),
        dense(1.0, 0.0),
    ),
    "gelu": scaled(
        dense(1.0, 0.1, bias_variance_bounds=BOUNDS),
        GELU(),
        dense(1.0, 0.1, weight_variance_bounds=BOUNDS),
        Abs(),
        dense(1.0, 0.0),
    ),
    "sin": scaled(
        dense(1.0, 0.1, bias_variance_bounds=BOUNDS),
        Sin(1.1, 0.7, 0.3, a_bounds=BOUNDS, b_bounds=BOUNDS, c_bounds=BOUNDS),
        dense(1.0, 0.1),
        ReLU(),
        dense(1.0, 0.0),
    ),
    "cos, no bias": scaled(
        dense(1.0, 0.0, weight_variance_bounds=BOUNDS), Cos(), dense(1.0, 0.0), ReLU(),
        dense(1.0, 0.0),
    ),
    "gaussian": scaled(
        dense(1.0, 0.1, bias_variance_bounds=BOUNDS),
        Gaussian(1.1, -0.4, a_bounds=BOUNDS),
        dense(1.0, 0.1),
        ReLU(),
        dense(1.0, 0.0),
    ),
    "gabor": scaled(
        dense(1.0, 0.1, bias_variance_bounds=BOUNDS), Gabor(), dense(1.0, 0.1), ReLU(),
        dense(1.0, 0.0),
    ),
    "erf, no bias": scaled(
        dense(1.0, 0.0, weight_variance_bounds=BOUNDS), Erf(), dense(1.0, 0.0), ReLU(),
        dense(1.0, 0.0),
    ),
    "composed": composed(),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient(name):
    network = DIFFERENTIABLE[name]
    X = awkward_rows()[[0, 1, 2, 3, 4, 5, 6, 7, 9]]
    values = reference(network, X)
    gradients = {kernel: kernel(network)(X, eval_gradient=True)[1] for kernel in values}
    free = [h.name for h in network.hyperparameters if not h.fixed]
    for index, hyperparameter in enumerate(free):
        value = mp.mpf(network.get_params()[hyperparameter])
        above, below = (
            reference(network, X, **{hyperparameter: value * mp.exp(sign * STEP)})
            for sign in (1, -1)
        )
        for kernel, exact in values.items():
            slope = (above[kernel] - below[kernel]) / (2 * STEP)
            slope = slope.astype(float)
            wrong = np.abs(gradients[kernel][..., index] - slope)
            assert np.all(wrong <= 1e-6 * (np.abs(slope) + 1e-3 * sizes(exact)))


@pytest.mark.parametrize("bias", [0.0, 0.1])
@pytest.mark.parametrize("smooth", SMOOTH, ids=repr)
def test_finite_at_extreme_rows(smooth, bias):
    rows = awkward_rows()
    extreme = np.array([1e-160, 1e-100, 1e100, 1e150])[:, None] * rows[[0]]
    X = np.vstack([rows, extreme, 2 * extreme, -extreme, np.zeros((1, 4))])
    network = scaled(dense(1.0, bias, weight_variance_bounds=BOUNDS), smooth,
                     dense(1.0, bias), ReLU(), dense(1.0, bias))  # fmt: skip
    for kernel in (NNGP, NTK):
        K, K_gradient = kernel(network)(X, eval_gradient=True)
        assert np.all(np.isfinite(K))
        assert np.all(np.isfinite(K_gradient))
