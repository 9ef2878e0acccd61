"""The help screen (F1): every key and every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.screen import ModalScreen

from lapis_tui.bindings import INSIDE, KEYS
from lapis_tui.lines import Line
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

Topic = tuple[str, str, str]
"""A command: how it is written, its other names, what it does."""


def render(topics: Sequence[Topic], size: tuple[int, int]) -> list[Line]:
    """Return the whole text; it scrolls where it does not fit."""
    width, _ = size
    out = [_heading("Keys, while no field has the focus")]
    out += [_entry(key.shown, key.help, 12) for key in KEYS]
    out += [Line(), _heading("Keys inside panes and fields")]
    out += [_entry(keys, text, 14) for keys, text in INSIDE]
    out += [Line(), _heading("Commands, after : or /")]
    for usage, aliases, text in topics:
        out += _topic(usage, aliases, text, width)
    out += [Line(), _heading("Marks")]
    out += [_entry(mark, text, 12) for mark, text in MARKS]
    return out


MARKS = (
    ("*rax", "a register that differs from the stop before"),
    ("> address", "the next instruction"),
    ("* address", "a breakpoint"),
    ("IF if", "a flag that is set, one that is clear"),
    ("1 # .", "vectors in a priority class, the classes that PPR holds back, none"),
)
"""What the glyphs in the panes say."""


def _heading(text: str) -> Line:
    return Line(f" {text}", "title")


def _entry(left: str, text: str, column: int) -> Line:
    return Line("   ").add(left, "strong").pad(column + 4).add(text)


def _topic(usage: str, aliases: str, text: str, width: int) -> list[Line]:
    line = Line("   ").add(usage, "strong")
    if aliases:
        line.add(f"  ({aliases})", "dim")
    column = min(42, width // 2)
    rows = []
    if line.width >= column:
        rows.append(line)
        line = Line()
    return [*rows, line.add(" " * (column - line.width)).add(text)]


class HelpScreen(ModalScreen[None]):
    """Help, over everything else."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,q", "dismiss", "Back", show=False)
    ]

    def __init__(self, topics: Sequence[Topic]) -> None:
        """Show `topics` beside the keys."""
        super().__init__()
        self._topics = topics

    def compose(self) -> ComposeResult:
        """One pane, and no more."""
        pane = LinePane("help", id="help")
        pane.border_subtitle = "Esc goes back"
        yield pane

    def on_resize(self) -> None:
        """Set the text for the width."""
        pane = self.query_one(LinePane)
        size = (self.size.width - 8, self.size.height)
        pane.show(render(self._topics, size))
        pane.focus()
