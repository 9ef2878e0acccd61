"""Starts a Multiboot 2 kernel: where it goes, and what it finds there.

Source: Multiboot2 Specification 2.0, "Machine state".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine import ram
from lapis_engine.boot import beside, elf_format, elf_sections, kernel, tables
from lapis_engine.boot.image import Blob, BootPlan
from lapis_engine.boot.memory_map import EXTENDED
from lapis_engine.boot.multiboot2 import header, information
from lapis_engine.boot.request import PC, without_initrd
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.boot.beside import Placed
    from lapis_engine.boot.bios import Left
    from lapis_engine.boot.elf_sections import Sections
    from lapis_engine.boot.kernel import Kernel
    from lapis_engine.boot.multiboot2.header import Relocation, Wants
    from lapis_engine.boot.request import BootRequest, Module

LOADER_MAGIC: Final = 0x36D7_6289
"""EAX at entry."""
POINTER_SIZE: Final = 36
"""Bytes of the ACPI root pointer of revision 2."""


def takes(data: bytes) -> bool:
    """Tell whether `data` has a header."""
    return header.find(data) is not None


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start a kernel that has a header."""
    at = header.find(data)
    assert at is not None, "the caller looked for it"
    without_initrd(request, "a multiboot 2 kernel (give it as a module)")
    tables.check_memory(request.memory)
    wants = header.read(data, at)
    loaded = _kernel(data, at, wants, request.memory)
    room = beside.above(loaded.blobs, request.memory)
    sections = None
    if loaded.header is not None:
        sections = elf_sections.put(data, loaded.header, room)
    modules = beside.put_modules(room, request.modules, _told)
    left = beside.left(request, (*loaded.blobs, *room.blobs))
    tags = [*_tags(request, modules, sections, left)]
    if wants.range is not None:
        tags.append(information.tag(information.LOAD_BASE, _word(loaded.first)))
    told = information.structure(tags)
    blobs = [*loaded.blobs, tables.gdt()]
    if len(told) <= tables.END - tables.INFORMATION:
        info_at = tables.INFORMATION
        blobs.append(Blob(info_at, told))
    else:
        info_at = room.put("the boot information", told)
    start = tables.protected_entry(loaded.entry, LOADER_MAGIC, info_at)
    return BootPlan(
        "multiboot 2",
        (*blobs, *room.blobs, *left.blobs),
        start,
        loaded.symbols,
        left.settles,
    )


def _kernel(data: bytes, at: int, wants: Wants, memory: int) -> Kernel:
    if wants.addresses is not None:
        return kernel.by_addresses(data, at, wants.addresses, memory)
    if not data.startswith(elf_format.MAGIC):
        raise ImageError(
            "the multiboot 2 header gives no addresses, and the file is not ELF"
        )
    within = wants.range
    if within is None:
        return kernel.by_elf(data, memory, None, wants.entry)
    return kernel.by_elf(
        data, memory, lambda first, end: _place(within, first, end, memory), wants.entry
    )


def _place(within: Relocation, first: int, end: int, memory: int) -> int:
    """Return where a relocatable kernel goes.

    That is where it is linked to, whatever it prefers, if it may be there: so it is
    where its symbols are.
    """
    limit, align = min(within.last + 1, ram.below(memory)), max(within.align, 1)
    is_clear = end <= tables.FIRST or first >= tables.END
    if within.first <= first and end <= limit and not first % align and is_clear:
        return first
    at = -(-max(within.first, EXTENDED) // align) * align
    if at + end - first > limit:
        raise ImageError(
            f"the multiboot 2 kernel has {end - first} bytes and finds no place "
            f"between {within.first:#x} and {limit:#x}"
        )
    return at


def _told(module: Module) -> str:
    """Return the string of a module: what it is told, or its name."""
    return module.arguments or module.name


def _tags(
    request: BootRequest,
    modules: list[Placed],
    sections: Sections | None,
    left: Left,
) -> Iterator[bytes]:
    line = beside.text(request.append, "the command line")
    yield information.tag(information.COMMAND_LINE, line)
    yield information.string(information.LOADER_NAME, information.NAME.encode())
    for placed, module in zip(modules, request.modules, strict=True):
        told = beside.text(_told(module), "what a module is told")
        yield information.module(placed, told)
    yield information.memory(request.memory)
    if sections is not None:
        yield information.sections(sections)
    if request.machine == PC:
        yield information.tag(information.FRAMEBUFFER, information.VGA_TEXT)
    if left.rsdp:
        yield information.pointer(_pointer(left))


def _pointer(left: Left) -> bytes:
    """Return the bytes of the ACPI root pointer."""
    (blob,) = [blob for blob in left.blobs if blob.gpa <= left.rsdp < blob.end]
    return blob.data[left.rsdp - blob.gpa :][:POINTER_SIZE]


def _word(value: int) -> bytes:
    return struct.pack("<I", value)
