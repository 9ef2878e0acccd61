"""What an instruction accesses without naming it: strings, XLAT and the stack.

SDM Vol. 2 of each instruction, Vol. 1 "Procedure Stack". Which opcodes these are is in
`cpu.strict`. 64-bit code has no limits, and is not asked for here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import strict
from lapis_engine.cpu.descriptors import stack_mask
from lapis_engine.cpu.marked import GROUP_5, TWO_BYTE
from lapis_engine.cpu.registers import DS, ES, RAX, RBP, RBX, RCX, RDI, RSI, RSP, SS
from lapis_engine.vie.checks import Operand
from lapis_engine.vie.operands import SIZE_MASK
from lapis_engine.vie.prefixes import read_prefixes
from lapis_engine.vie.reach import LEAVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.prefixes import Cursor

PUSHA: Final = 0x60
POPA: Final = 0x61
ENTER: Final = 0xC8
ALL: Final = 8
"""Registers of PUSHA and POPA."""
NESTED: Final = 31
"""Bits of ENTER's level."""


class OperandAccess(NamedTuple):
    """One access to memory."""

    operand: Operand
    size: int
    write: bool


def accesses(regs: Registers, code: bytes) -> Iterator[OperandAccess]:
    """Yield those of the instruction at the begin of `code`, in their order.

    Of a repeated string instruction those of one iteration, and none without one.
    """
    at = read_prefixes(code, regs.code_bits)
    opcode = at.code[at.pos]
    if opcode == strict.XLAT:
        mask = SIZE_MASK[at.addrsize]
        offset = (regs.gpr[RBX] + (regs.gpr[RAX] & 0xFF)) & mask
        yield OperandAccess(Operand(at.segment_or(DS), offset), 1, write=False)
    elif opcode in strict.STRINGS:
        yield from _string(regs, at, opcode)
    elif opcode == ENTER:
        yield from _enter(regs, at)
    elif strict.is_push(at.code, at.pos):
        yield from _stack(regs, at, RSP, range(-1, -1 - _many(opcode), -1), write=True)
    elif strict.is_pop(at.code, at.pos):
        first = RBP if opcode == LEAVE else RSP
        yield from _stack(regs, at, first, range(_many(opcode)), write=False)


def far_pointer(code: bytes, at: int) -> bool:
    """Tell whether what is named is a selector behind an offset."""
    opcode = code[at]
    if opcode == TWO_BYTE:
        return code[at + 1] in strict.FAR_LOADS
    if code[at : at + 1] == GROUP_5:
        return code[at + 1] >> 3 & 7 in strict.FAR
    return opcode in {0xC4, 0xC5}


def _many(opcode: int) -> int:
    return ALL if opcode in {PUSHA, POPA} else 1


def _string(regs: Registers, at: Cursor, opcode: int) -> Iterator[OperandAccess]:
    gpr, mask = regs.gpr, SIZE_MASK[at.addrsize]
    if (at.rep or at.repne) and not gpr[RCX] & mask:
        return
    size = at.opsize if opcode & 1 else 1
    if opcode in strict.READS_SOURCE:
        offset = gpr[RSI] & mask
        yield OperandAccess(Operand(at.segment_or(DS), offset), size, write=False)
    if opcode in strict.HAS_DESTINATION:
        write = opcode in strict.WRITES
        yield OperandAccess(Operand(ES, gpr[RDI] & mask), size, write)


def _stack(
    regs: Registers, at: Cursor, first: int, places: range, *, write: bool
) -> Iterator[OperandAccess]:
    """Yield accesses at operands above or below a register."""
    mask, size = stack_mask(regs.segment(SS)), at.opsize
    for place in places:
        offset = (regs.gpr[first] + place * size) & mask
        yield OperandAccess(Operand(SS, offset), size, write)


def _enter(regs: Registers, at: Cursor) -> Iterator[OperandAccess]:
    """Yield the push of rBP, then the frames that are copied, and one that is new."""
    level = at.code[at.pos + 3] & NESTED
    yield from _stack(regs, at, RSP, range(-1, -2, -1), write=True)
    for n in range(1, level):
        yield from _stack(regs, at, RBP, range(-n, -n - 1, -1), write=False)
        yield from _stack(regs, at, RSP, range(-1 - n, -2 - n, -1), write=True)
    if level:
        yield from _stack(regs, at, RSP, range(-1 - level, -2 - level, -1), write=True)
