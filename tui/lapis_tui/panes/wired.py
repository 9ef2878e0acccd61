"""Panes of the devices that interrupt, and of those among them that have lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding

from lapis_tui.panes.keys import KeyHint
from lapis_tui.panes.rows import RowsPane

if TYPE_CHECKING:
    from textual.binding import BindingType

    from lapis_sessions.views.wanted import Wanted

Row = TypeVar("Row")


class DevicePane(RowsPane[Row]):
    """A list of what the devices that interrupt have."""

    def want(self, so_far: Wanted) -> Wanted:
        """Ask for the devices."""
        return replace(so_far, devices=True)


class WiredPane(DevicePane[Row]):
    """A list of lines that can be moved by hand; that is an act of the recording."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "tell", "all of this line, as a sheet", show=False),
        Binding("w", "why", "why its vector is, or is not, delivered", show=False),
        Binding("i", "move('pulse')", "assert this line and let it go", show=False),
        Binding("r", "move('raise')", "assert it once more", show=False),
        Binding("l", "move('lower')", "take one assertion away", show=False),
    ]
    hints = (
        KeyHint("enter", "Enter", "tell"), KeyHint("w", "w", "why"),
        KeyHint("i", "i", "pulse"), KeyHint("e", "e", "event"),
    )  # fmt: skip

    def telling(self, row: Row) -> str:
        """Return the command that tells all of a line."""
        raise NotImplementedError

    def named(self, row: Row) -> str:
        """Return a line as `irq raise` takes it."""
        raise NotImplementedError

    def action_tell(self) -> None:
        """Tell all of the line."""
        if self.chosen is not None:
            self.post_message(self.Sheet(self.telling(self.chosen)))

    def action_move(self, how: str) -> None:
        """Move the line."""
        if self.chosen is not None:
            self.wish(f"irq {how} {self.named(self.chosen)}")
