"""What the processor reads by itself while it delivers an event: tables and the TSS.

Holes are tolerated here as a bus tolerates them. Whether a descriptor suits its use
is decided by who loads it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import (
    SEG_ACCESSED,
    SEG_CODE,
    SEG_CONFORMING,
    SEG_DB,
    SEG_FLAGS,
    SEG_G,
    SEG_P,
    SEG_S,
    SEG_WRITABLE,
    Registers,
    Segment,
)
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.cpu.paging import Linear

TABLE_LDT: Final = 4
"""TI, bit 2 of a selector."""
INDEX: Final = 0xFFF8
"""Bits 15:3 of a selector: where its descriptor lies in the table."""


class OpenBus:
    """Linear memory where a hole reads as all ones and swallows writes."""

    __slots__ = ("_linear",)

    def __init__(self, linear: Linear) -> None:
        """Reach memory through `linear`."""
        self._linear = linear

    def read(self, at: int, size: int, *, user: bool = False) -> int:
        """Return `size` bytes as an integer; raise `GuestFault`."""
        head = PAGE - at % PAGE
        if size > head:
            low = self.read(at, head, user=user)
            return low | self.read(at + head, size - head, user=user) << (8 * head)
        try:
            return self._linear.read_uint(at, size, user=user)
        except LinearHole:
            return (1 << (8 * size)) - 1

    def write(self, at: int, size: int, value: int, *, user: bool = False) -> None:
        """Store the low `size` bytes of `value`; raise `GuestFault`, nothing stored."""
        data = (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")
        head = PAGE - at % PAGE
        if size > head:
            self._linear.translate(at, write=True, user=user)
            self._linear.translate(at + head, write=True, user=user)
        self._store(at, data[:head], user=user)
        if size > head:
            self._store(at + head, data[head:], user=user)

    def check_write(self, at: int, size: int) -> None:
        """Raise what a write there would; nothing is stored."""
        for page in {at, at + size - 1}:
            self._linear.translate(page, write=True)

    def _store(self, at: int, data: bytes, *, user: bool) -> None:
        try:  # dearer with `suppress`, and every interrupt pushes a frame
            self._linear.write(at, data, user=user)
        except LinearHole:
            return


class Descriptor(NamedTuple):
    """A segment descriptor of 8 bytes and where it was found."""

    selector: int
    at: int
    """Linear address."""
    low: int
    """Dword at offset 0."""
    high: int
    """Dword at offset 4."""

    @property
    def dpl(self) -> int:
        """Descriptor privilege level, bits 14:13 of the high dword."""
        return (self.high >> 13) & 3

    @property
    def kind(self) -> int:
        """S and type, bits 12:8 of the high dword."""
        return (self.high >> 8) & 0x1F

    @property
    def present(self) -> bool:
        """P."""
        return bool(self.high & SEG_P)

    @property
    def code(self) -> bool:
        """A code segment."""
        return self.high & (SEG_S | SEG_CODE) == SEG_S | SEG_CODE

    @property
    def conforming(self) -> bool:
        """A conforming code segment, if it is a code segment."""
        return bool(self.high & SEG_CONFORMING)

    @property
    def stack(self) -> bool:
        """A writable data segment."""
        mask = SEG_S | SEG_CODE | SEG_WRITABLE
        return self.high & mask == SEG_S | SEG_WRITABLE

    @property
    def segment(self) -> Segment:
        """The segment register that loading it gives, accessed."""
        return _segment(self.selector, self.low, self.high)

    def mark_accessed(self, bus: OpenBus) -> None:
        """Set A in memory, as loading the segment does."""
        if not self.high & SEG_ACCESSED:
            bus.write(self.at + 5, 1, ((self.high | SEG_ACCESSED) >> 8) & 0xFF)


@lru_cache(maxsize=256)
def _segment(selector: int, low: int, high: int) -> Segment:
    limit = (low & 0xFFFF) | (high & 0xF_0000)
    if high & SEG_G:
        limit = (limit << 12) | 0xFFF
    base = (low >> 16) | ((high & 0xFF) << 16) | (high & 0xFF00_0000)
    return Segment(selector, base, limit, high & SEG_FLAGS | SEG_ACCESSED)


def is_null(selector: int) -> bool:
    """Whether `selector` is a null selector, whatever its RPL."""
    return not selector & 0xFFFC


def find(regs: Registers, bus: OpenBus, selector: int) -> Descriptor | None:
    """Return the descriptor of `selector`, or None beyond the limit of its table."""
    local = bool(selector & TABLE_LDT)
    table = regs.ldtr if local else regs.gdtr
    offset = selector & INDEX
    if offset + 7 > table.limit or (local and not table.flags & SEG_P):
        return None
    at = table.base + offset
    return _descriptor(selector, at, bus.read(at, 8))


def missing(regs: Registers, selector: int) -> tuple[Breach, int]:
    """Return why `find` found nothing: the rule, and its value beside the selector."""
    if not selector & TABLE_LDT:
        return Breach.DESCRIPTOR_LIMIT, regs.gdtr.limit
    if not regs.ldtr.flags & SEG_P:
        return Breach.NO_LDT, regs.ldtr.selector
    return Breach.DESCRIPTOR_LIMIT, regs.ldtr.limit


@lru_cache(maxsize=256)
def _descriptor(selector: int, at: int, raw: int) -> Descriptor:
    """Return the descriptor; a guest has few and loads them again and again."""
    return Descriptor(selector, at, raw & 0xFFFF_FFFF, raw >> 32)


def fits(segment: Segment, offset: int, size: int) -> bool:
    """Whether `size` bytes at `offset` of a data segment lie within its limit.

    SDM Vol. 3A "Limit Checking"; type bit 10 of a data segment is expand-down.
    """
    last = offset + size - 1
    if not is_expand_down(segment):
        return last <= segment.limit
    return offset > segment.limit and last <= stack_mask(segment)


def is_expand_down(segment: Segment) -> bool:
    """Tell whether a segment register holds an expand-down data segment."""
    return segment.flags & (SEG_CODE | SEG_CONFORMING) == SEG_CONFORMING


def stack_mask(segment: Segment) -> int:
    """Return the bits of the stack pointer that the stack segment uses (B)."""
    return 0xFFFF_FFFF if segment.flags & SEG_DB else 0xFFFF
