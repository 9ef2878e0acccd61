"""The file of a multiboot kernel of either version: what is loaded where.

It is an ELF executable of 32 or 64 bits, or its header says by addresses which bytes
of the file go where (the "a.out kludge").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.boot import elf, elf_format, symtab, tables
from lapis_engine.boot.image import Blob
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.boot.elf_format import FileHeader, LoadSegment


@dataclass(frozen=True, slots=True)
class Kernel:
    """What of a file goes into memory."""

    blobs: tuple[Blob, ...]
    entry: int
    """Guest-physical address of the entry point."""
    symbols: tuple[tuple[str, int], ...] = ()
    header: FileHeader | None = None
    """Of an ELF file."""

    @property
    def first(self) -> int:
        """Its lowest guest-physical address."""
        return min(blob.gpa for blob in self.blobs)


class Addresses(NamedTuple):
    """The address fields of a multiboot header; physical addresses."""

    header: int
    """Where the header itself is."""
    load: int
    load_end: int
    """0: the rest of the file."""
    bss_end: int
    """0: there is none."""
    entry: int


def by_elf(
    data: bytes,
    memory: int,
    place: Callable[[int, int], int] | None = None,
    entry: int | None = None,
) -> Kernel:
    """Load the segments of an ELF file.

    Args:
        data: The file.
        memory: RAM in bytes.
        place: From the first address that the file is linked to and the end, to where
            the first one is to be instead.
        entry: Physical address of the entry point, in place of what the file says.

    Raises:
        ImageError: The file is damaged, or does not fit in memory.
    """
    header = elf_format.read_header(data)
    segments = elf_format.linked_segments(data, header)
    if entry is None:
        entry = elf.entry_point(header, segments)
    elif not any(0 <= entry - s.physical < s.memory_size for s in segments):
        raise ImageError(f"the multiboot kernel's entry {entry:#x} is not in it")
    by = 0
    if place is not None:
        first, end = segments[0].physical, segments[-1]
        by = place(first, end.physical + end.memory_size) - first
    moved = tuple(replace(s, physical=s.physical + by) for s in segments)
    elf_format.check_places(moved, memory)
    symbols = _moved_symbols(symtab.read(data, header), segments, by)
    return Kernel(elf.read_blobs(data, moved), entry + by, symbols, header)


def _moved_symbols(
    symbols: tuple[tuple[str, int], ...], segments: tuple[LoadSegment, ...], by: int
) -> tuple[tuple[str, int], ...]:
    """Return the symbols with those moved whose linear address is the physical one."""
    if not by:
        return symbols
    flat = [s for s in segments if s.virtual == s.physical]
    return tuple(
        (
            name,
            at + by if any(0 <= at - s.virtual < s.memory_size for s in flat) else at,
        )
        for name, at in symbols
    )


def by_addresses(data: bytes, offset: int, place: Addresses, memory: int) -> Kernel:
    """Load what the addresses of a header at `offset` in the file say."""
    first = offset - (place.header - place.load)
    if place.load > place.header or first < 0:
        raise ImageError("the multiboot header's load address is not in the file")
    size = place.load_end - place.load if place.load_end else len(data) - first
    if size <= 0 or first + size > len(data):
        raise ImageError("the multiboot header's load end is not in the file")
    total = max(size, place.bss_end - place.load)
    if total > elf_format.MAX_LOADED:
        raise ImageError("the multiboot kernel's bss is larger than 512 MiB")
    tables.check_place("the multiboot kernel", place.load, total, memory)
    if not place.load <= place.entry < place.load + total:
        raise ImageError(f"the multiboot kernel's entry {place.entry:#x} is not in it")
    loaded = data[first : first + size].ljust(total, b"\0")
    return Kernel((Blob(place.load, loaded),), place.entry)
