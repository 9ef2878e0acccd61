"""A number of 80 bits: sign, exponent and 64 bits of significand, as integers.

SDM Vol. 1 "Floating-Point Data Types", "Unsupported Double Extended-Precision
Floating-Point Encodings and Pseudo-Denormals", "Rules for Handling NaNs".
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

BIAS: Final = 16383
TOP: Final = 1 << 63
"""The integer bit of the significand."""
QUIET: Final = 1 << 62
SPECIAL: Final = 0x7FFF
"""The exponent of infinities and NaNs."""


class Number(NamedTuple):
    """What an x87 register holds."""

    sign: int
    exponent: int
    """With its bias; 15 bits."""
    significand: int

    @property
    def power(self) -> int:
        """The power of two that the significand, as an integer, is multiplied by."""
        return max(self.exponent, 1) - BIAS - 63

    @property
    def magnitude(self) -> int:
        """The power of two of the first bit that is set; of a finite number but 0."""
        return self.power + self.significand.bit_length() - 1


class Sort(Enum):
    """Which sort of number it is."""

    ZERO = auto()
    DENORMAL = auto()
    """Pseudo-denormals, too, which mean what they say."""
    NORMAL = auto()
    INFINITE = auto()
    QUIET = auto()
    SIGNALING = auto()
    UNSUPPORTED = auto()
    """Without its integer bit: an invalid operand."""


INDEFINITE: Final = Number(1, SPECIAL, TOP | QUIET)
ONE: Final = Number(0, BIAS, TOP)


def zero(sign: int) -> Number:
    """Return 0 with a sign."""
    return Number(sign, 0, 0)


def infinity(sign: int) -> Number:
    """Return the infinity with that sign."""
    return Number(sign, SPECIAL, TOP)


def sort_of(number: Number) -> Sort:
    """Return which sort it is."""
    _, exponent, significand = number
    if not exponent:
        return Sort.DENORMAL if significand else Sort.ZERO
    if not significand & TOP:
        return Sort.UNSUPPORTED
    if exponent != SPECIAL:
        return Sort.NORMAL
    if significand == TOP:
        return Sort.INFINITE
    return Sort.QUIET if significand & QUIET else Sort.SIGNALING


def nan_of(operands: tuple[Number, ...]) -> Number:
    """Return the NaN that comes of operands, one of which is a NaN.

    Of two of a kind it is the one with the larger significand, and the positive one of
    equals; of a signaling and a quiet one the quiet.
    """
    kinds = [sort_of(operand) for operand in operands]
    wanted = Sort.QUIET if Sort.QUIET in kinds else Sort.SIGNALING
    found = [each for each, is_kind in zip(operands, kinds, strict=True)
             if is_kind is wanted]  # fmt: skip
    best = max(found, key=lambda each: (each.significand, not each.sign))
    return best._replace(significand=best.significand | QUIET)
