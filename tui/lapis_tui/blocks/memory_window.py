"""What the memory pane draws and reads: a window on memory, rows, what is typed.

Pure functions of a view; the widget is `lapis_tui.panes.memory`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_sessions.text.numerals import shown
from lapis_tui.blocks import addresses, hexdump
from lapis_tui.blocks.hexdump import Dump
from lapis_tui.blocks.lines import Line

if TYPE_CHECKING:
    from lapis_sessions.views.memory_picture import MemoryPicture
    from lapis_sessions.views.snapshot import VcpuSnapshot
    from lapis_tui.view import View

POINTERS: Final = ("rip", "rsp", "rbp", "gdtr", "idtr", "ldtr", "tr")
"""Registers that are marked where they point to."""
_BYTES: Final = re.compile(r"(?:[0-9a-f]{2}\s*)+", re.ASCII | re.IGNORECASE)
_HEX: Final = re.compile(r"(?:0x)?([0-9a-f]+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Window:
    """Which memory is looked at, and where in it the cursor is."""

    register: str | None = None
    """What it goes along with; addresses are counted from there."""
    first: int = 0
    """Of the first row."""
    cursor: int = 0
    physical: bool = False
    width: int = 1
    """Bytes of a cell."""

    def moved(self, by: int, per_row: int, rows: int) -> Window:
        """Return it with the cursor elsewhere, in view."""
        return self.to(self.cursor + by, per_row, rows)

    def to(self, cursor: int, per_row: int, rows: int) -> Window:
        """Return it with the cursor at an address, moved by whole rows."""
        first, room = self.first, per_row * max(rows, 1)
        if cursor < first:
            first -= -(-(first - cursor) // per_row) * per_row
        elif cursor >= first + room:
            first += ((cursor - first - room) // per_row + 1) * per_row
        return replace(self, first=first, cursor=cursor)

    def at(self, cursor: int, per_row: int) -> Window:
        """Return it with an address that was asked for in the first row."""
        first = cursor if self.register else cursor - cursor % per_row
        return replace(self, first=first, cursor=cursor)


def base(window: Window, vcpu: VcpuSnapshot) -> int:
    """Return the address that those of a window are counted from."""
    if window.register is None:
        return 0
    return addresses.register(window.register, vcpu) or 0


def marks(vcpu: VcpuSnapshot, picture: MemoryPicture) -> dict[int, str]:
    """Return what points to an address: registers, or the entries of a page walk."""
    if picture.place.physical:
        entries = () if picture.walk is None else picture.walk.entries
        tops = {addresses.register("cr3", vcpu) or 0: "cr3"}
        return tops | {entry.at: entry.table for entry in entries}
    out: dict[int, str] = {}
    for name in POINTERS:
        at = addresses.register(name, vcpu)
        if at is not None and (at or name in {"rip", "rsp"}):
            out[at] = f"{out[at]} {name}" if at in out else name
    return out


def told(
    view: View,
    window: Window,
    picture: MemoryPicture,
    old: MemoryPicture | None,
    at: int,
) -> Line:
    """Return what is known of the address under the cursor."""
    line = Line(f" {at:x}", "address")
    extent = hexdump.extent_at(picture, at)
    values = hexdump.cells(picture)
    offset = at - picture.first & picture.top
    cell = values[offset : offset + window.width]
    known = bytes(v for v in cell if isinstance(v, int))
    if len(known) == window.width:
        number = int.from_bytes(known, "little")
        line.add(f" = {number:#x} ({number:,})", "strong")
        was = _was(old, picture, at, window.width)
        line.add("" if was in {None, number} else f"  was {was:#x}", "changed")
    elif cell:
        line.add(f" {cell[0]}", "warn")
    if extent is not None and extent.data:
        line.add(f"  {extent.name}")
    if extent is not None and extent.gpa is not None and not picture.place.physical:
        line.add(f"  physical {extent.gpa + at - extent.at:x}")
    vcpu = view.now.vcpus[picture.place.vcpu]
    mark = marks(vcpu, picture).get(at)
    if mark is not None:
        line.add(f"  >{mark}", "symbol")
    name = "" if picture.place.physical else view.now.symbols.near(at)
    return line.add(f"  {name}" if name else "", "symbol")


def _was(
    before: MemoryPicture | None, picture: MemoryPicture, at: int, size: int
) -> int | None:
    """Return the number that was there, if that is known."""
    if before is None or not hexdump.are_alike(picture, before):
        return None
    cell = hexdump.cells(before)[max(at - before.first, 0) :][:size]
    known = bytes(v for v in cell if isinstance(v, int))
    is_known = at >= before.first and len(known) == size
    return int.from_bytes(known, "little") if is_known else None


def render(
    view: View, window: Window, old: MemoryPicture | None, size: tuple[int, int]
) -> list[Line]:
    """Return the memory, and below it what is under the cursor.

    What is otherwise than in `old` is marked.
    """
    width, height = size
    picture = view.now.memory
    if picture is None:
        return [Line(" a moment", "dim")]
    vcpu = view.now.vcpus[picture.place.vcpu]
    at = base(window, vcpu) + window.cursor & picture.top
    dump = Dump(
        picture,
        old,
        at,
        window.width,
        marks(vcpu, picture),
        None if picture.place.physical else view.now.symbols,
    )
    rows = hexdump.render(dump, width, max(height - 1, 1))
    rows += [Line()] * (height - 1 - len(rows))
    return [*rows, told(view, window, picture, old, at).fit(width)][:height]


def typed(text: str, width: int) -> bytes | str:
    r"""Read what is to be written into cells of so many bytes; a string says why not.

    >>> typed("90 90c3", 1), typed("1234", 4), typed("'hi'", 1)
    (b'\x90\x90\xc3', b'4\x12\x00\x00', b'hi')
    """
    if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].encode("utf-8", "surrogateescape")
    number = _HEX.fullmatch(text)
    if width == 1 and _BYTES.fullmatch(text):
        return bytes.fromhex(text)
    if number is None:
        return f"{shown(text)} is no hex: 90 90 c3, or a text in quotes"
    value = int(number[1], 16)
    if value >> 8 * width:
        return f"{shown(text)} is too wide: {width} byte{'s' if width > 1 else ''}"
    return value.to_bytes(width, "little")
