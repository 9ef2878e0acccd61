"""What a Multiboot 2 kernel is told: the tags of the boot information.

Source: Multiboot2 Specification 2.0, "Boot information".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine.boot import memory_map
from lapis_engine.boot.multiboot2.header import END

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.boot.beside import Placed
    from lapis_engine.boot.elf_sections import Sections

COMMAND_LINE: Final = 1
LOADER_NAME: Final = 2
MODULE: Final = 3
BASIC_MEMORY: Final = 4
MEMORY_MAP: Final = 6
FRAMEBUFFER: Final = 8
ELF_SECTIONS: Final = 9
ACPI_OLD: Final = 14
ACPI_NEW: Final = 15
LOAD_BASE: Final = 21

NAME: Final = "Lapis"
VGA_TEXT: Final = struct.pack("<QIIIBBH", 0xB_8000, 160, 80, 25, 16, 2, 0)
"""A framebuffer: address, bytes a row, columns, rows, bits a place, type EGA text."""
ENTRY_SIZE: Final = 24
OLD_POINTER: Final = 20
"""Bytes of the ACPI root pointer of revision 0."""
REVISION_AT: Final = 15


def structure(tags: Iterable[bytes]) -> bytes:
    """Return the whole, from tags that are made here."""
    body = b"".join(tags) + tag(END, b"")
    return struct.pack("<II", 8 + len(body), 0) + body


def tag(kind: int, body: bytes) -> bytes:
    """Return a tag with what pads it to 8 bytes."""
    size = 8 + len(body)
    return struct.pack("<II", kind, size) + body + bytes(-size % 8)


def string(kind: int, told: bytes) -> bytes:
    """Return a tag that is NUL-terminated text."""
    return tag(kind, told + b"\0")


def module(placed: Placed, told: bytes) -> bytes:
    """Return the tag of a module, `told` NUL-terminated."""
    return tag(MODULE, struct.pack("<II", placed.first, placed.end) + told)


def memory(size: int) -> bytes:
    """Return the basic memory information and the map of `size` bytes of RAM."""
    entries = b"".join(
        struct.pack("<QQII", *entry, 0) for entry in memory_map.entries(size)
    )
    basic = tag(BASIC_MEMORY, struct.pack("<II", *memory_map.lower_and_upper(size)))
    return basic + tag(MEMORY_MAP, struct.pack("<II", ENTRY_SIZE, 0) + entries)


def sections(found: Sections) -> bytes:
    """Return the tag of the section headers of an ELF kernel."""
    head = struct.pack("<3I", found.number, found.size, found.names)
    return tag(ELF_SECTIONS, head + found.headers)


def pointer(rsdp: bytes) -> bytes:
    """Return a copy of the ACPI root pointer, by its revision."""
    if len(rsdp) > REVISION_AT and rsdp[REVISION_AT]:
        return tag(ACPI_OLD, rsdp[:OLD_POINTER]) + tag(ACPI_NEW, rsdp)
    return tag(ACPI_OLD, rsdp[:OLD_POINTER])
