"""A question that is asked before something is left or lost: y or n, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen

from lapis_tui.blocks.lines import Line, wrapped
from lapis_tui.panes.base import LinePane, plain_title

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

WIDTH = 66
"""Columns of the text, at most."""
MARGIN = 7
"""Columns of the screen that it leaves: its border, what is within it, a scrollbar."""


class AskScreen(ModalScreen[bool]):
    """The question; it returns whether the answer was y."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n,escape", "answer(False)", "No", show=False),
    ]

    def __init__(self, title: str, text: str, yes: str, no: str) -> None:
        """Ask `text`; `yes` and `no` say what the keys do."""
        super().__init__()
        self._title, self._text, self._yes, self._no = title, text, yes, no

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with Vertical(id="ask") as box:
            box.border_title = plain_title(self._title)
            yield LinePane(id="ask-text")

    def on_mount(self) -> None:
        """Show the text."""
        self.query_one(LinePane).focus()

    def on_resize(self) -> None:
        """Break the text for the width that there is."""
        rows = self._rows(max(min(WIDTH, self.size.width - MARGIN), 1))
        pane = self.query_one(LinePane)
        pane.styles.height = len(rows)
        pane.show(rows)

    def _rows(self, width: int) -> list[Line]:
        """Return the text, and the keys: side by side, or one below the other."""
        text = self._text.splitlines()
        rows = [Line(row) for part in text for row in wrapped(part, width)]
        yes = Line("y", "strong").add(f" {self._yes}    ")
        no = Line("n", "strong").add(f" {self._no}")
        fits = yes.width + no.width <= width
        return [*rows, Line(), *([yes.extend(no)] if fits else [yes, no])]

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001 - a binding passes it
        """Go back with the answer."""
        self.dismiss(yes)
