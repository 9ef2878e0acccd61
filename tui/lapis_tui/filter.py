"""The net under the screen: no character that a terminal obeys leaves in any widget.

Lines of panes are made visible where they are built (`lapis_tui.blocks.lines`). This is
for what widgets of Textual's show, as a line that was pasted into a field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import LineFilter

from lapis_tui.glyphs import in_ascii

if TYPE_CHECKING:
    from textual.color import Color


class Visible(LineFilter):
    """Puts `?` for each cell of what is not printable; widths stay as they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's
        """Return the segments of a line."""
        if all(text.isprintable() for text, _, _ in segments):
            return segments
        return [Segment(_fit(text), style) for text, style, _ in segments]


def _fit(text: str) -> str:
    return "".join(c if c.isprintable() else "?" * cell_len(c) for c in text)


class InAscii(LineFilter):
    """Puts ASCII for each glyph, frames and scrollbars included."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's
        """Return the segments of a line, as wide as they were."""
        if all(text.isascii() for text, _, _ in segments):
            return segments
        return [Segment(in_ascii(text), style) for text, style, _ in segments]


VISIBLE = Visible()
"""The one that there need be."""
IN_ASCII = InAscii()
"""Behind the other one, where the terminal takes no more."""
