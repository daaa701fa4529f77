"""Regressors against scikit-learn's own and against dense formulas."""

import pickle

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, cross_val_score
from threadpoolctl import threadpool_limits

from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.networks import MLP
from sklearn_ntk.regression import NNGPRegressor, NTKRegressor

NETWORKS = [None, MLP(depth=1, activation="erf", bias_variance=0.3), MLP(depth=3)]
KERNELS = {NTKRegressor: NTK, NNGPRegressor: NNGP}
REGRESSORS = list(KERNELS)
ALPHA = np.linspace(0.05, 0.4, 24)
WEIGHT = np.tile([1.0, 2.0, 0.0, 0.7], 6)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def data(n=24, n_targets=None, seed=0):
    """Rows, noisy targets far from standardised, and new rows."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    slopes = rng.normal(size=(3, n_targets or 1))
    y = 30.0 + 7.0 * np.cos(X @ slopes) + rng.normal(size=(n, n_targets or 1))
    y = y if n_targets else y[:, 0]
    return read_only(X), read_only(y), read_only(rng.normal(size=(5, 3)))


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
@pytest.mark.parametrize("regressor", REGRESSORS)
@pytest.mark.parametrize("n_targets", [None, 1, 2])
def test_mean_is_kernel_ridge(regressor, network, n_targets):
    X, y, new = data(n_targets=n_targets)
    kernel = KERNELS[regressor](network)
    centred = y - y.mean(axis=0)
    ridge = KernelRidge(alpha=0.1, kernel="precomputed").fit(kernel(X), centred)
    expected = ridge.predict(kernel(new, X)) + y.mean(axis=0)
    found = regressor(network, alpha=0.1).fit(X, y).predict(new)
    assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_weights_and_alphas_are_those_of_kernel_ridge(regressor):
    X, y, new = data()
    rows, K = WEIGHT > 0, KERNELS[regressor]()(X)
    G = K[np.ix_(rows, rows)] + np.diag(ALPHA[rows] / WEIGHT[rows])
    expected = KERNELS[regressor]()(new, X[rows]) @ np.linalg.solve(G, y[rows])
    model = regressor(alpha=ALPHA, normalize_y=False).fit(X, y, WEIGHT)
    assert_allclose(model.predict(new), expected, rtol=1e-10)


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
@pytest.mark.parametrize("normalize_y", [True, False])
@pytest.mark.parametrize("n_targets", [None, 2])
def test_nngp_is_gaussian_process_regression(network, normalize_y, n_targets):
    X, y, new = data(n_targets=n_targets)
    ours = NNGPRegressor(network, alpha=0.1, normalize_y=normalize_y).fit(X, y)
    theirs = GaussianProcessRegressor(
        NNGP(network), alpha=0.1, normalize_y=normalize_y, optimizer=None
    ).fit(X, y)
    options = [{}, {"return_std": True}, {"return_cov": True}]
    for option in options:
        expected, found = theirs.predict(new, **option), ours.predict(new, **option)
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert_allclose(
        ours.sample_y(new, 3, random_state=1),
        theirs.sample_y(new, 3, random_state=1),
        atol=1e-5,
    )
    assert_allclose(
        ours.log_marginal_likelihood_value_,
        theirs.log_marginal_likelihood_value_,
        rtol=1e-10,
    )


def noisy_process(network, **options):
    """GaussianProcessRegressor whose theta is that of NNGPRegressor."""
    kernel = NNGP(network) + WhiteKernel(0.05, noise_level_bounds=(1e-6, 1e2))
    return GaussianProcessRegressor(kernel, alpha=0.0, normalize_y=True, **options)


@pytest.mark.parametrize("n_targets", [None, 2])
def test_likelihood_and_its_gradient(n_targets):
    X, y, _ = data(n_targets=n_targets)
    network = MLP(1, length_scale=[1.0, 2.0, 0.5], length_scale_bounds=(0.1, 10.0))
    ours = NNGPRegressor(network).fit(X, y)
    theirs = noisy_process(network, optimizer=None).fit(X, y)
    assert_allclose(ours.theta_, theirs.kernel_.theta)
    theta = ours.theta_ + 0.3
    expected = theirs.log_marginal_likelihood(theta, eval_gradient=True)
    value, slope = ours.log_marginal_likelihood(theta, eval_gradient=True)
    assert_allclose(value, expected[0], rtol=1e-10)
    assert_allclose(slope, expected[1], rtol=1e-8)
    assert ours.log_marginal_likelihood(theta) == value
    current = ours.log_marginal_likelihood(eval_gradient=True)
    assert_allclose(current[0], ours.log_marginal_likelihood())


def differences(function, theta, step=1e-5):
    steps = step * np.eye(len(theta))
    return [(function(theta + h) - function(theta - h)) / (2 * step) for h in steps]


@pytest.mark.parametrize("network", [*NETWORKS, "precomputed"], ids=repr)
def test_gradient_of_the_weighted_likelihood(network):
    X, y, _ = data(n_targets=2)
    if network == "precomputed":
        X = NNGP()(X)
    model = NNGPRegressor(network).fit(X, y, WEIGHT)
    theta = model.theta_ - 0.2
    _, slope = model.log_marginal_likelihood(theta, eval_gradient=True)
    expected = differences(model.log_marginal_likelihood, theta)
    assert_allclose(slope, expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The optimal value found", "ignore:.*is close to")
@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_learning_finds_the_optimum_of_gaussian_process_regression(network):
    X, y, new = data()
    ours = NNGPRegressor(network, optimizer="fmin_l_bfgs_b").fit(X, y)
    theirs = noisy_process(network).fit(X, y)
    before = NNGPRegressor(network).fit(X, y).log_marginal_likelihood()
    assert ours.log_marginal_likelihood() > before
    assert_allclose(
        ours.log_marginal_likelihood(),
        theirs.log_marginal_likelihood_value_,
        rtol=1e-6,
    )
    assert_allclose(ours.theta_, theirs.kernel_.theta, atol=2e-3)
    assert_allclose(ours.alpha_, np.exp(ours.theta_[-1]))
    assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-3)


def test_learning_leaves_the_network_alone():
    X, y, _ = data()
    network = MLP(1)
    model = NNGPRegressor(network, optimizer="fmin_l_bfgs_b").fit(X, y)
    assert network.bias_variance == 1.0
    assert model.network_.bias_variance != 1.0
    assert model.kernel_.network is model.network_
    assert model.alpha == 0.05


def test_restarts_are_reproducible_and_no_worse():
    X, y, _ = data()
    plain = NNGPRegressor(MLP(1), optimizer="fmin_l_bfgs_b")
    restarted = clone(plain).set_params(n_restarts_optimizer=2, random_state=3)
    first, second = (clone(restarted).fit(X, y) for _ in range(2))
    assert_array_equal(first.theta_, second.theta_)
    worst = plain.fit(X, y).log_marginal_likelihood()
    assert first.log_marginal_likelihood() >= worst - 1e-9


def test_optimizer_may_be_a_callable():
    X, y, _ = data()

    def optimizer(objective, start, bounds):
        value, slope = objective(start)
        assert slope.shape == start.shape
        assert bounds.shape == (len(start), 2)
        assert objective(start, eval_gradient=False) == value
        return start + 0.25, value

    start = NNGPRegressor().fit(X, y).theta_
    model = NNGPRegressor(optimizer=optimizer).fit(X, y)
    assert_allclose(model.theta_, start + 0.25)


@pytest.mark.parametrize("options", [{"alpha_bounds": "fixed"}, {"alpha": ALPHA}])
def test_alpha_may_be_kept(options):
    X, y, _ = data()
    model = NNGPRegressor(optimizer="fmin_l_bfgs_b", **options).fit(X, y)
    assert_array_equal(model.alpha_, options.get("alpha", 0.05))
    assert model.theta_.shape == (1,)
    assert model.network_.bias_variance != 1.0


def test_alpha_is_learned_for_a_precomputed_kernel():
    X, y, new = data()
    K = read_only(NNGP()(X))
    options = {"optimizer": "fmin_l_bfgs_b"}
    model = NNGPRegressor("precomputed", **options).fit(K, y)
    fixed = MLP(bias_variance_bounds="fixed")
    expected = NNGPRegressor(fixed, **options).fit(X, y)
    assert_allclose(model.alpha_, expected.alpha_, rtol=1e-6)
    assert_allclose(model.predict(NNGP()(new, X)), expected.predict(new), rtol=1e-6)


def test_optimum_at_a_bound_is_told():
    X, y, _ = data()
    network = MLP(bias_variance_bounds="fixed")
    model = NNGPRegressor(network, optimizer="fmin_l_bfgs_b", alpha_bounds=(1.0, 2.0))
    with pytest.warns(ConvergenceWarning, match="alpha is close to its bound 1"):
        model.fit(X, y)


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
@pytest.mark.parametrize("n_targets", [None, 2])
def test_covariance_of_an_ensemble(network, n_targets):
    """Networks end at f(x) = f_0(x) + A (y - f_0(X)): a linear map of f_0."""
    X, y, new = data(n_targets=n_targets)
    G = NTK(network)(X) + 0.1 * np.eye(len(X))
    A = NTK(network)(new, X) @ np.linalg.inv(G)
    ends = np.hstack([-A, np.eye(len(new))])
    cov = ends @ NNGP(network)(np.vstack([X, new])) @ ends.T
    expected = np.multiply.outer(cov, y.std(axis=0) ** 2)
    model = NTKRegressor(network, alpha=0.1).fit(X, y)
    _, found = model.predict(new, return_cov=True)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
    _, std = model.predict(new, return_std=True)
    assert_allclose(std**2, np.einsum("ii...->i...", expected), rtol=1e-9)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_spread_vanishes_where_interpolating_and_grows_away(regressor):
    X, y, _ = data()
    model = regressor(alpha=1e-6).fit(X, y)
    _, near = model.predict(X, return_std=True)
    _, far = model.predict(10.0 * X, return_std=True)
    assert np.max(near) < 1e-2 * np.min(far)


@pytest.mark.parametrize("option", ["return_std", "return_cov"])
@pytest.mark.parametrize(
    ("regressor", "options"),
    [
        (NTKRegressor, {}),
        (NNGPRegressor, {}),
        (NNGPRegressor, {"optimizer": "fmin_l_bfgs_b"}),
    ],
)
def test_weight_two_is_the_row_twice(regressor, options, option):
    X, y, new = data()
    weight = np.tile([1.0, 2.0, 0.0, 3.0], 6)
    rows = np.repeat(np.arange(24), weight.astype(int))
    weighted = regressor(**options).fit(X, y, weight)
    repeated = regressor(**options).fit(X[rows], y[rows])
    found = weighted.predict(new, **{option: True})
    expected = repeated.predict(new, **{option: True})
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, rtol=1e-5 if options else 1e-9, atol=1e-10)
    if regressor is NNGPRegressor:
        assert_allclose(
            weighted.log_marginal_likelihood(),
            repeated.log_marginal_likelihood(),
            rtol=1e-9,
        )


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_units_of_the_targets_do_not_matter(regressor):
    X, y, new = data()
    model, rescaled = regressor().fit(X, y), regressor().fit(X, 1e200 * (y - 3.0))
    mean, std = model.predict(new, return_std=True)
    found = rescaled.predict(new, return_std=True)
    assert_allclose(found[0], 1e200 * (mean - 3.0), rtol=1e-10)
    assert_allclose(found[1], 1e200 * std, rtol=1e-10)
    small = regressor().fit(X, 1e-20 * y)
    assert_allclose(small.predict(new, return_std=True)[1], 1e-20 * std, rtol=1e-10)


@pytest.mark.parametrize("regressor", REGRESSORS)
@pytest.mark.parametrize("n", [1, 5])
def test_constant_targets(regressor, n):
    X, _, new = data()
    mean, std = regressor().fit(X[:n], np.full(n, 0.1)).predict(new, return_std=True)
    assert_allclose(mean, 0.1, rtol=1e-13)
    assert np.all(np.isfinite(std))
    assert np.all(std > 0)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_duplicates_with_different_targets_and_no_alpha(regressor):
    X, y, new = data()
    X = np.vstack([X, X[:3]])
    y = np.append(y, y[:3] + 1.0)
    with pytest.warns(ConvergenceWarning, match=r"alpha=0 is too small.*jitter of"):
        model = regressor(alpha=0.0).fit(X, y)
    assert_allclose(model.predict(X[:3]), y[:3] + 0.5, rtol=1e-3)
    assert np.all(np.isfinite(model.predict(new, return_std=True)))


def test_likelihood_warns_of_a_jitter():
    X, y, _ = data()
    model = NNGPRegressor().fit(np.vstack([X, X]), np.append(y, y))
    with pytest.warns(ConvergenceWarning, match="jitter"):
        model.log_marginal_likelihood([0.0, np.log(1e-30)])


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_no_alpha_interpolates(regressor):
    X, y, _ = data()
    assert_allclose(regressor(alpha=0.0).fit(X, y).predict(X), y, rtol=1e-8)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_awkward_rows(regressor, awkward):
    y = np.arange(len(awkward), dtype=float)
    model = regressor(alpha=1e-3).fit(awkward, y)
    mean, cov = model.predict(awkward, return_cov=True)
    assert np.all(np.isfinite(mean))
    assert_array_equal(cov, cov.T)
    assert np.all(cov.diagonal() >= 0)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_precomputed(regressor):
    X, y, new = data()
    kernel = KERNELS[regressor]()
    model = regressor("precomputed").fit(read_only(kernel(X)), y, WEIGHT)
    expected = regressor().fit(X, y, WEIGHT).predict(new)
    assert_allclose(model.predict(read_only(kernel(new, X))), expected, rtol=1e-12)
    for option in ("return_std", "return_cov"):
        with pytest.raises(ValueError, match="network='precomputed'"):
            model.predict(kernel(new, X), **{option: True})


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_grid_search_reaches_the_network_and_slices_gram_matrices(regressor):
    X, y, _ = data()
    grid = {"network__depth": [1, 2], "alpha": [0.01, 0.1]}
    search = GridSearchCV(regressor(), grid, cv=3).fit(X, y, sample_weight=WEIGHT)
    depth = search.best_params_["network__depth"]
    assert search.best_estimator_.network_.depth == depth
    expected = cross_val_score(regressor(), X, y, cv=3)
    found = cross_val_score(regressor("precomputed"), KERNELS[regressor]()(X), y, cv=3)
    assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_sparse_rows_are_rows(regressor):
    X, y, new = data()
    X = np.where(np.abs(X) > 0.5, X, 0.0)
    model, sparse = regressor().fit(X, y, WEIGHT), regressor()
    sparse.fit(csr_array(X), y, WEIGHT)
    for option in ("return_std", "return_cov"):
        found = sparse.predict(csr_array(new), **{option: True})
        expected = model.predict(new, **{option: True})
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_fit_keeps_a_copy(regressor):
    X, y, new = (np.array(a) for a in data())
    model = regressor().fit(X, y)
    expected = model.predict(new)
    X[:], y[:] = 0.0, 0.0
    assert_array_equal(model.predict(new), expected)
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(restored.predict(new), expected)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_representations(regressor):
    X, y, _ = data()
    model = regressor(MLP(3))
    assert repr(model) == f"{regressor.__name__}(network=MLP(depth=3))"
    assert "MLP" in model._repr_html_()
    assert "fitted" in model.fit(X, y)._repr_html_()


BAD_PARAMETERS = [
    ({"alpha": -1.0}, "The 'alpha' parameter of .* must be a float in the range"),
    ({"alpha": np.nan}, "'alpha' parameter"),
    ({"alpha": np.inf}, "'alpha' parameter"),
    ({"alpha": "small"}, "'alpha' parameter"),
    ({"alpha": [0.1, 0.2]}, r"'alpha' parameter .* of shape \(24,\)"),
    ({"alpha": np.full(24, -1.0)}, "'alpha' parameter"),
    ({"alpha": np.full((24, 1), 1.0)}, "'alpha' parameter"),
    ({"network": "mlp"}, "The 'network' parameter"),
    ({"network": MLP}, "The 'network' parameter"),
    ({"network": MLP(depth=-1)}, "The 'depth' parameter of MLP"),
    ({"network": MLP(length_scale=[1.0, 2.0])}, "length_scale"),
    ({"normalize_y": "yes"}, "The 'normalize_y' parameter"),
    ({"n_jobs": 1.5}, "The 'n_jobs' parameter"),
]


@pytest.mark.parametrize("regressor", REGRESSORS)
@pytest.mark.parametrize(("params", "message"), BAD_PARAMETERS)
def test_bad_parameters(regressor, params, message):
    X, y, _ = data()
    with pytest.raises(ValueError, match=message):
        regressor(**params).fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha_bounds": (1.0, 0.1)}, "The 'alpha_bounds' parameter"),
        ({"alpha_bounds": (0.0, 1.0)}, "The 'alpha_bounds' parameter"),
        ({"alpha_bounds": "free"}, "The 'alpha_bounds' parameter"),
        ({"optimizer": "sgd"}, "The 'optimizer' parameter"),
        ({"n_restarts_optimizer": -1}, "The 'n_restarts_optimizer' parameter"),
    ],
)
def test_bad_parameters_of_learning(params, message):
    X, y, _ = data()
    with pytest.raises(ValueError, match=message):
        NNGPRegressor(**params).fit(X, y)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_bad_input(regressor):
    X, y, new = data()
    model = regressor()
    with pytest.raises(NotFittedError):
        model.predict(new)
    model.fit(X, y)
    with pytest.raises(ValueError, match=r"2 features, but .* is expecting 3 features"):
        model.predict(new[:, :2])
    with pytest.raises(RuntimeError, match="At most one of return_std or return_cov"):
        model.predict(new, return_std=True, return_cov=True)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample"):
        model.fit(X, y, -WEIGHT)
    with pytest.raises(ValueError, match=r"sample_weight|Sample weights"):
        model.fit(X, y, np.zeros(24))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_overflow_is_an_error_that_names_the_network():
    X, y, _ = data()
    with pytest.raises(ValueError, match=r"MLP\(\) is not finite"):
        NTKRegressor().fit(1e160 * X, y)


@pytest.mark.parametrize("regressor", REGRESSORS)
def test_bad_gram_matrices(regressor):
    X, y, _ = data()
    K, model = np.array(NTK()(X)), regressor("precomputed")
    with pytest.raises(ValueError, match=r"must be a square matrix\. Input is a 24x23"):
        model.fit(K[:, :-1], y)
    with pytest.raises(np.linalg.LinAlgError, match="not positive semi-definite"):
        model.fit(K - 10.0, y)
    K[0, 1] += 0.5
    with pytest.raises(ValueError, match="must be symmetric"):
        model.fit(K, y)
    K[0, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        model.fit(K, y)


def test_bad_theta():
    X, y, _ = data()
    with pytest.raises(ValueError, match=r"theta must have shape \(2,\)"):
        NNGPRegressor().fit(X, y).log_marginal_likelihood([0.0])
