"""The events pane: what happened, newest last.

Only the rows in view are ever put into words, so that 65,536 events cost no more than
ten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.events import IpiSent
from lapis_engine.explain.events import describe
from lapis_tui.blocks.ladder import unusual
from lapis_tui.blocks.lines import Line, plain
from lapis_tui.blocks.marks import MARKS
from lapis_tui.panes.base import LinePane
from lapis_tui.past import Past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.selection import Selection

    from lapis_engine.events import Event, Logged
    from lapis_tui.view import View


def words(logged: Logged, width: int = 0) -> Line:
    """Return one event as a line; below 70 cells its number is left out."""
    event = logged.event
    glyph, role = MARKS.get(event.kind, (" ", "dim"))
    line = Line()
    if not 0 < width < 70:
        line.add(f"{logged.seq:>6} ", "dim")
    line.add(f"{logged.at // 1000:>8}.{logged.at % 1000:03} ", "dim")
    who = event.vcpu
    line.add("    " if who < 0 else f"{who:>3} ", "label")
    return line.add(f"{glyph} ", role).add(_text(event), _tone(event))


def _text(event: Event) -> str:
    """Say what happened; of an ICR only what is not the usual."""
    text = describe(event)
    if isinstance(event, IpiSent):
        return text.replace(event.text, unusual(event.text))
    return text


def _tone(event: Event) -> str:
    if event.kind in {"suspend", "fault", "exception", "refuse"}:
        return "bad"
    if event.kind in {"msr", "timer-armed", "halt", "wake", "eoi"}:
        return "held"
    return ""


def render(events: Sequence[Logged], size: tuple[int, int]) -> list[Line]:
    """Return the last events that fit."""
    width, height = size
    tail = list(events)[-height:] if height else []
    return [words(event, width).fit(width) for event in tail]


class EventsPane(LinePane):
    """Scrolls over all events that are kept."""

    TITLE = "events, us"
    ABOUT = (
        "What happened: number, virtual time in us, vCPU, and what it was. The last "
        "65,536 are kept."
    )
    follows = True

    def __init__(self) -> None:
        """Start without events."""
        super().__init__(self.TITLE, id="events")
        self._events = Past()
        self._generation = 0
        self.draw(lambda _size: [Line(" nothing has happened", "dim")])

    def update(self, view: View) -> None:
        """Show the newest; or stay at what is in view."""
        count, self._events = self._count, view.events
        if not view.events:
            return
        self._make = None
        self._count = len(view.events)
        if count != self._count or self._generation != view.events.generation:
            self._generation = view.events.generation
            self.resize_content(self.size.width, self._count)

    _count = 0

    def line_at(self, row: int) -> Line | None:
        """Put event `row` of those that are kept into words."""
        if not self._events:
            return super().line_at(row)
        if not 0 <= row < len(self._events):
            return None
        width, _ = self.extent
        return words(self._events[row], width).fit(width)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text, for the clipboard."""
        rows = (words(event, self.extent[0]) for event in self._events)
        return selection.extract(plain(rows)), "\n"
