"""A sheet: what a command brought, over everything else, to be read at leisure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_tui.blocks.lines import Line, wrapped
from lapis_tui.screens.searched import SearchedScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

SHORT = 4
"""Rows that need no sheet."""


def render(text: str, size: tuple[int, int]) -> list[Line]:
    """Return the text in rows as wide as there is room."""
    width, _ = size
    return [
        Line(f" {piece}")
        for row in text.splitlines()
        for piece in wrapped(row, max(width - 2, 10))
    ]


class SheetScreen(SearchedScreen):
    """The sheet: it scrolls, is searched and copied."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "leave", "Back", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]
    KEYS = "/ search   n N   y copy   Esc back"

    def __init__(self, title: str, text: str) -> None:
        """Show `text`."""
        super().__init__(title, "sheet")
        self._text = text

    def rows(self, size: tuple[int, int]) -> list[Line]:
        """Return the text, as wide as there is room."""
        return render(self._text, size)

    def action_copy(self) -> None:
        """Put the whole text on the clipboard."""
        self.app.copy_to_clipboard(self._text)
        self._say("copied")
