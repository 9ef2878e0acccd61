"""A sheet: what a command brought, over everything else, to be read at leisure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from lapis_tui.blocks.lines import Line, wrapped
from lapis_tui.panes.base import LinePane, plain_title

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

SHORT = 4
"""Rows that need no sheet."""


def render(text: str, wanted: str, size: tuple[int, int]) -> list[Line]:
    """Return the text in rows as wide as there is room, those with `wanted` marked."""
    width, _ = size
    out = []
    for row in text.splitlines():
        for piece in wrapped(row, max(width - 2, 10)):
            line = Line(f" {piece}")
            if wanted and wanted.casefold() in piece.casefold():
                line.role = "here"
                line = line.fit(width)
            out.append(line)
    return out


class SheetScreen(ModalScreen[None]):
    """The sheet: it scrolls, is searched and copied."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave", "Back", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("n", "hit(1)", "Next", show=False),
        Binding("N", "hit(-1)", "Previous", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]

    def __init__(self, title: str, text: str) -> None:
        """Show `text`."""
        super().__init__()
        self._title, self._text = title, text
        self._wanted = ""

    def compose(self) -> ComposeResult:
        """A box with the text, and a field that is seldom there."""
        with Vertical(id="sheet"):
            pane = LinePane(self._title, id="sheet-text")
            pane.add_class("pane")
            pane.border_subtitle = "/ search   n N   y copy   Esc back"
            yield pane
            field = Input(placeholder="search", id="sheet-search", compact=True)
            field.display = False
            yield field

    def on_mount(self) -> None:
        """Show the text."""
        self._draw()
        self._pane.focus()

    @property
    def _pane(self) -> LinePane:
        return self.query_one(LinePane)

    def _draw(self) -> None:
        self._pane.draw(partial(render, self._text, self._wanted))

    def action_leave(self) -> None:
        """Leave the field, or the sheet."""
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
        """Mark what is looked for, and go to the first."""
        event.stop()
        self._wanted = event.value.strip()
        self._close(event.input)
        self._draw()
        self._pane.scroll_home(animate=False, immediate=True)
        self.action_hit(0)

    def action_hit(self, by: int) -> None:
        """Go to the next row that is marked, or the one before."""
        top = round(self._pane.scroll_y)
        hits = [n for n, line in enumerate(self._pane.lines) if line.role == "here"]
        if by < 0:
            found = [n for n in hits if n < top][-1:] or hits[-1:]
        else:
            found = [n for n in hits if n >= top + by] or hits
        if found:
            self._pane.scroll_to(y=found[0], animate=False, immediate=True)
        elif self._wanted:
            self._pane.border_subtitle = plain_title(f"{self._wanted!r} is not in this")

    def action_copy(self) -> None:
        """Put the whole text on the clipboard."""
        self.app.copy_to_clipboard(self._text)
        self._pane.border_subtitle = "copied"
