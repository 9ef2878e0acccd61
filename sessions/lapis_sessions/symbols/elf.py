"""Symbols and source lines of an ELF file, of 32 or 64 bits.

Every offset and size is checked before it is used. Not here: relocatable objects, whose
symbols have no addresses before they are linked. Sources: System V ABI "Object Files",
"Sections", "Symbol Table"; its x86-64 supplement.

This is done here and not by a library: every count has a bound, and rows go straight
into arrays.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import SymbolsError
from lapis_sessions.symbols import cfi, dwarf
from lapis_sessions.symbols.cfi import CallFrames
from lapis_sessions.symbols.kernel import apart
from lapis_sessions.symbols.limits import MOST_BYTES, MOST_NAME, MOST_SYMBOLS
from lapis_sessions.symbols.table import TOP, Symbol, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.symbols.lines import Lines

MAGIC: Final = b"\x7fELF"
LINKED: Final = (2, 3)
"""e_type ET_EXEC, ET_DYN."""
MACHINES: Final = (3, 6, 62)
"""e_machine EM_386, EM_IAMCU, EM_X86_64."""
SYMBOL_TABLES: Final = (2, 11)
"""sh_type SHT_SYMTAB, SHT_DYNSYM."""
NOBITS: Final = 8
ALLOCATED: Final = 2
EXECUTABLE: Final = 4
COMPRESSED: Final = 0x800
"""sh_flags."""
ZLIB: Final = 1
"""ch_type ELFCOMPRESS_ZLIB."""
KINDS: Final = (0, 1, 2, 10)
"""Symbol types kept: STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_GNU_IFUNC."""
UNDEFINED: Final = 0
ABSOLUTE: Final = 0xFFF1
"""st_shndx SHN_UNDEF, SHN_ABS."""
FRAMES: Final = frozenset({b".eh_frame", b".debug_frame"})
SECTION: Final = {1: "<10I", 2: "<IIQQQQIIQQ"}
SYMBOL: Final = {1: "<IIIBBH", 2: "<IBBHQQ"}


@dataclass(frozen=True, slots=True)
class Section:
    """A section header."""

    name: int
    kind: int
    flags: int
    at: int
    """sh_addr."""
    offset: int
    size: int
    link: int


def is_elf(data: bytes) -> bool:
    """Tell whether a file begins as ELF does."""
    return data.startswith(MAGIC)


def read(data: bytes, offset: int = 0) -> tuple[Table, Lines]:
    """Return symbols and lines, `offset` added to each place; raise `SymbolsError`."""
    try:
        file = _File(data)
        found = list(file.symbols())
        lines = file.lines(offset)
    except (struct.error, IndexError, OverflowError):
        raise SymbolsError(
            "the ELF file is damaged: a table in it ends early"
        ) from None
    if not found and not len(lines):
        raise SymbolsError("the ELF file has neither symbols nor source lines")
    numbers = {symbol for symbol, section in found if section == ABSOLUTE}
    places, others = apart([symbol for symbol, _ in found], numbers, offset)
    return Table(places, others), lines


def call_frames(data: bytes, offset: int = 0) -> CallFrames:
    """Return what .eh_frame and .debug_frame say; raise `SymbolsError`."""
    try:
        file = _File(data)
        sections = [
            (file.contents(each), each.at, name == b".eh_frame")
            for each in file.sections
            if (name := _string(file.names, each.name)) in FRAMES
        ]
    except (struct.error, IndexError, OverflowError):
        return CallFrames()
    return cfi.of(sections, wide=file.bits == 2, offset=offset)


class _File:
    """An ELF file whose sections were found."""

    def __init__(self, data: bytes) -> None:
        """Check the header; raise `SymbolsError`."""
        self.data = data
        if len(data) < 16 or data[4] not in SECTION or data[5] != 1:
            raise SymbolsError("the ELF file is neither 32 nor 64 bits, little-endian")
        self.bits = data[4]
        wide = self.bits == 2
        kind, machine = struct.unpack_from("<HH", data, 16)
        if machine not in MACHINES:
            raise SymbolsError(f"the ELF file is for machine {machine}, not for x86")
        if kind not in LINKED:
            raise SymbolsError(
                f"the ELF file has type {kind}: only what is linked has addresses"
            )
        (where,) = struct.unpack_from(
            "<Q" if wide else "<I", data, 0x28 if wide else 32
        )
        size, count, names = struct.unpack_from("<HHH", data, 58 if wide else 46)
        self.sections: list[Section] = []
        if where and size == struct.calcsize(SECTION[self.bits]):
            self._read_sections(where, count)
        self.names = b""
        if names < len(self.sections):
            self.names = self.contents(self.sections[names])

    def _read_sections(self, where: int, count: int) -> None:
        layout = SECTION[self.bits]
        size = struct.calcsize(layout)
        if count == 0:  # there are too many for the header: the first one says
            count = struct.unpack_from(layout, self.data, where)[5]
        if where + count * size > len(self.data):
            raise SymbolsError("the ELF file ends before its section headers do")
        rows = struct.iter_unpack(layout, self.data[where : where + count * size])
        self.sections = [Section(*row[:7]) for row in rows]

    def contents(self, section: Section) -> bytes:
        """Return what a section holds; raise `SymbolsError`."""
        if section.kind == NOBITS:
            return b""
        end = section.offset + section.size
        if end > len(self.data):
            raise SymbolsError("the ELF file ends before one of its sections does")
        data = self.data[section.offset : end]
        return self._unpacked(data) if section.flags & COMPRESSED else data

    def _unpacked(self, data: bytes) -> bytes:
        """Return what a section holds that is compressed, nothing if by another way."""
        head = "<IIQQ" if self.bits == 2 else "<III"
        fields = struct.unpack_from(head, data)
        kind, size = fields[0], fields[-2]
        if kind != ZLIB:
            return b""
        if size > MOST_BYTES:
            raise SymbolsError(
                f"a section of the ELF file has {size} bytes; {MOST_BYTES} is the most"
            )
        try:
            found = zlib.decompressobj().decompress(
                data[struct.calcsize(head) :], size or 1
            )
        except zlib.error:
            raise SymbolsError("a section of the ELF file does not unpack") from None
        return found

    def _named(self, name: str) -> bytes:
        """Return what the section of a name holds, nothing if there is none."""
        wanted = name.encode()
        for section in self.sections:
            if _string(self.names, section.name) == wanted:
                return self.contents(section)
        return b""

    def symbols(self) -> Iterator[tuple[Symbol, int]]:
        """Return each symbol with the section that it is in."""
        tables = [each for each in self.sections if each.kind in SYMBOL_TABLES]
        # What is linked dynamically is in the whole table as well.
        whole = [each for each in tables if each.kind == SYMBOL_TABLES[0]] or tables
        layout = SYMBOL[self.bits]
        step = struct.calcsize(layout)
        total = sum(each.size // step for each in whole)
        if total > MOST_SYMBOLS:
            raise SymbolsError(
                f"the ELF file has {total} symbols; {MOST_SYMBOLS} is the most"
            )
        for table in whole:
            if table.link >= len(self.sections):
                raise SymbolsError("the ELF file's symbols have no names")
            names = self.contents(self.sections[table.link])
            data = self.contents(table)
            rows = struct.iter_unpack(layout, data[: len(data) // step * step])
            yield from self._kept(rows, names)

    def _kept(
        self, rows: Iterator[tuple[int, ...]], names: bytes
    ) -> Iterator[tuple[Symbol, int]]:
        for row in rows:
            if self.bits == 1:
                name_at, at, size, info, _, section = row
            else:
                name_at, info, _, section, at, size = row
            if section == UNDEFINED or info & 0xF not in KINDS:
                continue
            name = _string(names, name_at)
            if name and not name.startswith(b".L"):
                text = name[:MOST_NAME].decode("utf-8", "replace")
                yield Symbol(text, at, size), section

    def lines(self, offset: int) -> Lines:
        """Return the rows of its line table, `offset` added to each address."""
        code = [
            (each.at, min(each.at + each.size, TOP))
            for each in self.sections
            if each.flags & ALLOCATED and each.flags & EXECUTABLE
        ]
        texts = self._named(".debug_str"), self._named(".debug_line_str")
        return dwarf.read(self._named(".debug_line"), texts, code, offset)


def _string(names: bytes, offset: int) -> bytes:
    end = names.find(b"\0", offset)
    return names[offset:] if end < 0 else names[offset:end]
