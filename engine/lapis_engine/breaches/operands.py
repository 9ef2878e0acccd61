"""#GP, #SS and #AC of memory operands: canonical addresses, alignment.

SDM Vol. 1 "Canonical Addressing", Vol. 3A "Alignment Check Exception (#AC)", Vol. 2 of
FXSAVE, FXRSTOR, XSAVE, XRSTOR and CMPXCHG16B. Limits are told by who checks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.breaches.case import fits
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.disasm import memory_access
from lapis_engine.cpu.fault import AC_, GP, SS_
from lapis_engine.cpu.marked import LONGEST
from lapis_engine.cpu.registers import CS, DS, ES, RAX, RBP, RBX, RDI, RSI, RSP, SS
from lapis_engine.cpu.strict import XLAT
from lapis_engine.vie import reach
from lapis_engine.vie.checks import HIGHEST_HOLE, LOWEST_HOLE, Operand
from lapis_engine.vie.operands import SIZE_MASK, linear_address
from lapis_engine.vie.reach import LEAVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.breaches.case import FaultCase, Found
    from lapis_engine.cpu.registers import Registers

SAVES: Final = {0: 16, 1: 16, 4: 64, 5: 64, 6: 64}
"""ModRM.reg behind 0F AE, with memory -> how it must be aligned."""
PAIR: Final = 16
"""Of CMPXCHG16B."""
INS: Final = frozenset({0x6C, 0x6D})
OUTS: Final = frozenset({0x6E, 0x6F})


def unreachable(regs: Registers) -> Found | None:
    """Return that RIP is not canonical, to where a near branch has gone."""
    rip = regs.linear_rip
    if regs.code_bits != 64 or not LOWEST_HOLE <= rip <= HIGHEST_HOLE:
        return None
    return Breach.NOT_CANONICAL, (rip, CS)


def operand(it: FaultCase) -> Found | None:
    """Return the rule that a memory operand broke."""
    for place, size in _places(it):
        address = linear_address(it.regs, it.bits, *place)
        if it.vector == AC_:
            if size and address % size:
                return Breach.ALIGNMENT_CHECK, (address, size)
            continue
        vector = SS_ if place.segment == SS else GP
        ends = address, address + max(size, 1) - 1
        if it.bits == 64 and any(LOWEST_HOLE <= end <= HIGHEST_HOLE for end in ends):
            if fits(it, vector):
                return Breach.NOT_CANONICAL, (address, place.segment)
            continue
        needed = _needed(it)
        if needed and address % needed and fits(it, GP):
            return Breach.UNALIGNED, (address, needed)
    return None


def _places(it: FaultCase) -> Iterator[tuple[Operand, int]]:
    """Yield what the instruction accesses, with the bytes where they are known."""
    found = memory_access(it.code[:LONGEST], it.bits)
    for place in reach.operands(it.regs, it.code):
        yield place, 0 if found is None else found[0]
    if it.table == 1:
        yield from _implied(it)
    if it.bits == 64 and reach.uses_stack(it.code):
        top = it.regs.gpr[RBP if LEAVE in it.code[:2] else RSP]
        for offset in (top, top - 8):
            yield Operand(SS, offset & ((1 << 64) - 1)), 8


def _implied(it: FaultCase) -> Iterator[tuple[Operand, int]]:
    """Yield what XLAT, INS and OUTS access."""
    gpr, mask = it.regs.gpr, SIZE_MASK[it.at.addrsize]
    if it.opcode == XLAT:
        offset = gpr[RBX] + (gpr[RAX] & 0xFF)
        yield Operand(it.at.segment_or(DS), offset & mask), 1
    elif it.opcode in INS:
        yield Operand(ES, gpr[RDI] & mask), 1
    elif it.opcode in OUTS:
        yield Operand(it.at.segment_or(DS), gpr[RSI] & mask), 1


def _needed(it: FaultCase) -> int:
    if it.table != 2 or it.names_register:
        return 0
    if it.opcode == 0xAE:
        return SAVES.get(it.reg, 0)
    is_pair = it.opcode == 0xC7 and it.reg == 1 and it.at.opsize == 8
    return PAIR if is_pair else 0
