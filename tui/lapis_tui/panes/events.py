"""The events pane: what happened, newest last.

Only the rows in view are ever put into words, so that 65,536 events cost no more than
ten.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from textual.geometry import Size

from lapis_engine.events import describe
from lapis_engine.history import KEPT
from lapis_tui import lines
from lapis_tui.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lapis_engine.events import Event, Logged

MARKS = {
    "ipi": ("→", "symbol"), "accept": ("+", "good"), "refuse": ("x", "bad"),
    "deliver": (">", "good"), "eoi": ("-", "dim"), "init": ("I", "warn"),
    "sipi": ("S", "warn"), "boot": ("~", "warn"), "nmi": ("N", "warn"),
    "nmi-deliver": (">", "warn"), "extint": (">", "good"), "timer": ("t", "good"),
    "exit": ("?", "changed"), "answer": ("=", "changed"), "suspend": ("#", "bad"),
    "oddity": ("!", "warn"), "fault": ("#", "bad"), "exception": ("!", "bad"),
    "halt": ("z", "dim"), "wake": ("^", "dim"), "mode": ("%", "symbol"),
    "apic-mode": ("%", "symbol"),
}  # fmt: skip
"""A glyph and a role for each kind of event."""


def row(logged: Logged, width: int = 0) -> Line:
    """Return one event as a line; below 70 cells its number is left out."""
    event = logged.event
    glyph, role = MARKS.get(event.kind, (" ", "dim"))
    line = Line()
    if not 0 < width < 70:
        line.add(f"{logged.seq:>6} ", "dim")
    line.add(f"{lines.time(logged.at):>12} ", "dim")
    who = event.vcpu
    line.add("    " if who < 0 else f"{who:>3} ", "label")
    line.add(f"{glyph} ", role).add(describe(event), _tone(event))
    return line


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
    return [row(event, width).fit(width) for event in tail]


class EventsPane(LinePane):
    """Scrolls over all events that the machine keeps."""

    follows = True

    def __init__(self) -> None:
        """Start without events."""
        super().__init__("events", id="events")
        self.events: deque[Logged] = deque(maxlen=KEPT)
        self._window: tuple[int, list[Logged]] = (0, [])

    def add(self, events: Iterable[Logged]) -> None:
        """Append events; the view stays at the newest if it was there."""
        at_end, before = self.is_vertical_scroll_end, len(self.events)
        self.events.extend(events)
        self._window = (0, [])
        self.border_subtitle = f"{len(self.events):,}"
        self.virtual_size = Size(self.size.width, len(self.events))
        self.refresh()
        if at_end or before == 0:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def line_at(self, number: int) -> Line | None:
        """Put event `number` of those that are kept into words."""
        if not 0 <= number < len(self.events):
            return None
        return row(self.events[number], self.size.width)
