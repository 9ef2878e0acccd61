"""Memory as rows of hex with its text beside them: pure functions of a picture.

A sign stands before each cell, so that a screen without colour says the same: `*` a
byte that differs from the stop before, `>` one that a register or a table points to;
the cell under the cursor is in brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.vmm.guest_memory import Extent
    from lapis_sessions.symbols.book import Places
    from lapis_sessions.views.memory_picture import MemoryPicture

WIDTHS: Final = (1, 2, 4, 8)
"""Bytes of a cell."""
PER_ROW: Final = 16
NARROW: Final = 8
"""Bytes of a row where there is no room for more."""
NOTES: Final = 6
"""Cells beside a row in which a name is worth being begun."""
_NEAR: Final = re.compile(r"(.+)\+0x([0-9a-f]{1,16})", re.DOTALL)
"""What `Places.near` says of an address behind a name."""
KINDS: Final = {
    "hole": "nobody serves this", "unmapped": "not mapped",
    "not-canonical": "not canonical", "device": "device",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dump:
    """What is to be drawn."""

    picture: MemoryPicture
    before: MemoryPicture | None
    """At the stop before, of whatever place."""
    cursor: int
    """Address."""
    width: int
    """Bytes of a cell."""
    marks: Mapping[int, str]
    """What points to an address."""
    names: Places | None
    """Names of addresses; physical ones have none."""

    @property
    def digits(self) -> int:
        """Of an address."""
        return digits_of(self.picture.first, self.picture.place.size)


def digits_of(first: int, size: int) -> int:
    """Return how many digits the addresses of a picture have."""
    return 8 if first + size <= 1 << 32 else 16


def per_row(columns: int, digits: int) -> int:
    """Return how many bytes stand in a row of so many columns.

    >>> per_row(79, 8), per_row(79, 16), per_row(118, 16)
    (16, 8, 16)
    """
    return PER_ROW if columns >= 1 + digits + 1 + 3 * PER_ROW + 3 + PER_ROW else NARROW


def cell_at(x: int, digits: int, width: int, bytes_: int) -> int | None:
    """Return which byte of a row is in column `x`, None where there is none.

    >>> cell_at(11, 8, 1, 16), cell_at(13, 8, 1, 16), cell_at(2, 8, 1, 16)
    (0, 1, None)
    """
    at = x - (2 + digits)
    cell = 1 + 2 * width
    half = bytes_ // 2 // width * cell
    if bytes_ > NARROW and at > half:
        at -= 1
    index = at // cell
    return index * width if 0 <= index < bytes_ // width else None


def render(dump: Dump, columns: int, rows: int) -> list[Line]:
    """Return rows of memory from the first address of the picture on."""
    count = per_row(columns, dump.digits)
    values = cells(dump.picture)
    old = _before(dump)
    out = []
    for row in range(rows):
        begin = row * count
        if begin >= len(values):
            break
        piece = slice(begin, begin + count)
        at = dump.picture.first + begin & dump.picture.top
        line = _row(dump, at, values[piece], old[piece])
        if columns - line.width >= NOTES:
            _add_notes(dump, line, at, len(values[piece]))
        out.append(line.fit(columns))
    return out


def cells(picture: MemoryPicture) -> list[int | str]:
    """Return each byte of a picture, or what is there instead."""
    out: list[int | str] = []
    for extent in picture.extents:
        out += extent.data or [_instead(extent)] * extent.size
    return out


def _instead(extent: Extent) -> str:
    if extent.kind == "device":
        return f"device: {extent.name}"
    return KINDS[extent.kind]


def extent_at(picture: MemoryPicture, address: int) -> Extent | None:
    """Return the part of a picture that has an address, or None."""
    for extent in picture.extents:
        if extent.at <= address < extent.at + extent.size:
            return extent
    return None


def _before(dump: Dump) -> Sequence[int | str | None]:
    """Return what was at the addresses of the picture, None where it is not known."""
    now, before = dump.picture, dump.before
    size = now.place.size
    if before is None or not are_alike(now, before):
        return [None] * size
    known = cells(before)
    shift = now.first - before.first
    return [
        known[at + shift] if 0 <= at + shift < len(known) else None
        for at in range(size)
    ]


def are_alike(one: MemoryPicture, other: MemoryPicture) -> bool:
    """Tell whether the addresses of two pictures mean the same."""
    if one.place.physical or other.place.physical:
        return one.place.physical == other.place.physical
    return one.place.vcpu == other.place.vcpu


def _row(
    dump: Dump, at: int, values: Sequence[int | str], old: Sequence[int | str | None]
) -> Line:
    line = Line(f" {at:0{dump.digits}x} ", "address")
    has_cursor = at <= dump.cursor < at + len(values)
    if all(isinstance(value, str) for value in values):
        _add_nothing(dump, line, values, has_cursor=has_cursor)
    else:
        _add_cells(dump, line, at, values, old)
    line.pad(2 + dump.digits + _hex_width(dump, len(values)) + 1)
    _add_text(line, values)
    line.role = "cursor" if has_cursor else ""
    return line


def _hex_width(dump: Dump, count: int) -> int:
    return count // dump.width * (1 + 2 * dump.width) + (count > NARROW)


def _add_nothing(
    dump: Dump, line: Line, values: Sequence[int | str], *, has_cursor: bool
) -> None:
    room = _hex_width(dump, len(values))
    text = str(values[0])[: room - 2]
    line.add("[" if has_cursor else " ", "strong").add(text, "held")
    line.add("]" if has_cursor else "", "strong")


def _add_cells(
    dump: Dump,
    line: Line,
    at: int,
    values: Sequence[int | str],
    old: Sequence[int | str | None],
) -> None:
    """Add the cells of a row; what is under the cursor is between brackets."""
    row = range(at, at + len(values))
    signs = dump.cursor in row or any(each in row for each in dump.marks)
    if not signs and all(o is None or o == v for v, o in zip(values, old, strict=True)):
        line.add(_plain(dump.width, values))  # in one piece, which costs a tenth
        return
    closes = False
    for index in range(0, len(values), dump.width):
        if index == PER_ROW // 2:
            line.add("]" if closes else " ", "strong")
            closes = False
        piece = slice(index, index + dump.width)
        ends = range(at + index, at + index + dump.width)
        sign, role = _sign(dump, ends, values[piece], old[piece])
        has_cursor = dump.cursor in ends
        if has_cursor or (closes and sign == " "):
            line.add("[" if has_cursor else "]", "strong")
        else:
            line.add(sign, role)
        line.add(_digits(values[piece]), role or ("strong" if has_cursor else ""))
        closes = has_cursor
    line.add("]" if closes else "", "strong")


def _sign(
    dump: Dump,
    ends: range,
    values: Sequence[int | str],
    old: Sequence[int | str | None],
) -> tuple[str, str]:
    """Return the sign before a cell, and its role."""
    if any(o is not None and o != v for v, o in zip(values, old, strict=True)):
        return "*", "changed"
    return (">", "symbol") if any(at in dump.marks for at in ends) else (" ", "")


def _digits(values: Sequence[int | str]) -> str:
    if len(values) == 1:
        return f"{values[0]:02x}" if isinstance(values[0], int) else "??"
    known = [value for value in values if isinstance(value, int)]
    if len(known) < len(values):
        return "??" * len(values)
    return bytes(reversed(known)).hex()


def _plain(width: int, values: Sequence[int | str]) -> str:
    """Return the cells of a row that has no sign."""
    pieces = [
        f" {_digits(values[index : index + width])}"
        for index in range(0, len(values), width)
    ]
    half = PER_ROW // 2 // width
    gap = " " if len(values) > PER_ROW // 2 else ""
    return "".join([*pieces[:half], gap, *pieces[half:]])


def _add_text(line: Line, values: Sequence[int | str]) -> None:
    text = "".join(
        (chr(v) if 0x20 <= v < 0x7F else ".") if isinstance(v, int) else " "
        for v in values
    )
    line.add(f" {text}", "label")


def _add_notes(dump: Dump, line: Line, at: int, count: int) -> None:
    for address in range(at, at + count):
        if address in dump.marks:
            line.add(f"  >{dump.marks[address]}", "symbol")
    name = dump.names.near(at + count - 1) if dump.names is not None else ""
    parts = _NEAR.fullmatch(name)
    if name and (parts is None or int(parts[2], 16) < count):
        line.add(f"  {name if parts is None else parts[1]}", "dim")
