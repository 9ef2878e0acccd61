"""Numbers of 80 bits as tests write them, and one instruction without a machine."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from lapis_engine.cpu.layout import X87State
from lapis_engine.cpu.x87 import unit
from rigs.native_x87 import State

if TYPE_CHECKING:
    from rigs.native_x87 import Raw

F2XM1, FYL2X, FPTAN, FPATAN, FPREM1 = 0xF0, 0xF1, 0xF2, 0xF3, 0xF5
FPREM, FYL2XP1, FSINCOS, FSIN, FCOS = 0xF8, 0xF9, 0xFB, 0xFE, 0xFF
FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2 = CONSTANTS = range(0xE9, 0xEE)
FXTRACT, FSCALE = 0xF4, 0xFD
ALL = (
    F2XM1, FYL2X, FPTAN, FPATAN, FPREM1, FPREM, FYL2XP1, FSINCOS, FSIN, FCOS,
    FXTRACT, FSCALE, *CONSTANTS,
)  # fmt: skip
IE, DE, ZE, OE, UE, PE, SF, ES, BUSY = (*(1 << n for n in range(8)), 1 << 15)
C0, C1, C2, C3 = 0x100, 0x200, 0x400, 0x4000
NEAREST, DOWN, UP, CHOP = 0x37F, 0x77F, 0xB7F, 0xF7F
ZERO, ONE, TWO, INF = (0, 0), (0x3FFF, 1 << 63), (0x4000, 1 << 63), (0x7FFF, 1 << 63)
HALF, DENORMAL = (0x3FFE, 1 << 63), (0, 5)
QUIET, OTHER = (0x7FFF, 0xC000_0000_0000_0001), (0x7FFF, 0xC000_0000_0000_0009)
SIGNALING, UNNORMAL = (0x7FFF, 0x8000_0000_0000_0005), (0x1234, 5)
INDEFINITE = (0xFFFF, 0xC000_0000_0000_0000)
PI = (0x4000, 0xC90F_DAA2_2168_C235)
"""What FLDPI loads."""


def minus(number: Raw) -> Raw:
    return number[0] ^ 0x8000, number[1]


def do(opcode: int, state: State) -> State:
    """Do it without a machine around it."""
    fpu = X87State(top=state.fsw >> 11 & 7, fsw=state.fsw & ~0x3800, fcw=state.fcw)
    for n, register in enumerate(state.stack):
        place = (fpu.top + n) & 7
        fpu.empty[place] = register is None
        fpu.slots[place].upper, fpu.slots[place].significand = register or (0, 0)
    unit.carry_out(fpu, opcode)
    slots = [(fpu.top + n) & 7 for n in range(8)]
    stack = tuple(
        None if fpu.empty[n] else (fpu.slots[n].upper, fpu.slots[n].significand)
        for n in slots
    )
    return State(fpu.fcw, fpu.fsw | fpu.top << 11, stack)


def flags(state: State) -> int:
    return state.fsw & ~0x3800


def nearest(value: Fraction, control: int) -> Raw:
    """Round by the definition: the slow way, with 64 bits."""
    size, exponent = abs(value), 0x3FFF
    while size >= 2:
        size, exponent = size / 2, exponent + 1
    while size < 1:
        size, exponent = size * 2, exponent - 1
    whole, rest = divmod(size * 2**63, 1)
    away = {
        NEAREST: rest > Fraction(1, 2), DOWN: value < 0, UP: value > 0, CHOP: False,
    }[control]  # fmt: skip
    return exponent | (0x8000 if value < 0 else 0), int(whole) + away


def value(number: Raw) -> Fraction:
    upper, significand = number
    size = significand * Fraction(2) ** (max(upper & 0x7FFF, 1) - 0x3FFF - 63)
    return -size if upper & 0x8000 else size


def signed(number: Raw, sign: int) -> Raw:
    return number if sign > 0 else minus(number)


def sign_of(number: Raw) -> int:
    return -1 if number[0] & 0x8000 else 1
