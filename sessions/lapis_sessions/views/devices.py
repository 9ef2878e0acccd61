"""The interrupt devices together, and accesses to devices outside `vm_run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.why import holders
from lapis_sessions.views import events, ioapic, messages, pic, timers

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_sessions.views.events import EventView
    from lapis_sessions.views.ioapic import IoApicView
    from lapis_sessions.views.messages import MessageRow
    from lapis_sessions.views.pic import PicView
    from lapis_sessions.views.timers import TimerRow


@dataclass(frozen=True, slots=True)
class KernemuView:
    """An access outside `vm_run`, and the events that it caused."""

    vcpu: int
    gpa: int
    bytes: int
    value: int
    events: tuple[EventView, ...] = ()


@dataclass(frozen=True, slots=True)
class DevicesSnapshot:
    """The devices that interrupt, at one moment; nothing in it is live."""

    ioapic: IoApicView | None
    """None where the machine has none."""
    pics: tuple[PicView, ...]
    """Master and slave, or nothing."""
    timers: tuple[TimerRow, ...]
    messages: tuple[MessageRow, ...]


def of(machine: Machine) -> DevicesSnapshot:
    """Return the devices that interrupt; no device is touched."""
    held = holders.holders(machine)
    return DevicesSnapshot(
        ioapic.of(machine, held),
        pic.of(machine, held),
        timers.of(machine),
        messages.of(machine),
    )


def kernemu_text(view: KernemuView) -> str:
    """Say what was read or written, and what that caused."""
    head = f"{view.bytes} bytes at {view.gpa:#x} = {view.value:#x}"
    return f"{head}\n{events.text(view.events)}" if view.events else head
