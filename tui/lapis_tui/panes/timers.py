"""The timers pane: every timer of the machine, and when it is next due."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import TimerArmed, TimerFired
from lapis_sessions.views.timers import TimerRow
from lapis_tui.blocks import timer_rows
from lapis_tui.panes.keys import KeyHint
from lapis_tui.panes.wired import DevicePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Event
    from lapis_tui.blocks.lines import Line
    from lapis_tui.view import View


class TimersPane(DevicePane[TimerRow]):
    """The timers."""

    TITLE = "timers"
    ABOUT = (
        "Every timer: 8254, RTC, HPET, ACPI, each local APIC's, and what other devices "
        "wait for, with the virtual time that is left, or why nothing comes; in "
        "brackets it is due but nobody hears of it. `*` was set anew since the stop "
        "before. Enter shows where it goes; w says of an APIC's timer why its vector "
        "comes or does not, and which write stopped it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "tell", "where it goes, as a sheet", show=False),
        Binding(
            "w", "why", "why the vector of an APIC's timer comes or not", show=False
        ),
    ]
    hints = (
        KeyHint("enter", "Enter", "tell"), KeyHint("w", "w", "why"),
        KeyHint("e", "e", "event"),
    )  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        super().__init__("timers")

    def rows_of(self, view: View) -> Sequence[TimerRow] | None:
        """Return the timers."""
        return None if view.now.devices is None else view.now.devices.timers

    def heads(self, view: View, width: int) -> list[Line]:  # noqa: ARG002 - the shape of all
        """Return the names of the columns."""
        return timer_rows.heading(width)

    def row(self, view: View, number: int, width: int) -> Line:
        """Return a timer."""
        now, old = self.rows_of(view), view.before.devices
        assert now is not None, "they are drawn"
        before = old.timers if old is not None else ()
        was = before[number] if number < len(before) else None
        return timer_rows.row(now[number], was, width)

    def below(self, view: View, number: int, width: int) -> list[Line]:
        """Return all that is known of a timer."""
        now = self.rows_of(view)
        assert now is not None, "they are drawn"
        return timer_rows.detail(now[number], width)

    def is_about(self, event: Event, row: TimerRow) -> bool:
        """Tell whether an event is about the timer of a local APIC."""
        return isinstance(event, TimerArmed | TimerFired) and event.vcpu == row.to.vcpu

    def action_tell(self) -> None:
        """Show what the timer moves."""
        it = self.chosen
        if it is None:
            return
        ways = (("pic", it.to.isa), ("ioapic", it.to.pin), ("apic", it.to.vcpu))
        line = next((f"{cmd} {n}" for cmd, n in ways if n is not None), "timers")
        self.post_message(self.Sheet(line))

    def action_why(self) -> None:
        """Ask why the vector of a local APIC's timer is, or is not, delivered."""
        it = self.chosen
        if it is None:
            return
        if it.to.vcpu is None:
            self.post_message(self.Hint(f"{it.name} has no vector: Enter tells of it"))
            return
        vector = it.raw & 0xFF
        self.post_message(self.Sheet(f"irq why {vector:#x} {it.to.vcpu}"))
