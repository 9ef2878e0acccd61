"""A stretch of memory in a picture of a session: bytes, holes, and one page walk.

It is looked at and not read: no A or D bit is set, and no device asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.units import MASK32, MASK64, PAGE
from lapis_engine.vmm import guest_memory
from lapis_engine.why import pages
from lapis_engine.why.pages import PageAccess
from lapis_sessions.views import registers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.guest_memory import Extent
    from lapis_engine.why.pages import PageAnswer


@dataclass(frozen=True, slots=True)
class MemoryPlace:
    """What is to be in the picture."""

    vcpu: int
    register: str | None
    """What it goes along with, as `pointed` takes it."""
    offset: int
    """First address, or what is added to the register."""
    size: int
    """Bytes."""
    physical: bool = False
    cursor: int = 0
    """Bytes from the first address to the one whose page walk is in it, too."""
    linear: int | None = None
    """Where addresses are physical: the linear one whose page walk is in it."""
    access: PageAccess = PageAccess()  # noqa: RUF009 - it is frozen
    """What kind of access the walk is for."""

    def first(self, regs: Mapping[str, int]) -> int:
        """Return the first address, by the registers of its vCPU."""
        base = 0 if self.register is None else pointed(self.register, regs) or 0
        return (base + self.offset) & top(regs, physical=self.physical)


LMA: Final = 1 << 10
"""EFER.LMA: linear addresses have 64 bits."""
CODE_64: Final = 1 << 21
STACK_32: Final = 1 << 22
"""Of the flags of a segment, as the high dword of its descriptor has them: L and B."""
SEGMENT_OF: Final = {"rip": "cs", "rsp": "ss", "rbp": "ss"}
TABLES: Final = {"gdt": "gdtr", "idt": "idtr", "ldt": "ldtr", "tss": "tr"}
"""Names of tables, and the register that says where each is."""


def pointed(name: str, regs: Mapping[str, int]) -> int | None:
    """Return the address that a register has, or None for what is no register.

    Of tables and segments that is the base, of CR3 the first table. RIP and the stack
    are in their segments, whose bases do not count in 64-bit code.
    """
    name = TABLES.get(name, name)
    if name == "cr3":
        return regs["cr3"] & ~(PAGE - 1)
    if f"{name}.base" in regs:
        return regs[f"{name}.base"]
    value = regs.get(name)
    if value is None or name not in SEGMENT_OF:
        return value
    if regs["efer"] & LMA and regs["cs.flags"] & CODE_64:
        return value
    segment = SEGMENT_OF[name]
    is_short = name != "rip" and not regs["ss.flags"] & STACK_32
    offset = value & (0xFFFF if is_short else MASK32)
    return regs[f"{segment}.base"] + offset & MASK32


def top(regs: Mapping[str, int], *, physical: bool) -> int:
    """Return the last address that there is, behind which the first comes."""
    return MASK64 if physical or regs["efer"] & LMA else MASK32


@dataclass(frozen=True, slots=True)
class MemoryPicture:
    """The memory at a place, at one moment."""

    place: MemoryPlace
    first: int
    top: int
    """The last address that there is."""
    extents: tuple[Extent, ...]
    """From `first` on, without a gap; addresses go on at 0 behind the last."""
    walk: PageAnswer | None
    """Of the cursor's address, or of `place.linear`."""


def take(machine: Machine, place: MemoryPlace) -> MemoryPicture:
    """Return the memory at a place; raise `EngineError` without such a vCPU."""
    vcpu = machine.vcpu(place.vcpu)
    regs = registers.values(vcpu.regs)
    first = place.first(regs)
    found = guest_memory.look(
        machine.vm, vcpu, first, place.size, physical=place.physical
    )
    at = place.linear if place.physical else first + place.cursor & MASK64
    walk = None
    if at is not None:
        walk = pages.page(machine, place.vcpu, at, place.access)
    last = top(regs, physical=place.physical)
    return MemoryPicture(place, first, last, found, walk)
