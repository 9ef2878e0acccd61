"""PVH kernels: ELF executables that say by a note where they start in 32-bit mode.

Linux's `vmlinux` is one, and so are kernels for small hypervisors. Source: Xen
`docs/misc/pvh.pandoc`, "PVH boot protocol"; `xen/include/public/arch-x86/hvm/
start_info.h`, version 1.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine.boot import beside, elf, elf_format, memory_map, symtab, tables
from lapis_engine.boot.elf_format import CLASS_32
from lapis_engine.boot.image import Blob, BootPlan
from lapis_engine.boot.request import Module
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.boot.beside import Placed
    from lapis_engine.boot.elf_format import FileHeader
    from lapis_engine.boot.request import BootRequest

NOTE: Final = 4
"""p_type PT_NOTE."""
OWNER: Final = b"Xen\0"
PHYS32_ENTRY: Final = 18
"""Note type XEN_ELFNOTE_PHYS32_ENTRY."""
NOTE_HEADER: Final = struct.Struct("<III")
"""Sizes of name and descriptor, type."""
MAGIC: Final = 0x336E_C578
START_INFO_VERSION: Final = 1
INFO_SIZE: Final = 56
"""Bytes of struct hvm_start_info."""


def takes(data: bytes) -> bool:
    """Tell whether `data` is an ELF executable with the note."""
    if not data.startswith(elf_format.MAGIC):
        return False
    try:
        return entry_of(data, elf_format.read_header(data)) is not None
    except ImageError:
        return False  # the loader of ELF files says what is wrong


def entry_of(data: bytes, header: FileHeader) -> int | None:
    """Return the physical address of the 32-bit entry point; None without the note."""
    for kind, owner, descriptor in _notes(data, header):
        if owner == OWNER and kind == PHYS32_ENTRY and len(descriptor) in (4, 8):
            return int.from_bytes(descriptor, "little")
    return None


def _notes(data: bytes, header: FileHeader) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield type, owner and descriptor of each note."""
    offset, number = header.segments
    step = struct.calcsize(header.layout.segment)
    for i in range(min(number, elf_format.MAX_SEGMENTS)):
        fields = elf_format.unpack(
            header.layout.segment, data, offset + i * step, f"program header {i}"
        )
        if fields[0] != NOTE:
            continue
        if header.bits == CLASS_32:
            at, size, align = fields[1], fields[4], fields[7]
        else:
            at, size, align = fields[2], fields[5], fields[7]
        yield from _notes_within(data[at : at + size], 8 if align == 8 else 4)


def _notes_within(data: bytes, align: int) -> Iterator[tuple[int, bytes, bytes]]:
    at = 0
    while at + NOTE_HEADER.size <= len(data):
        name_size, size, kind = NOTE_HEADER.unpack_from(data, at)
        name_at = at + NOTE_HEADER.size
        first = -(-(name_at + name_size) // align) * align
        yield kind, data[name_at : name_at + name_size], data[first : first + size]
        at = -(-(first + size) // align) * align


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start an executable with the note; an initrd is its first module."""
    tables.check_memory(request.memory)
    header = elf_format.read_header(data)
    entry = entry_of(data, header)
    assert entry is not None, "the caller looked for it"
    segments = elf_format.read_segments(data, header, request.memory)
    if not any(0 <= entry - s.physical < s.memory_size for s in segments):
        raise ImageError(f"the PVH entry point {entry:#x} lies in no loaded segment")
    kernel = elf.read_blobs(data, segments)
    room = beside.above(kernel, request.memory)
    first = () if request.initrd is None else (Module(request.initrd),)
    modules = beside.put_modules(
        room, (*first, *request.modules), lambda module: module.arguments
    )
    listed = b"".join(
        struct.pack("<4Q", it.first, it.end - it.first, it.told, 0) for it in modules
    )
    list_at = room.put("the list of modules", listed) if modules else 0
    left = beside.left(request, (*kernel, *room.blobs))
    blobs = (
        *kernel,
        tables.gdt(),
        _information(request, modules, list_at, left.rsdp),
        tables.command_line(request.append),
        *room.blobs,
        *left.blobs,
    )
    start = tables.protected_entry(entry, ebx=tables.INFORMATION)
    return BootPlan("PVH", blobs, start, symtab.read(data, header), left.settles)


def _information(
    request: BootRequest, modules: list[Placed], list_at: int, rsdp: int
) -> Blob:
    """Return the start information in its place, the memory map behind it."""
    entries = memory_map.entries(request.memory)
    places = list_at, tables.COMMAND_LINE, rsdp, tables.INFORMATION + INFO_SIZE
    info = struct.pack(
        "<4I4QII", MAGIC, START_INFO_VERSION, 0, len(modules), *places, len(entries), 0
    )
    mapped = b"".join(struct.pack("<QQII", *entry, 0) for entry in entries)
    return Blob(tables.INFORMATION, info + mapped)
