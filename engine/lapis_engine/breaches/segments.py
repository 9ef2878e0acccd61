"""Loads of segment registers, LLDT and LTR: which rule of a selector was broken.

SDM Vol. 2A "MOV", "POP", "LDS/LES/LFS/LGS/LSS", "LLDT", "LTR".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.breaches.case import fits
from lapis_engine.cpu import descriptors
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.descriptors import stack_mask
from lapis_engine.cpu.fault import GP, NP, SS_
from lapis_engine.cpu.registers import DS, ES, FS, GS, RSP, SEG_S, SEG_WRITABLE, SS
from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from lapis_engine.breaches.case import FaultCase, Found

POPS: Final = {
    (1, 0x07): ES,
    (1, 0x17): SS,
    (1, 0x1F): DS,
    (2, 0xA1): FS,
    (2, 0xA9): GS,
}
FAR_LOADS: Final = {
    (1, 0xC4): ES, (1, 0xC5): DS, (2, 0xB2): SS, (2, 0xB4): FS, (2, 0xB5): GS,
}  # fmt: skip
MOV: Final = (1, 0x8E)
SYSTEM: Final = (2, 0x00)
LLDT, LTR = 2, 3


def loaded(it: FaultCase) -> Found | None:
    """Return the rule that a load of a segment or system register broke."""
    if not it.is_protected:
        return None
    key = it.table, it.opcode
    if key == SYSTEM and it.reg in {LLDT, LTR}:
        selector = it.source()
        found = descriptors.find(it.regs, it.bus, selector)
        if found is not None and not found.present:
            return _told(it, NP, selector, Breach.SEGMENT_ABSENT, ())
        return None
    index, selector = _what(it, key)
    if index is None:
        return None
    return _stack(it, selector) if index == SS else _data(it, selector)


def _what(it: FaultCase, key: tuple[int, int]) -> tuple[int | None, int]:
    """Return which register is loaded, and with what."""
    if key == MOV:
        return it.reg, it.source()
    if key in POPS:
        return POPS[key], it.bus.read(stack_top(it), 2)
    if key in FAR_LOADS and not it.names_register:
        return FAR_LOADS[key], it.source(it.at.opsize)
    return None, 0


def stack_top(it: FaultCase) -> int:
    """Return the linear address of the top of the stack."""
    regs = it.regs
    if it.bits == 64:
        return int(regs.gpr[RSP])
    stack = regs.segment(SS)
    return (stack.base + (regs.gpr[RSP] & stack_mask(stack))) & MASK32


def _told(
    it: FaultCase, vector: int, selector: int, rule: Breach, values: tuple[int, ...]
) -> Found | None:
    """Return the rule, if it gives the vector and error code that were told."""
    if not fits(it, vector, selector & 0xFFFC):
        return None
    return rule, (selector, *values)


def _stack(it: FaultCase, selector: int) -> Found | None:
    cpl = it.cpl
    if descriptors.is_null(selector):
        if it.bits == 64 and cpl < 3 and selector & 3 != cpl:
            return _told(it, GP, selector, Breach.NULL_SS_RPL, (cpl,))
        return _told(it, GP, selector, Breach.NULL_SS, (cpl, it.bits))
    found = descriptors.find(it.regs, it.bus, selector)
    if found is None:
        rule, value = descriptors.missing(it.regs, selector)
        return _told(it, GP, selector, rule, (value,))
    if selector & 3 != cpl or found.dpl != cpl:
        return _told(it, GP, selector, Breach.SS_PRIVILEGE, (found.dpl, cpl))
    if not found.stack:
        return _told(it, GP, selector, Breach.SS_TYPE, (found.kind,))
    if not found.present:
        return _told(it, SS_, selector, Breach.SEGMENT_ABSENT, ())
    return None


def _data(it: FaultCase, selector: int) -> Found | None:
    if descriptors.is_null(selector):
        return None
    found = descriptors.find(it.regs, it.bus, selector)
    if found is None:
        rule, value = descriptors.missing(it.regs, selector)
        return _told(it, GP, selector, rule, (value,))
    readable = found.high & SEG_S and (not found.code or found.high & SEG_WRITABLE)
    if not readable:
        return _told(it, GP, selector, Breach.DATA_TYPE, (found.kind,))
    conforming = found.code and found.conforming
    if not conforming and found.dpl < max(it.cpl, selector & 3):
        return _told(it, GP, selector, Breach.DATA_PRIVILEGE, (found.dpl, it.cpl))
    if not found.present:
        return _told(it, NP, selector, Breach.SEGMENT_ABSENT, ())
    return None
