"""FISTTP and FBSTP of what does not fit: the integer indefinite.

SDM Vol. 1 "Indefinites"; Vol. 2A "FISTTP", "FBSTP". The processor underneath stores
another number.

# Not modelled: with #IA unmasked it is stored, and ST(0) is popped, all the same.
# Differs from the SDM: FLDCW keeps reserved bits of the control word, as FNSTCW shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.descriptors import OpenBus
from lapis_engine.cpu.intercepts import Budget
from lapis_engine.cpu.x87.number import BIAS, SPECIAL
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.layout import X87State
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.vmm.vm import Run

    Processor = Callable[[Run], HwExit]

SIZES: Final = {0xDF: 2, 0xDB: 4, 0xDD: 8}
"""Opcode of FISTTP -> bytes that it stores."""
FBSTP: Final = 6
"""ModRM.reg, behind DF."""
MOST_BCD: Final = 10**18
INDEFINITE_BCD: Final = 0xFFFF_C000_0000_0000_0000
BCD_SIZE: Final = 10
FRACTION: Final = 63
NEGATIVE: Final = 0x8000
BEYOND: Final = 2
"""Bits by which a number is shifted up at most: it fits nowhere then."""
INVALID: Final = 1
"""FSW.IE."""


def store(processor: Processor, run: Run, mark: Mark) -> HwExit:
    """Do it, and store the indefinite in place of what did not fit."""
    regs, code, at = run.vcpu.regs, mark.code, mark.opcode_at
    fpu, size = regs.context.x87, SIZES[code[at]]
    least, indefinite = -(1 << 8 * size - 1), 1 << 8 * size - 1
    most = indefinite
    if code[at + 1] >> 3 & 7 == FBSTP:
        size, most, indefinite = BCD_SIZE, MOST_BCD, INDEFINITE_BCD
        least = 1 - MOST_BCD
    whole = _whole(fpu)
    fits = whole is not None and least <= whole < most
    places = [
        linear_address(regs, regs.code_bits, *operand)
        for operand in reach.operands(regs, code)
    ]
    result = processor(run)
    if isinstance(result, Budget) and not fits:
        fpu.fsw |= INVALID
        for place in places:
            OpenBus(run.vcpu.linear).write(place, size, indefinite)
    return result


def _whole(fpu: X87State) -> int | None:
    """Return ST(0) without its fraction; None when it is no number, or not there."""
    place = fpu.top & 7
    slot = fpu.slots[place]
    significand, sign = int(slot.significand), bool(slot.upper & NEGATIVE)
    exponent = slot.upper & SPECIAL
    is_unnormal = bool(exponent) and not significand >> FRACTION
    if fpu.empty[place] or exponent == SPECIAL or is_unnormal:
        return None
    shift = exponent - BIAS - FRACTION
    up, down = min(max(shift, 0), BEYOND), max(-shift, 0)
    whole: int = significand << up >> down
    return -whole if sign else whole
