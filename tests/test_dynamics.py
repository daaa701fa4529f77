"""Training in function space, against recurrences, exponentials and other solvers."""

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning

from sklearn_ntk import NNGP, NTK, NNGPRegressor, NTKRegressor
from sklearn_ntk._solvers import loss_flow
from sklearn_ntk._solvers.descent import descent_filter
from sklearn_ntk.dynamics import (
    gradient_descent,
    gradient_flow,
    gradient_flow_of_loss,
    max_learning_rate,
    trained_ensemble,
)
from sklearn_ntk.networks import Dense, ReLU, Sequential

N, M = 10, 4
TIMES = [3.0, 0.0, 0.2, 100.0]
WEIGHT = read_only(np.tile([1.0, 2.0, 0.0, 0.7, 1.3], 2))
ALPHA = read_only(np.linspace(0.05, 0.4, N))
OPTIONS = {
    "plain": {},
    "alpha": {"alpha": 0.2},
    "weights": {"sample_weight": WEIGHT, "alpha": ALPHA},
}


def problem(n_outputs=None, seed=0):
    """Kernels, targets and functions at the start, of rows of the fit and new ones."""
    rng = np.random.default_rng(seed)
    X, new = rng.normal(size=(N, 3)), rng.normal(size=(M, 3))
    shape = () if n_outputs is None else (n_outputs,)
    arrays = [NTK()(X), NTK()(new, X)]
    arrays += [rng.normal(size=(n, *shape)) for n in (N, N, M)]
    return tuple(map(read_only, arrays))


def linear_problem(K, alpha=0.0, sample_weight=None):
    """G W / sum(w), and W / sum(w), of the rows that count; these rows."""
    weight = np.ones(N) if sample_weight is None else sample_weight
    rows = np.flatnonzero(weight)
    w = weight[rows]
    G = K[np.ix_(rows, rows)] + np.diag(np.broadcast_to(alpha, N)[rows] / w)
    return G * w / w.sum(), w / w.sum(), rows


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_flow_from_any_function(options, n_outputs):
    K, cross, y, f0_train, f0_test = problem(n_outputs)
    train, test = gradient_flow(
        K, y, TIMES, k_test_train=cross, f0_train=f0_train, f0_test=f0_test,
        learning_rate=2.0, **options,
    )  # fmt: skip
    H, share, rows = linear_problem(K, **options)
    for i, time in enumerate(TIMES):
        pulled = (np.eye(len(rows)) - expm(-2.0 * time * H)) @ (y - f0_train)[rows]
        dual = (share * np.linalg.solve(H, pulled).T).T
        assert_allclose(train[i], f0_train + K[:, rows] @ dual, rtol=1e-9, atol=1e-11)
        assert_allclose(test[i], f0_test + cross[:, rows] @ dual, rtol=1e-9, atol=1e-11)


def test_one_time_has_no_axis_of_times():
    K, cross, y, _, _ = problem(2)
    for function, time in [
        (gradient_flow, 2.0),
        (gradient_descent, 2),
        (gradient_flow_of_loss, 2.0),
    ]:
        options = {"loss": "squared_error"} if function is gradient_flow_of_loss else {}
        train, test = function(K, y, time, k_test_train=cross, **options)
        assert train.shape == (N, 2)
        assert test.shape == (M, 2)
        (again,) = function(K, y, [time], **options)
        assert_array_equal(again, train)
        assert function(K, y, [], **options).shape == (0, N, 2)


def test_flow_ends_at_the_targets():
    K, cross, y, _, _ = problem()
    train, test = gradient_flow(K, y, np.inf, k_test_train=cross)
    assert_allclose(train, y, rtol=1e-9)
    assert_allclose(test, cross @ np.linalg.solve(K, y), rtol=1e-9)


def stepped(K, y, f0, steps, rate, momentum, **options):
    """The function on rows of the fit after so many steps, one after the other."""
    H, share, rows = linear_problem(K, **options)
    reach = K[:, rows] * share
    G = H / share
    dual, velocity = np.zeros(len(rows)), np.zeros(len(rows))
    for _ in range(steps):
        slope = G @ (share * dual) - (y - f0)[rows]
        velocity = momentum * velocity - rate * slope
        dual = dual + velocity
    return f0 + reach @ dual


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_steps_are_the_recurrence(options, momentum, share):
    K, _, y, f0, _ = problem()
    rate = share * max_learning_rate(K, momentum=momentum, **options)
    steps = [7, 0, 1, 64, 1000]
    found = gradient_descent(
        K, y, steps, f0_train=f0, learning_rate=rate, momentum=momentum, **options
    )
    for k, f in zip(steps, found, strict=True):
        expected = stepped(K, y, f0, k, rate, momentum, **options)
        assert_allclose(f, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("momentum", [0.09, 0.64])
@pytest.mark.parametrize("nudge", [0.0, 1e-15, -1e-15, 1e-9, -1e-9])
def test_critical_damping(momentum, nudge):
    """Where both roots of an eigenvector's recurrence are sqrt(momentum)."""
    m = (1.0 - np.sqrt(momentum)) ** 2 * (1.0 + nudge)
    steps = np.array([0, 1, 2, 5, 30])
    (found,) = descent_filter(np.array([m]), steps, 1.0, momentum).T
    root = np.sqrt(momentum)
    expected = (1.0 - root**steps * (1.0 + steps * (1.0 - root))) / m
    assert_allclose(found, expected, rtol=1e-7 if abs(nudge) == 1e-9 else 1e-12)


def test_many_small_steps_keep_their_digits():
    values = np.array([0.0, 1e-14, 1e-9, 1e-6, 1e-3])
    steps = np.array([10**6, 10**9, 10**12])
    found = descent_filter(values, steps, 0.5, 0.0)
    k, m = steps[:, None].astype(float), np.where(values > 0, values, 1.0)
    expected = np.where(values > 0, -np.expm1(k * np.log1p(-0.5 * m)) / m, 0.5 * k)
    assert_allclose(found, expected, rtol=1e-9)
    slow = descent_filter(np.zeros(1), steps, 0.5, 0.9)[:, 0]
    assert_allclose(slow, 5.0 * (steps - 9.0), rtol=1e-9)


def test_small_steps_are_the_flow():
    K, _, y, f0, _ = problem()
    flow = gradient_flow(K, y, 5.0, f0_train=f0)
    errors = []
    for k in (1000, 10_000):
        found = gradient_descent(K, y, 5 * k, f0_train=f0, learning_rate=1 / k)
        errors.append(np.max(np.abs(found - flow)))
    assert errors[1] < 0.11 * errors[0] < 1e-3


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_the_largest_learning_rate_is_the_largest(momentum):
    K, _, y, _, _ = problem()
    largest = max_learning_rate(K, momentum=momentum, alpha=0.1)
    eigenvalue = np.linalg.eigvalsh(K)[-1] + 0.1
    assert_allclose(largest, 2 * (1 + momentum) * N / eigenvalue, rtol=1e-12)
    options = {"momentum": momentum, "alpha": 0.1}
    bounded = gradient_descent(K, y, 10**6, learning_rate=largest, **options)
    assert np.max(np.abs(bounded)) < 1e3
    beyond = stepped(K, y, np.zeros(N), 3000, 1.01 * largest, momentum, alpha=0.1)
    assert np.max(np.abs(beyond)) > 1e3
    message = re.escape(f"is stable, {largest:.6g}.")
    with pytest.raises(ValueError, match=message):
        gradient_descent(K, y, 3, learning_rate=1.001 * largest, **options)


def test_the_largest_learning_rate_of_nothing():
    assert max_learning_rate(np.zeros((2, 2))) == np.inf


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("method", ["LSODA", "DOP853", "Radau"])
def test_any_loss_contains_the_squared_error(options, method):
    K, cross, y, f0_train, f0_test = problem(2)
    starts = {"f0_train": f0_train, "f0_test": f0_test, "k_test_train": cross}
    expected = gradient_flow(K, y, TIMES, **starts, **options)
    for loss in ("squared_error", lambda f, y: f - y):
        found = gradient_flow_of_loss(
            K, y, TIMES, loss=loss, method=method, **starts, **options
        )
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("n_outputs", [None, 3])
def test_cross_entropy_by_an_equation_for_outputs(n_outputs):
    K, _, _, f0, _ = problem(n_outputs)
    labels = np.arange(N) % (n_outputs or 2)
    y = labels if n_outputs is None else np.eye(n_outputs)[labels]
    share = expit if n_outputs is None else lambda f: softmax(f, axis=1)

    def velocity(_, f):
        return -(K @ (share(f.reshape(f0.shape)) - y) / N).ravel()

    expected = solve_ivp(
        velocity, (0.0, 50.0), f0.ravel(), t_eval=[5.0, 50.0], rtol=1e-10, atol=1e-12
    ).y.T.reshape(2, *f0.shape)
    found = gradient_flow_of_loss(K, y, [50.0, 5.0], f0_train=f0)
    assert_allclose(found, expected[::-1], atol=1e-6)


def test_many_unknowns_need_no_jacobian(monkeypatch):
    K, _, _, f0, _ = problem(3)
    y = np.eye(3)[np.arange(N) % 3]
    expected = gradient_flow_of_loss(K, y, TIMES, f0_train=f0)
    monkeypatch.setattr(loss_flow, "DENSE", 1)
    monkeypatch.setattr(loss_flow, "IMPLICIT", ())
    found = gradient_flow_of_loss(K, y, TIMES, f0_train=f0)
    assert_allclose(found, expected, atol=1e-6)


def test_logits_of_two_classes_are_twice_those_of_one():
    K, _, _, _, _ = problem()
    y = np.arange(N) % 2
    one = gradient_flow_of_loss(K, y, [10.0])
    two = gradient_flow_of_loss(K, np.eye(2)[y], [5.0])  # which moves twice as fast
    assert_allclose(two[..., 1] - two[..., 0], one, atol=1e-6)


def test_cross_entropy_at_a_long_time_is_penalised_logistic_regression():
    K, _, _, _, _ = problem()
    y = np.arange(N) % 2
    f = gradient_flow_of_loss(K, y, 1e6, alpha=0.1)
    assert_allclose(f, K @ (y - expit(f)) / 0.1, rtol=1e-5)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_ensemble_is_that_of_the_estimator(noisy, options):
    rng = np.random.default_rng(3)
    X, new, y = (read_only(rng.normal(size=s)) for s in ((N, 2), (M, 2), (N, 2)))
    options = {"alpha": 0.01, **options}
    weight = options.get("sample_weight")
    prior = NTK() if noisy else NNGP()
    matrices = {
        "ntk_train_train": NTK()(X),
        "ntk_test_train": NTK()(new, X),
        "nngp_train_train": prior(X),
        "nngp_test_train": prior(new, X),
    }
    times = [4.0, np.inf, 0.0]
    mean, cov = trained_ensemble(
        y, times, **matrices, nngp_test_test=prior(new), noisy_targets=noisy, **options
    )
    same, variance = trained_ensemble(
        y, times, **matrices, nngp_test_test=prior.diag(new), noisy_targets=noisy,
        **options,
    )  # fmt: skip
    assert_array_equal(same, mean)
    assert_allclose(variance, np.einsum("tii->ti", cov), rtol=1e-9, atol=1e-12)
    meaning = "gp" if noisy else "ensemble"
    model = NTKRegressor(
        alpha=options["alpha"], normalize_y=False, uncertainty=meaning
    ).fit(X, y, weight)
    for i, (a, b) in enumerate(model.staged_predict(new, times, return_cov=True)):
        assert_allclose(mean[i], a, rtol=1e-9, atol=1e-11)
        assert_allclose(cov[i], b[..., 0], rtol=1e-9, atol=1e-11)


def test_ensemble_is_what_many_draws_do():
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(6, 2)), rng.normal(size=(3, 2))
    y, both = np.cos(X[:, 0]), np.vstack([X, new])
    draws = rng.multivariate_normal(np.zeros(9), NNGP()(both), 20_000).T
    _, ends = gradient_flow(
        NTK()(X), np.repeat(y[:, None], 20_000, axis=1), 8.0,
        k_test_train=NTK()(new, X), f0_train=draws[:6], f0_test=draws[6:], alpha=0.1,
    )  # fmt: skip
    mean, cov = trained_ensemble(
        y, 8.0, ntk_train_train=NTK()(X), ntk_test_train=NTK()(new, X),
        nngp_train_train=NNGP()(X), nngp_test_train=NNGP()(new, X),
        nngp_test_test=NNGP()(new), alpha=0.1,
    )  # fmt: skip
    assert_allclose(ends.mean(axis=1), mean, atol=0.02)
    assert_allclose(np.cov(ends), cov, atol=0.02)


FILE = np.load(Path(__file__).parent / "data" / "neural_tangents_predictions.npz")
NETWORK = Sequential(
    Dense(2.25, 0.01), ReLU(), Dense(2.25, 0.01), ReLU(), Dense(2.25, 0.01)
)
FROZEN = Sequential(
    Dense(2.25, 0.01, trainable=False),
    ReLU(),
    Dense(2.25, 0.01, trainable=False),
    ReLU(),
    Dense(2.25, 0.01),
)
CLOSE = 1e-8  # its diagonal of a ReLU network is off by more
PATTERN = re.compile(
    r"(?P<rate>lr0.5__)?(?P<where>[a-z]+(None)?)__(?P<get>[a-z]+)__t(?P<time>.*)__"
    r"reg(?P<reg>.*)__abs(?P<absolute>.*)__cov"
)
CASES = [key for key in FILE if PATTERN.fullmatch(key)]


def symmetric(K):
    """What a matrix that is symmetric to 1e-8 is meant to be."""
    return 0.5 * (K + K.T)


def absolute_alpha(kernel, absolute):
    """Of `diag_reg` = 0.001, relative to the mean of the diagonal or not."""
    diagonal = kernel.diag(FILE["x_train"])
    return 0.001 * (1.0 if absolute == "True" else np.mean(diagonal))


@pytest.mark.parametrize("key", CASES)
def test_predictions_of_neural_tangents(key):
    case = PATTERN.fullmatch(key)
    y, where = FILE["y_train"], case["where"]
    get, letter = case["get"], "t" if where == "test" else "d"
    time = np.inf if case["time"] == "None" else float(case["time"])
    K = symmetric(FILE[f"{get}_dd"])
    absolute = 1.0 if case["absolute"] == "True" else np.mean(K.diagonal())
    alpha = float(case["reg"]) * absolute
    cross = FILE[f"{get}_{letter}d"], FILE[f"nngp_{letter}d"]
    prior = FILE[f"nngp_{letter}{letter}"]
    own_noise = get == "nngp"
    if where == "trainNone" and np.isinf(time):
        alpha = 0.0
    elif where == "trainNone":  # outputs of a kernel that contains the noise
        noise = alpha * np.eye(len(K))
        cross = (cross[0] + noise, cross[1] + own_noise * noise)
        prior = prior + own_noise * noise
    mean, cov = trained_ensemble(
        y, time, ntk_train_train=K, ntk_test_train=cross[0],
        nngp_train_train=FILE["nngp_dd"], nngp_test_train=cross[1],
        nngp_test_test=prior, alpha=alpha, learning_rate=1.0 / y.shape[1],
        noisy_targets=own_noise,
    )  # fmt: skip
    assert_allclose(mean, FILE[key.replace("cov", "mean")], rtol=1e-11, atol=1e-12)
    assert_allclose(cov, FILE[key], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("time", ["0.1", "10.0", "1000.0", "None"])
@pytest.mark.parametrize("where", ["test", "train"])
@pytest.mark.parametrize("absolute", ["True", "False"])
def test_predictions_of_neural_tangents_by_the_estimator(time, where, absolute):
    X, y = FILE["x_train"], FILE["y_train"]
    model = NTKRegressor(
        NETWORK,
        alpha=absolute_alpha(NTK(NETWORK), absolute),
        training_time=np.inf if time == "None" else float(time),
        learning_rate=1.0 / y.shape[1],
        normalize_y=False,
    ).fit(X, y)
    mean, cov = model.predict(FILE[f"x_{where}"], return_cov=True)
    key = f"{where}__ntk__t{time}__reg0.001__abs{absolute}__"
    assert_allclose(mean, FILE[key + "mean"], rtol=CLOSE, atol=CLOSE)
    for output in range(y.shape[1]):
        assert_allclose(cov[..., output], FILE[key + "cov"], rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("time", ["0.1", "10.0", "1000.0", "None"])
@pytest.mark.parametrize("absolute", ["True", "False"])
def test_trained_readouts_of_neural_tangents_by_the_estimator(time, absolute):
    X, y = FILE["x_train"], FILE["y_train"]
    model = NTKRegressor(
        FROZEN,
        alpha=absolute_alpha(NNGP(NETWORK), absolute),
        training_time=np.inf if time == "None" else float(time),
        learning_rate=1.0 / y.shape[1],
        normalize_y=False,
        uncertainty="gp",
    ).fit(X, y)
    mean, cov = model.predict(FILE["x_test"], return_cov=True)
    key = f"test__nngp__t{time}__reg0.001__abs{absolute}__"
    assert_allclose(mean, FILE[key + "mean"], rtol=CLOSE, atol=CLOSE)
    assert_allclose(cov[..., 0], FILE[key + "cov"], rtol=CLOSE, atol=CLOSE)


def test_learning_rate_of_neural_tangents():
    X, y = FILE["x_train"], FILE["y_train"]
    options = {"training_time": 10.0, "learning_rate": 0.5 / 2, "normalize_y": False}
    model = NTKRegressor(NETWORK, alpha=0.001, **options).fit(X, y)
    key = "lr0.5__test__ntk__t10.0__reg0.001__absTrue__mean"
    assert_allclose(model.predict(FILE["x_test"]), FILE[key], rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("absolute", ["True", "False"])
@pytest.mark.parametrize(
    ("get", "estimator", "options"),
    [
        ("nngp", NNGPRegressor, {}),
        ("ntk", NTKRegressor, {}),
        ("ntkgp", NTKRegressor, {"uncertainty": "gp"}),
    ],
)
def test_gaussian_processes_of_neural_tangents(get, estimator, options, absolute):
    kernel = {NTKRegressor: NTK, NNGPRegressor: NNGP}[estimator](NETWORK)
    alpha = absolute_alpha(kernel, absolute)
    model = estimator(NETWORK, alpha=alpha, normalize_y=False, **options)
    model.fit(FILE["x_train"], FILE["y_train"])
    mean, cov = model.predict(FILE["x_test"], return_cov=True)
    key = f"gp_inference__{get}__reg0.001__abs{absolute}__"
    assert_allclose(mean, FILE[key + "mean"], rtol=CLOSE, atol=CLOSE)
    assert_allclose(cov[..., 0], FILE[key + "cov"], rtol=CLOSE, atol=CLOSE)


def test_lost_digits_are_told():
    K = np.ones((3, 3))
    with pytest.warns(ConvergenceWarning, match=r"may be off by .* of the targets"):
        f = gradient_flow(K, [1.0, 2.0, 6.0], np.inf)
    assert_allclose(f, 3.0, rtol=1e-9)


K3 = np.eye(3)
BAD = [
    ({"times": -1.0}, r"times must be a float in the range \[0.0, inf"),
    ({"times": [1.0, np.nan]}, "times must be"),
    ({"times": [[1.0]]}, "times must be"),
    ({"learning_rate": 0.0}, r"learning_rate must be a float in the range \(0.0, inf"),
    ({"learning_rate": np.nan}, "learning_rate must be"),
    ({"alpha": -1.0}, "alpha must be a float in the range"),
    ({"alpha": [1.0, 2.0]}, r"alpha must be .* of shape \(3,\)"),
    ({"y": np.zeros(4)}, r"y must have shape \(3,\) or \(3, n_outputs\)"),
    ({"y": [0.0, np.nan, 1.0]}, "y contains NaN"),
    ({"k_train_train": np.ones((3, 2))}, "k_train_train must be a square matrix"),
    ({"k_train_train": np.triu(np.ones((3, 3)))}, "k_train_train must be symmetric"),
    ({"k_test_train": np.ones((2, 2))}, r"k_test_train must have shape \(n_test, 3\)"),
    ({"f0_train": np.zeros(2)}, r"f0_train must have shape \(3,\)"),
    ({"f0_test": np.zeros(2), "k_test_train": K3}, r"f0_test must have shape \(3,\)"),
    ({"f0_train": np.inf}, "f0_train must be finite"),
    ({"sample_weight": [0.0, 0.0, 0.0]}, r"sample_weight|Sample weights"),
    ({"sample_weight": [1.0, -1.0, 0.0]}, "Negative values"),
]


@pytest.mark.parametrize("function", [gradient_flow, gradient_flow_of_loss])
@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input(function, arguments, message):
    good = {"k_train_train": K3, "y": [0.0, 1.0, 0.0], "times": 1.0}
    with pytest.raises(ValueError, match=message):
        function(**{**good, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 1.5}, "steps must be an int"),
        ({"steps": -1}, "steps must be an int"),
        ({"momentum": 1.0}, r"momentum must be a float in the range \[0.0, 1.0\)"),
        ({"momentum": -0.1}, "momentum must be"),
        ({"learning_rate": 7.0}, r"learning_rate=7 is above .* stable, 6\."),
        ({"learning_rate": 9.5, "momentum": 0.5}, r"stable, 9\."),
    ],
)
def test_bad_steps(arguments, message):
    good = {"k_train_train": K3, "y": [0.0, 1.0, 0.0], "steps": 1}
    with pytest.raises(ValueError, match=message):
        gradient_descent(**{**good, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": np.inf}, r"range \[0.0, inf\)"),
        ({"loss": "hinge"}, "loss must be 'log_loss'"),
        ({"y": [0.0, 2.0, 1.0]}, r"probabilities in \[0, 1\]"),
        ({"y": np.ones((3, 2))}, "Rows of y must sum to 1"),
    ],
)
def test_bad_losses(arguments, message):
    good = {"k_train_train": K3, "y": [0.0, 1.0, 0.0], "times": 1.0}
    with pytest.raises(ValueError, match=message):
        gradient_flow_of_loss(**{**good, **arguments})


def test_bad_ensemble():
    good = dict.fromkeys(
        ["ntk_train_train", "ntk_test_train", "nngp_train_train", "nngp_test_train"], K3
    )
    with pytest.raises(ValueError, match=r"nngp_test_test must have shape \(3, 3\)"):
        trained_ensemble(np.ones(3), 1.0, **good, nngp_test_test=np.eye(2))
    bad = {**good, "ntk_train_train": -K3}
    with pytest.raises(np.linalg.LinAlgError, match="not positive semi-definite"):
        trained_ensemble(np.ones(3), 1.0, **bad, nngp_test_test=K3)
