"""``network=None`` shows and takes the parameters of the default network."""

import pytest
from sklearn.base import clone

from sklearn_ntk.classification import NNGPClassifier, NTKClassifier
from sklearn_ntk.kernels import NNGP, NTK
from sklearn_ntk.networks import MLP, Dense, Sequential
from sklearn_ntk.regression import NNGPRegressor, NTKRegressor

ESTIMATORS = [NTKRegressor, NNGPRegressor, NTKClassifier, NNGPClassifier]


@pytest.fixture(params=[NTK, NNGP, *ESTIMATORS], ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


def test_default_shows_nested_parameters(cls):
    params = cls().get_params()
    assert params["network"] is None
    assert params["network__depth"] == MLP().depth
    assert "network__depth" not in cls().get_params(deep=False)


def test_nested_parameter_assigns_a_new_network(cls):
    model = cls().set_params(network__depth=3, network__bias_variance=0.5)
    assert model.network.depth == 3
    assert model.network.bias_variance == 0.5
    assert model.set_params(network__depth=4).network.depth == 4
    assert MLP().depth != 4


def test_network_and_nested_parameter_together(cls):
    assert cls(MLP(3)).set_params(network=None, network__depth=5).network.depth == 5
    model = cls().set_params(network=MLP(activation="erf"), network__depth=5)
    assert (model.network.activation, model.network.depth) == ("erf", 5)


def test_containers_are_reached(cls):
    model = cls(Sequential(Dense())).set_params(network__0__bias_variance=0.25)
    assert model.network.layers[0].bias_variance == 0.25


def test_clone_keeps_the_default(cls):
    assert clone(cls()).network is None
    network = MLP(3)
    copy = clone(cls(network))
    assert copy.network is not network
    assert copy.network.depth == 3


def test_unknown_name_is_refused_and_changes_nothing(cls):
    model = cls()
    with pytest.raises(ValueError, match="Invalid parameter 'breadth'"):
        model.set_params(network__breadth=3)
    assert model.network is None


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_precomputed_has_no_nested_parameters(cls):
    with pytest.raises(ValueError, match=r"network__depth.*'precomputed'"):
        cls("precomputed").set_params(network__depth=3)
