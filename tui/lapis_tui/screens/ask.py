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
"""Columns of the text."""


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
        text = self._text.splitlines()
        rows = [Line(row) for part in text for row in wrapped(part, WIDTH)]
        keys = Line("y", "strong").add(f" {self._yes}    ").add("n", "strong")
        rows += [Line(), keys.add(f" {self._no}")]
        with Vertical(id="ask") as box:
            box.border_title = plain_title(self._title)
            pane = LinePane(id="ask-text")
            pane.styles.height = len(rows)
            yield pane
        self._rows = rows

    def on_mount(self) -> None:
        """Show the text."""
        pane = self.query_one(LinePane)
        pane.show(self._rows)
        pane.focus()

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001 - a binding passes it
        """Go back with the answer."""
        self.dismiss(yes)
