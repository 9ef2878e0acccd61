"""The messages pane: what devices are set up to send, and whom that reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.events import MessageSent
from lapis_sessions.views.messages import MessageRow
from lapis_tui.blocks import message_rows
from lapis_tui.panes.keys import KeyHint
from lapis_tui.panes.wired import DevicePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_engine.events import Event
    from lapis_tui.blocks.lines import Line
    from lapis_tui.view import View


class MsiPane(DevicePane[MessageRow]):
    """The messages, and the key that sends one."""

    TITLE = "MSI"
    ABOUT = (
        "The messages that devices are set up to send: MSI and MSI-X of functions on "
        "PCI and of virtio, and those of an HPET; whom they reach by the APIC ids of "
        "now, and what stands in their way. i sends one by hand, as an act."
    )
    NOTHING = " nothing here sends messages: no function on PCI, and no HPET"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "explain('data')", "its data, field by field", show=False),
        Binding("x", "explain('address')", "its address, field by field", show=False),
        Binding("w", "why", "why its vector is, or is not, delivered", show=False),
        Binding("i", "send", "send it by hand", show=False),
    ]
    hints = (
        KeyHint("enter", "Enter", "explain"), KeyHint("w", "w", "why"),
        KeyHint("i", "i", "send"), KeyHint("e", "e", "event"),
    )  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        super().__init__("msi")

    def rows_of(self, view: View) -> Sequence[MessageRow] | None:
        """Return the messages."""
        return None if view.now.devices is None else view.now.devices.messages

    def heads(self, view: View, width: int) -> list[Line]:  # noqa: ARG002 - the shape of all
        """Return the names of the columns."""
        return message_rows.heading(width)

    def row(self, view: View, number: int, width: int) -> Line:
        """Return a message."""
        now, old = self.rows_of(view), view.before.devices
        assert now is not None, "they are drawn"
        before = {each.name: each for each in old.messages} if old is not None else {}
        was = before.get(now[number].name)
        return message_rows.row(now[number], was, len(view.now.vcpus), width)

    def below(self, view: View, number: int, width: int) -> list[Line]:
        """Return all that is known of a message."""
        now = self.rows_of(view)
        assert now is not None, "they are drawn"
        return message_rows.detail(now[number], width)

    def is_about(self, event: Event, row: MessageRow) -> bool:
        """Tell whether an event is a message of this one."""
        return isinstance(event, MessageSent) and event.source == row.name

    def action_explain(self, what: str) -> None:
        """Explain data or address of the message."""
        it = self.chosen
        if it is not None:
            raw = it.data if what == "data" else it.address
            self.post_message(self.Sheet(f"explain msi-{what} {raw:#x}"))

    def action_why(self) -> None:
        """Ask why the vector of the message is where it is on who has it."""
        it = self.chosen
        if it is not None and self._view is not None:
            there = it.reaches or (self._view.selected,)
            number = self._view.selected if self._view.selected in there else there[0]
            self.post_message(self.Sheet(f"irq why {it.vector:#x} {number}"))

    def action_send(self) -> None:
        """Send the message, as its device would."""
        it = self.chosen
        if it is not None:
            self.wish(f"msi {it.address:#x} {it.data:#x}")
