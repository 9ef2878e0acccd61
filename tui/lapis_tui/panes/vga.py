"""The guest's screen: the text of its display adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from lapis_engine.devices.vga.screen import Screen
    from lapis_tui.view import View


def render(screen: Screen | None) -> list[Line]:
    """Return the rows of a screen, its cursor marked."""
    if screen is None:
        return [Line(" there is no screen of text: a pc has one", "dim")]
    out = [Line(row) for row in screen.lines]
    if screen.cursor is not None:
        row, column = screen.cursor
        text = screen.lines[row]
        line = Line(text[:column]).add(text[column], "caret")
        out[row] = line.add(text[column + 1 :])
    return out


class VgaPane(LinePane):
    """Shows the text of a VGA."""

    TITLE = "screen vga"
    ABOUT = "What the display adapter of a pc shows while it is in a text mode."

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="vga")

    def update(self, view: View) -> None:
        """Show what is on it."""
        screen = view.now.screen
        self.draw(lambda _size: render(screen))
