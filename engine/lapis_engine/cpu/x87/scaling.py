"""FSCALE, FXTRACT and the constants, which are exact but for one rounding.

SDM Vol. 2A "FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ", "FSCALE", "FXTRACT".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.x87.number import BIAS, TOP, Number, Sort, infinity, sort_of, zero
from lapis_engine.cpu.x87.operations import INVALID, Answer
from lapis_engine.cpu.x87.rounding import ZE, Real, exact, rounded

if TYPE_CHECKING:
    from collections.abc import Callable

FARTHEST: Final = 1 << 17
"""A scale beyond which every number overflows, or underflows."""
LOG_2_10: Final = 0xD49A_784B_CD1B_8AFE_492B_F6FF_4DAF_DB4C, -126
LOG_2_E: Final = 0xB8AA_3B29_5C17_F0BB_BE87_FED0_691D_3E88, -127
PI: Final = 0xC90F_DAA2_2168_C234_C4C6_628B_80DC_1CD1, -126
LOG_10_2: Final = 0x9A20_9A84_FBCF_F798_8F89_59AC_0B7C_9178, -129
LOG_E_2: Final = 0xB172_17F7_D1CF_79AB_C9E3_B398_03F2_F6AF, -128
"""The first 128 bits, and the power of two of the last."""


def scaled(x: Number, y: Number, control: int) -> Answer:
    """FSCALE: x times 2 to the power of y, chopped."""
    one, two = sort_of(x), sort_of(y)
    if two is Sort.INFINITE:
        if one is (Sort.INFINITE if y.sign else Sort.ZERO):
            return INVALID
        return Answer((zero(x.sign) if y.sign else infinity(x.sign),))
    if one in {Sort.ZERO, Sort.INFINITE}:
        return Answer((x,))
    power = FARTHEST
    if y.magnitude < FARTHEST.bit_length():
        power = y.significand << y.power if y.power > 0 else y.significand >> -y.power
    power = x.power + (-power if y.sign else power)
    return _of(exact(x.sign, x.significand, power), control)


def extracted(x: Number, control: int) -> Answer:
    """FXTRACT: the exponent, and the significand on top of it."""
    sort = sort_of(x)
    if sort is Sort.ZERO:
        return Answer((infinity(1), x), ZE)
    if sort is Sort.INFINITE:
        return Answer((infinity(0), x))
    power = x.magnitude
    significand = x.significand << (TOP.bit_length() - x.significand.bit_length())
    exponent = _of(exact(int(power < 0), abs(power), 0), control)
    return Answer((*exponent.numbers, Number(x.sign, BIAS, significand)))


def constant(bits: int, power: int) -> Callable[[int], Answer]:
    """Return what loads it, by the rounding of FCW; neither PE nor C1 tells of that."""

    def load(control: int) -> Answer:
        return Answer(_of(Real(0, bits, bits + 1, power), control).numbers)

    return load


def _of(real: Real, control: int) -> Answer:
    found = rounded(real, control)
    assert found is not None, "so many bits tell"
    return Answer((found.number,), found.flags, found.is_up)
