"""Memory in the units and forms that gdb's `x` has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from lapis_sessions.views import memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_sessions.symbols.book import Places
    from lapis_sessions.views.memory import InstructionView

PER_ROW: Final = {1: 8, 2: 8, 4: 4, 8: 2}
"""Units of a row of text, by their bytes."""


@dataclass(frozen=True, slots=True)
class UnitView:
    """One unit, or one text."""

    address: int
    value: int | str
    """Unsigned, but for /d; of a text its bytes in hex, without the 0 at its end."""
    shown: str
    symbol: str | UnsetType = UNSET
    """Of the first in a row: the name of its address; of /a that of the value."""


@dataclass(frozen=True, slots=True)
class ExaminedView:
    """What is in memory from an address on."""

    address: int
    physical: bool
    format: str
    """x, d, u, o, t, c, a, z, s or i."""
    size: int
    """Bytes of a unit; 1 of texts and instructions."""
    units: tuple[UnitView, ...]
    instructions: tuple[InstructionView, ...] | UnsetType = UNSET
    ends: str | UnsetType = UNSET
    """Why there are fewer than were asked for."""


def units(
    at: int, data: bytes, size: int, form: str, places: Places
) -> tuple[UnitView, ...]:
    """Return the units of `size` bytes that `data` has."""
    rows = []
    per_row = per(form, size)
    for index in range(len(data) // size):
        raw = int.from_bytes(data[index * size : index * size + size], "little")
        value = raw - (1 << 8 * size) if form == "d" and raw >> 8 * size - 1 else raw
        near = ""
        if form == "a":
            near = places.near(raw)
        elif index % per_row == 0:
            near = places.near(at + index * size)
        rows.append(
            UnitView(at + index * size, value, shown(value, size, form), near or UNSET)
        )
    return tuple(rows)


def per(form: str, size: int) -> int:
    """Return how many units stand in a row."""
    if form == "a":
        return 1
    return max(PER_ROW[size] // (4 if form == "t" and size > 1 else 1), 1)


def shown(value: int, size: int, form: str) -> str:
    """Return a unit in a form.

    >>> [shown(0x41, 1, form) for form in "xduotc"]
    ['0x41', '65', '65', '0o101', '01000001', "65 'A'"]
    """
    match form:
        case "x" | "a" | "z":
            return f"{value:#0{2 + 2 * size}x}" if form != "a" else f"{value:#x}"
        case "o":
            return f"{value:#o}"
        case "t":
            return f"{value:0{8 * size}b}"
        case "c":
            low = value & 0xFF
            return f"{low} {chr(low)!a}"
        case _:
            return str(value)


def text(view: ExaminedView) -> str:
    """Return rows with the address before them."""
    tail = [] if view.ends is UNSET else [view.ends]
    if view.instructions is not UNSET:
        return "\n".join([memory.disassembly_text(view.instructions), *tail])
    per_row = 1 if view.format == "s" else per(view.format, view.size)
    starts = range(0, len(view.units), per_row)
    rows = [_row(view, view.units[n : n + per_row]) for n in starts]
    return "\n".join([*rows, *tail])


def _row(view: ExaminedView, row: Sequence[UnitView]) -> str:
    first = row[0]
    own = "" if first.symbol is UNSET or view.format == "a" else f" <{first.symbol}>"
    return f"{first.address:#x}{own}:  {'  '.join(_cells(view, row))}"


def _cells(view: ExaminedView, row: Sequence[UnitView]) -> Iterator[str]:
    for each in row:
        named = view.format == "a" and each.symbol is not UNSET
        yield f"{each.shown} <{each.symbol}>" if named else each.shown
