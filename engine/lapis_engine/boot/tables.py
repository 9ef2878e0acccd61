"""The tables that a loader must provide, and where they are.

All of it lies in one stretch of low memory that an image must leave alone:

    0x9_0000  PML4, then one PDPT, then four page directories of 2 MiB pages
    0x9_6000  GDT
    0x9_7000  multiboot information
    0x9_8000  command line, at most 4095 bytes and a NUL
    0x9_9000  stack of 64-bit entries, 4 KiB
    0x9_A000  end

Sources: SDM Vol. 3A "4-Level Paging", "Segment Descriptors".
"""

from __future__ import annotations

import struct
from typing import Final

from lapis_engine import ram
from lapis_engine.boot.image import Blob, LongEntry, ProtectedEntry
from lapis_engine.errors import ImageError
from lapis_engine.units import PAGE

PAGE_TABLES: Final = 0x9_0000
GDT: Final = 0x9_6000
INFORMATION: Final = 0x9_7000
COMMAND_LINE: Final = 0x9_8000
STACK_TOP: Final = 0x9_A000

FIRST: Final = PAGE_TABLES
END: Final = STACK_TOP
"""The stretch is [FIRST, END)."""

DESCRIPTORS: Final = (
    0,
    0x00CF_9B00_0000_FFFF,  # 0x08: code, 32-bit, base 0, limit 4 GiB
    0x00CF_9300_0000_FFFF,  # 0x10: data, base 0, limit 4 GiB
    0x00AF_9B00_0000_FFFF,  # 0x18: code, 64-bit
)
"""The GDT, all of DPL 0 and already accessed."""

CODE_32: Final = 0x08
DATA: Final = 0x10
CODE_64: Final = 0x18
GDT_LIMIT: Final = 8 * len(DESCRIPTORS) - 1

PRESENT_WRITABLE: Final = 0b11
"""Paging entry: P [0] and R/W [1]."""
LARGE: Final = 1 << 7
"""Page-directory entry: PS, a 2 MiB page."""
LARGE_SIZE: Final = 2 << 20
GIBIBYTES: Final = 4
"""How much is mapped one to one."""


def gdt() -> Blob:
    """Return the GDT in its place."""
    return Blob(GDT, struct.pack("<4Q", *DESCRIPTORS))


def identity_map() -> Blob:
    """Return the page tables in their place: the first 4 GiB, in 2 MiB pages."""
    pdpt = PAGE_TABLES + PAGE
    pml4 = struct.pack("<Q", pdpt | PRESENT_WRITABLE)
    directories = [pdpt + PAGE * (1 + i) | PRESENT_WRITABLE for i in range(GIBIBYTES)]
    pages = [i * LARGE_SIZE | LARGE | PRESENT_WRITABLE for i in range(512 * GIBIBYTES)]
    return Blob(
        PAGE_TABLES,
        pml4.ljust(PAGE, b"\0")
        + struct.pack(f"<{GIBIBYTES}Q", *directories).ljust(PAGE, b"\0")
        + struct.pack(f"<{512 * GIBIBYTES}Q", *pages),
    )


def command_line(text: str) -> Blob:
    """Return the command line in its place, NUL-terminated."""
    data = text.encode()
    if b"\0" in data or len(data) >= PAGE:
        raise ImageError("the command line must be below 4096 bytes and without NUL")
    return Blob(COMMAND_LINE, data + b"\0")


def protected_entry(eip: int, eax: int = 0, ebx: int = 0) -> ProtectedEntry:
    """Return a 32-bit entry that uses the GDT here."""
    return ProtectedEntry(eip, eax, ebx, GDT, GDT_LIMIT, CODE_32, DATA)


def long_entry(rip: int, memory_bytes: int) -> LongEntry:
    """Return a 64-bit entry that uses the GDT, page tables and stack here."""
    return LongEntry(
        rip,
        cr3=PAGE_TABLES,
        gdt_base=GDT,
        gdt_limit=GDT_LIMIT,
        cs=CODE_64,
        ds=DATA,
        rdi=COMMAND_LINE,
        rsi=memory_bytes,
        rsp=STACK_TOP,
    )


def check_place(what: str, gpa: int, size: int, memory_bytes: int) -> None:
    """Raise `ImageError` unless an image's `size` bytes may be put at `gpa`."""
    end = gpa + size
    room = ram.below(memory_bytes)
    if end > room:
        raise ImageError(
            f"{what} needs {gpa:#x} to {end:#x}, but there are only {room:#x} bytes of "
            f"memory below 4 GiB"
        )
    if gpa < END and end > FIRST:
        raise ImageError(
            f"{what}, {gpa:#x} to {end:#x}, covers the loader's tables at "
            f"{FIRST:#x} to {END:#x}"
        )


def check_memory(memory_bytes: int) -> None:
    """Raise `ImageError` unless the tables here lie in RAM."""
    if memory_bytes < END:
        raise ImageError(
            f"the loader's tables end at {END:#x}, but there are only "
            f"{memory_bytes:#x} bytes of memory"
        )
