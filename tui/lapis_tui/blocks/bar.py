"""A history as one row: events by their glyphs, and where in it the machine is.

Where every event of the branch is known the row is one of events, evenly spaced, for
they come in bursts; else it is one of virtual time. Notes, named points and forks
have signs of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.marks import MARKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lapis_engine.events import Logged
    from lapis_engine.replay.capture import Position
    from lapis_sessions.timeline.branches import Note
    from lapis_tui.view import View

TELLING: Final = (
    "suspend", "reset", "exit", "answer", "sipi", "init", "nmi", "boot", "exception",
    "refuse", "lint", "interfere", "ipi", "deliver", "extint", "mode", "halt", "timer",
    "eoi", "accept",
)  # fmt: skip
"""Kinds of events, the most telling first: that of a cell is shown."""
_RANK: Final = {kind: rank for rank, kind in enumerate(TELLING)}
SAMPLED: Final = 4
"""Events of a cell that are looked at, beside those that are rare."""
HERE: Final = "┃"
NOTE: Final = "✎"
POINT: Final = "◆"
FORK: Final = "┬"
SELDOM: Final = 8
"""While a guest runs, one frame in so many draws the row anew."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From places in a history to cells of a row, and back."""

    events: Chain
    """All that are known, oldest first."""
    by_event: bool
    first: int
    last: int
    """Number of the first event and of the last, or ns of virtual time."""
    width: int

    def cell(self, value: int) -> int:
        """Return the cell of an event's number, or of a moment in ns."""
        span = max(self.last - self.first, 1)
        at = (value - self.first) * (self.width - 1) // span
        return min(max(at, 0), self.width - 1)

    def of(self, logged: Logged) -> int:
        """Return the cell of an event."""
        return self.cell(logged.seq if self.by_event else logged.at)

    def goto(self, cell: int) -> str:
        """Return what `goto` calls the place of a cell."""
        if cell <= 0:
            return "start"
        if cell >= self.width - 1:
            return "end"
        span = self.last - self.first
        value = self.first + -(-cell * span // max(self.width - 1, 1))
        return f"#{value}" if self.by_event else f"{value}ns"


def axis(view: View, width: int) -> Axis:
    """Return the row's axis for what is known of the present branch."""
    history, past, ahead = view.now.history, view.events, view.ahead
    is_known = not ahead or ahead[-1].seq + 1 >= history.end.seq
    is_known = is_known and (bool(ahead) or view.now.events_total >= history.end.seq)
    begins = past[0].seq if past else ahead[0].seq if ahead else 0
    both = Chain(past, ahead)
    if is_known and len(both) > 1:
        last = both[len(both) - 1].seq
        return Axis(both, True, begins, last, width)  # noqa: FBT003 - a record
    first = history.begin.now
    return Axis(both, False, first, max(history.end.now, first), width)  # noqa: FBT003


class Chain:
    """Two sequences of events as one, copied by nobody."""

    def __init__(self, one: Sequence[Logged], other: Sequence[Logged]) -> None:
        """Have `other` follow `one`."""
        self._one, self._other = one, other
        self._cut = len(one)

    def __len__(self) -> int:
        return self._cut + len(self._other)

    def __getitem__(self, index: int) -> Logged:
        cut = self._cut
        return self._one[index] if index < cut else self._other[index - cut]


def glyphs(on: Axis, cpus: int = 0) -> list[list[str]]:
    """Return the kind of event that each cell shows, or nothing.

    The first row is of all events, the others are of `cpus` vCPUs in their order.
    """
    out = [[""] * on.width for _ in range(cpus + 1)]
    ranks = [[len(TELLING) + 1] * on.width for _ in range(cpus + 1)]
    for logged in sampled(on):
        cell, event = on.of(logged), logged.event
        rank = _RANK.get(event.kind, len(TELLING))
        for row_ in (0, event.vcpu + 1) if 0 <= event.vcpu < cpus else (0,):
            if rank < ranks[row_][cell]:
                ranks[row_][cell], out[row_][cell] = rank, event.kind
    return out


def sampled(on: Axis) -> Iterator[Logged]:
    """Yield events from all over the row, no more than it has room for."""
    count = len(on.events)
    step = max(count // (on.width * SAMPLED), 1)
    for index in range(0, count, step):
        yield on.events[index]


def row(
    kinds: Sequence[str],
    here: int | None,
    rule: str = "─",
    over: Mapping[int, str] = MappingProxyType({}),
) -> Line:
    """Return the cells as a line: what is not yet is dim, `here` stands between.

    `over` are signs that stand in the place of what their cells show.
    """
    line = Line()
    for cell, kind in enumerate(kinds):
        if cell == here:
            line.add(HERE, "title")
            continue
        is_ahead = here is not None and cell > here
        if cell in over:
            line.add(over[cell], "held" if is_ahead else "changed")
        elif not kind:
            line.add("·" if is_ahead else rule, "dim" if is_ahead else "rule")
        else:
            glyph, role = MARKS.get(kind, ("·", "dim"))
            line.add(glyph if glyph.strip() else "·", "dim" if is_ahead else role)
    return line


def signs(view: View, on: Axis) -> dict[int, str]:
    """Return the signs of notes, named points and forks, by their cells."""
    history = view.now.history
    out = {
        place(on, branch.fork): FORK
        for branch in history.branches
        if branch.parent == history.branch and branch.fork is not None
    }
    out |= {
        place(on, point.at): POINT
        for point in history.named
        if point.branch == history.branch
    }
    return out | {of_note(on, view, note): NOTE for note in history.notes}


def place(on: Axis, at: Position) -> int:
    """Return the cell of a place in the history."""
    return on.cell(max(at.seq - 1, 0) if on.by_event else at.now)


def of_note(on: Axis, view: View, note: Note) -> int:
    """Return the cell of a note: where the act ended at whose end it is.

    Where none near is known to have, it is as far along the row as in the branch.
    """
    history = view.now.history
    for act in history.window:
        if act.end.retired == note.retired:
            return place(on, act.end)
    whole = max(history.end.retired - history.begin.retired, 1)
    done = note.retired - history.begin.retired
    return min(max(done * (on.width - 1) // whole, 0), on.width - 1)


def here(view: View, on: Axis) -> int:
    """Return the cell where the machine is."""
    return place(on, view.now.history.here)
