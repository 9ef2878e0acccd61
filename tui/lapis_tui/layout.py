"""Where everything goes on a screen of a given size: arithmetic, no widget.

Three rows are always there: status, command line, keys. The rest is shared out from
the least that each pane needs (together 80x24) up to what each would like, and what
is left goes to the disassembly and the events.
"""

from __future__ import annotations

from dataclasses import dataclass

CHROME = 3
"""Rows of status bar, command line and key hints."""
COLUMN = 48
"""Cells that a vCPU's registers need."""
BESIDE = 78
"""Cells of a column from which its disassembly stands beside its registers."""
WIDE = 100
"""Cells of the screen from which events, console and commands are all in view."""
THREE = 170
"""Cells from which those three stand side by side."""
STACKED = 35
"""Rows of the screen from which the disassembly fits below the registers."""
MOST_PENDING = 3
"""Requests in view; a list that is longer scrolls."""
LEAST_BOTTOM = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """Columns, rows of each pane, its title included, and how the bottom is set."""

    columns: int
    """vCPUs side by side."""
    vcpu_rows: int
    apic_rows: int
    pending_rows: int
    bottom_rows: int
    bottom: str
    """tabs, two (console above commands) or three (side by side)."""


def plan(width: int, height: int, cpus: int, pending: int, zoomed: str = "") -> Plan:
    """Share out a screen; `zoomed` names the pane that has it all, or none."""
    waiting = min(pending, MOST_PENDING)
    room = max(height - CHROME - waiting, 1)
    bottom = "tabs" if width < WIDE else "two" if width < THREE else "three"
    beside = height < STACKED and width >= BESIDE
    count = max(1, min(cpus, (width + 1) // ((BESIDE if beside else COLUMN) + 1)))
    if zoomed:
        rows = {"vcpus": (room, 0, 0), "apics": (0, room, 0)}.get(zoomed, (0, 0, room))
    else:
        beside = split(width, count)[0] > BESIDE
        rows = share(room, beside=beside, strip=count < cpus)
    return Plan(count, rows[0], rows[1], waiting, rows[2], bottom)


def columns(count: int, selected: int, cpus: int) -> tuple[int, ...]:
    """Return the `count` vCPUs that have a column, `selected` among them.

    The columns turn like pages, so that they stay while `selected` moves within.

    >>> columns(2, 3, 5), columns(2, 4, 5)
    ((2, 3), (3, 4))
    """
    first = min(selected // count * count, cpus - count)
    return tuple(range(first, first + count))


def split(width: int, parts: int) -> tuple[int, ...]:
    """Cut `width` into columns with one cell between them, the first ones wider.

    >>> split(120, 2)
    (60, 59)
    """
    room = width - (parts - 1)
    return tuple(room // parts + (1 if n < room % parts else 0) for n in range(parts))


def share(room: int, *, beside: bool, strip: bool) -> tuple[int, int, int]:
    """Return the rows of vCPUs, APICs and the bottom.

    >>> share(22, beside=True, strip=True), share(37, beside=False, strip=False)
    ((13, 6, 3), (20, 10, 7))
    """
    rows = [12 + strip, 6, LEAST_BOTTOM]
    if room < sum(rows):
        return _cramped(room)
    likes = [(15 if beside else 20) + strip, 6 if beside else 10]
    for index, want in ((2, 4 if beside else 6), (0, likes[0]), (1, likes[1]), (2, 10)):
        rows[index] += max(0, min(want - rows[index], room - sum(rows)))
    left = room - sum(rows)
    rows[0] += left // 2
    rows[2] += left - left // 2
    return rows[0], rows[1], rows[2]


def _cramped(room: int) -> tuple[int, int, int]:
    """Share out a screen that is too small: registers first, then the events."""
    bottom = LEAST_BOTTOM if room > 14 else 0
    apics = min(6, max(room - bottom - 12, 0))
    if apics < 3:
        apics = 0
    return room - bottom - apics, apics, bottom
