"""Far JMP, CALL, RET and IRET: which rule of the target was broken.

SDM Vol. 2A "JMP", "CALL", "IRET/IRETD/IRETQ", Vol. 2B "RET"; Vol. 3A "Accessing a Code
Segment Through a Call Gate". To tasks there are rules of their own (`cpu.tasks`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.breaches.case import fits
from lapis_engine.breaches.segments import stack_top
from lapis_engine.cpu import descriptors
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GP, NP, SS_, TS
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.registers import EFER_LMA, SEG_DB, SEG_L
from lapis_engine.vie.reach import GROUP_5

if TYPE_CHECKING:
    from lapis_engine.breaches.case import FaultCase, Found
    from lapis_engine.cpu.descriptors import Descriptor

DIRECT: Final = frozenset({0x9A, 0xEA})
RETURNS: Final = frozenset({0xCA, 0xCB, 0xCF})
IRET: Final = 0xCF
CALLS: Final = frozenset({0x9A})
CALL, JMP = 3, 5
GATES: Final = frozenset({4, 0xC})


def transferred(it: FaultCase) -> Found | None:
    """Return the rule that the target of a far transfer broke."""
    if it.table != 1 or not it.is_protected:
        return None
    size = it.at.opsize
    if it.opcode in RETURNS:
        return _returned(it, size)
    if it.opcode in DIRECT and it.bits != 64:
        at = it.at.pos + 1
        raw = int.from_bytes(it.code[at : at + size + 2], "little")
        return _entered(it, raw >> 8 * size & 0xFFFF, raw & ((1 << 8 * size) - 1))
    if it.opcode == GROUP_5 and it.reg in {CALL, JMP} and not it.names_register:
        return _entered(it, it.source(size), it.source(0, size))
    return None


def _told(
    it: FaultCase, vector: int, error: int, rule: Breach, *values: int
) -> Found | None:
    return (rule, values) if fits(it, vector, error & 0xFFFC) else None


def _missing(it: FaultCase, vector: int, selector: int) -> Found | None:
    """Return why there is no descriptor of a selector."""
    rule, value = descriptors.missing(it.regs, selector)
    return _told(it, vector, selector, rule, selector, value)


def _code_segment(
    it: FaultCase, selector: int
) -> tuple[Descriptor | None, Found | None]:
    """Return the code segment of a selector, or None and why it is none."""
    if descriptors.is_null(selector):
        return None, _told(it, GP, 0, Breach.CS_NULL, selector)
    found = descriptors.find(it.regs, it.bus, selector)
    if found is None:
        return None, _missing(it, GP, selector)
    if not found.code:
        return None, _told(it, GP, selector, Breach.CS_TYPE, selector, found.kind)
    return found, None


def _entered(it: FaultCase, selector: int, offset: int) -> Found | None:
    """Return what is wrong with the target of JMP or CALL."""
    if descriptors.is_null(selector):
        return _told(it, GP, 0, Breach.CS_NULL, selector)
    found = descriptors.find(it.regs, it.bus, selector)
    if found is None:
        return _missing(it, GP, selector)
    if found.code:
        rpl, cpl = selector & 3, it.cpl
        allowed = (
            found.dpl <= cpl if found.conforming else rpl <= cpl and found.dpl == cpl
        )
        return _code(it, found, offset, allowed=allowed)
    if found.kind not in GATES:
        return _told(it, GP, selector, Breach.CS_TYPE, selector, found.kind)
    if found.dpl < max(it.cpl, selector & 3):
        values = selector, found.dpl, it.cpl
        return _told(it, GP, selector, Breach.CALL_GATE, *values)
    if not found.present:
        return _told(it, NP, selector, Breach.SEGMENT_ABSENT, selector)
    return _through(it, found.low >> 16)


def _through(it: FaultCase, selector: int) -> Found | None:
    """Return what is wrong with the code segment that a call gate names."""
    found, wrong = _code_segment(it, selector)
    if found is None:
        return wrong
    if found.dpl > it.cpl:
        return _told(it, GP, selector, Breach.CS_PRIVILEGE, *_level(it, found))
    if it.regs.efer & EFER_LMA and found.high & (SEG_L | SEG_DB) != SEG_L:
        return _told(it, GP, selector, Breach.HANDLER_64, selector)
    if not found.present:
        return _told(it, NP, selector, Breach.SEGMENT_ABSENT, selector)
    return _inner(it, found.dpl)


def _inner(it: FaultCase, cpl: int) -> Found | None:
    """Return what is wrong with the stack of the TSS that a gate switches to."""
    tr, is_long = it.regs.tr, bool(it.regs.efer & EFER_LMA)
    if cpl == it.cpl or it.vector not in {TS, SS_}:
        return None
    is_wide = bool(tr.flags >> 8 & 8)
    step, size = (8, 8 if is_long else 6) if is_wide else (4, 4)
    at = cpl * step + (4 if is_wide else 2)
    if at + size - 1 > tr.limit:
        values = tr.selector, at, size, tr.limit
        return _told(it, TS, tr.selector, Breach.TSS_LIMIT, *values)
    if is_long:
        return None
    half = size - 2
    selector = it.bus.read(tr.base + at + half, 2)
    if descriptors.is_null(selector):
        return _told(it, TS, 0, Breach.RING_STACK_NULL, 0, cpl)
    found = descriptors.find(it.regs, it.bus, selector)
    if found is None:
        return _missing(it, TS, selector)
    if selector & 3 != cpl or found.dpl != cpl:
        rule = Breach.RING_STACK_PRIVILEGE
        return _told(it, TS, selector, rule, selector, found.dpl, cpl)
    if not found.stack:
        rule = Breach.RING_STACK_TYPE
        return _told(it, TS, selector, rule, selector, found.kind)
    if not found.present:
        return _told(it, SS_, selector, Breach.SEGMENT_ABSENT, selector)
    return None


def _level(it: FaultCase, found: Descriptor) -> tuple[int, ...]:
    return found.selector, found.dpl, it.cpl, found.kind


def _code(
    it: FaultCase, found: Descriptor, offset: int, *, allowed: bool
) -> Found | None:
    """Return what is wrong with a code segment as a target."""
    selector, is_long = found.selector, bool(it.regs.efer & EFER_LMA)
    if is_long and found.high & (SEG_L | SEG_DB) == SEG_L | SEG_DB:
        return _told(it, GP, selector, Breach.CODE_L_AND_D, selector)
    if not allowed:
        return _told(it, GP, selector, Breach.CS_PRIVILEGE, *_level(it, found))
    if not found.present:
        return _told(it, NP, selector, Breach.SEGMENT_ABSENT, selector)
    if is_long and found.high & SEG_L:
        if not is_canonical(offset):
            return _told(it, GP, 0, Breach.RETURN_RIP, offset)
    elif offset > found.segment.limit:
        values = selector, offset, found.segment.limit
        return _told(it, GP, 0, Breach.CODE_LIMIT, *values)
    return None


def _returned(it: FaultCase, size: int) -> Found | None:
    """Return what is wrong with CS, RIP or SS that are popped."""
    top = stack_top(it)
    rip, selector = it.bus.read(top, size), it.bus.read(top + size, 2)
    found, wrong = _code_segment(it, selector)
    if found is None:
        return wrong
    rpl = selector & 3
    level = found.dpl <= rpl if found.conforming else found.dpl == rpl
    wrong = _code(it, found, rip, allowed=rpl >= it.cpl and level)
    if wrong is not None:
        return wrong
    if rpl == it.cpl and not (it.opcode == IRET and it.bits == 64):
        return None
    beside = 3 * size if it.opcode == IRET else 2 * size
    if it.opcode == 0xCA:
        at = it.at.pos + 1
        beside += int.from_bytes(it.code[at : at + 2], "little")
    return _outer(it, it.bus.read(top + beside + size, 2), found, rpl)


def _outer(it: FaultCase, selector: int, code: Descriptor, cpl: int) -> Found | None:
    """Return what is wrong with the SS to return with."""
    if descriptors.is_null(selector):
        is_64 = it.regs.efer & EFER_LMA and code.high & SEG_L
        if is_64 and cpl < 3 and selector & 3 == cpl:
            return None
        return _told(it, GP, 0, Breach.NULL_SS, selector, cpl, 64 if is_64 else 32)
    found = descriptors.find(it.regs, it.bus, selector)
    if found is None:
        return _missing(it, GP, selector)
    if selector & 3 != cpl or found.dpl != cpl:
        rule = Breach.SS_PRIVILEGE
        return _told(it, GP, selector, rule, selector, found.dpl, cpl)
    if not found.stack:
        return _told(it, GP, selector, Breach.SS_TYPE, selector, found.kind)
    if not found.present:
        return _told(it, SS_, selector, Breach.SEGMENT_ABSENT, selector)
    return None
