"""The results pane: each command and what it brought, newest last.

Rows are as wide as the pane: what is longer goes on below. A cursor stands on a row;
it is searched for, and what a command brought is copied or read as a sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_tui.blocks.lines import CURSOR, Line, signed, wrapped
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from lapis_tui.view import View

KEPT = 5_000
"""Rows of results; older ones are dropped."""
LEAST = 20
"""Cells that a row has, however narrow the pane is."""


@dataclass(frozen=True, slots=True)
class Result:
    """One command, and what it brought."""

    line: str
    text: str
    ok: bool


def render(result: Result, width: int) -> list[Line]:
    """Return the rows for one command."""
    room = max(width - 3, LEAST)
    first, *more = wrapped(result.line, room)
    rows = [Line(" : ", "dim").add(first, "label")]
    rows += [Line("   ").add(piece, "label") for piece in more]
    for row in result.text.splitlines() or [""]:
        for piece in wrapped(row, room):
            body = Line("   " if result.ok else " ! ", "bad")
            rows.append(body.add(piece, "" if result.ok else "warn"))
    return rows


class ResultsPane(LinePane):
    """A transcript."""

    TITLE = "commands"
    ABOUT = (
        "The commands that were typed, and what they brought, newest last. What is "
        "longer than a row goes on in the next one."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "move(-1)", "the row above", show=False),
        Binding("j,down", "move(1)", "the row below", show=False),
        Binding("ctrl+u,pageup", "move_page(-1)", "a page up", show=False),
        Binding("ctrl+d,pagedown", "move_page(1)", "a page down", show=False),
        Binding("g", "move(-1_000_000)", "the first row", show=False),
        Binding("G", "move(1_000_000)", "the last row", show=False),
        Binding("n", "hit(1)", "the next one found", show=False),
        Binding("N", "hit(-1)", "the one found before", show=False),
        Binding("y", "copy", "copy what this command brought", show=False),
    ]
    follows = True

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="results")
        self._results: list[Result] = []
        self._rows: list[Line] = []
        self._of: list[int] = []
        """Number of the result that each row is of, from the first that is kept."""
        self._width = 0
        """Cells that the rows were broken for."""
        self._row = 0
        """Row that the cursor is on."""
        self._wanted = ""
        self.draw(lambda _size: [Line(" : for a command, F1 for help", "dim")])

    def add(self, line: str, text: str, *, ok: bool) -> None:
        """Append a result; one that does not fit is shown from its beginning."""
        self._broken(self.extent)
        self._results.append(Result(line, text, ok))
        self._append(len(self._results) - 1)
        rows = self._of.count(len(self._results) - 1)
        if len(self._rows) > KEPT:
            self._drop()
        self._row = len(self._rows) - rows
        self.draw(self._broken)
        if rows > self.size.height:
            self.scroll_to(y=self._row, animate=False, immediate=True, force=True)

    def update(self, view: View) -> None:
        """Show nothing of it: the transcript grows by `add`."""

    # Rows.

    def _append(self, number: int) -> None:
        rows = render(self._results[number], self._width)
        self._rows += rows
        self._of += [number] * len(rows)

    def _drop(self) -> None:
        """Forget the oldest results, the newest never."""
        first = min(self._of[-KEPT], len(self._results) - 1)
        self._results = self._results[first:]
        self._break(self._width)

    def _broken(self, size: tuple[int, int]) -> list[Line]:
        """Return all rows, broken anew when the pane has another width."""
        if size[0] != self._width:
            at = self._of[self._row] if self._of else None
            self._break(size[0])
            self._row = 0 if at is None else self._of.index(at)
        return self._rows[:]

    def _break(self, width: int) -> None:
        self._width, self._rows, self._of = width, [], []
        for number in range(len(self._results)):
            self._append(number)

    def line_at(self, row: int) -> Line | None:
        """Return a row; the one with the cursor is marked while this has the focus."""
        line = super().line_at(row)
        if line is None or not self._results or row != self._row or not self.has_focus:
            return line
        marked = signed(line.fit(self.extent[0]), CURSOR)
        marked.role = "cursor"
        return marked

    # Keys.

    def _go(self, row: int) -> None:
        """Put the cursor on a row, and that into view."""
        if not self._results:
            return
        old, self._row = self._row, max(0, min(row, len(self._rows) - 1))
        self.refresh_row(old)
        self.refresh_row(self._row)
        top, height = round(self.scroll_y), max(self.size.height, 1)
        if not top <= self._row < top + height:
            y = self._row if self._row < top else self._row - height + 1
            self.scroll_to(y=y, animate=False, immediate=True, force=True)

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self._row + by)

    def action_move_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._go(self._row + by * max(self.size.height - 1, 1))

    def action_search(self) -> None:
        """Ask what to look for."""
        self.post_message(self.Asked("/", self._wanted, self._search))

    def _search(self, text: str) -> str | None:
        self._wanted = text.strip()
        if self._wanted:
            self.call_later(self.action_hit, 1)  # as the pane, for messages to go up
        return None

    def action_hit(self, by: int) -> None:
        """Go to the next row that has what is looked for, or the one before."""
        wanted, count = self._wanted.casefold(), len(self._rows)
        if not wanted:
            self.post_message(self.Hint("nothing is searched for: / asks"))
            return
        for step in range(1, count + 1):
            row = (self._row + by * step) % count
            if wanted in self._rows[row].plain.casefold():
                self._go(row)
                return
        self.post_message(self.Hint(f"! no row has {self._wanted!r}"))

    def action_copy(self) -> None:
        """Copy what the command under the cursor brought, unbroken."""
        if self._results:
            result = self._results[self._of[self._row]]
            self.app.copy_to_clipboard(result.text)
            self.post_message(self.Hint(f"copied what {result.line!r} brought"))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        row = self.row_under(event)
        if row >= 0:
            self._go(row + round(self.scroll_y))
