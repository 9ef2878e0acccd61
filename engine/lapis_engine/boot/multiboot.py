"""Multiboot 1 kernels: the header, the information structure, the entry.

Source: Multiboot Specification version 0.6.96. Video modes, drives and APM are not
offered; a kernel that requires one of them is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit, bits
from lapis_engine.boot import (
    beside,
    elf_format,
    elf_sections,
    kernel,
    memory_map,
    tables,
)
from lapis_engine.boot.image import Blob, BootPlan
from lapis_engine.boot.kernel import Addresses
from lapis_engine.boot.request import without_initrd
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from lapis_engine.boot.beside import Above, Placed
    from lapis_engine.boot.elf_sections import Sections
    from lapis_engine.boot.kernel import Kernel
    from lapis_engine.boot.request import BootRequest, Module

HEADER_MAGIC: Final = 0x1BAD_B002
LOADER_MAGIC: Final = 0x2BAD_B002
"""EAX at entry."""
SEARCHED: Final = 8192
"""The header is within these first bytes, 4-aligned."""

REQUIRED: Final = bits(15, 0)
"""Header flags that a loader must honour or refuse."""
ALIGN_MODULES: Final = bit(0)
MEMORY_NEEDED: Final = bit(1)
VIDEO_NEEDED: Final = bit(2)
ADDRESSES: Final = bit(16)
"""The header says where to load (the a.out kludge)."""

INFO_MEMORY: Final = bit(0)
INFO_COMMAND_LINE: Final = bit(2)
INFO_MODULES: Final = bit(3)
INFO_SECTIONS: Final = bit(5)
INFO_MEMORY_MAP: Final = bit(6)
INFO_LOADER_NAME: Final = bit(9)

INFO_SIZE: Final = 116
"""Bytes of the information structure up to the framebuffer fields."""
LOADER_NAME: Final = b"Lapis\0"
ENTRY_SIZE: Final = 20
"""Of an entry of the memory map, after the size itself."""
KERNEL_NAME: Final = "kernel"
"""First word of the command line, by convention."""


@dataclass(frozen=True, slots=True)
class MultibootHeader:
    """A multiboot header that was found."""

    offset: int
    """Its place in the file."""
    flags: int
    addresses: Addresses | None


def find(data: bytes) -> MultibootHeader | None:
    """Return the file's multiboot header, or None."""
    magic = struct.pack("<I", HEADER_MAGIC)
    window = data[:SEARCHED]
    at = window.find(magic)
    while at >= 0:
        header = _header(window, at) if at % 4 == 0 else None
        if header is not None:
            return header
        at = window.find(magic, at + 1)
    return None


def _header(window: bytes, at: int) -> MultibootHeader | None:
    if at + 12 > len(window):
        return None
    magic, flags, checksum = struct.unpack_from("<III", window, at)
    if (magic + flags + checksum) & 0xFFFF_FFFF:
        return None
    if not flags & ADDRESSES or at + 32 > len(window):
        return MultibootHeader(at, flags, None)
    fields = struct.unpack_from("<5I", window, at + 12)
    return MultibootHeader(at, flags, Addresses(*fields))


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start a kernel that has a header."""
    header = find(data)
    assert header is not None, "the caller looked for it"
    without_initrd(request, "a multiboot kernel (give it as a module)")
    tables.check_memory(request.memory)
    _check_flags(header)
    loaded = _kernel(data, header, request.memory)
    room = beside.above(loaded.blobs, request.memory)
    sections = None
    if loaded.header is not None:
        sections = elf_sections.put(data, loaded.header, room)
    modules = beside.put_modules(room, request.modules, _told)
    own = (
        *loaded.blobs,
        tables.gdt(),
        _information(request.memory, room, modules, sections),
        tables.command_line(f"{KERNEL_NAME} {request.append}".rstrip()),
        *room.blobs,
    )
    left = beside.left(request, own)
    start = tables.protected_entry(loaded.entry, LOADER_MAGIC, tables.INFORMATION)
    return BootPlan("multiboot", own + left.blobs, start, loaded.symbols, left.settles)


def _check_flags(header: MultibootHeader) -> None:
    if header.flags & VIDEO_NEEDED:
        raise ImageError("the multiboot kernel requires a video mode; there is none")
    unknown = header.flags & REQUIRED & ~(ALIGN_MODULES | MEMORY_NEEDED)
    if unknown:
        raise ImageError(
            f"the multiboot kernel requires features {unknown:#x}, which are unknown"
        )


def _kernel(data: bytes, header: MultibootHeader, memory: int) -> Kernel:
    if header.flags & ADDRESSES:
        if header.addresses is None:
            raise ImageError("the file ends within its multiboot header")
        return kernel.by_addresses(data, header.offset, header.addresses, memory)
    if data.startswith(elf_format.MAGIC):
        return kernel.by_elf(data, memory)
    raise ImageError("the multiboot header gives no addresses, and the file is not ELF")


def _told(module: Module) -> str:
    """Return the string of a module: by convention its name comes first."""
    return f"{module.name} {module.arguments}".strip()


def _information(
    memory: int, room: Above, modules: list[Placed], sections: Sections | None
) -> Blob:
    """Return the information structure in its place, map and loader name after it."""
    map_at = tables.INFORMATION + INFO_SIZE
    mapped = _memory_map(memory)
    flags = INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES
    flags |= INFO_MEMORY_MAP | INFO_LOADER_NAME
    listed = b"".join(struct.pack("<4I", *placed, 0) for placed in modules)
    list_at = room.put("the list of modules", listed) if modules else 0
    symbols = bytes(16)
    if sections is not None:
        flags |= INFO_SECTIONS
        at = room.put("the section headers", sections.headers)
        symbols = struct.pack("<4I", sections.number, sections.size, at, sections.names)
    info = struct.pack("<3I", flags, *memory_map.lower_and_upper(memory))
    info += struct.pack("<4I", 0, tables.COMMAND_LINE, len(modules), list_at)
    info += symbols
    info += struct.pack("<2I", len(mapped), map_at)
    info += struct.pack("<4I", 0, 0, 0, map_at + len(mapped))  # no drives
    info = info.ljust(INFO_SIZE, b"\0")
    return Blob(tables.INFORMATION, info + mapped + LOADER_NAME)


def _memory_map(memory: int) -> bytes:
    return b"".join(
        struct.pack("<IQQI", ENTRY_SIZE, *entry) for entry in memory_map.entries(memory)
    )
