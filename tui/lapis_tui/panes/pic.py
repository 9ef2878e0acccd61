"""The 8259 pane: both chips line by line, and where their INTR goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.events import ExtIntDelivered
from lapis_sessions.views.pic import LINES, PicLineView
from lapis_tui.blocks import pic_lines
from lapis_tui.panes.wired import WiredPane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.events import Event
    from lapis_sessions.views.snapshot import Snapshot
    from lapis_tui.blocks.lines import Line
    from lapis_tui.view import View


def lines(picture: Snapshot) -> tuple[PicLineView, ...] | None:
    """Return the lines of both chips; None while the picture does not hold them."""
    found = picture.devices
    return None if found is None else tuple(e for c in found.pics for e in c.lines)


class PicPane(WiredPane[PicLineView]):
    """The lines, and the keys that move one."""

    TITLE = "8259s"
    ABOUT = (
        "The two 8259s: their modes, whom INTR reaches through LINT0 and what INTA "
        "would give; then each ISA line: r requested (IRR), s in service, m masked, "
        "who holds it (in brackets what a PC has there), and what stands in its way. "
        "`*` has changed since the stop before. i r l move the line, as an act."
    )
    NOTHING = " this machine has no 8259"

    def __init__(self) -> None:
        """Start empty."""
        super().__init__("pic")

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

    def telling(self, row: PicLineView) -> str:
        """Return the command that tells all of a line."""
        return f"pic {row.irq}"

    def named(self, row: PicLineView) -> str:
        """Return a line as one of ISA's."""
        return f"{row.irq} --isa"

    def action_why(self) -> None:
        """Ask why the vector of the line is where it is, on the selected vCPU."""
        if self.chosen is not None and self._view is not None:
            line = f"irq why {self.chosen.vector:#x} {self._view.selected}"
            self.post_message(self.Sheet(line))
