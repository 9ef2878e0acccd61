"""The events pane: what happened, newest last, and below it what is known to come.

Only the rows in view are put into words, so that 65,536 events cost no more than ten.
Which rows there are, filtered and folded, `event_rows` knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import ExceptionRaised, IpiSent
from lapis_engine.explain.events import describe
from lapis_sessions.errors import CommandError
from lapis_tui.blocks import event_filter
from lapis_tui.blocks.event_filter import EVERYTHING
from lapis_tui.blocks.ladder import unusual
from lapis_tui.blocks.lines import CURSOR, NOT_YET, Line, plain, signed, wrapped
from lapis_tui.blocks.marks import MARKS
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.event_rows import EventRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events as textual_events
    from textual.binding import BindingType
    from textual.selection import Selection
    from textual.strip import Strip

    from lapis_engine.events import Event, Logged
    from lapis_tui.blocks.event_filter import EventFilter
    from lapis_tui.view import View

AT_ONCE = 1_000
"""Events that a search looks at in one frame."""
TOLD_AFTER = 8
"""Frames of a search after which it says how far it is."""
MOST_WHOLE = 3
"""Rows at the bottom for an event that is longer than its row."""
IN_WORDS = "  (has not happened yet)"


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


def row(logged: Logged, width: int, *, here: bool, ahead: bool, tail: str = "") -> Line:
    """Return one event as a row of the pane; `here` is the cursor.

    `tail` stands behind it, whatever is cut for that.
    """
    line = words(logged, width)
    if tail:
        line = line if line.width + len(tail) <= width else line.fit(width - len(tail))
        line.add(tail, "label")
    if ahead:
        line = Line(line.plain, "dim")
        if line.width + len(IN_WORDS) <= width:
            line.add(IN_WORDS, "dim")
    line = line.fit(width)
    line = signed(line, NOT_YET, "dim") if ahead else line
    line = signed(line, CURSOR) if here else line
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
        "all hold: vcpu:1, kind:ipi,exit, vector:0x31, a kind, a word, and ! for not. "
        "O folds what repeats into one row that counts it, o opens one and closes it. "
        "Esc breaks off a search. w on an exception tells which rule was broken."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "point(-1)", "the event before", show=False),
        Binding("j,down", "point(1)", "the next event", show=False),
        Binding("ctrl+u,pageup", "point_page(-1)", "a page up", show=False),
        Binding("ctrl+d,pagedown", "point_page(1)", "a page down", show=False),
        Binding("g", "point(-1_000_000)", "the first that is kept", show=False),
        Binding("G", "now", "the last that has happened", show=False),
        Binding("enter", "goto", "go there", show=False),
        Binding("w", "why", "why this fault came", show=False),
        Binding("f", "filter", "show some of them only", show=False),
        Binding("n", "hit(1)", "the next one found", show=False),
        Binding("N", "hit(-1)", "the one found before", show=False),
        Binding("y", "copy", "copy this one", show=False),
        Binding("O", "fold", "fold what repeats, or each in its row", show=False),
        Binding("o", "open", "open what is folded here, or close it", show=False),
        Binding("escape", "break_off", "break off the search", show=False),
    ]
    follows = True

    def __init__(self) -> None:
        """Start without events."""
        super().__init__(self.TITLE, id="events")
        self._told: list[Line] = []
        """The event under the cursor in full, at the bottom, if its row is cut."""
        self._view: View | None = None
        self._rows = EventRows()
        self._wanted = EVERYTHING
        """What is searched for."""
        self._hunted: EventFilter | None = None
        """What a search that goes on looks for."""
        self.draw(lambda _size: [Line(" nothing has happened", "dim")])

    # What is shown.

    def update(self, view: View) -> None:
        """Show the newest, or stay at what is in view; and go to the cursor."""
        before, self._view = self._view, view
        if not view.events and not view.ahead:
            return
        self._make = None
        if self._rows.sift(view):
            self.call_later(self._again)
        count, told = len(self._rows), self._told
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
            self._reveal(self._rows.index(self._cursor))
        elif self._at_end or (before is not None and before.ahead):
            self._to_end()  # what lay ahead is no more: the present is the end

    def _whole(self) -> list[Line]:
        """Return the event under the cursor in rows, if it is longer than its own."""
        width, height = self.extent
        logged = (
            self._rows.at(self._rows.index(self._cursor)) if self.has_focus else None
        )
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

    @property
    def _cursor(self) -> int:
        """Number of the event that the cursor is on."""
        view = self._view
        if view is None:
            return 0
        return view.at if view.at is not None else view.now.events_total - 1

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
        text, view, rows = self.TITLE, self._view, self._rows
        if rows.folds is not None:
            text = f"{text}, folded"
        if rows.filter is not EVERYTHING:
            count = len(view.events) + len(view.ahead) if view is not None else 0
            text = f"{text}  {len(rows):,} of {count:,}: {rows.filter.text}"
        self.call(text)

    def line_at(self, row_: int) -> Line | None:
        """Put a row in view into words."""
        if self._view is None or not len(self._rows):
            return super().line_at(row_)
        logged = self._rows.at(row_)
        if logged is None:
            return None
        is_here = self.has_focus and self._rows.is_at(row_, self._cursor)
        is_ahead = logged.seq >= self._view.now.events_total
        return row(
            logged, self.extent[0], here=is_here, ahead=is_ahead,
            tail=self._tail(logged),
        )  # fmt: skip

    def _tail(self, logged: Logged) -> str:
        """Say how many events a row stands for, or that they are shown."""
        if self._rows.folds is None:
            return ""
        times = self._rows.times(logged)
        if times > 1:
            return f"  ({times:,} times)"
        return "  (open)" if self._rows.is_open(logged) else ""

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text, for the clipboard."""
        rows = (words(e, self.extent[0]) for e in self._rows.everything)
        return selection.extract(plain(rows)), "\n"

    # Keys.

    def action_point(self, by: int) -> None:
        """Move the cursor by so many rows."""
        logged = self._rows.at(
            max(0, min(self._rows.index(self._cursor) + by, len(self._rows) - 1))
        )
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
        if self._view is None or not len(self._rows):
            return
        if self._cursor < 0:
            self.post_message(self.Hint("the cursor is on no event: j goes to one"))
        else:
            self.post_message(self.Wish(f"goto #{self._cursor}"))

    def action_why(self) -> None:
        """Say which rule the fault under the cursor broke, and what came of it."""
        logged = self._rows.at(self._rows.index(self._cursor))
        if logged is None or not isinstance(logged.event, ExceptionRaised):
            self.post_message(self.Hint("the cursor is on no exception: w tells why"))
        else:
            self.post_message(self.Sheet(f"why fault --event {logged.seq}"))

    def action_copy(self) -> None:
        """Copy the event under the cursor."""
        logged = self._rows.at(self._rows.index(self._cursor))
        if logged is not None:
            self.app.copy_to_clipboard(words(logged).plain.strip())
            self.post_message(self.Hint(f"copied event #{logged.seq}"))

    def on_click(self, event: textual_events.Click) -> None:
        """Put the cursor where the mouse is; twice goes there."""
        row = self.row_under(event)
        is_row = 0 <= row < self.size.height - len(self._told)
        logged = self._rows.at(row + round(self.scroll_y)) if is_row else None
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
        self.post_message(self.Asked("f", self._rows.filter.text, self._show_only))

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
            self._rows.only(event_filter.compiled(text) if text else EVERYTHING)
        except CommandError as error:
            return str(error)
        self._again()
        return None

    def action_fold(self) -> None:
        """Fold what repeats, or show each event in its row again."""
        self._rows.fold(on=self._rows.folds is None)
        self._again()

    def action_open(self) -> None:
        """Open what is folded under the cursor, or close it; fold if nothing is."""
        if self._rows.folds is None:
            self.action_fold()
            return
        logged = self._rows.at(self._rows.index(self._cursor))
        if logged is None or not self._rows.toggle(logged.seq):
            self.post_message(self.Hint("nothing is folded here"))
            return
        begin = self._rows.folds.begin_of(logged.seq)
        self.post_message(self.Pointed(begin))

    def action_hit(self, by: int) -> None:
        """Go to the next event that is searched for, or the one before; it wraps."""
        if self._wanted is EVERYTHING:
            self.post_message(self.Hint("nothing is searched for: / asks"))
            return
        self._hunted = self._wanted
        self._hunt(self._wanted, self._cursor, by, 1)

    def _hunt(self, wanted: EventFilter, seq: int, by: int, first: int) -> None:
        """Look from event `seq` on, from row `first` there, a part of them now."""
        if wanted is not self._hunted:
            return  # it was broken off, or another one was begun
        start, count = self._rows.index(seq), len(self._rows)
        for step in range(first, min(first + AT_ONCE, count + 1)):
            logged = self._rows.at((start + by * step) % count)
            if logged is not None and wanted(logged):
                self._hunted = None
                self.post_message(self.Pointed(logged.seq))
                return
        if first + AT_ONCE > count:
            self._hunted = None
            self.post_message(self.Hint(f"! no event has {wanted.text!r}"))
            return
        frames = first // AT_ONCE + 1
        if not frames % TOLD_AFTER:
            share = 100 * first // count
            self.post_message(self.Hint(f"searching: {share}%; Esc breaks it off"))
        self.call_later(self._hunt, wanted, seq, by, first + AT_ONCE)

    def break_off(self) -> bool:
        """Break off a search; tell whether there was one."""
        hunted, self._hunted = self._hunted, None
        if hunted is not None:
            self.post_message(self.Hint(f"{hunted.text!r}: the search was broken off"))
        return hunted is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Esc to the application where nothing is searched for."""
        if action == "break_off":
            return self._hunted is not None
        return super().check_action(action, parameters)

    def action_break_off(self) -> None:
        """Break off the search."""
        self.break_off()
