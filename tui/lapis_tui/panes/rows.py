"""A pane that is a list: a cursor over its rows, and below it all of the one under it.

The list is drawn about its cursor, so that nothing has to be scrolled to see it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.binding import Binding

from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.listing import listing, room_of, window
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

    from lapis_engine.events import Event
    from lapis_tui.view import View

Row = TypeVar("Row")
LOOKED_AT = 20_000
"""Events that are searched, at most, for one about a row."""


class RowsPane(LinePane, Generic[Row]):
    """A list with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "choose(-1)", "the row above", show=False),
        Binding("j,down", "choose(1)", "the row below", show=False),
        Binding("ctrl+u,pageup", "choose_page(-1)", "a page up", show=False),
        Binding("ctrl+d,pagedown", "choose_page(1)", "a page down", show=False),
        Binding("g", "choose(-1_000_000)", "the first row", show=False),
        Binding("G", "choose(1_000_000)", "the last row", show=False),
        Binding("e", "event(-1)", "the cursor to the last event about this, and on "
            "to the one before", show=False),
        Binding("E", "event(1)", "to the next event about this", show=False),
    ]  # fmt: skip
    NOTHING: ClassVar[str] = " nothing here"
    """What is said where there is no row."""

    def __init__(self, name: str) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id=name)
        self._view: View | None = None
        self.at = 0
        """Row under the cursor."""
        self._is_moved = False
        """The user has moved it."""
        self._page = 1
        self._first_row = 0
        """Line of the pane at which the list begins."""
        self._first = 0
        """Number of the first row in view."""

    # What a pane of rows says of itself.

    def rows_of(self, view: View) -> Sequence[Row] | None:
        """Return the rows; None while the pictures do not hold them."""
        raise NotImplementedError

    def heads(self, view: View, width: int) -> list[Line]:
        """Return what stands above the list."""
        raise NotImplementedError

    def row(self, view: View, number: int, width: int) -> Line:
        """Return one row."""
        raise NotImplementedError

    def below(self, view: View, number: int, width: int) -> list[Line]:
        """Return all that is known of one row."""
        raise NotImplementedError

    def first(self, rows: Sequence[Row]) -> int:  # noqa: ARG002 - a pane may have no other
        """Return the row that the cursor is on until the user moves it."""
        return 0

    def is_about(self, event: Event, row: Row) -> bool:  # noqa: ARG002 - a pane may know none
        """Tell whether an event is about a row."""
        return False

    # What it does with that.

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.draw(partial(self._listed, view))

    def _listed(self, view: View, size: tuple[int, int]) -> list[Line]:
        width, height = size
        rows = self.rows_of(view)
        if rows is None:
            return [Line(" not looked at yet", "dim")]
        if not rows:
            return [Line(self.NOTHING, "dim").fit(width)]
        if not self._is_moved:
            self.at = self.first(rows)
        self.at = max(0, min(self.at, len(rows) - 1))
        heads, below = self.heads(view, width), self.below(view, self.at, width)
        room = room_of(height, len(heads), len(below))
        shown = window(len(rows), self.at, room)
        self._page, self._first_row, self._first = len(shown), len(heads), shown.start
        make = partial(self.row, view, width=width)
        return listing(heads, len(rows), make, self.at, below, size)

    @property
    def chosen(self) -> Row | None:
        """What is under the cursor."""
        rows = None if self._view is None else self.rows_of(self._view)
        return rows[self.at] if rows and self.at < len(rows) else None

    def action_choose(self, by: int) -> None:
        """Move the cursor."""
        self._is_moved = True
        self.at = max(self.at + by, 0)
        if self._view is not None:
            self.update(self._view)

    def action_choose_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self.action_choose(by * max(self._page - 1, 1))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked."""
        number = self.row_under(event) - self._first_row
        if 0 <= number < self._page:
            self.action_choose(self._first + number - self.at)

    def action_event(self, way: int) -> None:
        """Put the cursor that all panes share on an event about this row."""
        view, row = self._view, self.chosen
        if view is None or row is None:
            return
        at = view.at if view.at is not None else view.now.events_total
        here = view.events.index_of(at)
        known = (
            reversed(view.events[max(here - LOOKED_AT, 0) : here])
            if way < 0
            else view.events[here + 1 : here + LOOKED_AT]
        )
        found = (each.seq for each in known if self.is_about(each.event, row))
        seq = next(found, None)
        if seq is None:
            where = "before" if way < 0 else "after"
            self.post_message(self.Hint(f"no event {where} the cursor is about this"))
        else:
            self.post_message(self.Pointed(seq))

    def wish(self, line: str) -> None:
        """Ask for a command whose effect is to be told."""
        self.post_message(self.Wish(line, quiet=False))
