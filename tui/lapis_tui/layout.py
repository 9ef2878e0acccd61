"""Where everything goes on a screen of a given size: arithmetic, no widget.

Three rows are always there: status, command line, keys. The rest is shared out from
the least that each pane needs (together 80x24) up to what each would like, and what
is left goes to the disassembly and the events.
"""

from __future__ import annotations

from dataclasses import dataclass

CHROME = 3
"""Rows of status bar, command line and key hints."""
COLUMN = 46
"""Cells that a vCPU's registers need."""
BESIDE = 78
"""Cells of a column from which its disassembly stands beside its registers."""
WIDE = 100
"""Cells of the screen from which events, console and commands are all in view."""
THREE = 170
"""Cells from which those three stand side by side."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A screen shared out; rows include the title of a pane."""

    columns: tuple[int, ...]
    """vCPUs shown, left to right."""
    widths: tuple[int, ...]
    """Cells of each column; one cell is between two."""
    strip: bool
    """Some vCPU has no column, so that one row lists them all."""
    vcpu_rows: int
    apic_rows: int
    pending_rows: int
    bottom_rows: int
    bottom: str
    """tabs, two (console above commands) or three (side by side)."""


def plan(
    width: int, height: int, cpus: int, selected: int, pending: int, zoomed: str = ""
) -> Plan:
    """Share out a screen; `zoomed` names the pane that has it all, or none."""
    shown = max(1, min(cpus, (width + 1) // (COLUMN + 1)))
    columns = visible(cpus, shown, selected)
    widths = split(width, shown)
    strip = shown < cpus
    waiting = min(pending, 3) + (1 if pending and height >= 30 else 0)
    room = max(height - CHROME - waiting, 3)
    beside = widths[0] >= BESIDE
    rows = share(room, beside=beside, strip=strip)
    if zoomed:
        rows = _zoom(room, zoomed)
    bottom = "tabs" if width < WIDE else "two" if width < THREE else "three"
    return Plan(columns, widths, strip, rows[0], rows[1], waiting, rows[2], bottom)


def visible(cpus: int, shown: int, selected: int) -> tuple[int, ...]:
    """Return the `shown` vCPUs among which `selected` is; columns turn like pages.

    >>> visible(5, 2, 3), visible(5, 2, 4)
    ((2, 3), (3, 4))
    """
    first = min(selected // shown * shown, cpus - shown)
    return tuple(range(first, first + shown))


def split(width: int, parts: int) -> tuple[int, ...]:
    """Cut `width` into columns with one cell between them, the first ones wider.

    >>> split(120, 2)
    (60, 59)
    """
    room = width - (parts - 1)
    return tuple(room // parts + (1 if n < room % parts else 0) for n in range(parts))


def share(room: int, *, beside: bool, strip: bool) -> tuple[int, int, int]:
    """Return the rows of vCPUs, APICs and the bottom.

    >>> share(22, beside=True, strip=True)
    (13, 6, 3)
    """
    least = [13 if strip else 12, 6, 3]
    likes = [(15 if beside else 19) + strip, 7 if beside else 10, 10]
    rows = least[:]
    if room <= sum(least):
        rows[0] = max(room - 9, 1) if room > 10 else room
        rows[1] = 6 if room > 10 else 0
        rows[2] = room - rows[0] - rows[1]
        return rows[0], rows[1], rows[2]
    for index in (2, 0, 1, 2):
        want = 6 if index == 2 and rows[2] == least[2] else likes[index]
        rows[index] += max(0, min(want - rows[index], room - sum(rows)))
    left = room - sum(rows)
    rows[0] += left // 2
    rows[2] += left - left // 2
    return rows[0], rows[1], rows[2]


def _zoom(room: int, pane: str) -> tuple[int, int, int]:
    if pane == "vcpus":
        return room, 0, 0
    return (0, room, 0) if pane == "apics" else (0, 0, room)
