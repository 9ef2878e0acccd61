"""ELF executables for x86, 32 and 64 bits: what is loaded where, and who starts.

Not here: the format itself (`elf_format`, `symtab`) and multiboot kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.boot import beside, symtab, tables
from lapis_engine.boot.elf_format import CLASS_32, read_header, read_segments
from lapis_engine.boot.image import Blob, BootPlan
from lapis_engine.boot.request import without_files
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from lapis_engine.boot.elf_format import FileHeader, LoadSegment
    from lapis_engine.boot.request import BootRequest


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start an executable without a multiboot header.

    32-bit ones start in flat protected mode, 64-bit ones in long mode with the first
    4 GiB mapped one to one; the latter are told the command line.
    """
    without_files(request, "an ELF executable")
    memory_bytes = request.memory
    tables.check_memory(memory_bytes)
    header = read_header(data)
    segments = read_segments(data, header, memory_bytes)
    own = (*read_blobs(data, segments), tables.gdt())
    entry, symbols = entry_point(header, segments), symtab.read(data, header)
    left = beside.left(request, own)
    blobs = own + left.blobs
    if header.bits == CLASS_32:
        start = tables.protected_entry(entry)
        return BootPlan("ELF32", blobs, start, symbols, left.settles)
    extra = (tables.identity_map(), tables.command_line(request.append))
    long = tables.long_entry(entry, memory_bytes)
    return BootPlan("ELF64", blobs + extra, long, symbols, left.settles)


def read_blobs(data: bytes, segments: tuple[LoadSegment, ...]) -> tuple[Blob, ...]:
    """Return the segments' bytes, zeros after what is in the file."""
    return tuple(
        Blob(
            s.physical,
            data[s.offset : s.offset + s.file_size].ljust(s.memory_size, b"\0"),
        )
        for s in segments
    )


def entry_point(header: FileHeader, segments: tuple[LoadSegment, ...]) -> int:
    """Return the physical address of the entry point.

    A kernel linked high gives a virtual one (as GRUB takes it), Linux a physical one;
    which it is shows by the segment that it lies in.
    """
    for segment in segments:
        within = header.entry - segment.virtual
        if 0 <= within < segment.memory_size:
            return segment.physical + within
    for segment in segments:
        if 0 <= header.entry - segment.physical < segment.memory_size:
            return header.entry
    raise ImageError(f"the entry point {header.entry:#x} lies in no loaded segment")
