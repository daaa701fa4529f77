"""Elementary functions without branches or calls, for loops that LLVM vectorises.

LLVM does not vectorise a loop that calls the C library's ``exp`` or ``atan2``. These
are straight lines of arithmetic: the argument is reduced, a polynomial evaluated, and
special values selected. Relative errors are within 4e-16 in float64 and 3e-7 in
float32, where there is a fused multiply-add, and NaN gives NaN. Beyond |x| = 30 errors
of ``sin`` and ``cos`` are relative to 1, and beyond 1e5 they grow with |x|.
"""

import hashlib
from fractions import Fraction
from functools import lru_cache
from math import copysign, sqrt
from pathlib import Path

import numpy as np

__all__ = ["functions", "source_digest"]

LN2 = Fraction("0.69314718055994530941723212145817656807550013436026")
PI = Fraction("3.14159265358979323846264338327950288419716939937511")

# Minimax polynomials for float64 and float32, by bits, the lowest power first.
# fmt: off
EXP = {  # (expm1(z) - z) / z^2, |z| < log(2) / 2: errors 2e-17 and 1e-8 of expm1
    64: (0.50000000000000052, 0.16666666666666587, 0.041666666666575896,
         0.0083333333333906953, 0.0013888888931869482, 0.0001984126971704052,
         2.4801504889039066e-5, 2.7557408725785696e-6, 2.7626196523038819e-7,
         2.5053604934380827e-8),
    32: (0.499999981, 0.166665432, 0.0416672006, 0.00836657974, 0.00138826421),
}
LOG = {  # (2 atanh(z) / z - 2) / w, w = z^2, |z| < 0.1716: 1e-18 and 8e-10 of atanh
    64: (0.66666666666667344, 0.39999999999414561, 0.28571428742416125,
         0.22222198570088364, 0.18183564496619356, 0.15314045896160326,
         0.14795999770056754),
    32: (0.666667764, 0.399775415, 0.29871746),
}
SIN = {  # (sin(z) / z - 1) / w, w = z^2, |z| < pi / 4: 4e-18 and 4e-9 of sin
    64: (-0.1666666666666663, 0.0083333333333220592, -0.00019841269829540925,
         2.7557313604088771e-6, -2.5050744984068923e-8, 1.5896064993259873e-10),
    32: (-0.166666546, 0.00833215856, -0.000195149835),
}
COS = {  # (cos(z) - 1 + w / 2) / w^2, w = z^2, |z| < pi / 4: 6e-20 and 1e-10 of cos
    64: (0.041666666666666592, -0.0013888888888872977, 2.480158728880074e-5,
         -2.7557314164259871e-7, 2.0875698755257803e-9, -1.1358426275460847e-11),
    32: (0.0416666456, -0.00138873141, 2.44328964e-5),
}
ASIN = {  # (asin(z) / z - 1) / w, w = z^2 < 1/2: 2e-17 and 2e-8 of asin
    64: (0.16666666666665233, 0.0750000000040806025, 0.0446428567343428069,
         0.0303819652708521564, 0.0223715225188739921, 0.0173655528216658978,
         0.0137859686966346693, 0.0133612770931847784, -0.00381502231539183506,
         0.0851647444367590995, -0.322682193725595192, 1.08618280014066749,
         -2.66762358504080049, 4.93778321586544649, -6.58351413123643649,
         6.04519326707252184, -3.42017671728796751, 0.921079734302731389),
    32: (0.1666690527, 0.0748849575, 0.04650077579, 0.01639792959, 0.07694672318,
         -0.092582283, 0.1112956924),
}
ACOS = {  # acos(x) / sqrt(1 - x^2), 0 <= x <= 1: absolute errors 2e-16 and 6e-8 of acos
    64: (1.57079632679489646, -0.9999999999998631914, 0.7853981633779585886,
         -0.6666666655633125194, 0.5890485894483206625, -0.5333327248595073063,
         0.490866374528895578, -0.4570778037306109491, 0.4290975918619690821,
         -0.4043208337938854111, 0.3789101136269778655, -0.3466128004926121997,
         0.299936842258741143, -0.2353954098644563826, 0.1596800407605376705,
         -0.08892332634687346013, 0.03836413266703120539, -0.01188609284758746192,
         0.002334739426433075639, -0.0002172572530570479458),
    32: (1.57079627, -0.999988494, 0.785041749, -0.662370035, 0.562511053,
         -0.437253352, 0.269387371, -0.108617229, 0.0204934837),
}
# fmt: on
EXP_RANGE = {64: (-746, 710.6), 32: (-104.5, 89.6)}  # 0 and infinity lie beyond


def source_digest():
    """A hash of this module's source, for the keys of caches of compiled code."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


@lru_cache
def functions(dtype):
    """The functions for one floating-point type, compiled where they are used.

    Parameters
    ----------
    dtype : {np.float64, np.float32}
        Of all arguments and results.

    Returns
    -------
    dict of str to callable
        ``cos``, ``cosh``, ``exp``, ``expm1``, ``hypot``, ``log``, ``log1p``, ``sin``,
        ``sinh`` and ``tanh``, to be called from functions that numba compiles; and
        ``angle(y, x)``, which is atan2 of a point of the unit circle. That takes no
        division, which it would have to wait for as square roots do. ``turn(y, x)``
        is the same where x >= 0, with an absolute error in the place of a relative
        one, in two thirds of the operations.
    """
    kit = _Kit(dtype)
    families = _exp, _expm1, _hyperbolic, _log, _sin, _angle, _turn, _hypot
    return {f.__name__: f for family in families for f in family(kit)}


class _Kit:
    """What the functions of a type are made of.

    Constants are of the type too: one literal would make a float64 of a float32.
    """

    def __init__(self, dtype):
        import numba

        self.info = np.finfo(dtype)
        self.bits, self.bias = self.info.bits, self.info.maxexp - 1
        self.real = self.info.dtype.type
        self.integer = np.uint64 if self.bits == 64 else np.uint32
        self.jit = numba.njit(
            fastmath={"contract"}, error_model="numpy", forceinline=True
        )
        self._type = numba.from_dtype(self.info.dtype)
        self.to_bits, self.from_bits = self._casts(numba)

    def _casts(self, numba):
        """From a number to its bits and back, which arithmetic made 64 of 32."""
        from llvmlite import ir

        def to_bits(builder, x, result):
            return builder.bitcast(x, result)

        def from_bits(builder, x, result):
            return builder.bitcast(builder.trunc(x, ir.IntType(self.bits)), result)

        own = numba.from_dtype(np.dtype(self.integer))
        return (
            self._emitted(self._type, own, to_bits),
            self._emitted(numba.uint64, self._type, from_bits),
        )

    def _emitted(self, argument, result, emit):
        """A function of one argument from what emits its instructions."""
        from numba.extending import intrinsic

        @intrinsic
        def emitted(typing_context, x):
            def generate(context, builder, signature, values):
                return emit(builder, *values, context.get_value_type(result))

            return result(argument), generate

        return emitted

    def polynomial(self, table):
        """A polynomial; powers even and odd go apart, which halves the latency."""
        coefficients = table[self.bits]

        def emit(builder, x, result):
            square = builder.fmul(x, x)
            even = _horner(builder, square, coefficients[::2])
            odd = _horner(builder, square, coefficients[1::2])
            return _multiply_add(builder, odd, x, even)

        return self._emitted(self._type, self._type, emit)

    def reals(self, *values):
        """Constants for arithmetic on numbers."""
        return map(self.real, values)

    def integers(self, *values):
        """Constants for arithmetic on bits."""
        return map(self.integer, values)

    def parts(self, value, n_parts, n_bits):
        """Numbers that add up to a fraction; all but the last have `n_bits` bits."""
        found = []
        for _ in range(n_parts - 1):
            unit = Fraction(2) ** (int(np.frexp(float(value))[1]) - n_bits)
            found.append(round(value / unit) * unit)
            value -= found[-1]
        return self.reals(*found, value)


def _horner(builder, x, coefficients):
    """Instructions for a polynomial."""
    total, *rest = (x.type(c) for c in reversed(coefficients))
    for c in rest:
        total = _multiply_add(builder, total, x, c)
    return total


def _multiply_add(builder, a, b, c):
    """Instructions for ``a * b + c``, rounded once where the processor can."""
    flags = ("contract",)
    return builder.fadd(builder.fmul(a, b, flags=flags), c, flags=flags)


def _powers(kit):
    """Of x = n log(2) + r: expm1(r), and n + 2 bias in the low bits of an integer."""
    jit, to_bits, nmant = kit.jit, kit.to_bits, kit.info.nmant
    series = kit.polynomial(EXP)
    # Added to a number below 2^nmant in size, it leaves the integer in the low bits.
    magic, log2_e = kit.reals(1.5 * 2.0**nmant + 2 * kit.bias, 1 / LN2)
    high, low = kit.parts(LN2, 2, nmant - 11)

    @jit
    def powers(x):
        shifted = x * log2_e + magic
        n = shifted - magic
        r = x - n * high - n * low
        return r + r * r * series(r), to_bits(shifted)

    return powers


def _exp(kit):
    jit, from_bits, powers, nmant = kit.jit, kit.from_bits, _powers(kit), kit.info.nmant
    lowest, highest, one = kit.reals(*EXP_RANGE[kit.bits], 1)

    @jit
    def exp(x):
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        p, n = powers(x)
        half = n >> 1  # in two factors, for a result that is subnormal or near overflow
        return (one + p) * from_bits(half << nmant) * from_bits((n - half) << nmant)

    return [exp]


def _quarter(kit):
    """Of x: expm1(r) and 2^n / 4, which does not overflow where sinh(x) does not."""
    jit, from_bits, powers, nmant = kit.jit, kit.from_bits, _powers(kit), kit.info.nmant
    highest, excess = EXP_RANGE[kit.bits][1], kit.bias + 2
    (highest,) = kit.reals(highest)

    @jit
    def quarter(x):
        p, n = powers(highest if x > highest else x)
        return p, from_bits((n - excess) << nmant)

    return quarter


def _expm1(kit):
    jit, quarter = kit.jit, _quarter(kit)
    lowest, fourth, four, eps = kit.reals(-40, 0.25, 4, kit.info.epsneg / 2)

    @jit
    def expm1(x):
        p, scale = quarter(lowest if x < lowest else x)
        y = four * (scale * p + (scale - fourth))
        return x if abs(x) < eps else y

    return [expm1]


def _hyperbolic(kit):
    jit, quarter = kit.jit, _quarter(kit)
    eighth, fourth, half, one, two, four = kit.reals(0.125, 0.25, 0.5, 1, 2, 4)
    most, eps = kit.reals(20, kit.info.eps)

    @jit
    def sinh(x):
        p, scale = quarter(abs(x))
        h = scale * p + (scale - fourth)
        y = two * (h + h / (four * h + one))
        return x if abs(x) < eps else copysign(y, x)

    @jit
    def cosh(x):
        p, scale = quarter(abs(x))
        h = scale * p + scale
        return two * h + eighth / h

    @jit
    def tanh(x):
        a = abs(x)
        a = most if a > most else a
        p, scale = quarter(a + a)
        h = scale * p + (scale - fourth)
        y = h / (h + half)
        return x if a < eps else copysign(y, x)

    return [sinh, cosh, tanh]


def _mantissa(kit):
    """Of x = 2^k (1 + f), with 1 + f in [sqrt(1/2), sqrt(2)): f, k and k + bias."""
    jit, integer, nmant = kit.jit, kit.integer, kit.info.nmant
    to_bits, from_bits = kit.to_bits, kit.from_bits
    (one,) = kit.reals(1)
    whole, lowest, start = kit.reals(2**nmant, 0.5**0.5, 2**nmant + kit.bias)
    whole_bits, lowest_bits = (v.view(integer) for v in (whole, lowest))
    offset, mask = kit.integers(one.view(integer) - lowest_bits, 2**nmant - 1)

    @jit
    def mantissa(x):
        bits = integer(to_bits(x) + offset)
        k = bits >> nmant
        f = from_bits((bits & mask) + lowest_bits) - one
        return f, from_bits(k | whole_bits) - start, k

    return mantissa


def _log(kit):
    jit, from_bits, nmant = kit.jit, kit.from_bits, kit.info.nmant
    mantissa, series = _mantissa(kit), kit.polynomial(LOG)
    high, low = kit.parts(LN2, 2, nmant - 11)
    zero, half, one, two, nan, infinity = kit.reals(0, 0.5, 1, 2, np.nan, np.inf)
    normal, digits, larger = kit.reals(kit.info.smallest_normal, nmant, 2**nmant)
    (reflected,) = kit.integers(2 * kit.bias + 1)

    @jit
    def sum_of_logs(f, k):
        s = f / (two + f)
        w, h = s * s, half * f * f
        return k * high - ((h - (s * (h + w * series(w)) + k * low)) - f)

    @jit
    def special(x, y):
        below = -infinity if x == zero else nan
        y = y if x > zero else below
        return x if x == infinity else y

    @jit
    def log(x):
        enlarged = x * larger
        small = x < normal
        f, k, _ = mantissa(enlarged if small else x)
        shifted = k - digits
        return special(x, sum_of_logs(f, shifted if small else k))

    @jit
    def log1p(x):
        u = one + x
        f, k, biased = mantissa(u)
        twice = (x - (u - one)) * from_bits((reflected - biased) << nmant)
        f = f + half * twice  # what u lacks of x, divided by 2^k as u is
        return copysign(special(u, sum_of_logs(f, k)), x)

    return [log, log1p]


def _sin(kit):
    jit, to_bits, from_bits = kit.jit, kit.to_bits, kit.from_bits
    odd, even = kit.polynomial(SIN), kit.polynomial(COS)
    first, second, third = kit.parts(PI / 2, 3, kit.info.nmant - 15)
    magic, two_over_pi = kit.reals(1.5 * 2.0**kit.info.nmant, 2 / PI)
    half, one, most = kit.reals(0.5, 1, 0.8)
    last, second_bit, to_sign = kit.integers(1, 2, kit.bits - 2)
    (sign,) = kit.integers(2 ** (kit.bits - 1))

    @jit
    def reduced(x):
        shifted = x * two_over_pi + magic
        n = shifted - magic
        r = x - n * first - n * second - n * third
        r = most if r > most else r  # all digits are lost; stay within [-1, 1]
        r = -most if r < -most else r
        w = r * r
        sine = r + r * (w * odd(w))
        cosine = one - (half * w - w * w * even(w))
        return sine, cosine, to_bits(shifted)

    @jit
    def sin(x):
        sine, cosine, n = reduced(abs(x))
        y = cosine if n & last else sine
        return from_bits(
            to_bits(y) ^ ((n & second_bit) << to_sign) ^ (to_bits(x) & sign)
        )

    @jit
    def cos(x):
        sine, cosine, n = reduced(abs(x))
        y = sine if n & last else cosine
        return from_bits(to_bits(y) ^ (((n + last) & second_bit) << to_sign))

    return [sin, cos]


def _angle(kit):
    jit, series = kit.jit, kit.polynomial(ASIN)
    (half_pi,) = kit.reals(PI / 2)

    @jit
    def angle(y, x):
        a, b = abs(y), abs(x)
        steep = a > b
        low = b if steep else a
        w = low * low
        turned = copysign(low + low * (w * series(w)), x)
        level = half_pi - copysign(half_pi, x)
        turned = half_pi - turned if steep else level + turned
        return copysign(turned, y)

    return [angle]


def _turn(kit):
    jit, series = kit.jit, kit.polynomial(ACOS)
    (half_pi,) = kit.reals(PI / 2)

    @jit
    def turn(y, x):
        return copysign(half_pi - x * series(abs(y)), y)

    return [turn]


def _hypot(kit):
    jit, one = kit.jit, kit.real(1)
    exponents = (500, -400, -600, 700) if kit.bits == 64 else (60, -40, -80, 100)
    large, small, shrink, grow = (kit.real(2.0**e) for e in exponents)
    unshrink, ungrow = one / shrink, one / grow

    @jit
    def hypot(a, b):
        a, b = abs(a), abs(b)
        high = a if a > b else b
        low = b if a > b else a
        scale = grow if high < small else one
        unscale = ungrow if high < small else one
        scale = shrink if high > large else scale
        unscale = unshrink if high > large else unscale
        high, low = high * scale, low * scale
        return sqrt(high * high + low * low) * unscale

    return [hypot]
