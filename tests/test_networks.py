"""Networks as descriptions: parameters, composition, bad input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
from zoo import ACTIVATIONS, NETWORKS

from sklearn_ntk import NNGP, NTK, networks
from sklearn_ntk.networks import (
    ELU,
    MLP,
    ABReLU,
    Concatenate,
    Dense,
    Dropout,
    Elementwise,
    Erf,
    ExpNormalized,
    Gaussian,
    Hermite,
    Identity,
    InputScale,
    Layer,
    LayerNorm,
    LeakyReLU,
    Monomial,
    Polynomial,
    Product,
    ReLU,
    Residual,
    Sequential,
    Sum,
    _pairs,
)

POINTWISE = {
    name: layer
    for name, layer in ACTIVATIONS.items()
    if not isinstance(layer, ExpNormalized | Identity)
}


@pytest.mark.parametrize("name", POINTWISE)
def test_second_moment_is_that_of_the_function(name):
    """E[phi(u)**2] by quadrature of the function itself."""
    layer, std = POINTWISE[name], 0.9

    def integrand(z):
        return layer(std * z) ** 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

    expected = sum(
        quad(integrand, *ends, epsabs=1e-13)[0] for ends in ((-12, 0), (0, 12))
    )
    network = Sequential(Dense(std**2, 0.0), layer)
    assert_allclose(NNGP(network)([[1.0]]), expected, rtol=1e-8)


@pytest.mark.parametrize("name", POINTWISE)
def test_derivative_is_that_of_the_function(name):
    layer, u, h = POINTWISE[name], np.array([-1.3, -0.4, 0.7, 1.9]), 1e-6
    numeric = (layer(u + h) - layer(u - h)) / (2 * h)
    assert_allclose(layer.derivative(u), numeric, atol=1e-8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LeakyReLU(0.3), ABReLU(0.3, 1.0)),
        (ReLU(), networks.RectifiedMonomial(1)),
        (Identity(), Monomial(1)),
        (Monomial(3), Polynomial([0.0, 0.0, 0.0, 1.0])),
        (networks.Abs(), ABReLU(-1.0, 1.0)),
        (Hermite(2), Polynomial(np.array([-1.0, 0.0, 1.0]) / np.sqrt(2.0))),
        (networks.Cos(1.1, 0.7, 0.3), networks.Sin(1.1, 0.7, 0.3 + np.pi / 2)),
        (networks.RBF(0.5), networks.Sin(np.sqrt(2.0), 1.0, np.pi / 4)),
        (networks.SigmoidLike(), Erf(0.5, 1 / 2.4020563531719796, 0.5)),
    ],
    ids=repr,
)
def test_equal_functions_have_equal_kernels(one, other, awkward):
    for kernel_type in (NTK, NNGP):
        ours = kernel_type(Sequential(Dense(), one, Dense()))(awkward)
        theirs = kernel_type(Sequential(Dense(), other, Dense()))(awkward)
        assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12 * np.max(ours))


def test_hermite_is_a_power_at_unit_variance(X):
    unit = X / np.linalg.norm(X, axis=1, keepdims=True) * np.sqrt(X.shape[1])
    network = Sequential(Dense(1.0, 0.0), Hermite(3))
    assert_allclose(NNGP(network)(unit), (unit @ unit.T / X.shape[1]) ** 3, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_nested_parameters_round_trip(name):
    network = clone(NETWORKS[name])
    params = network.get_params()
    network.set_params(**{k: v for k, v in params.items() if "__" in k})
    assert network == NETWORKS[name]


def test_parameters_of_a_layer_are_named_by_index():
    network = Sequential(Dense(), ReLU(), Dense(bias_variance=0.0))
    assert network.get_params()["2__bias_variance"] == 0.0
    network.set_params(**{"0__weight_variance": 3.0, "1": Erf()})
    assert network == Sequential(Dense(3.0), Erf(), Dense(bias_variance=0.0))
    with pytest.raises(ValueError, match="Invalid parameter '7'"):
        network.set_params(**{"7__weight_variance": 1.0})


def test_networks_compare_by_value_and_print_what_they_are():
    assert MLP(depth=3) == MLP(depth=3) != MLP(depth=4)
    assert MLP() != Sequential()
    assert (
        repr(MLP(depth=3, activation=Erf(b=2.0)))
        == "MLP(depth=3, activation=Erf(b=2.0))"
    )
    assert repr(Sequential(Dense(), ReLU())) == "Sequential(Dense(), ReLU())"


def test_mlp_is_the_sequential_it_says(X):
    network = MLP(depth=3, residual=True, layer_norm=True, dropout=0.1)
    assert_allclose(NTK(network)(X), NTK(network.sequential())(X), rtol=1e-14)


def test_residual_is_a_sum(X):
    residual = Sequential(Dense(), Residual(ReLU(), Dense()))
    written_out = Sequential(Dense(), Sum(Sequential(ReLU(), Dense()), Sequential()))
    assert_allclose(NTK(residual)(X), NTK(written_out)(X), rtol=1e-14)


def test_an_angle_waits_for_a_layer_that_asks_for_it(X, monkeypatch):
    asked, shares = [], _pairs.shares

    def counted(*args):
        asked.append(args)
        return shares(*args)

    monkeypatch.setattr(_pairs, "shares", counted)
    NTK(Sequential(Dense(), ReLU(), Dense()))(X)
    n_asked = len(asked)
    NTK(Sequential(Dense(), ReLU(), Dense(bias_variance=0.0)))(X)
    assert 0 < n_asked == len(asked) - n_asked


def test_layer_norm_makes_the_nngp_a_correlation(X):
    plain, normed = Sequential(Dense()), Sequential(Dense(), LayerNorm())
    K = NNGP(plain)(X)
    std = np.sqrt(np.diag(K))
    assert_allclose(NNGP(normed)(X), K / np.outer(std, std), rtol=1e-10)


def test_learned_hyperparameters_of_layers_can_be_searched(X):
    y = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(
        SVC(kernel=NTK()),
        {"kernel__network__depth": [0, 1, 3], "kernel__network__activation": ["erf"]},
        cv=2,
    )
    assert search.fit(X, y).best_params_["kernel__network__activation"] == "erf"


class Doubling(Layer):
    """A layer of a user's own: all features times two."""

    def propagate(self, pairs):
        return pairs.resolve().scaled(4.0)


def test_a_layer_of_ones_own_needs_one_method(X):
    network = Sequential(Dense(), Doubling(), ReLU(), Dense(1.0, 0.0))
    plain = Sequential(Dense(), ReLU(), Dense(1.0, 0.0))
    assert_allclose(NTK(network)(X), 4.0 * NTK(plain)(X))
    _, K_gradient = NTK(network)(X, eval_gradient=True)
    _, expected = NTK(plain)(X, eval_gradient=True)
    assert_allclose(K_gradient, 4.0 * expected)


BAD_PARAMETERS = [
    (MLP(depth=-1), "'depth' parameter of MLP must be an int"),
    (MLP(depth=2.5), "'depth' parameter of MLP must be an int"),
    (MLP(activation="rely"), "'activation' parameter of MLP must be a str among"),
    (MLP(weight_variance=-1.0), "'weight_variance' parameter of MLP must be a float"),
    (MLP(weight_variance=np.nan), "'weight_variance' parameter of MLP must be a float"),
    (MLP(weight_variance=np.inf), "'weight_variance' parameter of MLP must be a float"),
    (MLP(bias_variance="big"), "'bias_variance' parameter of MLP must be a float"),
    (MLP(length_scale=0.0), "'length_scale' parameter of MLP must be"),
    (MLP(length_scale=[1.0, -1.0, 1.0, 1.0]), "'length_scale' .* positive"),
    (MLP(length_scale=[[1.0]]), "'length_scale' .* positive"),
    (MLP(length_scale=[1.0, 2.0]), r"'length_scale' .* expected shape \(4,\)"),
    (MLP(output_scale="one"), "'output_scale' parameter of MLP must be"),
    (MLP(dropout=1.0), "'dropout' parameter of MLP must be a float"),
    (MLP(residual="yes"), "'residual' parameter of MLP must be"),
    (MLP(n_frozen_layers=3), "'n_frozen_layers' .* at most depth=2, got 3"),
    (MLP(parametrization="standard"), "'width' parameter of MLP must be an int"),
    (MLP(weight_variance=0.0, bias_variance=0.0), "output_scale='unit' needs"),
    (Sequential(Dense(-1.0)), "'weight_variance' parameter of Dense must be a float"),
    (Sequential(Dense(bias_init="ones")), "'bias_init' parameter of Dense"),
    (Sequential("relu"), "Layer 0 of Sequential must be a layer .* Got 'relu'"),
    (Sequential(Dense(), input_shape=(2, 3)), "'input_shape' .* product 4"),
    (Sequential(ReLU()), "ReLU needs Gaussian features"),
    (Sequential(Dense(), ReLU(), ReLU()), "ReLU needs Gaussian features"),
    (Sequential(Dense(), ReLU(), LayerNorm()), "LayerNorm needs centred Gaussian"),
    (Sequential(Dense(), LayerNorm(axis=2)), "'axis' parameter of LayerNorm"),
    (Sequential(Dense(), InputScale(2.0)), "InputScale acts on the input"),
    (Sequential(InputScale(-2.0)), "'length_scale' parameter of InputScale"),
    (Sequential(Dense(), Dropout(1.0)), "'rate' parameter of Dropout"),
    (Sequential(Dense(), Gaussian(b=1.0)), "'b' parameter of Gaussian"),
    (Sequential(Dense(), Monomial(1.5)), "'degree' parameter of Monomial"),
    (Sequential(Dense(), Polynomial([])), "'coef' parameter of Polynomial"),
    (Sequential(Dense(), ABReLU(0.0, 0.0)), "must not both be 0"),
    (Sequential(Dense(), ELU(alpha=np.nan)), "'alpha' parameter of ELU"),
    (Sequential(Dense(), Elementwise("tanh")), "'fn' parameter of Elementwise"),
    (Sequential(Sum(Identity(), Identity())), r"Branches \[0, 1\] do not"),
    (Sequential(Dense(), Sum(ReLU(), Erf())), "must end in a Dense"),
    (Sequential(Dense(), Product(ReLU(), Erf())), "must contain a Dense"),
    (Sequential(Concatenate(Dense(), Dense(1.0, 0.0)), Erf()), "or Concatenate"),
    (Sequential(Concatenate(Dense(), Dense()), LayerNorm()), "must follow a Dense"),
    (Sequential(Sum()), "Sum needs at least one branch"),
    (
        Sequential(Concatenate(Dense(width=2), Dense())),
        "must all have a known width, or none",
    ),
    (
        Sequential(Dense(), ReLU(), Dense(parametrization="standard")),
        "'width' parameter of the Dense before",
    ),
]


@pytest.mark.parametrize(
    ("network", "message"), BAD_PARAMETERS, ids=lambda value: repr(value)[:60]
)
def test_bad_parameters_are_refused_by_name(network, message, X):
    with pytest.raises(ValueError, match=message):
        NTK(network)(X)


def test_a_variance_of_zero_is_a_term_that_is_not_there():
    kernel = NTK(MLP(bias_variance=0.0, weight_variance_bounds=(1e-3, 1e3)))
    assert [h.name for h in kernel.hyperparameters if not h.fixed] == [
        "network__weight_variance"
    ]
    assert np.isfinite(kernel.theta).all()
