"""What an access has to pass before page tables are looked at, and alignment.

Differs from the SDM: the processor underneath checks neither limits nor types nor
alignment of what it does itself. So these hold only for accesses that reach a device,
and a page fault of such an access comes before them.
# Not modelled: the limit of a stack that is a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import AC_, GP, SS_, GuestFault
from lapis_engine.cpu.registers import (
    AC,
    CR0_AM,
    CR0_PE,
    FS,
    SEG_CODE,
    SEG_DB,
    SEG_EXPAND_DOWN,
    SEG_P,
    SEG_WRITABLE,
    SS,
    VM,
)
from lapis_engine.units import MASK64

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers, Segment

LOWEST_HOLE: Final = 1 << 47
HIGHEST_HOLE: Final = (1 << 64) - (1 << 47) - 1
"""Bounds of the linear addresses that are not canonical with four levels of tables."""


class Operand(NamedTuple):
    """A memory operand by segment and offset."""

    segment: int
    offset: int


def check(regs: Registers, operand: Operand, size: int, *, write: bool) -> None:
    """Raise the `GuestFault` of an access of `size` bytes, if there is one.

    #SS(0) instead of #GP(0) for the stack segment (SDM Vol. 3A "Limit Checking", "Type
    Checking", Vol. 1 "Canonical Addressing"); #AC(0) at CPL 3 with CR0.AM and
    RFLAGS.AC.
    """
    segment = regs.segment(operand.segment)
    if regs.code_bits == 64:
        base = segment.base if operand.segment >= FS else 0
        linear = (base + operand.offset) & MASK64
        ends = linear, (linear + size - 1) & MASK64
        allowed = not any(LOWEST_HOLE <= end <= HIGHEST_HOLE for end in ends)
    else:
        linear = segment.base + operand.offset
        allowed = _within(segment, operand.offset, size)
        if regs.cr0 & CR0_PE and not regs.rflags & VM:
            allowed &= _permits(segment.flags, write=write)
    if not allowed:
        vector = SS_ if operand.segment == SS else GP
        if regs.code_bits == 64:
            place = linear, operand.segment
            raise GuestFault(vector, 0, rule=Breach.NOT_CANONICAL, values=place)
        rule = _broken(regs, operand, size)
        values = operand.segment, operand.offset, size, segment.selector, segment.limit
        raise GuestFault(vector, 0, rule=rule, values=values)
    if linear & (size - 1) and is_aligned_mode(regs):
        rule = Breach.ALIGNMENT_CHECK
        raise GuestFault(AC_, 0, rule=rule, values=(linear, size))


def _broken(regs: Registers, operand: Operand, size: int) -> Breach:
    """Return which rule a segment's operand breaks that is not allowed."""
    segment = regs.segment(operand.segment)
    is_protected = regs.cr0 & CR0_PE and not regs.rflags & VM
    if is_protected and not segment.flags & SEG_P:
        return Breach.SEGMENT_NULL
    if not _within(segment, operand.offset, size):
        return Breach.SEGMENT_LIMIT
    return Breach.SEGMENT_TYPE


def is_writable(regs: Registers, operand: Operand) -> bool:
    """Tell whether the segment's type allows a write."""
    flags = regs.segment(operand.segment).flags
    protected = regs.cr0 & CR0_PE and not regs.rflags & VM and regs.code_bits != 64
    return not protected or _permits(flags, write=True)


def is_aligned_mode(regs: Registers) -> bool:
    """Tell whether accesses have to be aligned (SDM Vol. 3A "Alignment Check")."""
    return bool(regs.cpl == 3 and regs.cr0 & CR0_AM and regs.rflags & AC)


def _permits(flags: int, *, write: bool) -> bool:
    """Apply the type of a segment: bit 9 is writable, or readable for code."""
    if not flags & SEG_P:
        return False  # a null selector
    if flags & SEG_CODE:
        return not write and bool(flags & SEG_WRITABLE)
    return not write or bool(flags & SEG_WRITABLE)


def _within(segment: Segment, offset: int, size: int) -> bool:
    last = offset + size - 1
    if segment.flags & (SEG_CODE | SEG_EXPAND_DOWN) != SEG_EXPAND_DOWN:
        return last <= segment.limit
    top = 0xFFFF_FFFF if segment.flags & SEG_DB else 0xFFFF
    return segment.limit < offset and last <= top
