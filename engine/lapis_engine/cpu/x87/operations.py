"""What the transcendental instructions make of their operands, special ones first.

The tables of the instruction pages, SDM Vol. 2A "F2XM1", "FCOS", "FPATAN", "FPTAN",
"FSIN", "FSINCOS", "FYL2X", "FYL2XP1". NaNs and what is unsupported never come here.

Where a page calls a result undefined, the operand is left, as processors do: F2XM1
beyond 1, FYL2XP1 of -1 and less.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lapis_engine.cpu.x87 import functions
from lapis_engine.cpu.x87.number import (
    BIAS,
    INDEFINITE,
    ONE,
    TOP,
    Number,
    Sort,
    infinity,
    sort_of,
    zero,
)
from lapis_engine.cpu.x87.rounding import IE, PE, ZE, Rounded, settled

BEYOND: Final = 63
"""Powers of two from which on an argument is too large for a sine."""


class Answer(NamedTuple):
    """What an instruction comes to."""

    numbers: tuple[Number, ...]
    """Results, from the bottom of the stack up; none leaves the operands."""
    flags: int = 0
    is_up: bool = False
    """Rounding has made the first of them larger: C1."""
    is_partial: bool = False
    """There is more to do, or it could not be done: C2."""
    quotient: int | None = None
    """Its low three bits, of a remainder."""


INVALID: Final = Answer((INDEFINITE,), IE)
TOO_LARGE: Final = Answer((), is_partial=True)


def sine(x: Number, control: int) -> Answer:
    """FSIN."""
    special = _turned(x, zero(x.sign))
    if special is not None:
        return special
    return _of(settled(lambda bits: functions.sine(x, bits), control))


def cosine(x: Number, control: int) -> Answer:
    """FCOS."""
    special = _turned(x, ONE)
    if special is not None:
        return special
    return _of(settled(lambda bits: functions.cosine(x, bits), control))


def sine_and_cosine(x: Number, control: int) -> Answer:
    """FSINCOS: the sine, and the cosine on top of it."""
    first, second = sine(x, control), cosine(x, control)
    flags = first.flags | second.flags
    return first._replace(numbers=first.numbers + second.numbers, flags=flags)


def tangent(x: Number, control: int) -> Answer:
    """FPTAN: the tangent, and 1 on top of it."""
    found = _turned(x, zero(x.sign))
    if found is None:
        found = _of(settled(lambda bits: functions.tangent(x, bits), control))
    if found.flags & IE or not found.numbers:
        return found
    return found._replace(numbers=(*found.numbers, ONE))


def power_less_one(x: Number, control: int) -> Answer:
    """F2XM1."""
    sort = sort_of(x)
    if sort is Sort.ZERO:
        return Answer((x,))
    if sort is Sort.INFINITE:
        return Answer((ONE._replace(sign=1) if x.sign else x,))
    if x.exponent > BIAS or (x.exponent == BIAS and x.significand > TOP):
        return Answer((x,), PE)
    return _of(settled(lambda bits: functions.power_less_one(x, bits), control))


def logarithm(x: Number, y: Number, control: int) -> Answer:
    """FYL2X: y times the logarithm to base 2 of x."""
    one, two = sort_of(x), sort_of(y)
    if one is Sort.ZERO:
        if two is Sort.ZERO:
            return INVALID
        flags = 0 if two is Sort.INFINITE else ZE
        return Answer((infinity(1 - y.sign),), flags)
    if x.sign:
        return INVALID
    sign = y.sign ^ (one is not Sort.INFINITE and x.exponent < BIAS)
    if one is Sort.INFINITE:
        return INVALID if two is Sort.ZERO else Answer((infinity(sign),))
    if two is Sort.INFINITE:
        return INVALID if x == ONE else Answer((infinity(sign),))
    if two is Sort.ZERO or x == ONE:
        return Answer((zero(sign),))
    return _of(settled(lambda bits: functions.logarithm(x, y, bits), control))


def logarithm_of_more(x: Number, y: Number, control: int) -> Answer:
    """FYL2XP1: y times the logarithm to base 2 of x + 1."""
    one, two, sign = sort_of(x), sort_of(y), x.sign ^ y.sign
    if one is Sort.INFINITE:
        is_invalid = x.sign or two is Sort.ZERO
        return INVALID if is_invalid else Answer((infinity(sign),))
    if two is Sort.INFINITE:
        return INVALID if one is Sort.ZERO else Answer((infinity(sign),))
    if Sort.ZERO in {one, two}:
        return Answer((zero(sign),))
    if x.sign and x.exponent >= BIAS:
        return Answer((x,), PE)
    return _of(settled(lambda bits: functions.logarithm_of_more(x, y, bits), control))


def angle(x: Number, y: Number, control: int) -> Answer:
    """FPATAN: the angle of the point (x, y)."""
    one, two = sort_of(x), sort_of(y)
    infinite = (one is Sort.INFINITE, two is Sort.INFINITE)
    if two is Sort.ZERO or infinite == (True, False):
        if not x.sign:
            return Answer((zero(y.sign),))
        many = 4
    elif infinite == (True, True):
        many = 3 if x.sign else 1
    elif one is Sort.ZERO or infinite == (False, True):
        many = 2
    else:
        return _of(settled(lambda bits: functions.angle(x, y, bits), control))
    return _of(settled(lambda bits: functions.eighths(y.sign, many, bits), control))


def _turned(x: Number, at_zero: Number) -> Answer | None:
    """Return what a sine or its like is of a special operand, or None of another."""
    sort = sort_of(x)
    if sort is Sort.ZERO:
        return Answer((at_zero,))
    if sort is Sort.INFINITE:
        return INVALID
    return TOO_LARGE if x.exponent >= BIAS + BEYOND else None


def _of(found: Rounded) -> Answer:
    return Answer((found.number,), found.flags, found.is_up)
