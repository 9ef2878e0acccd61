"""A sheet: what a command brought, over everything else, to be read at leisure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding

from lapis_tui.blocks.lines import Line, wrapped
from lapis_tui.panes.base import LinePane
from lapis_tui.screens.searched import SearchedScreen

if TYPE_CHECKING:
    from textual.binding import BindingType

SHORT = 4
"""Rows that need no sheet."""
BRIEF: Final = ("why vcpu", "irq why")
"""Commands that tell what is first alone, and the rest with `--all`."""


def in_full(line: str) -> str | None:
    """Return the line that tells all of what `line` tells briefly, or None.

    >>> in_full("why vcpu 1"), in_full("why vcpu 1 --all"), in_full("regs")
    ('why vcpu 1 --all', None, None)
    """
    words = line.split()
    is_brief = " ".join(words[:2]) in BRIEF and "--all" not in words
    return f"{line} --all" if is_brief else None


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
        Binding("a", "in_full", "All of it", show=False),
    ]
    KEYS = "/ search   n N   y copy   Esc back"

    def __init__(self, title: str, text: str) -> None:
        """Show `text`, which the line `title` brought."""
        super().__init__(title, "sheet")
        self._text = text
        self._full = in_full(title)
        """The line that tells all of it."""
        if self._full is not None:
            self.KEYS = f"a all   {self.KEYS}"

    def rows(self, size: tuple[int, int]) -> list[Line]:
        """Return the text, as wide as there is room."""
        return render(self._text, size)

    def action_in_full(self) -> None:
        """Show all of it in place of this, where there is more."""
        if self._full is not None:
            self.dismiss()
            self.app.call_later(self.app.post_message, LinePane.Sheet(self._full))

    def action_copy(self) -> None:
        """Put the whole text on the clipboard."""
        self.app.copy_to_clipboard(self._text)
        self._say("copied")
