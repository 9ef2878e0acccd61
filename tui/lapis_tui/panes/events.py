"""The events pane: what happened, newest last.

Only the rows in view are ever put into words, so that 65,536 events cost no more than
ten.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lapis_engine.events import IpiSent
from lapis_engine.explain.events import describe
from lapis_engine.machine.log import KEPT
from lapis_tui.blocks.ladder import unusual
from lapis_tui.blocks.lines import Line, plain
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.selection import Selection

    from lapis_engine.events import Event, Logged

MARKS = {
    "ipi": ("→", "symbol"), "accept": ("+", "good"), "refuse": ("x", "bad"),
    "deliver": (">", "good"), "eoi": ("-", "dim"), "init": ("I", "warn"),
    "sipi": ("S", "warn"), "boot": ("~", "warn"), "nmi": ("N", "warn"),
    "nmi-deliver": (">", "warn"), "extint": (">", "good"), "timer": ("t", "good"),
    "exit": ("?", "changed"), "answer": ("=", "changed"), "suspend": ("#", "bad"),
    "oddity": ("!", "warn"), "fault": ("#", "bad"), "exception": ("!", "bad"),
    "halt": ("z", "dim"), "wake": ("^", "dim"), "mode": ("%", "symbol"),
    "apic-mode": ("%", "symbol"), "debug": ("D", "warn"), "reset": ("R", "warn"),
}  # fmt: skip
"""A glyph and a role for each kind of event."""


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
    """Scrolls over all events that the machine keeps."""

    follows = True

    def __init__(self) -> None:
        """Start without events."""
        super().__init__("events, us", id="events")
        self.events: deque[Logged] = deque(maxlen=KEPT)
        self.draw(lambda _size: [Line(" nothing has happened", "dim")])

    def add(self, events: Sequence[Logged]) -> None:
        """Append events; the view stays at the newest, or else at what it shows."""
        if not events:
            return
        self._make = None
        gone = max(len(self.events) + len(events) - KEPT, 0)
        self.events.extend(events)
        self.resize_content(self.size.width, len(self.events))
        if gone and not self.is_vertical_scroll_end:
            self.scroll_to(y=self.scroll_y - gone, animate=False, immediate=True)

    def forget(self) -> None:
        """Show nothing until more is added."""
        self.events.clear()

    def line_at(self, row: int) -> Line | None:
        """Put event `row` of those that are kept into words."""
        if not self.events:
            return super().line_at(row)
        if not 0 <= row < len(self.events):
            return None
        width, _ = self.extent
        return words(self.events[row], width).fit(width)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text, for the clipboard."""
        rows = (words(event, self.extent[0]) for event in self.events)
        return selection.extract(plain(rows)), "\n"
