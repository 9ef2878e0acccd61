"""The results pane: each command and what it brought, newest last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_tui.view import View

KEPT = 5_000
"""Rows; older ones are dropped."""


def render(line: str, text: str, *, ok: bool) -> list[Line]:
    """Return the rows for one command."""
    rows = [Line(" : ", "dim").add(line, "label")]
    for row in text.splitlines() or [""]:
        body = Line("   " if ok else " ! ", "bad")
        rows.append(body.add(row.expandtabs(), "" if ok else "warn"))
    return rows


class ResultsPane(LinePane):
    """A transcript."""

    TITLE = "commands"
    ABOUT = "The commands that were typed, and what they brought, newest last."
    follows = True

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="results")
        self._rows: list[Line] = []
        self.draw(lambda _size: [Line(" : for a command, F1 for help", "dim")])

    def add(self, rows: Sequence[Line]) -> None:
        """Append rows; what does not fit is shown from its beginning."""
        self._rows = [*self._rows, *rows][-KEPT:]
        self.draw(lambda _size: self._rows)
        if len(rows) > self.size.height:
            top = len(self._rows) - len(rows)
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def update(self, view: View) -> None:
        """Show nothing of it: the transcript grows by `add`."""
