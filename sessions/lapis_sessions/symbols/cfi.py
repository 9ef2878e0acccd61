"""Call frame information: where each instruction's caller and its registers are.

Sections .eh_frame and .debug_frame (DWARF 5 "Call Frame Information"; Linux Standard
Base "Exception Frames"). An entry is run only when an address in it is asked for. Rules
that are expressions are not taken: such an address is as one without information.

This is done here and not by a library: every count has a bound, and of the 100,000
entries of a kernel those few are decoded that are asked for.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ENTRIES: Final = 1 << 20
MOST_OPS: Final = 10_000
"""Instructions that are run for one address."""
MOST_STATES: Final = 64
"""That are remembered at once."""
FORMATS: Final = {2: "<H", 3: "<I", 4: "<Q", 0xA: "<h", 0xB: "<i", 0xC: "<q"}
"""Encodings of pointers, DW_EH_PE_udata2 and on; 0 is a whole address."""
RESTORE: Final = 0x06
"""DW_CFA_restore_extended."""
RULES: Final = {
    0x05: ("offset", False), 0x11: ("offset", True), 0x14: ("value", False),
    0x15: ("value", True),
}  # fmt: skip
"""DW_CFA_offset_extended, val_offset, and the same with a sign."""
BARE: Final = {0x07: "undefined", 0x08: "same"}
EXPRESSIONS: Final = frozenset({0x10, 0x16})
"""DW_CFA_expression, DW_CFA_val_expression."""
Rule = tuple[str, int]
"""offset: saved at CFA + n; value: CFA + n itself; same; undefined."""


class FrameRow(NamedTuple):
    """What holds at one address."""

    cfa: tuple[int, int]
    """Register, by its number in DWARF, and what is added to it."""
    rules: dict[int, Rule]
    """Of registers; one that is not there is as it was."""
    return_register: int
    is_signal: bool
    """The frame is an interrupt's: it goes on where it says, not behind a CALL."""


class _Common(NamedTuple):
    """A CIE."""

    code_align: int
    data_align: int
    return_register: int
    encoding: int
    has_length: bool
    is_signal: bool
    ops: bytes


class _Range(NamedTuple):
    """An FDE."""

    start: int
    end: int
    common: _Common
    ops: bytes


class _Section(NamedTuple):
    data: bytes
    at: int
    """Its address."""
    wide: bool
    is_eh: bool


class CallFrames:
    """The call frame information of one file."""

    def __init__(self, ranges: list[_Range] | None = None, offset: int = 0) -> None:
        """Hold `ranges`, whose addresses are `offset` too low."""
        self._ranges = sorted(ranges or [], key=lambda each: each.start)
        self._starts = [each.start for each in self._ranges]
        self._offset = offset

    def __len__(self) -> int:
        """Return how many ranges of code are known."""
        return len(self._ranges)

    def find(self, linear: int) -> FrameRow | None:
        """Return what holds at an address, or None where that is not known."""
        at = linear - self._offset
        index = bisect_right(self._starts, at) - 1
        if index < 0 or at >= self._ranges[index].end:
            return None
        try:
            return _run(self._ranges[index], at)
        except (struct.error, IndexError, _UnknownError):
            return None


def of(
    sections: list[tuple[bytes, int, bool]], *, wide: bool, offset: int = 0
) -> CallFrames:
    """Return what sections say: bytes, address, and whether it is .eh_frame."""
    found: list[_Range] = []
    for data, at, is_eh in sections:
        found += _ranges(_Section(data, at, wide, is_eh))
    return CallFrames(found, offset)


class _UnknownError(Exception):
    """Something that is not taken, or makes no sense."""


class _Reader:
    """Bytes from an offset on."""

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data, self.offset = data, offset

    def take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.data, self.offset)
        self.offset += struct.calcsize(form)
        return int(value)

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.offset]
            self.offset += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 63:
                raise _UnknownError

    def sleb(self) -> int:
        before = self.offset
        value = self.uleb()
        bits = 7 * (self.offset - before)
        return value - (1 << bits) if value >> bits - 1 & 1 else value

    @property
    def is_over(self) -> bool:
        return self.offset >= len(self.data)


def _ranges(section: _Section) -> Iterator[_Range]:
    """Yield what can be read; it ends where the section makes no sense."""
    data, offset, count = section.data, 0, 0
    commons: dict[int, _Common | None] = {}
    while offset + 4 <= len(data) and count < MOST_ENTRIES:
        count += 1
        (length,) = struct.unpack_from("<I", data, offset)
        body, id_size = offset + 4, 4
        if length == 0xFFFF_FFFF and offset + 12 <= len(data):
            (length,) = struct.unpack_from("<Q", data, offset + 4)
            body, id_size = offset + 12, 4 if section.is_eh else 8
        end = body + length
        if length < id_size or end > len(data):
            return
        pointer = int.from_bytes(data[body : body + id_size], "little")
        is_common = pointer == (0 if section.is_eh else (1 << 8 * id_size) - 1)
        try:
            if not is_common:
                where = body - pointer if section.is_eh else pointer
                if where not in commons:
                    commons[where] = _common_at(section, where)
                common = commons[where]
                if common is not None:
                    yield _range(section, body + id_size, end, common)
        except (struct.error, IndexError, _UnknownError):
            pass  # this one is left out
        offset = end


def _common_at(section: _Section, offset: int) -> _Common | None:
    data = section.data
    if not 0 <= offset <= len(data) - 8:
        return None
    (length,) = struct.unpack_from("<I", data, offset)
    if length == 0xFFFF_FFFF:
        return None  # Not modelled: CIEs of 64-bit DWARF, which no x86 compiler makes
    end = offset + 4 + length
    if end > len(data):
        return None
    it = _Reader(data[:end], offset + 8)
    version = it.take("<B")
    stop = data.find(b"\0", it.offset, end)
    letters, it.offset = data[it.offset : stop].decode("latin-1"), stop + 1
    if stop < 0 or (letters and not letters.startswith("z")):
        return None
    if version >= 4:
        it.offset += 2
    code_align, data_align = it.uleb(), it.sleb()
    back = it.take("<B") if version == 1 else it.uleb()
    encoding = _augmented(it, letters, wide=section.wide) if letters else 0
    return _Common(
        code_align, data_align, back, encoding, bool(letters), "S" in letters,
        data[it.offset : end],
    )  # fmt: skip


def _augmented(it: _Reader, letters: str, *, wide: bool) -> int:
    """Pass what the letters of a CIE announce; return the encoding of addresses."""
    encoding = 0
    size = it.uleb()
    after = it.offset + size
    for letter in letters[1:]:
        if letter == "R":
            encoding = it.take("<B")
        elif letter == "L":
            it.take("<B")
        elif letter == "P":
            it.offset += struct.calcsize(_form(it.take("<B"), wide=wide))
    it.offset = after
    return encoding


def _form(encoding: int, *, wide: bool) -> str:
    form = encoding & 0xF
    if form == 0:
        return "<Q" if wide else "<I"
    if form not in FORMATS:
        raise _UnknownError
    return FORMATS[form]


def _range(section: _Section, offset: int, end: int, common: _Common) -> _Range:
    it = _Reader(section.data[:end], offset)
    encoding = common.encoding
    form = _form(encoding, wide=section.wide)
    where = section.at + it.offset
    start = it.take(form)
    match encoding & 0xF0:
        case 0:
            pass
        case 0x10:
            start += where
        case _:
            raise _UnknownError
    mask = (1 << (64 if section.wide else 32)) - 1
    size = it.take(form.upper())
    if common.has_length:
        it.offset += it.uleb()
    start &= mask
    return _Range(start, start + size, common, section.data[it.offset : end])


class _Machine:
    """Runs call frame instructions up to an address."""

    def __init__(self, common: _Common, at: int) -> None:
        self._common, self.at = common, at
        self.cfa: tuple[int, int] | None = None
        self.rules: dict[int, Rule | None] = {}
        """None is an expression, which is not taken."""
        self._first: dict[int, Rule | None] = {}
        self._kept: list[tuple[tuple[int, int] | None, dict[int, Rule | None]]] = []
        self._spent = 0

    def run(self, ops: bytes, here: int) -> None:
        """Run instructions that begin at address `here`."""
        it = _Reader(ops)
        while not it.is_over:
            self._spent += 1
            if self._spent > MOST_OPS:
                raise _UnknownError
            op = it.take("<B")
            step = self._advance(op, it)
            if step is not None:
                here += step
                if here > self.at:
                    return
            else:
                self._do(op, it)

    def begin(self) -> None:
        """Take what holds now for what registers are restored to."""
        self._first = dict(self.rules)

    def _advance(self, op: int, it: _Reader) -> int | None:
        if op >> 6 == 1:
            return (op & 0x3F) * self._common.code_align
        form = {2: "<B", 3: "<H", 4: "<I"}.get(op)
        return None if form is None else it.take(form) * self._common.code_align

    def _do(self, op: int, it: _Reader) -> None:
        """Do what is about one register, or else `_frame`."""
        scale = self._common.data_align
        if op >> 6 == 2:  # DW_CFA_offset
            self.rules[op & 0x3F] = ("offset", it.uleb() * scale)
        elif op >> 6 == 3 or op == RESTORE:
            self._restore(op & 0x3F if op >> 6 == 3 else it.uleb())
        elif op in RULES:
            kind, is_signed = RULES[op]
            number = it.uleb()
            self.rules[number] = (kind, (it.sleb() if is_signed else it.uleb()) * scale)
        elif op in BARE:
            self.rules[it.uleb()] = (BARE[op], 0)
        elif op in EXPRESSIONS:
            self.rules[it.uleb()] = None
            it.offset += it.uleb()
        else:
            self._frame(op, it)

    def _frame(self, op: int, it: _Reader) -> None:
        """Do what is about the CFA, or about all rules."""
        match op:
            case 0x00:  # DW_CFA_nop
                pass
            case 0x2E:  # DW_CFA_GNU_args_size
                it.uleb()
            case 0x09:  # DW_CFA_register, which is not taken, as expressions are not
                self.rules[it.uleb()] = None
                it.uleb()
            case 0x0A if len(self._kept) < MOST_STATES:  # DW_CFA_remember_state
                self._kept.append((self.cfa, dict(self.rules)))
            case 0x0B:  # DW_CFA_restore_state
                self.cfa, self.rules = self._kept.pop()
            case 0x0F:  # DW_CFA_def_cfa_expression
                self.cfa = None
                it.offset += it.uleb()
            case _:
                self.cfa = self._defined(op, it)

    def _defined(self, op: int, it: _Reader) -> tuple[int, int]:
        """Return the CFA that an instruction defines anew, or in part."""
        scale = self._common.data_align
        if op == 0x0C:  # DW_CFA_def_cfa
            return it.uleb(), it.uleb()
        if op == 0x12:  # DW_CFA_def_cfa_sf
            return it.uleb(), it.sleb() * scale
        if self.cfa is None:
            raise _UnknownError
        match op:
            case 0x0D:  # DW_CFA_def_cfa_register
                return it.uleb(), self.cfa[1]
            case 0x0E:  # DW_CFA_def_cfa_offset
                return self.cfa[0], it.uleb()
            case 0x13:  # DW_CFA_def_cfa_offset_sf
                return self.cfa[0], it.sleb() * scale
            case _:
                raise _UnknownError

    def _restore(self, register: int) -> None:
        if register in self._first:
            self.rules[register] = self._first[register]
        else:
            self.rules.pop(register, None)


def _run(found: _Range, at: int) -> FrameRow | None:
    common = found.common
    machine = _Machine(common, at)
    machine.run(common.ops, 0)
    machine.begin()
    machine.run(found.ops, found.start)
    if machine.cfa is None or None in machine.rules.values():
        return None
    rules = {number: rule for number, rule in machine.rules.items() if rule is not None}
    return FrameRow(machine.cfa, rules, common.return_register, common.is_signal)
