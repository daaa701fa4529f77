"""Activations by quadrature, against independent quadrature and limits."""

import pickle
import warnings
from functools import lru_cache
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ntk._engine.forward_mode import Dual, DualNamespace
from sklearn_ntk.networks import _numerical
from sklearn_ntk.networks._elementwise import Elementwise
from sklearn_ntk.networks._numerical import ELU, SELU, Sigmoid, SiLU, Softplus, Tanh
from sklearn_ntk.networks._quadrature import functions, layout, series
from sklearn_ntk.networks._quadrature import table as table_module
from sklearn_ntk.networks._quadrature.hermite import HermiteKernel
from sklearn_ntk.networks._quadrature.kernel import GaussKernel
from sklearn_ntk.networks._quadrature.mixture import LogisticMixture

SMOOTH = [Tanh(), Sigmoid(), Softplus(), SiLU()]
ALL = [*SMOOTH, ELU(), ELU(0.3), SELU()]


def block(activation, std_x, std_y, angle, xp=np):
    """`transform` of every std_x against every std_y at given angles."""
    std_x, std_y = np.asarray(std_x, float), np.asarray(std_y, float)
    angle = np.broadcast_to(angle, (std_x.size, std_y.size)).astype(float)
    cos = np.where(angle == np.pi, -1.0, np.cos(angle))
    sin = np.where(angle == np.pi, 0.0, np.sin(angle))
    return activation.transform(xp, std_x[:, None], std_y[None, :], cos, sin)


def reference(activation, std_x, std_y, angle):
    """K and its derivative by the trapezoidal rule, for analytic functions."""
    z = np.arange(-320, 321) / 32.0
    w = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) / 32.0
    u = std_x * z[:, None]
    v = std_y * (np.cos(angle) * z[:, None] + np.sin(angle) * z)
    weight = w[:, None] * w
    value, slope = activation, activation.derivative
    return np.sum(weight * value(u) * value(v)), np.sum(weight * slope(u) * slope(v))


@pytest.mark.parametrize("activation", SMOOTH, ids=repr)
@pytest.mark.parametrize("table", [False, True])
def test_against_trapezoidal_rule(activation, table, monkeypatch):
    if table:
        monkeypatch.setattr(table_module, "_FEW", 0)
    std = np.array([0.2, 0.9, 2.7])
    for angle in (1e-4, 0.4, 1.6, 2.9, np.pi):
        out_x, out_y, cos, sin, slope = block(activation, std, std, angle)
        for i, x in enumerate(std):
            for j, y in enumerate(std):
                nngp, derivative = reference(activation, x, y, angle)
                scale = out_x[i, 0] * out_y[0, j]
                assert abs(scale * cos[i, j] - nngp) < 1e-12 * scale
                assert slope[i, j] == pytest.approx(derivative, rel=1e-11, abs=1e-14)
        np.testing.assert_allclose(sin**2 + cos**2, 1.0, rtol=0, atol=1e-14)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_row_against_mpmath(activation):
    mpmath = pytest.importorskip("mpmath")
    exp, tanh, one = mpmath.exp, mpmath.tanh, mpmath.mpf(1)
    scale = mpmath.mpf("1.0507009873554805") if isinstance(activation, SELU) else one
    alpha = mpmath.mpf(getattr(activation, "alpha", "1.6732632423543772"))

    def elu(u):
        return scale * (u if u > 0 else alpha * mpmath.expm1(u))

    functions = {
        Tanh: tanh,
        Sigmoid: lambda u: 1 / (1 + exp(-u)),
        Softplus: lambda u: mpmath.log1p(exp(u)),
        SiLU: lambda u: u / (1 + exp(-u)),
    }
    function = functions.get(type(activation), elu)
    with mpmath.workdps(25):
        std = mpmath.mpf(1.3)
        square = mpmath.quad(
            lambda z: mpmath.npdf(z) * function(std * z) ** 2,
            [-14, -6, -2, 0, 2, 6, 14],
        )
        expected = float(mpmath.sqrt(square))
    got = block(activation, [1.3], [1.3], 0.0)
    assert got[0][0, 0] == pytest.approx(expected, rel=1e-14)
    assert got[2][0, 0] == 1.0
    assert got[3][0, 0] == 0.0


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_elu_against_conditional_quadrature(alpha):
    x, w = np.polynomial.legendre.leggauss(40)

    def half_line(low, high, panels=12):
        edges = np.linspace(low, high, panels + 1)
        mid, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
        return (mid[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()

    elu = ELU(alpha)
    for std_x, std_y, angle in ((0.7, 1.9, 0.6), (2.0, 2.0, 2.5), (0.1, 3.0, 1.2)):
        nngp = derivative = 0.0
        c, s = np.cos(angle), np.sin(angle)
        for low, high in ((-10.0, 0.0), (0.0, 10.0)):
            for z, wz in zip(*half_line(low, high), strict=True):
                kink = float(np.clip(-c * z / s, -10.0, 10.0))
                parts = [half_line(-10.0, kink, 6), half_line(kink, 10.0, 6)]
                t, wt = (np.concatenate(p) for p in zip(*parts, strict=True))
                weight = wz * wt * np.exp(-0.5 * (z * z + t * t)) / (2.0 * np.pi)
                u, v = std_x * z, std_y * (c * z + s * t)
                nngp += elu(u) * (weight @ elu(v))
                derivative += elu.derivative(u) * (weight @ elu.derivative(v))
        out_x, out_y, cos, _, slope = block(elu, [std_x], [std_y], angle)
        scale = (out_x * out_y).item()
        assert abs(scale * cos.item() - nngp) < 1e-12 * scale
        assert slope.item() == pytest.approx(derivative, rel=1e-12)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_table_agrees_with_single_pairs(activation, monkeypatch):
    rng = np.random.default_rng(0)
    std = np.array([1e-160, 0.3, 1.0, 3.5, 6.0])
    angle = rng.uniform(0.0, np.pi, (5, 5))
    angle[2, :3] = 1e-9, np.pi - 1e-9, 1e-3
    pairs = block(activation, std, std, angle)
    monkeypatch.setattr(table_module, "_FEW", 0)

    table = block(activation, std, std, angle)
    for a, b in zip(pairs, table, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_awkward_rows(activation):
    std = np.array([0.0, 1e-160, 1e-8, 1.0, 1.0, 40.0, 1e150])
    angle = np.full((7, 7), 0.7)
    angle[6] = angle[:, 6] = 0.0
    angle[6, 3] = angle[3, 6] = 0.7
    np.fill_diagonal(angle, 0.0)
    angle[3, 4] = angle[4, 3] = 0.0
    angle[2, 3] = angle[3, 2] = np.pi
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out_x, out_y, cos, sin, slope = block(activation, std, std, angle)
    for a in (out_x, out_y, cos, sin, slope):
        assert np.all(np.isfinite(a))
    assert np.all(np.diag(cos) == 1.0)
    assert np.all(np.diag(sin) == 0.0)
    assert cos[3, 4] == 1.0
    for a in (cos, sin):
        np.testing.assert_allclose(a, a.T, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(slope, slope.T, rtol=1e-13)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_near_duplicates_keep_their_sine(activation):
    tiny, small = (block(activation, [1.2], [1.2], a) for a in (1e-9, 1e-5))
    assert tiny[3].item() / small[3].item() == pytest.approx(1e-4, rel=1e-4)
    expected = 1e-9 * 1.2 * np.sqrt(tiny[4].item()) / tiny[0].item()
    assert tiny[3].item() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("activation", [Tanh(), Elementwise(np.tanh)], ids=repr)
def test_nearly_opposed_rows_of_an_odd_function(activation):
    near, far = (block(activation, [1.2], [1.2], a) for a in (1e-5, np.pi - 1e-5))
    assert far[2].item() == pytest.approx(-near[2].item(), rel=1e-14)
    assert far[3].item() == pytest.approx(near[3].item(), rel=1e-9)
    assert far[4].item() == pytest.approx(near[4].item(), rel=1e-9)


def test_large_rows_approach_sign_and_relu():
    angle = 1.1
    cos = block(Tanh(), [1e8], [1e8], angle)[2].item()
    assert cos == pytest.approx(1.0 - 2.0 * angle / np.pi, rel=1e-7)
    relu = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    for activation in (Softplus(), SiLU(), ELU()):
        assert block(activation, [1e8], [1e8], angle)[2].item() == pytest.approx(
            relu, rel=1e-7
        )


# Large standard deviations: each function is a piecewise-linear asymptote, whose
# expectations are known, and a rest that decays exponentially.

WIDE = [
    (200.0, 3.0, 0.9),
    (70.0, 700.0, 1.57),
    (1e3, 900.0, 0.02),
    (5e3, 40.0, 2.5),
    (1e8, 1e3, 3.1),
    (1e8, 1e8, 1.6),
]


def asymptote_and_rest(activation):
    """((a, b), (c, d)), of a + b u above 0 and c + d u below, and the rest; twice.

    The second pair is that of the derivative.
    """
    one, exp = mp.mpf(1), mp.exp
    relu, step = ((0, 1), (0, 0)), ((1, 0), (0, 0))

    def logistic(u):
        return 1 / (1 + exp(-u))

    def tail(u):
        return mp.sign(u) / (1 + exp(abs(u)))

    def bump(u):
        return logistic(u) * logistic(-u)

    if isinstance(activation, Tanh):
        sign, flat = ((1, 0), (-1, 0)), ((0, 0), (0, 0))
        slope = flat, lambda u: 4 * bump(2 * u)
        return (sign, lambda u: -2 * tail(2 * u)), slope
    if isinstance(activation, Sigmoid):
        return (step, lambda u: -tail(u)), (((0, 0), (0, 0)), bump)
    if isinstance(activation, Softplus):
        return (relu, lambda u: mp.log1p(exp(-abs(u)))), (step, lambda u: -tail(u))
    if isinstance(activation, SiLU):
        slope = step, lambda u: u * bump(u) - tail(u)
        return (relu, lambda u: -u * tail(u)), slope
    scale = mp.mpf(_numerical._SELU_SCALE) if isinstance(activation, SELU) else one
    alpha = mp.mpf(getattr(activation, "alpha", _numerical._SELU_ALPHA)) * scale

    def decay(u):
        return alpha * exp(u) if u < 0 else mp.mpf(0)

    return ((((0, scale), (-alpha, 0)), decay), (((scale, 0), (0, 0)), decay))


@lru_cache
def line():
    """A Gauss-Legendre rule on the positive half-line, to some thirty digits."""
    rule = mp.calculus.quadrature.GaussLegendre(mp.mp).calc_nodes(4, mp.mp.prec)
    edges = [0, 1, 3, 8, 20, 50]
    u, w = [], []
    for a, b in pairwise(edges):
        u += [(a + b) / mp.mpf(2) + x * (b - a) / 2 for x, _ in rule]
        w += [weight * (b - a) / 2 for _, weight in rule]
    u, w = np.array(u), np.array(w)
    return np.concatenate((u, -u)), np.concatenate((w, w))


@lru_cache
def density(std_x, std_y, angle):
    """Of a pair, at the nodes."""
    u, _ = line()
    cos, sin = mp.cos(angle), mp.sin(angle)
    x, y = u[: u.size // 2, None] / std_x, u / std_y
    exponent = -(x * x + y * y - 2 * cos * x * y) / (2 * sin * sin)
    half = np.vectorize(mp.exp)(exponent) / (2 * mp.pi * std_x * std_y * sin)
    return np.concatenate((half, np.roll(half, u.size // 2, axis=1)))


def expectation(std_x, std_y, angle, f):
    """E[f(u) f(v)]; `f` an asymptote and a rest."""
    asymptote, rest = f
    std_x, std_y, angle = (mp.mpf(a) for a in (std_x, std_y, angle))
    total = mp.mpf(0)
    for s, (a, b) in zip((1, -1), asymptote, strict=True):
        for t, (c, d) in zip((1, -1), asymptote, strict=True):
            theta = angle if s == t else mp.pi - angle
            b_s, d_t, root = b * s * std_x, d * t * std_y, mp.sqrt(2 * mp.pi)
            total += a * c * (mp.pi - theta) / (2 * mp.pi)
            total += (a * d_t + b_s * c) * (1 + mp.cos(theta)) / (2 * root)
            product = mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)
            total += b_s * d_t * product / (2 * mp.pi)
    u, w = line()
    at = np.array([rest(x) for x in u]) * w
    if angle == 0:
        normal = np.array([mp.npdf(x / std_x) / std_x for x in u])
        for s, (a, b) in zip((1, -1), asymptote, strict=True):
            total += 2 * np.sum(np.where(s * u > 0, at * normal * (a + b * u), 0))
        return total + np.sum(at * normal * np.array([rest(x) for x in u]))
    for own, other in ((std_x, std_y), (std_y, std_x)):
        spread = other * mp.sin(angle)
        for x, weight in zip(u, at, strict=True):
            mean = other * mp.cos(angle) * x / own
            inside = mp.mpf(0)
            for s, (a, b) in zip((1, -1), asymptote, strict=True):
                above = mp.ncdf(s * mean / spread)
                inside += (a + b * mean) * above + b * s * spread * mp.npdf(
                    mean / spread
                )
            total += weight * inside * mp.npdf(x / own) / own
    return total + at @ density(std_x, std_y, angle) @ at


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_large_rows_against_mpmath(activation):
    with mp.workdps(34):
        value, slope = asymptote_and_rest(activation)
        for std_x, std_y, angle in WIDE:
            got = block(activation, [std_x], [std_y], angle)
            for std, out in ((std_x, got[0]), (std_y, got[1])):
                expected = float(mp.sqrt(expectation(std, std, 0.0, value)))
                assert out.item() == pytest.approx(expected, rel=1e-13)
            scale = (got[0] * got[1]).item()
            expected = float(expectation(std_x, std_y, angle, value))
            assert abs(scale * got[2].item() - expected) < 1e-13 * scale
            expected = float(expectation(std_x, std_y, angle, slope))
            assert got[4].item() == pytest.approx(expected, rel=1e-12, abs=1e-16)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_blocks_of_large_rows(activation):
    rng = np.random.default_rng(1)
    std = 10.0 ** rng.uniform(-3.0, 9.0, 12)
    angle = np.pi * rng.uniform(0.0, 1.0, (12, 12)) ** 4
    angle = np.triu(angle, 1) + np.triu(angle, 1).T
    whole = block(activation, std, std, angle)
    np.testing.assert_allclose(whole[2], whole[2].T, rtol=0, atol=1e-15)
    for i in range(12):
        one = block(activation, std[i : i + 1], std, angle[i : i + 1])
        for a, b in zip(whole[2:], one[2:], strict=True):
            np.testing.assert_allclose(a[i : i + 1], b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_near_duplicates_of_large_rows_keep_their_sine(activation):
    for std in (1e3, 1e7):
        for angle in (1e-14, 1e-3 / std):
            out, _, _, sin, slope = block(activation, [std], [std], angle)
            expected = angle * std * np.sqrt(slope.item()) / out.item()
            assert sin.item() == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("activation", [*ALL, Elementwise(np.tanh)], ids=repr)
@pytest.mark.parametrize("few", [0, 100])
def test_gradient(activation, few, monkeypatch):
    monkeypatch.setattr(table_module, "_FEW", few)
    std_x, std_y = np.array([0.3, 1.1]), np.array([1.1, 2.2])
    angle = np.array([[0.5, 2.8], [0.02, 1.5]])
    check_gradient(activation, std_x, std_y, angle)


@pytest.mark.parametrize("activation", ALL, ids=repr)
def test_gradient_of_large_rows(activation):
    std_x, std_y = np.array([0.3, 45.0, 600.0]), np.array([50.0, 3e3])
    angle = np.array([[0.5, 2.8], [0.02, 1.5], [0.001, 3.1]])
    check_gradient(activation, std_x, std_y, angle)


def check_gradient(activation, std_x, std_y, angle):
    duals = (
        Dual(std_x[:, None], {"x": std_x[:, None]}),
        Dual(std_y[None, :], {"y": std_y[None, :]}),
        Dual(np.cos(angle), {"angle": -np.sin(angle) * angle}),
        Dual(np.sin(angle), {"angle": np.cos(angle) * angle}),
    )
    got = activation.transform(DualNamespace(np), *duals)
    h = 1e-5
    steps = {"x": (h, 0, 0), "y": (0, h, 0), "angle": (0, 0, h)}
    for name, (dx, dy, da) in steps.items():
        up = block(activation, std_x * (1 + dx), std_y * (1 + dy), angle * (1 + da))
        down = block(activation, std_x * (1 - dx), std_y * (1 - dy), angle * (1 - da))
        for value, a, b in zip(got, up, down, strict=True):
            if name in value.tangents:
                np.testing.assert_allclose(
                    value.tangents[name], (a - b) / (2.0 * h), rtol=1e-6, atol=1e-9
                )


@pytest.mark.parametrize("activation", ALL, ids=repr)
@pytest.mark.parametrize("angle", [0.0, np.pi])
def test_gradient_of_parallel_rows(activation, angle):
    duals = (
        Dual(np.full((1, 1), 0.8), {"x": 1.0}),
        Dual(np.full((1, 1), 2.1), {"y": 1.0}),
    )
    cos, sin = np.full((1, 1), np.cos(angle)), np.zeros((1, 1))
    got = activation.transform(DualNamespace(np), *duals, cos, sin)
    h = 1e-5
    for name, dx, dy in (("x", h, 0.0), ("y", 0.0, h)):
        up = block(activation, [0.8 + dx], [2.1 + dy], angle)
        down = block(activation, [0.8 - dx], [2.1 - dy], angle)
        for value, a, b in zip(got, up, down, strict=True):
            if name in value.tangents:
                assert value.tangents[name].item() == pytest.approx(
                    (a - b).item() / (2.0 * h), rel=1e-6, abs=1e-9
                )


def test_gradient_in_alpha():
    std = np.array([0.4, 1.0, 1.0])
    angle = np.array([[0.5, 2.8, 0.0], [0.01, 0.0, 1.5], [0.3, 0.0, 1e-6]])
    layer = ELU(0.7).with_values({"alpha": Dual(0.7, {"alpha": 1.0})})
    got = block(layer, std, std, angle, DualNamespace(np))
    up, down = (block(ELU(0.7 + h), std, std, angle) for h in (1e-5, -1e-5))
    for value, a, b in zip(got, up, down, strict=True):
        expected = (a - b) / 2e-5
        np.testing.assert_allclose(
            value.tangents["alpha"], expected, rtol=1e-6, atol=1e-10
        )


def test_diagonal_and_single_pairs():
    std = np.array([0.0, 0.5, 3.0])
    one, zero = np.ones(3), np.zeros(3)
    out = Tanh().transform(np, std, std, one, zero)
    full = block(Tanh(), std, std, 0.0)
    np.testing.assert_allclose(out[0], full[0][:, 0], rtol=1e-15)
    np.testing.assert_allclose(out[4], np.diag(full[4]), rtol=1e-13)
    angle = np.array([0.4, 1.0, 3.0])
    out = SiLU().transform(np, std, std[::-1].copy(), np.cos(angle), np.sin(angle))
    for k in range(3):
        single = block(SiLU(), std[k : k + 1], std[2 - k : 3 - k], angle[k])
        assert out[2][k] == pytest.approx(single[2].item(), abs=1e-13)
        assert out[4][k] == pytest.approx(single[4].item(), abs=1e-13)


FORM = LogisticMixture("sigmoid", 2.0, 2.0)
SHAPES = {  # of standard deviations of x, of x', and of pairs
    "pixels": ((3, 1, 2, 1), (1, 3, 1, 2), (3, 3, 2, 2)),
    "same pixel": ((3, 2, 1), (3, 1, 4), (3, 2, 4)),
    "same rows": ((4, 1, 3), (1, 4, 3), (4, 4, 3)),
    "diagonal": ((24,), (24,), (24,)),
    "one": ((), (1, 1), (4, 5)),
    "fewer axes": ((3,), (2, 1, 1), (2, 4, 3)),
}


def some_pairs(shape_x, shape_y, shape):
    """Pairs with some that are equal, opposed, zero or huge."""
    rng = np.random.default_rng(3)
    std_x, std_y = (
        rng.choice([0.0, 0.4, 0.9, 0.9, 1.7, 50.0], size) for size in (shape_x, shape_y)
    )
    angle = rng.choice([0.0, np.pi, 1e-8, 1e-3, 0.7, 2.0, 3.1], shape)
    cos = np.where(angle == np.pi, -1.0, np.cos(angle))
    sin = np.where(angle == np.pi, 0.0, np.sin(angle))
    std_x, std_y = np.asarray(std_x), np.asarray(std_y)
    for a in (std_x, std_y, cos, sin):
        a.flags.writeable = False
    return std_x, std_y, cos, sin


def by_pair(field, shape):
    """A field of moments, or the parts of one, of shape (parts, n_pairs)."""
    parts = field if isinstance(field, tuple) else (field,)
    return np.stack([np.broadcast_to(part, shape).ravel() for part in parts])


@pytest.mark.parametrize(
    "activation",
    [Tanh(), Softplus(), SiLU(), ELU(0.3), Elementwise(np.tanh)],
    ids=repr,
)
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("table", [False, True])
def test_pairs_of_any_shape_are_as_in_a_block(activation, shapes, table, monkeypatch):
    kernel, pairs = activation._kernel(), some_pairs(*shapes)
    if isinstance(activation, Elementwise):
        pairs = *(np.clip(a, 0.4, 2.0) for a in pairs[:2]), *pairs[2:]
    x, y, cos, sin = (np.broadcast_to(a, shapes[2]).ravel() for a in pairs)
    off = np.ones((x.size, x.size)) - np.eye(x.size)
    cos, sin = (np.diag(a) + off * b for a, b in ((cos, 0.6), (sin, 0.8)))
    monkeypatch.setattr(table_module, "_FEW", 0 if table else 10**9)
    block = kernel.moments(x[:, None], y[None, :], cos, sin, gradient=True)
    for chunk in (1, 2**16):
        monkeypatch.setattr(layout, "_CHUNK", chunk)
        monkeypatch.setattr(series, "_CHUNK", chunk)
        found = kernel.moments(*pairs, gradient=True)
        for name, field in vars(block).items():
            got = by_pair(getattr(found, name), shapes[2])
            expected = by_pair(field, off.shape)[:, :: x.size + 1]
            size = max(1.0, np.abs(expected).max())
            np.testing.assert_allclose(
                got, expected, rtol=1e-11, atol=1e-12 * size, err_msg=name
            )
        for side, shape in zip("xy", shapes, strict=False):
            assert getattr(found, f"out_{side}").shape == shape
            assert getattr(found, f"d_out_{side}").shape == shape


@pytest.mark.parametrize("few", range(1, 30))
def test_a_cell_that_is_built_between_a_pair_and_its_mirror_image(few, monkeypatch):
    kernel = GaussKernel(Tanh()._kernel().phi, table_module.SlopeTable(FORM))
    std = np.array([0.8, 0.3, 0.9, 0.4, 0.7, 0.45])
    cos, sin = (np.eye(6) + f(1.0) * (1.0 - np.eye(6)) for f in (np.cos, np.sin))
    pairs = std[:, None], std[None, :], cos, sin - np.eye(6)
    monkeypatch.setattr(table_module, "_FEW", few)
    found = kernel.moments(*pairs)
    monkeypatch.setattr(table_module, "_FEW", 10**9)
    kernel = GaussKernel(kernel.phi, table_module.SlopeTable(FORM))
    np.testing.assert_allclose(found.gap, kernel.moments(*pairs).gap, atol=1e-13)


class CountedTangent(functions.Tangent):
    """The hyperbolic tangent, with the number of values it was asked for."""

    count = 0

    def value(self, u):
        CountedTangent.count += u.size
        return super().value(u)


@pytest.mark.parametrize("hermite", [False, True])
@pytest.mark.parametrize("name", [name for name in SHAPES if name != "pixels"])
def test_rows_are_evaluated_once_for_each_standard_deviation(hermite, name):
    shapes = SHAPES[name]
    table = table_module.SlopeTable(FORM)
    phi = CountedTangent()
    kernel = HermiteKernel(phi) if hermite else GaussKernel(phi, table)
    rng = np.random.default_rng(0)
    std_x, std_y = (rng.choice([0.5, 0.8, 1.0], s) for s in shapes[:2])
    std_x, std_y = np.asarray(std_x), np.asarray(std_y)
    cos = rng.uniform(-1.0, 1.0, shapes[2])
    different = np.array([0.5, 0.8, 1.0])[:, None]

    def asked(*pairs):
        CountedTangent.count = 0
        kernel.moments(*pairs)
        return CountedTangent.count

    most = asked(different, different.T, np.eye(3), 1.0 - np.eye(3))
    assert 0 < asked(std_x, std_y, cos, np.sqrt(1.0 - cos**2)) <= most


@pytest.mark.parametrize("activation", [Tanh(), ELU(), Elementwise(np.tanh)], ids=repr)
@pytest.mark.parametrize("shapes", [((0,), (0,)), ((0, 1), (1, 3)), ((2, 0), (2, 1))])
def test_no_pairs(activation, shapes):
    std_x, std_y = map(np.ones, shapes)
    out = activation.transform(np, std_x, std_y, *2 * [std_x * std_y])
    assert [a.shape for a in out] == [*shapes, *3 * [(std_x * std_y).shape]]


def test_elementwise_agrees_with_tanh():
    std, angle = np.array([0.1, 1.0, 1.5]), np.linspace(0.0, np.pi, 9).reshape(3, 3)
    expected = block(Tanh(), std, std, angle)
    for fn in (Elementwise(np.tanh), Elementwise(np.tanh, Tanh().derivative)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = block(fn, std, std, angle)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def relu(u):
    return np.maximum(u, 0.0)


def hard_tanh(u):
    return np.clip(u, -1.0, 1.0)


def test_elementwise_relu():
    angle = np.array([[0.5, 1.2, 2.6]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = block(Elementwise(relu), [1.4], [0.6, 1.0, 1.4], angle)
    cos = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    np.testing.assert_allclose(got[2], cos, rtol=0, atol=1e-10)
    np.testing.assert_allclose(got[4], 0.5 - angle / (2.0 * np.pi), atol=1e-9)


def test_elementwise_warns_where_it_is_not_accurate():
    with pytest.warns(ConvergenceWarning, match="estimated relative error"):
        got = block(Elementwise(relu), [1.4], [1.4], 1e-3)
    assert got[2].item() == pytest.approx(1.0, abs=1e-4)
    with pytest.warns(ConvergenceWarning):
        block(Elementwise(hard_tanh), [1.4], [0.7], 1.0)


def test_parameters():
    layer = Elementwise(hard_tanh)
    assert clone(layer).fn is hard_tanh
    assert pickle.loads(pickle.dumps(layer)).fn is hard_tanh
    assert layer.get_params() == {"fn": hard_tanh, "derivative": None}
    for wrong in (Elementwise("tanh"), Elementwise(np.tanh, 1.0), ELU(-1.0)):
        with pytest.raises(InvalidParameterError):
            wrong.validate()
    assert clone(ELU(0.5)).alpha == 0.5
    assert [h.name for h in ELU(0.5, alpha_bounds=(0.1, 1.0)).hyperparameters] == [
        "alpha"
    ]
