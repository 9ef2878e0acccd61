"""A list with a cursor, what stands above it, and what is told of the row under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import CURSOR, Line, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lapis_engine.why.reason import Reason

LEAST: Final = 3
"""Rows of the list at least, before what is told of one goes."""
MOST_NAMED: Final = 2
"""vCPUs that are named one by one in a column."""


def window(count: int, at: int, room: int) -> range:
    """Return the rows in view: `at` is among them, the cursor in the middle.

    >>> window(24, 0, 5), window(24, 12, 5), window(24, 23, 5), window(3, 2, 5)
    (range(0, 5), range(10, 15), range(19, 24), range(0, 3))
    """
    first = max(min(at - room // 2, count - room), 0)
    return range(first, min(first + room, count))


def room_of(height: int, heads: int, below: int) -> int:
    """Return the rows for the list where so many lines are above and below."""
    rest = max(height - heads, 0)
    return max(rest - below, min(rest, LEAST), rest // 2)


def listing(
    heads: Sequence[Line],
    count: int,
    row: Callable[[int], Line],
    at: int,
    below: Sequence[Line],
    size: tuple[int, int],
) -> list[Line]:
    """Return heads, the rows in view and what is told of the one at the cursor.

    `row` makes one of `count`; a mark at the edge says that there are more.
    """
    width, height = size
    room = room_of(height, len(heads), len(below))
    shown = window(count, at, room)
    out = [line.fit(width) for line in heads]
    for number in shown:
        line = Line(CURSOR if number == at else " ", "title").extend(row(number))
        is_cut = (number == shown[0] and number > 0) or (
            number == shown[-1] and number + 1 < count
        )
        line = line.fit(width - 1).add("↕", "dim") if is_cut else line.fit(width)
        line.role = "cursor" if number == at else ""
        out.append(line)
    rest = max(height - len(out), 0)
    out += [line.fit(width) for line in below[:rest]]
    if 0 < rest < len(below):
        out[-1] = below[rest - 1].fit(width - 2).add(" ↓", "dim")
    return out[:height]


def put(
    line: Line, text: str, role: str = "", *, changed: bool = False, room: int = 0
) -> Line:
    """Append text with a place before it for the sign that it has changed.

    With `room`, what is longer is cut, and has a sign.
    """
    piece = Line(text, "changed" if changed else role)
    line.add("*" if changed else " ", "changed")
    return line.extend(piece.fit(room) if 0 < room < piece.width else piece)


def told(text: str, width: int, role: str = "") -> list[Line]:
    """Return a sentence in as many lines as it takes, set in by a column."""
    return [Line(row, role) for row in wrapped(f" {text}", width)]


def bars(reasons: Iterable[Reason], width: int) -> list[Line]:
    """Return what stands in the way of something, or that nothing does."""
    out: list[Line] = []
    for reason in reasons:
        out += told(f"- {reason.text}", width, "warn")
    return out or [Line(" nothing stands in its way", "good")]


def vcpus(numbers: Sequence[int], all_of: int) -> str:
    """Return vCPUs in a few letters.

    >>> vcpus((0, 1), 4), vcpus((0, 1, 2, 3), 4), vcpus((), 4), vcpus((1,), 2)
    ('vCPU 0 1', 'all vCPUs', 'nobody', 'vCPU 1')
    >>> vcpus((0, 1, 2, 9), 32)
    '4 vCPUs'
    """
    if len(numbers) == all_of > 1:
        return "all vCPUs"
    return f"{len(numbers)} vCPUs" if len(numbers) > MOST_NAMED else every(numbers)


def every(numbers: Sequence[int]) -> str:
    """Return vCPUs, each of them."""
    if not numbers:
        return "nobody"
    return f"vCPU {' '.join(str(number) for number in numbers)}"
