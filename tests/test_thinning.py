"""Long sums over degrees from few of their terms, against all of them."""

import numpy as np
import pytest

from sklearn_ntk.networks._quadrature.thinning import runs, thinned

STOP = 24576


def sums(function, stop=STOP):
    """Over all degrees and over few, of all, even and odd ones, and an estimate."""
    few = thinned(stop)
    n, some = np.arange(stop), few.degrees
    of_all, of_some = function(n), function(some)
    masks = [np.ones_like, lambda n: n % 2 == 0, lambda n: n % 2 == 1]
    return [
        (
            np.sum(of_all * mask(n)),
            few.weights @ (of_some * mask(some)),
            float(few.error(of_some * mask(some))),
        )
        for mask in masks
    ]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("decay", [2e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 5.0])
def test_powers_and_exponentials(power, decay):
    def terms(n):
        return (n + 1.0) ** -power * np.exp(-decay * n)

    for whole, found, error in sums(terms):
        assert found == pytest.approx(whole, rel=1e-13)
        assert error < 1e-13 * whole


def test_what_decays_with_the_root_of_the_degree():
    def terms(n):
        return (n + 1.0) ** -0.5 * np.exp(-0.4 * np.sqrt(n))

    for whole, found, error in sums(terms):
        assert found == pytest.approx(whole, rel=1e-12)
        assert error < 1e-12 * whole


@pytest.mark.parametrize("frequency", [0.3, 1.0, 3.0])
def test_what_oscillates_is_told(frequency):
    def terms(n):
        return np.cos(frequency * n) / (n + 1.0)

    for whole, found, error in sums(terms):
        assert error > 0.01 * abs(found - whole) > 1e-6


@pytest.mark.parametrize("stop", [96, 384, STOP])
def test_few_degrees_stand_for_many(stop):
    few = thinned(stop)
    assert np.all(np.diff(few.degrees) > 0)
    assert few.degrees[-1] < stop
    assert len(few.degrees) <= 96 + 48 * np.log2(stop / 96)
    assert np.all(few.weights[:96] == 1.0)


@pytest.mark.parametrize("chosen", [slice(None), slice(1, None, 2), [0, 3, 90, 200]])
def test_runs_have_one_step_each(chosen):
    degrees = thinned(1536).degrees[chosen]
    parts = runs(degrees)
    assert sorted(n for part in parts for n in part) == degrees.tolist()
    if isinstance(chosen, slice):
        assert all(len(set(np.diff(part))) == 1 for part in parts)
        assert parts[0][0] == degrees[0]
