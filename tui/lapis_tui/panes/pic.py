"""The 8259 pane: both chips line by line, and where their INTR goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import ExtIntDelivered
from lapis_sessions.views.pic import LINES, PicLineView
from lapis_tui.blocks import pic_lines
from lapis_tui.panes.keys import KeyHint
from lapis_tui.panes.rows import RowsPane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Event
    from lapis_sessions.views.snapshot import Snapshot
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.blocks.lines import Line
    from lapis_tui.view import View


def lines(picture: Snapshot) -> tuple[PicLineView, ...] | None:
    """Return the lines of both chips; None while the picture does not hold them."""
    found = picture.devices
    return None if found is None else tuple(e for c in found.pics for e in c.lines)


class PicPane(RowsPane[PicLineView]):
    """The lines, and the keys that move one."""

    TITLE = "8259s"
    ABOUT = (
        "The two 8259s: their modes, whom INTR reaches through LINT0 and what INTA "
        "would give; then each ISA line: r requested (IRR), s in service, m masked, "
        "who holds it (in brackets what a PC has there), and what stands in its way. "
        "`*` has changed since the stop before. i r l move the line, as an act."
    )
    NOTHING = " this machine has no 8259"
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

    def __init__(self) -> None:
        """Start empty."""
        super().__init__("pic")

    def want(self, so_far: Wanted) -> Wanted:
        """Ask for the devices."""
        return replace(so_far, devices=True)

    def rows_of(self, view: View) -> Sequence[PicLineView] | None:
        """Return the sixteen lines."""
        return lines(view.now)

    def heads(self, view: View, width: int) -> list[Line]:  # noqa: ARG002 - the shape of all
        """Return the chips, and the names of the columns."""
        found = view.now.devices
        assert found is not None, "its rows are drawn"
        return pic_lines.heading(found.pics, len(view.now.vcpus))

    def row(self, view: View, number: int, width: int) -> Line:  # noqa: ARG002
        """Return a line."""
        now, old = lines(view.now), lines(view.before)
        assert now is not None, "they are drawn"
        return pic_lines.row(now[number], old[number] if old else None)

    def below(self, view: View, number: int, width: int) -> list[Line]:
        """Return all that is known of a line."""
        found = view.now.devices
        assert found is not None, "its rows are drawn"
        chip, pin = divmod(number, LINES)
        return pic_lines.detail(found.pics[chip].lines[pin], found.pics[0], width)

    def is_about(self, event: Event, row: PicLineView) -> bool:
        """Tell whether an event is the delivery of a line's vector."""
        return isinstance(event, ExtIntDelivered) and event.vector == row.vector

    def action_tell(self) -> None:
        """Tell all of the line."""
        if self.chosen is not None:
            self.post_message(self.Sheet(f"pic {self.chosen.irq}"))

    def action_why(self) -> None:
        """Ask why the vector of the line is where it is, on the selected vCPU."""
        if self.chosen is not None and self._view is not None:
            line = f"irq why {self.chosen.vector:#x} {self._view.selected}"
            self.post_message(self.Sheet(line))

    def action_move(self, how: str) -> None:
        """Move the line."""
        if self.chosen is not None:
            self.wish(f"irq {how} {self.chosen.irq} --isa")
