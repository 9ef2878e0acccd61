"""A text over everything else that is scrolled and searched: sheets, and help."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from lapis_sessions.text.numerals import shown
from lapis_tui.blocks.lines import CURSOR, HIT, Line, signed
from lapis_tui.panes.base import LinePane, fixed, plain_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType


def found(lines: Sequence[Line], wanted: str) -> list[int]:
    """Return the rows that have `wanted`, whatever the case of its letters.

    >>> found([Line("one"), Line("two"), Line("tWOfold")], "two")
    [1, 2]
    """
    if not wanted:
        return []
    words = wanted.casefold()
    return [row for row, line in enumerate(lines) if words in line.plain.casefold()]


def marked(
    lines: Sequence[Line], hits: Sequence[int], at: int | None, width: int
) -> list[Line]:
    """Return the rows with the hits marked, and that with number `at` as the cursor."""
    out = list(lines)
    for number, row in enumerate(hits):
        line = signed(lines[row].fit(width), CURSOR if number == at else HIT)
        line.role = "cursor" if number == at else "here"
        out[row] = line
    return out


class SearchedScreen(ModalScreen[None]):
    """A box with a text and a field that is seldom there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("n", "hit(1)", "Next", show=False),
        Binding("N", "hit(-1)", "Previous", show=False),
    ]
    KEYS: str = "/ search   Esc back"
    """Said below the text while nothing is searched for."""

    def __init__(self, title: str, name: str) -> None:
        """Show a text called `title` in a box with the id `name`."""
        super().__init__()
        self._title, self._box = title, name
        self._wanted = ""
        self._hits: list[int] = []
        """Rows that have it."""
        self._at: int | None = None
        """Which of them the last search came to."""

    def rows(self, size: tuple[int, int]) -> Sequence[Line]:
        """Return the text, as wide as there is room."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """A box with the text and the field."""
        with Vertical(id=self._box) as box:
            box.border_title = plain_title(self._title)
            pane = LinePane(self._title, id=f"{self._box}-text")
            pane.add_class("pane")
            yield pane
            yield fixed(f"{self._box}-foot")
            field = Input(placeholder="search", classes="search", compact=True)
            field.display = False
            yield field

    def on_mount(self) -> None:
        """Show the text."""
        self._draw()
        self._say(self.KEYS)
        self._pane.focus()

    @property
    def _pane(self) -> LinePane:
        return self.query_one(f"#{self._box}-text", LinePane)

    def _say(self, text: str) -> None:
        foot = self.query_one(f"#{self._box}-foot", LinePane)
        foot.show([Line(f" {text}", "held")])

    def _draw(self) -> None:
        self._pane.draw(self._marked)

    def _marked(self, size: tuple[int, int]) -> Sequence[Line]:
        lines = self.rows(size)
        self._hits = found(lines, self._wanted)
        if self._at is not None:
            self._at = min(self._at, len(self._hits) - 1) if self._hits else None
        return marked(lines, self._hits, self._at, size[0])

    def action_leave(self) -> None:
        """Leave the field, or the text."""
        field = self.query_one(Input)
        if field.display:
            self._close(field)
        else:
            self.dismiss()

    def _close(self, field: Input) -> None:
        field.display = False
        self._pane.focus()

    def action_search(self) -> None:
        """Ask what to look for."""
        field = self.query_one(Input)
        field.display = True
        field.value = ""
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Mark what is looked for, and go to the next from here; nothing ends it."""
        event.stop()
        self._wanted, self._at = event.value.strip(), None
        self._close(event.input)
        self._draw()
        if not self._wanted:
            self._say(self.KEYS)
            return
        top = round(self._pane.scroll_y)
        after = (n for n, row in enumerate(self._hits) if row >= top)
        self._go(next(after, 0))

    def action_hit(self, by: int) -> None:
        """Go to the next row that is marked, or the one before, round the end."""
        if self._wanted:
            self._go((self._at if self._at is not None else -1) + by)
        else:
            self._say(f"nothing is searched for   {self.KEYS}")

    def _go(self, number: int) -> None:
        count = len(self._hits)
        if not count:
            self._say(f"{shown(self._wanted)} is not in this   {self.KEYS}")
            return
        self._at = number % count
        self._draw()
        row, pane = self._hits[self._at], self._pane
        top, height = round(pane.scroll_y), max(pane.size.height, 1)
        if not top <= row < top + height:
            y = max(row - height // 3, 0)
            pane.scroll_to(y=y, animate=False, immediate=True, force=True)
        self._say(f"{shown(self._wanted)}: {self._at + 1} of {count}   n N   Esc back")
