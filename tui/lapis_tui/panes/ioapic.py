"""The IOAPIC pane: pin by pin, who holds it, whom it reaches, what bars it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import IoapicEnded, MessageSent, PinChanged
from lapis_sessions.views.ioapic import PinView, rises
from lapis_tui.blocks import pins
from lapis_tui.panes.wired import WiredPane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Event
    from lapis_tui.blocks.lines import Line
    from lapis_tui.view import View


class IoapicPane(WiredPane[PinView]):
    """The pins, and the keys that move one."""

    TITLE = "IOAPIC"
    ABOUT = (
        "Each pin with its redirection entry, the level of its line and who holds it "
        "(in brackets what a PC has there; others are you, or a plug-in), whom the "
        "message reaches by the APIC ids "
        "of now, and what stands in its way: masked, waits for EOI (remote IRR), "
        "nobody there, refused. `*` has changed since the stop before. i r l move the "
        "line, which is recorded as an act."
    )
    NOTHING = " this machine has no IOAPIC"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "explain", "its entry, field by field", show=False),
    ]

    def __init__(self) -> None:
        """Start empty."""
        super().__init__("ioapic")
        self._rose: dict[int, int] = {}
        self._counted: tuple[int, int] = (-1, 0)
        """Generation of the events that were counted, and the number of the next."""

    def update(self, view: View) -> None:
        """Show `view`."""
        self._count(view)
        super().update(view)

    def _count(self, view: View) -> None:
        """Count the rises that have come, or all of them again."""
        generation, seq = self._counted
        if generation != view.events.generation:
            self._rose, seq = {}, 0
        for pin, count in rises(view.events.since(seq)).items():
            self._rose[pin] = self._rose.get(pin, 0) + count
        self._counted = view.events.generation, max(view.events.next_seq, seq)

    def rows_of(self, view: View) -> Sequence[PinView] | None:
        """Return the pins."""
        found = view.now.devices
        if found is None:
            return None
        return () if found.ioapic is None else found.ioapic.pins

    def first(self, rows: Sequence[PinView]) -> int:
        """Return the first pin that is not masked."""
        return next((pin.pin for pin in rows if not pin.masked), 0)

    def heads(self, view: View, width: int) -> list[Line]:
        """Return which IOAPIC it is, and the names of the columns."""
        found = view.now.devices
        assert found is not None, "its rows are drawn"
        assert found.ioapic is not None, "its rows are drawn"
        return pins.heading(found.ioapic, width)

    def row(self, view: View, number: int, width: int) -> Line:
        """Return a pin."""
        rows = self.rows_of(view)
        assert rows is not None, "they are drawn"
        old = view.before.devices
        before = None
        if old is not None and old.ioapic is not None:
            before = old.ioapic.pins[number]
        rose, cpus = self._rose.get(number, 0), len(view.now.vcpus)
        return pins.row(rows[number], before, rose, cpus, width)

    def below(self, view: View, number: int, width: int) -> list[Line]:
        """Return all that is known of a pin."""
        rows = self.rows_of(view)
        assert rows is not None, "they are drawn"
        return pins.detail(rows[number], self._rose.get(number, 0), width)

    def is_about(self, event: Event, row: PinView) -> bool:
        """Tell whether an event is about a pin."""
        if isinstance(event, PinChanged | IoapicEnded):
            return event.pin == row.pin
        return (
            isinstance(event, MessageSent) and event.source == f"ioapic pin {row.pin}"
        )

    def telling(self, row: PinView) -> str:
        """Return the command that tells all of a pin."""
        return f"ioapic {row.pin}"

    def named(self, row: PinView) -> str:
        """Return the number of a pin."""
        return f"{row.pin}"

    def action_explain(self) -> None:
        """Explain the entry of the pin."""
        pin = self.chosen
        if pin is not None:
            self.post_message(self.Sheet(f"explain rte {pin.entry:#x}"))

    def action_why(self) -> None:
        """Ask why the vector of the pin is where it is on who has it."""
        pin = self.chosen
        if pin is None or self._view is None:
            return
        if pin.mode not in pins.NAMED:
            self.post_message(self.Hint(f"{pin.mode} has no vector: Enter tells of it"))
            return
        there = pin.reaches or (self._view.selected,)
        number = self._view.selected if self._view.selected in there else there[0]
        self.post_message(self.Sheet(f"irq why {pin.vector:#x} {number}"))
