"""Which instructions read a memory operand, change it and write it back.

To the processor underneath such a one reads first, and may fault as a reader; to a real
one it is a write from the begin (SDM Vol. 3A "Page-Fault Exceptions", W/R).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import PF_, PF_I, PF_W
from lapis_engine.cpu.marked import (
    LONGEST,
    ONE_LOCKABLE,
    REGISTERS,
    TWO_BYTE,
    TWO_LOCKABLE,
)
from lapis_engine.vie.prefixes import read_prefixes

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers

ONE: Final = ONE_LOCKABLE | dict.fromkeys(
    (0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3), range(8)
)
"""Opcode -> ModRM.reg: what takes LOCK, and rotates and shifts."""
TWO: Final = TWO_LOCKABLE | dict.fromkeys((0xA4, 0xA5, 0xAC, 0xAD), range(8))
"""The same behind 0F: SHLD and SHRD."""


def is_update(code: bytes, bits: int) -> bool:
    """Tell whether the instruction changes a memory operand that it also reads."""
    try:
        at = read_prefixes(code, bits).pos
        table = ONE
        if code[at] == TWO_BYTE:
            table, at = TWO, at + 1
        modrm = code[at + 1]
    except IndexError:
        return False
    return modrm < REGISTERS and modrm >> 3 & 7 in table.get(code[at], ())


def is_of_update(regs: Registers, code: bytes, cr2: int) -> bool:
    """Tell whether the page fault at `cr2` is of an operand that is to be changed.

    What can fault beside it is the fetch of the instruction's own bytes.
    """
    is_fetch = 0 <= cr2 - regs.linear_rip < LONGEST
    return not is_fetch and is_update(code, regs.code_bits)


def exact_error(regs: Registers, code: bytes, vector: int, error: int, cr2: int) -> int:
    """Return the error code of a fault that the processor underneath reported.

    To it an operand that is read, changed and written back is read at first.
    """
    if vector != PF_ or error & (PF_W | PF_I):
        return error
    return error | PF_W if is_of_update(regs, code, cr2) else error
