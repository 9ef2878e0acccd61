"""A pane of a plug-in: the rows that the plug-in made, or why it makes none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import Line, wrapped
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.extensions import Pane, Row

PREFIX = "plugged-"


def render(rows: Sequence[Row]) -> list[Line]:
    """Return the rows as lines."""
    out = []
    for row in rows:
        line = Line(" ")
        for text, role in row:
            line.add(text, role)
        out.append(line)
    return out


class PluggedPane(LinePane):
    """Shows what it is given."""

    TITLE = "pane of a plug-in"
    ABOUT = (
        "What a plug-in makes of the present moment, row by row. What it is about its "
        "own documents say; one that fails says why in its place."
    )

    def __init__(self, pane: Pane, number: int) -> None:
        """Start empty; `number` makes an id of it, which a name may not be."""
        super().__init__(pane.title, id=f"{PREFIX}{number}")
        self.pane = pane

    def paint(self, rows: Sequence[Row]) -> None:
        """Show what the plug-in made."""
        self.show(render(rows))

    def give_up(self, why: str) -> None:
        """Show why there is nothing."""
        self.draw(partial(_reason, why))


def _reason(why: str, size: tuple[int, int]) -> list[Line]:
    rows = wrapped(why, max(size[0] - 1, 1))
    return [Line(f" {row}", "warn") for row in rows]
