"""The events pane: what happened, newest last, and below it what is known to come.

Only the rows in view are put into words, so that 65,536 events cost no more than ten;
a filter looks at each event once, a part of them a frame.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import IpiSent
from lapis_engine.explain.events import describe
from lapis_sessions.errors import CommandError
from lapis_tui.blocks import event_filter
from lapis_tui.blocks.event_filter import EVERYTHING, EventFilter
from lapis_tui.blocks.ladder import unusual
from lapis_tui.blocks.lines import Line, plain, wrapped
from lapis_tui.blocks.marks import MARKS
from lapis_tui.panes.base import LinePane
from lapis_tui.past import Past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events as textual_events
    from textual.binding import BindingType
    from textual.selection import Selection
    from textual.strip import Strip

    from lapis_engine.events import Event, Logged
    from lapis_tui.view import View

AT_ONCE = 1_000
"""Events that a filter or a search looks at in one frame."""
MOST_LATER = 4_000
"""Events ahead that a filter looks at."""
MOST_WHOLE = 3
"""Rows at the bottom for an event that is longer than its row."""
NOT_YET = "  (has not happened yet)"


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


def row(logged: Logged, width: int, *, here: bool, ahead: bool) -> Line:
    """Return one event as a row of the pane; `here` is the cursor."""
    line = words(logged, width)
    if ahead:
        line = Line(line.plain, "dim")
        if line.width + len(NOT_YET) <= width:
            line.add(NOT_YET, "dim")
    line = line.fit(width)
    line.role = "cursor" if here else ""
    return line


def render(events: Sequence[Logged], size: tuple[int, int]) -> list[Line]:
    """Return the last events that fit."""
    width, height = size
    tail = list(events)[-height:] if height else []
    return [words(event, width).fit(width) for event in tail]


class EventsPane(LinePane):
    """Scrolls over all events that are known, with a cursor, a search and a filter."""

    TITLE = "events, us"
    ABOUT = (
        "What happened: number, virtual time in us, vCPU, and what it was; dim is what "
        "is known to come. The last 65,536 are kept. A filter is made of terms that "
        "all hold: vcpu:1, kind:ipi,exit, vector:0x31, a kind, a word, and ! for not."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "point(-1)", "the event before", show=False),
        Binding("j,down", "point(1)", "the next event", show=False),
        Binding("ctrl+u,pageup", "point_page(-1)", "a page up", show=False),
        Binding("ctrl+d,pagedown", "point_page(1)", "a page down", show=False),
        Binding("g", "point(-1_000_000)", "the first that is kept", show=False),
        Binding("G", "now", "the last that has happened", show=False),
        Binding("enter", "goto", "go there", show=False),
        Binding("f", "filter", "show some of them only", show=False),
        Binding("n", "hit(1)", "the next one found", show=False),
        Binding("N", "hit(-1)", "the one found before", show=False),
        Binding("y", "copy", "copy this one", show=False),
    ]
    follows = True

    def __init__(self) -> None:
        """Start without events."""
        super().__init__(self.TITLE, id="events")
        self._told: list[Line] = []
        """The event under the cursor in full, at the bottom, if its row is cut."""
        self._view: View | None = None
        self._past = Past()
        self._filter = EVERYTHING
        self._found: list[Logged] = []
        """Those of the past that the filter shows, as far as it has looked."""
        self._looked = 0
        """Number of the event that the filter looks at next."""
        self._generation = 0
        self._later: Sequence[Logged] = ()
        """Those ahead that the filter shows."""
        self._later_of: object = None
        self._wanted = EVERYTHING
        """What is searched for."""
        self.draw(lambda _size: [Line(" nothing has happened", "dim")])

    # What is shown.

    def update(self, view: View) -> None:
        """Show the newest, or stay at what is in view; and go to the cursor."""
        before, self._view = self._view, view
        self._past = view.events
        if not view.events and not view.ahead:
            return
        self._make = None
        self._sift(view)
        count, told = self._count, self._told
        self._told = self._whole()
        height = count + len(self._told)
        if height != self.virtual_size.height or before is None:
            self.resize_content(self.size.width, height)
        else:
            self.refresh()
        self._title()
        is_moved = before is None or before.at != view.at or bool(view.ahead)
        is_moved |= len(told) != len(self._told)
        if is_moved and count:
            self._reveal(self._index(self._cursor))
        elif self._at_end:
            self._to_end()

    def _whole(self) -> list[Line]:
        """Return the event under the cursor in rows, if it is longer than its own."""
        width, height = self.extent
        logged = self._at(self._index(self._cursor)) if self.has_focus else None
        if logged is None or words(logged, width).width <= width:
            return []
        pieces = wrapped(_text(logged.event), max(width - 4, 1))
        most = min(MOST_WHOLE, height - 1)
        return [Line("    ").add(piece, "strong") for piece in pieces[:most]]

    def on_focus(self) -> None:
        """Show the event under the cursor in full."""
        self._again()

    def on_blur(self) -> None:
        """Show events only."""
        self._again()

    def on_resize(self) -> None:
        """Break the event under the cursor for another width."""
        self._again()

    def _again(self) -> None:
        if self._view is not None:
            self.update(self._view)

    def render_line(self, y: int) -> Strip:
        """Paint a row: the last ones are those of the event under the cursor."""
        at = y - self.size.height + len(self._told)
        if at < 0 or not self._told:
            return super().render_line(y)
        return self.strip_of(self._told[at], self.size.width)

    def _sift(self, view: View) -> None:
        """Let the filter look at what has come, a part of it now."""
        if self._filter is EVERYTHING:
            self._later = view.ahead
            return
        if self._generation != view.events.generation:
            self._generation = view.events.generation
            self._found, self._looked = [], 0
        at = view.events.index_of(self._looked)
        some = view.events[at : at + AT_ONCE]
        self._found += [each for each in some if self._filter(each)]
        if some:
            self._looked = some[-1].seq + 1
        if self._later_of is not view.ahead:
            self._later_of = view.ahead
            self._later = [e for e in view.ahead[:MOST_LATER] if self._filter(e)]
        if at + AT_ONCE < len(view.events):
            self.call_later(self._again)

    @property
    def _shown(self) -> Sequence[Logged]:
        return self._past if self._filter is EVERYTHING else self._found

    @property
    def _count(self) -> int:
        return len(self._shown) + len(self._later)

    def _at(self, index: int) -> Logged | None:
        shown = self._shown
        if 0 <= index < len(shown):
            return shown[index]
        index -= len(shown)
        return self._later[index] if 0 <= index < len(self._later) else None

    @property
    def _cursor(self) -> int:
        """Number of the event that the cursor is on."""
        view = self._view
        if view is None:
            return 0
        return view.at if view.at is not None else view.now.events_total - 1

    def _index(self, seq: int) -> int:
        """Return the row of the last event up to number `seq`."""
        shown, later = self._shown, self._later
        index = bisect_right(shown, seq, key=lambda each: each.seq)
        if index == len(shown):
            index += bisect_right(later, seq, key=lambda each: each.seq)
        return max(index - 1, 0)

    def _reveal(self, index: int) -> None:
        """Scroll as little as brings a row into view, with what comes after it."""
        height = max(self.size.height - len(self._told), 1)
        top = round(self.scroll_y)
        if index < top:
            top = index
        elif index >= top + height:
            top = index - height + 1
        else:
            return
        self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def _title(self) -> None:
        text = self.TITLE
        if self._filter is not EVERYTHING:
            count = len(self._past) + len(self._view.ahead if self._view else ())
            text = f"{text}  {self._count:,} of {count:,}: {self._filter.text}"
        self.call(text)

    def line_at(self, row_: int) -> Line | None:
        """Put a row in view into words."""
        if self._view is None or not self._count:
            return super().line_at(row_)
        logged = self._at(row_)
        if logged is None:
            return None
        is_here = row_ == self._index(self._cursor) and self.has_focus
        is_ahead = logged.seq >= self._view.now.events_total
        return row(logged, self.extent[0], here=is_here, ahead=is_ahead)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text, for the clipboard."""
        both = (*self._shown, *self._later)
        return selection.extract(plain(words(e, self.extent[0]) for e in both)), "\n"

    # Keys.

    def action_point(self, by: int) -> None:
        """Move the cursor by so many rows."""
        logged = self._at(max(0, min(self._index(self._cursor) + by, self._count - 1)))
        if logged is not None:
            self.post_message(self.Pointed(logged.seq))

    def action_point_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self.action_point(by * max(self.size.height - 1, 1))

    def action_now(self) -> None:
        """Put the cursor on the last that has happened."""
        self.post_message(self.Pointed(None))

    def action_goto(self) -> None:
        """Go to the event under the cursor."""
        if self._view is None or not self._count:
            return
        if self._cursor < 0:
            self.post_message(self.Hint("the cursor is on no event: j goes to one"))
        else:
            self.post_message(self.Wish(f"goto #{self._cursor}"))

    def action_copy(self) -> None:
        """Copy the event under the cursor."""
        logged = self._at(self._index(self._cursor))
        if logged is not None:
            self.app.copy_to_clipboard(words(logged).plain.strip())
            self.post_message(self.Hint(f"copied event #{logged.seq}"))

    def on_click(self, event: textual_events.Click) -> None:
        """Put the cursor where the mouse is; twice goes there."""
        is_whole = event.y >= self.size.height - len(self._told)
        logged = None if is_whole else self._at(event.y + round(self.scroll_y))
        if logged is None:
            return
        self.post_message(self.Pointed(logged.seq))
        if event.chain > 1:
            self.post_message(self.Wish(f"goto #{logged.seq}"))

    # Search and filter.

    def action_search(self) -> None:
        """Ask what to search for."""
        self.post_message(self.Asked("/", self._wanted.text, self._search))

    def action_filter(self) -> None:
        """Ask what to show."""
        self.post_message(self.Asked("f", self._filter.text, self._show_only))

    def _search(self, text: str) -> str | None:
        try:
            self._wanted = event_filter.compiled(text) if text else EVERYTHING
        except CommandError as error:
            return str(error)
        if text:
            self.call_later(self.action_hit, 1)  # as the pane, for messages to go up
        return None

    def _show_only(self, text: str) -> str | None:
        try:
            self._filter = event_filter.compiled(text) if text else EVERYTHING
        except CommandError as error:
            return str(error)
        self._found, self._looked, self._later_of = [], 0, None
        if self._view is not None:
            self.update(self._view)
        return None

    def action_hit(self, by: int) -> None:
        """Go to the next event that is searched for, or the one before; it wraps."""
        if self._wanted is EVERYTHING:
            self.post_message(self.Hint("nothing is searched for: / asks"))
        else:
            self._hunt(self._wanted, self._cursor, by, 1)

    def _hunt(self, wanted: EventFilter, seq: int, by: int, first: int) -> None:
        """Look from event `seq` on, from row `first` there, a part of them now."""
        start, count = self._index(seq), self._count
        for step in range(first, min(first + AT_ONCE, count + 1)):
            logged = self._at((start + by * step) % count)
            if logged is not None and wanted(logged):
                self.post_message(self.Pointed(logged.seq))
                return
        if first + AT_ONCE <= count and wanted is self._wanted:
            self.call_later(self._hunt, wanted, seq, by, first + AT_ONCE)
        else:
            self.post_message(self.Hint(f"! no event has {wanted.text!r}"))
