"""From an exact result, or an interval around it, to a number of 80 bits.

SDM Vol. 1 "Rounding", "Numeric Overflow Exception (#O)", "Numeric Underflow Exception
(#U)". Precision control is for the basic operations alone ("Precision Control Field").
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.x87.number import BIAS, SPECIAL, TOP, Number, infinity, zero

if TYPE_CHECKING:
    from collections.abc import Callable

IE, DE, ZE, OE, UE, PE = 1, 2, 4, 8, 16, 32
"""Exceptions in FSW, and their masks in FCW."""
NEAREST, DOWN, UP, CHOP = range(4)
"""FCW.RC, bits 11:10."""
WRAP: Final = 24576
"""By what power of two an unmasked overflow or underflow is scaled."""
BITS: Final = 64
LEAST: Final = -16382
MOST: Final = 16383
"""Powers of two of the first bit of a normal number."""
FIRST: Final = 128
"""Bits of the first approximation; each further one has twice as many."""


class Real(NamedTuple):
    """A result before it is rounded: `low` if `high` is the same, else in between."""

    sign: int
    low: int
    high: int
    power: int
    """Of two, by which both are multiplied."""


class Rounded(NamedTuple):
    """A result, and what is said about it."""

    number: Number
    flags: int
    is_up: bool
    """Its magnitude has grown: C1."""


def exact(sign: int, significand: int, power: int) -> Real:
    """Return a number that is known to its last bit."""
    return Real(sign, significand, significand, power)


def settled(approximate: Callable[[int], Real], control: int) -> Rounded:
    """Return what `approximate` comes to: it takes bits of precision until that shows.

    It comes to an end, for what is not exact here is no rational number, and so lies
    between two of those at which rounding changes. `control` is FCW.
    """
    for doubled in count():
        found = rounded(approximate(FIRST << doubled), control)
        if found is not None:
            return found
    raise AssertionError("an endless count ended")


def rounded(real: Real, control: int) -> Rounded | None:
    """Return it as a number, or None where the interval does not tell which."""
    sign, low, high, power = real
    if low == high:
        return _rounded(sign, low, power, control)
    # Both ends are outside: what is just inside of them is never exact.
    ends = {
        _rounded(sign, end, power - 1, control) for end in (2 * low + 1, 2 * high - 1)
    }
    return ends.pop() if len(ends) == 1 else None


def _rounded(sign: int, value: int, power: int, control: int) -> Rounded:
    if not value:
        return Rounded(zero(sign), 0, is_up=False)
    way = control >> 10 & 3
    cut, changed = _cut(sign, value, power, way, BITS - value.bit_length())
    magnitude = cut.power + cut.significand.bit_length() - 1
    if magnitude > MOST:
        return _overflow(cut, changed, magnitude, control)
    if magnitude < LEAST:
        if not control & UE:
            return _wrapped(cut, changed, magnitude + WRAP, UE)
        cut, changed = _cut(sign, value, power, way, power - (LEAST - BITS + 1))
        magnitude = cut.power + cut.significand.bit_length() - 1
        return _finished(cut, changed, magnitude, UE if changed else 0)
    return _finished(cut, changed, magnitude, 0)


class _Cut(NamedTuple):
    sign: int
    significand: int
    power: int


def _cut(sign: int, value: int, power: int, way: int, shift: int) -> tuple[_Cut, int]:
    """Move to the left by `shift`, and round what falls out.

    Also returns 0 for exact, 1 for larger and -1 for smaller in magnitude.
    """
    if shift >= 0:
        return _Cut(sign, value << shift, power - shift), 0
    kept, lost = value >> -shift, value & (1 << -shift) - 1
    if not lost:
        return _Cut(sign, kept, power - shift), 0
    half = 1 << (-shift - 1)
    if way == NEAREST:
        is_up = lost > half or (lost == half and bool(kept & 1))
    else:
        is_up = way == (DOWN if sign else UP)
    return _Cut(sign, kept + is_up, power - shift), 1 if is_up else -1


def _finished(cut: _Cut, changed: int, magnitude: int, flags: int) -> Rounded:
    """Return a number whose first bit stands for 2 to `magnitude`."""
    if changed:
        flags |= PE
    significand = cut.significand
    if magnitude < LEAST:  # it is denormal, and rounded as one
        return Rounded(Number(cut.sign, 0, significand), flags, changed > 0)
    significand <<= max(BITS - significand.bit_length(), 0)
    significand >>= significand.bit_length() - BITS
    number = Number(cut.sign, magnitude + BIAS, significand)
    return Rounded(number, flags, changed > 0)


def _wrapped(cut: _Cut, changed: int, magnitude: int, flag: int) -> Rounded:
    """Return an unmasked one, scaled; only one of FSCALE may still be out of range."""
    if magnitude > MOST:
        return Rounded(infinity(cut.sign), flag | PE, is_up=True)
    if magnitude < LEAST:
        return Rounded(zero(cut.sign), flag | PE, is_up=False)
    return _finished(cut, changed, magnitude, flag)


def _overflow(cut: _Cut, changed: int, magnitude: int, control: int) -> Rounded:
    if not control & OE:
        return _wrapped(cut, changed, magnitude - WRAP, OE)
    way = control >> 10 & 3
    if way in {NEAREST, DOWN if cut.sign else UP}:
        return Rounded(infinity(cut.sign), OE | PE, is_up=True)
    return Rounded(Number(cut.sign, SPECIAL - 1, 2 * TOP - 1), OE | PE, is_up=False)
