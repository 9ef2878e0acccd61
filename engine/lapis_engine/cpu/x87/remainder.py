"""FPREM and FPREM1, which are exact (SDM Vol. 2A "FPREM", "FPREM1").

How far an incomplete one goes is left open by 32 and 63 bits; this takes what AMD's
processors do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.x87.number import Number, Sort, sort_of
from lapis_engine.cpu.x87.operations import INVALID, Answer
from lapis_engine.cpu.x87.rounding import exact, rounded

if TYPE_CHECKING:
    from collections.abc import Callable

COMPLETE: Final = 64
"""Difference of exponents from which on it takes more than one step."""
STEP: Final = 32


def chopped(x: Number, y: Number, control: int) -> Answer:
    """FPREM: x less the multiple of y that is next on the way to 0."""
    return _remainder(x, y, control, lambda value, by: value // by)


def nearest(x: Number, y: Number, control: int) -> Answer:
    """FPREM1: x less the nearest multiple of y, the even one of two as near."""

    def quotient(value: int, by: int) -> int:
        found, left = divmod(value, by)
        return found + (2 * left > by or (2 * left == by and found & 1))

    return _remainder(x, y, control, quotient)


def _remainder(
    x: Number, y: Number, control: int, quotient: Callable[[int, int], int]
) -> Answer:
    one, two = sort_of(x), sort_of(y)
    if one is Sort.INFINITE or two is Sort.ZERO:
        return INVALID
    if one is Sort.ZERO:
        return Answer((x,), quotient=0)
    if two is Sort.INFINITE:
        found = rounded(exact(x.sign, x.significand, x.power), control)
        assert found is not None, "it is exact"
        return Answer((found.number,), found.flags, quotient=0)
    apart = x.magnitude - y.magnitude
    power = min(x.power, y.power)
    value, by = x.significand << (x.power - power), y.significand << (y.power - power)
    if apart < COMPLETE:
        many, is_partial = quotient(value, by), False
        value -= many * by
    else:
        by <<= apart - STEP - apart % STEP
        many, value, is_partial = 0, value % by, True
    found = rounded(exact(x.sign ^ (value < 0), abs(value), power), control)
    assert found is not None, "it is exact"
    if not value:
        found = found._replace(number=Number(x.sign, 0, 0))
    return Answer(
        (found.number,), found.flags, is_partial=is_partial, quotient=many & 7
    )
