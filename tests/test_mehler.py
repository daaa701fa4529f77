"""Series of activations' kernels, against exact kernels and closed forms."""

import numpy as np
import pytest
from scipy.special import erf, expit

from sklearn_ntk.networks import ELU, SELU, Elementwise, Sigmoid, SiLU, Softplus, Tanh
from sklearn_ntk.networks._quadrature.functions import ExpLinear, Logistic, Tangent
from sklearn_ntk.networks._quadrature.hermite import (
    NumericFunction,
    fine_rule,
    hermite,
)
from sklearn_ntk.networks._quadrature.mehler import RowSeries

ALL_DEGREES = 250
EXACT = [Tanh(), Sigmoid(), Softplus(), SiLU(), ELU(), ELU(0.3), SELU()]


def rows(n=40, low=0.05, high=6.0, seed=0):
    rng = np.random.default_rng(seed)
    std = np.exp(rng.uniform(np.log(low), np.log(high), n))
    std.flags.writeable = False
    return std


def cosines(n, top, seed=1):
    cos = np.random.default_rng(seed).uniform(-top, top, (n, n))
    cos[0], cos[1] = top, -top
    return cos


def truncated(expansions, *options, **most):
    """The series of the powers that count, or None."""
    powers = expansions.powers(*options, **most)
    return None if powers is None else expansions.series(powers)


def summed(series, std, cos):
    """The kernel and that of the derivative."""
    terms = [(n, weight * a[:, None] * a) for n, weight, a in zip(*series, strict=True)]
    slope = sum(a * n * cos ** max(n - 1, 0) for n, a in terms)
    return sum(a * cos**n for n, a in terms), slope / np.outer(std, std)


def mean_squares(fn, std):
    """E[fn(std z)**2] by a fine trapezoidal rule on either side of a kink at 0."""
    z = np.arange(0.5, 40_000) / 3000.0
    w = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) / 3000.0
    u = std[:, None] * z
    return (fn(u) ** 2 + fn(-u) ** 2) @ w


def outer_root(squares):
    return np.sqrt(np.outer(squares, squares))


def assert_kernels(found, std, cos, nngp, derivative, tol):
    """Both, relative to the rows' own values."""
    values = summed(found, std, cos)
    for value, expected in zip(values, (nngp, derivative), strict=True):
        x, y = std[:, None], std[None, :]
        own = np.diagonal(expected(x, y, np.ones_like(cos)))
        error = np.abs(value - expected(x, y, cos))
        assert np.max(error / outer_root(own)) < tol


@pytest.mark.parametrize("activation", EXACT, ids=repr)
@pytest.mark.parametrize("n", [15, 60])
def test_against_the_exact_kernels(activation, n):
    std, cos = rows(n), cosines(n, 0.9)
    kernel = activation._kernel()
    found = truncated(RowSeries(kernel.phi, std), 0.9, 1e-13, ALL_DEGREES)
    sin = np.sqrt(1.0 - cos**2)
    exact = kernel.moments(std[:, None], std[None, :], cos, sin)
    value, slope = summed(found, std, cos)
    assert np.abs(value / (exact.out_x * exact.out_y) - exact.cos).max() < 1e-12
    own = mean_squares(kernel.phi.slope, std)
    assert np.max(np.abs(slope - exact.slope) / outer_root(own)) < 1e-12


def erf_kernel(x, y, c):
    size = np.sqrt((1 + 2 * x**2) * (1 + 2 * y**2))
    return 2 / np.pi * np.arcsin(2 * x * y * c / size)


def erf_derivative(x, y, c):
    return 4 / np.pi / np.sqrt((1 + 2 * x**2) * (1 + 2 * y**2) - (2 * x * y * c) ** 2)


def sin_kernel(x, y, c):
    return np.exp(-0.5 * (x**2 + y**2)) * np.sinh(x * y * c)


def sin_derivative(x, y, c):
    return np.exp(-0.5 * (x**2 + y**2)) * np.cosh(x * y * c)


def cube_kernel(x, y, c):
    return (x * y) ** 3 * (9 * c + 6 * c**3)


def cube_derivative(x, y, c):
    return 9 * (x * y) ** 2 * (1 + 2 * c**2)


CLOSED = {
    "erf": (erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-u * u)),
    "sin": (np.sin, np.cos),
    "cube": (lambda u: u**3, lambda u: 3 * u**2),
}
FORMULAS = {
    "erf": (erf_kernel, erf_derivative),
    "sin": (sin_kernel, sin_derivative),
    "cube": (cube_kernel, cube_derivative),
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("n", [10, 80])
def test_closed_forms(name, given, n):
    fn, derivative = CLOSED[name]
    std, cos = rows(n), cosines(n, 0.9)
    phi = NumericFunction(fn, derivative if given else None)
    found = truncated(RowSeries(phi, std), 0.9, 1e-12, ALL_DEGREES)
    assert_kernels(found, std, cos, *FORMULAS[name], tol=2e-12)


@pytest.mark.parametrize(
    ("high", "stop"), [(0.4, 384), (1.4, 384), (3.0, 1536), (8.0, 6144), (30.0, 98304)]
)
@pytest.mark.parametrize("given", [True, False])
def test_all_angles_and_large_standard_deviations(high, stop, given):
    std = rows(40, 0.02, high)
    cos = cosines(40, 1.0)
    cos[2:20] = np.random.default_rng(2).uniform(0.999, 1.0, (18, 40))
    fn, derivative = CLOSED["erf"]
    phi = NumericFunction(fn, derivative if given else None)
    found = truncated(RowSeries(phi, std, stop), 1.0, 2e-13, 400)
    assert found.powers[-1] < stop
    assert_kernels(found, std, cos, *FORMULAS["erf"], tol=5e-13)


@pytest.mark.parametrize("top", [0.5, 0.9, 0.97, 1.0])
@pytest.mark.parametrize("stop", [384, 1536])
@pytest.mark.parametrize(
    ("fn", "high"),
    [
        (lambda u: np.cos(6.2 * u + 1.0), 2.0),
        (lambda u: np.cos(4.4 * u + 1.0), 3.0),
        (lambda u: np.tanh(u) * np.cos(3.6 * u), 4.0),
        (lambda u: np.exp(-6.0 * (u - 1.5) ** 2), 2.0),
        (lambda u: np.sin(u * u), 2.0),
    ],
)
def test_terms_that_oscillate_are_not_taken_for_others(fn, high, stop, top):
    """What is said to be exact is, against all degrees."""
    std = np.append(rows(12, high / 20.0, high), high)
    expansions = RowSeries(NumericFunction(fn), std, stop)
    found = truncated(expansions, top, 1e-12, 1000)
    if found is None:
        return
    z, w = fine_rule(max(high, 1.0))
    h, n = hermite(max(high, 1.0), range(stop)), np.arange(stop)
    signs = (-1.0) ** n[:, None]
    plus, minus = (fn(std[:, None] * x) * np.sqrt(w) for x in (z, -z))
    a = plus @ h.T + minus @ (signs * h).T
    for cos in (top, 0.99 * top, 0.95 * top, -top):
        value, _ = summed(found, std, cos)
        error = np.abs(value - a * cos**n @ a.T)
        assert np.max(error / outer_root(expansions.size**2)) < 1e-11


def test_terms_up_to_the_last_degree():
    """Where nearly all of them count none is of a degree that is not known."""
    highest = []
    for std in np.linspace(1.2, 2.0, 161):
        expansions = RowSeries(Tangent(), np.array([std, 0.5]))
        found = truncated(expansions, 1.0, 1e-13, ALL_DEGREES)
        if found is not None:
            highest.append(found.powers[-1])
            squares = found.weights @ found.coef**2
            np.testing.assert_allclose(squares, expansions.size**2, rtol=2e-13)
    assert 370 < max(highest) < 384


@pytest.mark.parametrize("tolerance", [1e-3, 1e-9])
@pytest.mark.parametrize("top", [0.5, 0.9])
def test_the_error_is_within_the_tolerance_and_not_far_below(tolerance, top):
    std = rows(30, 0.5, 3.0)
    cos = np.full((30, 30), top)
    expansions = RowSeries(NumericFunction(*CLOSED["erf"]), std)
    found = truncated(expansions, top, tolerance, ALL_DEGREES)
    assert_kernels(found, std, cos, *FORMULAS["erf"], tol=tolerance)
    share = found.coef[-1] ** 2 / np.sum(found.coef**2, axis=0)
    last = found.powers[-1]  # which the derivative needs
    assert np.max(share * last * top ** (last - 1)) > 0.01 * tolerance


def test_rows_of_many_scales_and_repeated_ones():
    std = np.concatenate((rows(300, 1e-9, 8.0), [1e-10, 2.0], np.ones(200)))
    phi = Logistic()
    many = truncated(RowSeries(phi, std), 0.6, 1e-13, ALL_DEGREES)
    for i in (0, 7, 150, 299, 301, 400):
        one = truncated(RowSeries(phi, std[i : i + 1]), 0.6, 1e-14, ALL_DEGREES)
        expected = np.zeros(256)
        expected[one.powers] = one.coef[:, 0]
        size = np.sqrt(np.sum(expected**2))
        got = np.zeros(256)
        got[many.powers] = many.coef[:, i]
        weight = 0.6 ** np.arange(256)
        assert np.sum(np.abs(got**2 - expected**2) * weight) < 3e-13 * size**2


def test_many_rows_cost_few_evaluations():
    evaluated = []

    def fn(u):
        evaluated.append(u.size)
        return np.tanh(u)

    RowSeries(NumericFunction(fn), rows(18, 0.5, 3.0))
    few = sum(evaluated)
    evaluated.clear()
    RowSeries(NumericFunction(fn), rows(5000, 0.5, 3.0))
    assert sum(evaluated) < 8 * few


@pytest.mark.parametrize("given", [True, False])
def test_oscillating_functions_are_interpolated_on_short_pieces(given):
    std, cos = rows(300, 3.0, 8.0), cosines(300, 0.6)
    phi = NumericFunction(np.sin, np.cos if given else None)
    found = truncated(RowSeries(phi, std), 0.6, 1e-14, ALL_DEGREES)
    assert_kernels(found, std, cos, *FORMULAS["sin"], tol=3e-14)
    few = truncated(RowSeries(phi, std[:10]), 0.6, 1e-14, ALL_DEGREES)
    both = np.intersect1d(found.powers, few.powers)
    assert len(both) > 20
    a = found.coef[np.isin(found.powers, both)]
    b = few.coef[np.isin(few.powers, both)]
    np.testing.assert_allclose(a[:, :10], b, rtol=0, atol=3e-14)


@pytest.mark.parametrize("given", [True, False])
def test_powers_do_not_depend_on_the_function_s_scale(given):
    fn, derivative = CLOSED["erf"]

    def powers(scale):
        phi = NumericFunction(
            lambda u: scale * fn(u),
            (lambda u: scale * derivative(u)) if given else None,
        )
        return truncated(RowSeries(phi, rows(30, 0.5, 2.0)), 0.7, 1e-10).powers

    assert powers(1e-9) == powers(1.0) == powers(1e9)


def test_parity():
    std = rows(50, 0.3, 2.0)
    series = truncated(RowSeries(Tangent(), std), 0.8, 1e-13)
    assert all(n % 2 == 1 for n in series.powers)
    series = truncated(RowSeries(Softplus()._kernel().phi, std), 0.8, 1e-13)
    assert [n for n in series.powers if n % 2] == [1]
    series = truncated(RowSeries(NumericFunction(lambda u: u**3), std), 0.8, 1e-12)
    assert series.powers == [1, 3]


def test_a_function_that_is_zero():
    series = truncated(RowSeries(NumericFunction(np.zeros_like), rows(30)), 0.9, 1e-13)
    assert series.powers == []
    assert series.coef.shape == (0, 30)


def exponential(u):
    return np.exp(np.minimum(u, 700.0))


@pytest.mark.parametrize(
    ("phi", "std", "top"),
    [
        (ExpLinear(0.3), 1.0, 0.99),  # too many terms
        (Tangent(), 30.0, 0.99),
        (NumericFunction(lambda u: np.sin(40 * u)), 1.0, 0.99),  # all beyond 256
        (Tangent(), 1e20, 0.5),  # too large
        (Tangent(), np.nan, 0.5),
        (NumericFunction(lambda u: np.clip(u, -1, 1)), 1.0, 0.5),  # kinks off 0
        (NumericFunction(lambda u: np.sin(1000 * u)), 1.0, 0.5),  # oscillates
        (NumericFunction(exponential), 6.0, 0.5),  # mass beyond the rule's end
        (NumericFunction(np.exp), 80.0, 0.5),  # overflow
        (NumericFunction(expit), 1e-9, 0.5),  # digits of the derivative
    ],
)
def test_none_where_it_cannot_be_met(phi, std, top):
    assert truncated(RowSeries(phi, np.array([std, 0.5])), top, 1e-13) is None


def test_none_depends_on_what_is_asked():
    rows_of = RowSeries(Tangent(), rows(30, 0.5, 2.0))
    series = truncated(rows_of, 0.8, 1e-13)
    most = len(series.powers)
    assert truncated(rows_of, 0.8, 1e-13, most=most) is not None
    assert truncated(rows_of, 0.8, 1e-13, most=most - 1) is None
    assert truncated(rows_of, 0.99, 1e-13) is None
    assert set(truncated(rows_of, 0.8, 1e-6).powers) < set(series.powers)


def test_an_elementwise_activation_with_a_given_derivative_is_as_the_package_s_own():
    own = truncated(RowSeries(Logistic(), rows()), 0.5, 1e-13)
    phi = Elementwise(expit, Sigmoid().derivative)._kernel().phi
    given = truncated(RowSeries(phi, rows()), 0.5, 1e-13)
    assert own.powers == given.powers
    np.testing.assert_allclose(own.coef, given.coef, rtol=0, atol=1e-15)
