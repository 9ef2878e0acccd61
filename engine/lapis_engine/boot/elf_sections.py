"""The section headers of an ELF kernel as it finds them in memory, for its symbols.

A boot loader tells a multiboot kernel where its section headers are, and puts what the
kernel does not load itself, symbol and string tables, into memory. Source: Multiboot
Specification 0.6.96, "Boot information format", flags bit 5; Multiboot2 Specification
2.0, "ELF-Symbols".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.boot.symtab import MAX_SECTIONS, SYMTAB

if TYPE_CHECKING:
    from lapis_engine.boot.beside import Above
    from lapis_engine.boot.elf_format import FileHeader

STRTAB: Final = 3
"""sh_type SHT_STRTAB."""


class Sections(NamedTuple):
    """Section headers, with addresses for what has been put into memory."""

    number: int
    size: int
    """Bytes of each header."""
    names: int
    """Number of the section that has the names of all."""
    headers: bytes


def put(data: bytes, header: FileHeader, room: Above) -> Sections | None:
    """Put the symbol and string tables of `data` above the kernel.

    Returns None for a file without section headers, or whose headers lie outside it.
    """
    offset, number = header.sections
    layout = struct.Struct(header.layout.section)
    end = offset + number * layout.size
    if not 0 < number <= MAX_SECTIONS or end > len(data):
        return None
    headers = b"".join(
        layout.pack(*_placed(data, fields, room))
        for fields in layout.iter_unpack(data[offset:end])
    )
    return Sections(number, layout.size, header.names, headers)


# Not modelled: sections of other kinds that the kernel does not load, such as those of
# DWARF, stay out of memory and have address 0.
def _placed(data: bytes, fields: tuple[int, ...], room: Above) -> tuple[int, ...]:
    """Return a section header with the address of what it describes."""
    name, kind, flags, address, offset, size, *rest = fields
    if kind in (SYMTAB, STRTAB) and not address and size and offset + size <= len(data):
        address = room.put("a symbol table", data[offset : offset + size])
    return (name, kind, flags, address, offset, size, *rest)
