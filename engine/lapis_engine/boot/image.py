"""What a loader hands to the machine: blobs of memory and how the first vCPU starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_engine.boot.machine_state import MachineState


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that must be in memory before the first instruction."""

    gpa: int
    data: bytes
    rom: bool = False
    """True when the guest cannot write there; the region is `data` exactly."""

    @property
    def end(self) -> int:
        """First guest-physical address after it."""
        return self.gpa + len(self.data)


@dataclass(frozen=True, slots=True)
class ResetEntry:
    """Architectural reset: F000:FFF0 with CS base 0xFFFF_0000.

    SDM Vol. 3A "First Instruction Executed".
    """


@dataclass(frozen=True, slots=True)
class RealEntry:
    """Real mode at `cs`:`ip`, other registers as after reset."""

    cs: int
    ip: int


@dataclass(frozen=True, slots=True)
class ProtectedEntry:
    """Flat 32-bit protected mode: paging off, interrupts off, A20 open."""

    eip: int
    eax: int
    ebx: int
    gdt_base: int
    """Guest-physical address of the GDT, which is in a blob."""
    gdt_limit: int
    """Its size in bytes, less one."""
    cs: int
    """Selector of the 32-bit code segment."""
    ds: int
    """Selector of the data segment, for DS, ES, FS, GS and SS."""
    esi: int = 0


@dataclass(frozen=True, slots=True)
class LongEntry:
    """64-bit mode, the first 4 GiB mapped one to one, interrupts off."""

    rip: int
    cr3: int
    """Guest-physical address of the PML4, which is in a blob."""
    gdt_base: int
    """Guest-physical address of the GDT, which is in a blob."""
    gdt_limit: int
    """Its size in bytes, less one."""
    cs: int
    """Selector of the 64-bit code segment."""
    ds: int
    """Selector of the data segment, for DS, ES, FS, GS and SS."""
    rdi: int
    """As the protocol of the image has it; so RSI. An ELF executable finds the
    guest-physical address of its command line here, and RAM in bytes there."""
    rsi: int
    rsp: int
    """First address above the stack, aligned to 16."""


@dataclass(frozen=True, slots=True)
class SavedEntry:
    """Every vCPU where it was, with its APIC: see `saved.resumption`."""

    state: MachineState


EntryPoint = ResetEntry | RealEntry | ProtectedEntry | LongEntry | SavedEntry
"""The closed union: a consumer matches on it and ends with `assert_never`."""


@dataclass(frozen=True, slots=True)
class BootPlan:
    """All that a machine needs to start an image."""

    name: str
    """Kind of image, in a word or two."""
    blobs: tuple[Blob, ...]
    """In the order of loading; they do not overlap."""
    entry: EntryPoint
    symbols: tuple[tuple[str, int], ...] = ()
    """(name, linear address), ascending by address."""
    settles: tuple[tuple[int, int], ...] = ()
    """(port, byte) of each OUT that programs the devices before the first instruction,
    as a BIOS does."""
