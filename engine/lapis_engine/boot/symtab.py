"""The symbol table of an ELF executable, for a debugger's use.

It loads nothing; an executable without one simply has no symbols. Source: System V
ABI "Symbol Table".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine.boot.elf_format import CLASS_32, unpack
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from lapis_engine.boot.elf_format import FileHeader

SYMTAB: Final = 2
"""sh_type SHT_SYMTAB."""
KINDS: Final = (0, 1, 2)
"""Symbol types kept: STT_NOTYPE (labels), STT_OBJECT, STT_FUNC."""
UNDEFINED: Final = 0
"""st_shndx SHN_UNDEF."""
MAX_SECTIONS: Final = 4096
MAX_SYMBOLS: Final = 1 << 17
"""Most symbols that are read."""
MAX_NAME: Final = 255
"""Longest name, bytes; longer ones are cut."""

Section = tuple[int, int, int, int]
"""sh_type, sh_offset, sh_size, sh_link."""


def read(data: bytes, header: FileHeader) -> tuple[tuple[str, int], ...]:
    """Return (name, value) of .symtab, ascending by value, then by name."""
    offset, number = header.sections
    if number > MAX_SECTIONS:
        raise ImageError(f"the ELF file has {number} sections; {MAX_SECTIONS} at most")
    sections = [_section(data, header, offset, i) for i in range(number)]
    table = next((s for s in sections if s[0] == SYMTAB), None)
    if table is None:
        return ()
    if table[3] >= number:
        raise ImageError("the ELF symbol table names a section that is not there")
    names = _contents(data, sections[table[3]])
    found = _symbols(_contents(data, table), names, header)
    return tuple(sorted(found, key=lambda symbol: (symbol[1], symbol[0])))


def _section(data: bytes, header: FileHeader, offset: int, i: int) -> Section:
    layout = header.layout.section
    at = offset + i * struct.calcsize(layout)
    fields = unpack(layout, data, at, f"section header {i}")
    return fields[1], fields[4], fields[5], fields[6]


def _contents(data: bytes, section: Section) -> bytes:
    _, offset, size, _ = section
    if offset + size > len(data):
        raise ImageError("the ELF symbol table reaches beyond the end of the file")
    return data[offset : offset + size]


def _symbols(table: bytes, names: bytes, header: FileHeader) -> set[tuple[str, int]]:
    layout = header.layout.symbol
    step = struct.calcsize(layout)
    if len(table) // step > MAX_SYMBOLS:
        raise ImageError(f"the ELF file has more than {MAX_SYMBOLS} symbols")
    found = set()
    for fields in struct.iter_unpack(layout, table[: len(table) // step * step]):
        if header.bits == CLASS_32:
            name_at, value, _, info, _, section = fields
        else:
            name_at, info, _, section, value, _ = fields
        name = _name(names, name_at)
        if name and section != UNDEFINED and info & 0xF in KINDS:
            found.add((name, value))
    return found


def _name(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset, offset + MAX_NAME)
    name = names[offset : offset + MAX_NAME] if end < 0 else names[offset:end]
    return name.decode("utf-8", "replace")
