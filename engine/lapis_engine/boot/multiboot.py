"""Multiboot 1 kernels: the header, the information structure, the entry.

Source: Multiboot Specification version 0.6.96. Modules, video modes, drives and APM
are not offered; a kernel that requires one of them is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit, bits
from lapis_engine.boot import elf, elf_format, symtab, tables
from lapis_engine.boot.image import Blob, BootPlan
from lapis_engine.boot.request import without_files
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from lapis_engine.boot.request import BootRequest

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
INFO_MEMORY_MAP: Final = bit(6)
INFO_LOADER_NAME: Final = bit(9)

INFO_SIZE: Final = 116
"""Bytes of the information structure up to the framebuffer fields."""
LOADER_NAME: Final = b"Lapis\0"
MAP_USABLE: Final = 1

LOW_MEMORY: Final = 640 << 10
"""Bytes usable from address 0."""
HIGH_MEMORY: Final = 1 << 20
"""Where memory goes on."""


@dataclass(frozen=True, slots=True)
class MultibootHeader:
    """A multiboot header that was found."""

    offset: int
    """Its place in the file."""
    flags: int
    addresses: tuple[int, int, int, int, int] | None
    """header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr."""


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
    a, b, c, d, e = struct.unpack_from("<5I", window, at + 12)
    return MultibootHeader(at, flags, (a, b, c, d, e))


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start a kernel that has a header."""
    header = find(data)
    assert header is not None, "the caller looked for it"
    without_files(request, "a multiboot kernel")
    memory_bytes = request.memory
    tables.check_memory(memory_bytes)
    _check_flags(header)
    symbols: tuple[tuple[str, int], ...] = ()
    if header.flags & ADDRESSES:
        kernel, entry = _by_addresses(data, header, memory_bytes)
    elif data.startswith(elf_format.MAGIC):
        file = elf_format.read_header(data)
        segments = elf_format.read_segments(data, file, memory_bytes)
        kernel, entry = elf.read_blobs(data, segments), elf.entry_point(file, segments)
        symbols = symtab.read(data, file)
    else:
        raise ImageError(
            "the multiboot header gives no addresses, and the file is not ELF"
        )
    blobs = (
        *kernel,
        tables.gdt(),
        information(memory_bytes),
        _arguments(request.append),
    )
    start = tables.protected_entry(entry, LOADER_MAGIC, tables.INFORMATION)
    return BootPlan("multiboot", blobs, start, symbols)


def _check_flags(header: MultibootHeader) -> None:
    if header.flags & VIDEO_NEEDED:
        raise ImageError("the multiboot kernel requires a video mode; there is none")
    unknown = header.flags & REQUIRED & ~(ALIGN_MODULES | MEMORY_NEEDED)
    if unknown:
        raise ImageError(
            f"the multiboot kernel requires features {unknown:#x}, which are unknown"
        )


def _by_addresses(
    data: bytes, header: MultibootHeader, memory_bytes: int
) -> tuple[tuple[Blob, ...], int]:
    """Load by the header's addresses (specification, "address fields")."""
    if header.addresses is None:
        raise ImageError("the file ends within its multiboot header")
    header_addr, load_addr, load_end, bss_end, entry = header.addresses
    first = header.offset - (header_addr - load_addr)
    if load_addr > header_addr or first < 0:
        raise ImageError("the multiboot header's load address is not in the file")
    size = load_end - load_addr if load_end else len(data) - first
    if size <= 0 or first + size > len(data):
        raise ImageError("the multiboot header's load end is not in the file")
    total = max(size, bss_end - load_addr)
    if total > elf_format.MAX_LOADED:
        raise ImageError("the multiboot kernel's bss is larger than 512 MiB")
    tables.check_place("the multiboot kernel", load_addr, total, memory_bytes)
    if not load_addr <= entry < load_addr + total:
        raise ImageError(f"the multiboot kernel's entry {entry:#x} is not in it")
    return (Blob(load_addr, data[first : first + size].ljust(total, b"\0")),), entry


def information(memory_bytes: int) -> Blob:
    """Return the information structure in its place, map and loader name after it."""
    upper = max(memory_bytes - HIGH_MEMORY, 0)
    lower = min(memory_bytes, LOW_MEMORY)
    memory_map = struct.pack("<IQQI", 20, 0, lower, MAP_USABLE)
    if upper:
        memory_map += struct.pack("<IQQI", 20, HIGH_MEMORY, upper, MAP_USABLE)
    map_at = tables.INFORMATION + INFO_SIZE
    name_at = map_at + len(memory_map)
    flags = INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES
    flags |= INFO_MEMORY_MAP | INFO_LOADER_NAME
    upper_kib = min(upper >> 10, 0xFFFF_FFFF)
    info = struct.pack("<3I", flags, lower >> 10, upper_kib)
    info += struct.pack("<4I", 0, tables.COMMAND_LINE, 0, 0)  # device, modules 0
    info += bytes(16)  # symbols of the kernel itself
    info += struct.pack("<2I", len(memory_map), map_at)
    info += struct.pack("<4I", 0, 0, 0, name_at)  # drives, configuration table
    info = info.ljust(INFO_SIZE, b"\0")
    return Blob(tables.INFORMATION, info + memory_map + LOADER_NAME)


def _arguments(append: str) -> Blob:
    """Return the command line: by convention the kernel's name comes first."""
    return tables.command_line(f"kernel {append}".rstrip())
