"""Line tables of DWARF 2 to 5.

Source: DWARF Debugging Information Format 5, "Line Number Information"; versions 2 to 4
for what they have otherwise. Not here: rows of VLIW machines; names of `strx` forms.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import SymbolsError
from lapis_sessions.symbols.limits import MOST_READ, MOST_ROWS
from lapis_sessions.symbols.lines import UNKNOWN, Lines, Run
from lapis_sessions.symbols.table import TOP

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSIONS: Final = (2, 3, 4, 5)
WIDE: Final = 0xFFFF_FFFF
"""unit_length that says: this is the 64-bit format."""
COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE = 1, 2, 3, 4
CONST_ADD_PC, FIXED_ADVANCE_PC = 8, 9
"""Standard opcodes, of those that matter to a row."""
END_SEQUENCE, SET_ADDRESS = 1, 2
"""Extended opcodes."""
PATH, DIRECTORY = 1, 2
"""Content types DW_LNCT_path, DW_LNCT_directory_index."""
STRING, LINE_STRP, STRP, UDATA, BLOCK = 0x08, 0x1F, 0x0E, 0x0F, 0x09
FIXED: Final = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}
"""Forms DW_FORM_data1, 2, 4, 8 and 16, with their bytes."""
MOST_LINE: Final = 0xFFFF_FFFF
MOST_PATH: Final = 1024

Texts = tuple[bytes, bytes]
"""The sections .debug_str and .debug_line_str."""
Code = list[tuple[int, int]]
"""From and to, for each section of instructions."""


def read(section: bytes, texts: Texts, code: Code, offset: int = 0) -> Lines:
    """Return the rows of every unit whose code is in the file, at most `MOST_ROWS`.

    `offset` is added to each address. Raises `SymbolsError` for what is damaged.
    """
    out = Lines()
    at = 0
    try:
        while at + 4 < min(len(section), MOST_READ) and len(out) < MOST_ROWS:
            at = _Unit(section, at, texts, out).rows(code, offset)
    except (struct.error, IndexError):
        raise SymbolsError("the line table of the ELF file is damaged") from None
    out.sort()
    return out


class _Unit:
    """One unit of the table: its header, and the place that is read in it."""

    def __init__(self, data: bytes, at: int, texts: Texts, out: Lines) -> None:
        """Read the header at `at`; its files are added to those of `out`."""
        self.data, self.at, self.texts, self.out = data, at, texts, out
        length = self.fixed(4)
        self.word = 8 if length == WIDE else 4
        length = self.fixed(8) if length == WIDE else length
        self.end = self.at + length
        if self.end > len(data):
            raise IndexError
        self.version = self.fixed(2)
        self.files: list[int] = []
        """Number of each file among those of all units."""
        if self.version in VERSIONS:
            self._header()

    def fixed(self, size: int) -> int:
        """Read a number of `size` bytes."""
        if self.at + size > len(self.data):
            raise IndexError
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def uleb(self) -> int:
        """Read a number in LEB128."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 70:
                raise IndexError

    def sleb(self) -> int:
        """Read a signed number in LEB128."""
        first = self.at
        value = self.uleb()
        bits = 7 * (self.at - first)
        return value - (1 << bits) if value >> (bits - 1) else value

    def text(self) -> str:
        """Read a text that ends with NUL."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise IndexError
        found = self.data[self.at : end]
        self.at = end + 1
        return found[:MOST_PATH].decode("utf-8", "replace")

    def _header(self) -> None:
        if self.version >= 5:
            self.fixed(2)  # sizes of an address and of a selector
        length = self.fixed(self.word)
        self.program = self.at + length
        self.step = self.fixed(1)
        if self.version >= 4:
            self.fixed(1)  # operations of an instruction
        self.fixed(1)  # whether a row is a statement at first
        (self.line_base,) = struct.unpack_from("<b", self.data, self.at)
        self.at += 1
        self.line_range, self.first_special = self.fixed(1), self.fixed(1)
        if not self.line_range or not self.first_special:
            raise IndexError
        self.operands = bytes(self.fixed(1) for _ in range(self.first_special - 1))
        names = self._new_names() if self.version >= 5 else self._old_names()
        for name in names:
            self.files.append(len(self.out.files))
            self.out.files.append(name)
        if not self.at <= self.program <= self.end:
            raise IndexError
        self.at = self.program

    def _old_names(self) -> list[str]:
        """Read directories and files of versions 2 to 4; files count from 1."""
        folders = [""]
        while folder := self.text():
            folders.append(folder)
        files = [""]
        while name := self.text():
            index = self.uleb()
            self.uleb(), self.uleb()
            files.append(_joined(folders, index, name))
        return files

    def _new_names(self) -> list[str]:
        """Read directories and files of version 5, which count from 0."""
        folders = [path for path, _ in self._entries()]
        # The first is where the compiler was: its name says nothing.
        folders[:1] = [""]
        return [_joined(folders, index, path) for path, index in self._entries()]

    def _entries(self) -> list[tuple[str, int]]:
        """Read a table of version 5: the path and the directory of each entry."""
        forms = [(self.uleb(), self.uleb()) for _ in range(self.fixed(1))]
        count = self.uleb()
        if count > (self.end - self.at if forms else 0):
            raise IndexError
        out = []
        for _ in range(count):
            entry: dict[int, str | int] = {}
            for content, form in forms:
                entry[content] = self._form(form)
            path, index = entry.get(PATH), entry.get(DIRECTORY)
            out.append(
                (
                    path if isinstance(path, str) else "",
                    index if isinstance(index, int) else 0,
                )
            )
        return out

    def _form(self, form: int) -> str | int:
        if form == STRING:
            return self.text()
        if form in {LINE_STRP, STRP}:
            where = self.fixed(self.word)
            texts = self.texts[form == LINE_STRP]
            end = texts.find(b"\0", where)
            found = texts[where:end] if end >= 0 else texts[where:]
            return found[:MOST_PATH].decode("utf-8", "replace")
        if form == UDATA:
            return self.uleb()
        if form == BLOCK:
            return self.fixed(self.uleb())
        return self.fixed(FIXED[form]) if form in FIXED else self._unknown()

    def _unknown(self) -> int:
        raise IndexError

    def rows(self, code: Code, offset: int) -> int:
        """Do the program and return where the next unit begins."""
        if self.version in VERSIONS:
            while self.at < self.end and len(self.out) < MOST_ROWS:
                self._run(code, offset)
        return self.end

    def _run(self, code: Code, offset: int) -> None:
        """Read one sequence, and keep it if its code is in the file."""
        rows: list[tuple[int, int, int]] = []
        ended = self._sequence(rows)
        if not ended or len(rows) < 2:
            return
        start, end = rows[0][0], rows[-1][0]
        addresses = [row[0] for row in rows]
        inside = any(low <= start < high for low, high in code)
        if not inside or end <= start or end > TOP or addresses != sorted(addresses):
            return
        out, first = self.out, len(self.out)
        # What comes round to 0 would not ascend.
        if (start + offset) & TOP > (end + offset) & TOP:
            return
        out.addresses.extend((at + offset) & TOP for at in addresses)
        out.file_of.extend(self._file(row[1]) for row in rows)
        out.line_of.extend(row[2] for row in rows)
        run = Run((start + offset) & TOP, (end + offset) & TOP, first, len(out))
        out.runs.append(run)

    def _file(self, number: int) -> int:
        """Return the number of a file of this unit among all, 0 for one it has not."""
        return self.files[number] if number < len(self.files) else 0

    def _sequence(  # noqa: C901, PLR0912 - the opcodes of a machine, in one loop
        self, rows: list[tuple[int, int, int]]
    ) -> bool:
        """Do the program to the end of a sequence; tell whether there was one."""
        at, file, line = 0, 1, 1
        add = rows.append
        data, special, base = self.data, self.first_special, self.line_base
        span, step = self.line_range, self.step
        while self.at < self.end:
            if len(rows) > MOST_ROWS:
                raise IndexError
            opcode = data[self.at]
            self.at += 1
            if opcode >= special:
                over = opcode - special
                at += over // span * step
                line += base + over % span
                add((at, file, _line(line)))
            elif opcode == COPY:
                add((at, file, _line(line)))
            elif opcode == ADVANCE_PC:
                at += self.uleb() * step
            elif opcode == ADVANCE_LINE:
                line += self.sleb()
            elif opcode == SET_FILE:
                file = self.uleb()
            elif opcode == CONST_ADD_PC:
                at += (255 - special) // span * step
            elif opcode == FIXED_ADVANCE_PC:
                at += self.fixed(2)
            elif opcode:
                for _ in range(self.operands[opcode - 1]):
                    self.uleb()
            else:
                kind, value = self._extended()
                if kind == END_SEQUENCE:
                    add((at, file, UNKNOWN))
                    return True
                at = value if kind == SET_ADDRESS else at
        return False

    def _extended(self) -> tuple[int, int]:
        """Read an extended opcode: its kind, and its operand as a number."""
        size = self.uleb()
        if not size or self.at + size > self.end:
            raise IndexError
        kind = self.fixed(1)
        if kind == SET_ADDRESS and size - 1 in {4, 8}:
            return kind, self.fixed(size - 1)
        self.at += size - 1
        return kind, 0


def _line(line: int) -> int:
    return line if 0 <= line <= MOST_LINE else UNKNOWN


def _joined(folders: Sequence[str], index: int, name: str) -> str:
    folder = folders[index] if index < len(folders) else ""
    return f"{folder}/{name}" if folder and not name.startswith("/") else name
