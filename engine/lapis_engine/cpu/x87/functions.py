"""Sines, tangents, powers and logarithms, as intervals that hold the exact result.

mpmath gives as many bits as are asked for, right but for the last few; an interval
leaves room for those, and `rounding.settled` asks for more where it does not tell.
Where a result is so near to a simple one that no precision would do, it is said on
which side it lies.

This is the one module that imports mpmath, which takes a tenth of a second: it is
itself imported when the first such instruction comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from mpmath import libmp

from lapis_engine.cpu.x87.rounding import Real, exact

if TYPE_CHECKING:
    from lapis_engine.cpu.x87.number import Number

Float: TypeAlias = "tuple[int, int, int, int]"
"""mpmath's: sign, significand, power of two, bits."""

DOUBT: Final = 1 << 20
"""Units of the last bit by which an approximation may be wrong: far less, really."""
TINY: Final = -110
"""Powers of two from which on down x and sin x share their first 200 bits."""
BEYOND: Final = 140
"""Bits behind which a difference of that kind is put."""
HALF_PI: Final = 0xC90F_DAA2_2168_C234C
HALF_PI_POWER: Final = -67
"""Pi, as the processor has it for arguments: 66 bits (SDM Vol. 1
"Approximation of Pi")."""


def sine(x: Number, precision: int) -> Real:
    """Return the sine of a finite number but 0."""
    if x.magnitude < TINY:
        return _below(x)
    turns, rest = _reduced(x)
    return _circular(turns, rest, precision)


def cosine(x: Number, precision: int) -> Real:
    """Return the cosine of a finite number but 0."""
    if x.magnitude < TINY:
        return Real(0, (1 << BEYOND) - 1, 1 << BEYOND, -BEYOND)
    turns, rest = _reduced(x)
    return _circular(turns + 1, rest, precision)


def tangent(x: Number, precision: int) -> Real:
    """Return the tangent of a finite number but 0."""
    if x.magnitude < TINY:
        low = x.significand << BEYOND
        return Real(x.sign, low, low + 1, x.power - BEYOND)
    turns, rest = _reduced(x)
    cosine, sine = libmp.mpf_cos_sin(rest, precision)
    if turns & 1:
        cosine, sine = libmp.mpf_neg(sine), cosine
    return _near(libmp.mpf_div(sine, cosine, precision), precision)


def power_less_one(x: Number, precision: int) -> Real:
    """Return 2 to x, less 1, of -1 to 1 but 0."""
    if x.magnitude == 0:
        return exact(1, 1, -1) if x.sign else exact(0, 1, 0)
    # 2 sinh(y / 2) e to y / 2, which loses no bits where y is small
    half = libmp.mpf_mul(_float(x), libmp.mpf_ln2(precision), precision)
    half = libmp.mpf_shift(half, -1)
    sinh = libmp.mpf_sinh(half, precision)
    found = libmp.mpf_mul(sinh, libmp.mpf_exp(half, precision), precision)
    return _near(libmp.mpf_shift(found, 1), precision)


def logarithm(x: Number, y: Number, precision: int) -> Real:
    """Return y times the logarithm to base 2 of x; x is positive, and both finite.

    Neither is 0, and x is not 1.
    """
    zeros = _trailing(x.significand)
    if x.significand >> zeros == 1:
        power = x.power + zeros
        return exact(y.sign ^ (power < 0), abs(power) * y.significand, y.power)
    return _times(y, libmp.mpf_log(_float(x), precision), precision)


def logarithm_of_more(x: Number, y: Number, precision: int) -> Real:
    """Return y times the logarithm to base 2 of x + 1, which is positive.

    Neither is 0, and both are finite.
    """
    more = libmp.mpf_add(_float(x), libmp.fone)
    if more[1] == 1:
        return exact(y.sign ^ (more[2] < 0), abs(more[2]) * y.significand, y.power)
    if x.magnitude >= -1:
        return _times(y, libmp.mpf_log(more, precision), precision)
    # 2 artanh(x / (x + 2)), which loses no bits where x is small
    ratio = libmp.mpf_div(_float(x), libmp.mpf_add(more, libmp.fone), precision)
    log = libmp.mpf_shift(libmp.mpf_atanh(ratio, precision), 1)
    return _times(y, log, precision)


def angle(x: Number, y: Number, precision: int) -> Real:
    """Return the angle of the point (x, y), which is on neither axis."""
    if not x.sign and y.magnitude - x.magnitude < TINY:
        return _quotient(y, x)
    found = libmp.mpf_atan2(_float(y), _float(x), precision)
    return _near(found, precision)


def eighths(sign: int, many: int, precision: int) -> Real:
    """Return so many eighths of a turn, each a quarter of pi."""
    quarter = libmp.mpf_shift(libmp.mpf_pi(precision), -2)
    found = libmp.mpf_mul_int(quarter, many, precision)
    return _near(found, precision)._replace(sign=sign)


def _reduced(x: Number) -> tuple[int, Float]:
    """Return how many quarter turns it is, rounded, and what is left: never 0."""
    power = min(x.power, HALF_PI_POWER)
    value = x.significand << (x.power - power)
    half_pi = HALF_PI << (HALF_PI_POWER - power)
    turns = (2 * value + half_pi) // (2 * half_pi)
    rest = value - turns * half_pi
    if x.sign:
        turns, rest = -turns, -rest
    return turns, libmp.from_man_exp(rest, power)


def _circular(turns: int, rest: Float, precision: int) -> Real:
    """Return the sine of so many quarter turns and `rest`."""
    cosine, sine = libmp.mpf_cos_sin(rest, precision)
    found = _near(cosine if turns & 1 else sine, precision)
    return found._replace(sign=found.sign ^ (turns >> 1 & 1))


def _below(x: Number) -> Real:
    """Return what is a little less than x, in magnitude."""
    high = x.significand << BEYOND
    return Real(x.sign, high - 1, high, x.power - BEYOND)


def _quotient(y: Number, x: Number) -> Real:
    """Return what is a little less than y / x, by less than a unit of 2**-200 of it.

    No quotient of 64 bits by 64 is as near as that to where rounding changes, unless it
    is that very number.
    """
    wide = y.significand << (64 - y.significand.bit_length())
    by = x.significand << (64 - x.significand.bit_length())
    power = y.magnitude - x.magnitude - BEYOND
    found, left = divmod(wide << BEYOND, by)
    low = found if left else found - 1
    return Real(y.sign, low, low + 1, power)


def _times(y: Number, log: Float, precision: int) -> Real:
    """Return y times a natural logarithm that is made one of base 2."""
    log = libmp.mpf_div(log, libmp.mpf_ln2(precision), precision)
    sign, low, high, power = _near(log, precision)
    m = y.significand
    return Real(sign ^ y.sign, m * low, m * high, power + y.power)


def _near(found: Float, precision: int) -> Real:
    """Return an interval that holds what `found` is an approximation of."""
    sign, significand, power, bits = found
    shift = precision - bits
    middle = int(significand) << shift
    return Real(sign, middle - DOUBT, middle + DOUBT, power - shift)


def _float(x: Number) -> Float:
    found: Float = libmp.from_man_exp(
        -x.significand if x.sign else x.significand, x.power
    )
    return found


def _trailing(value: int) -> int:
    """Return how many zeros it ends with."""
    return (value & -value).bit_length() - 1
