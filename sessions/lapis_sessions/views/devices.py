"""Devices of the engine: accesses to them outside `vm_run`, the IOAPIC, the 8259s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.explain import explain
from lapis_sessions.views import events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.devices.ioapic.state import IoapicState
    from lapis_engine.devices.pic.state import PicState
    from lapis_sessions.views.events import EventView


@dataclass(frozen=True, slots=True)
class KernemuView:
    """An access outside `vm_run`, and the events that it caused."""

    vcpu: int
    gpa: int
    bytes: int
    value: int
    events: tuple[EventView, ...] = ()


@dataclass(frozen=True, slots=True)
class PinView:
    """A pin of the IOAPIC."""

    pin: int
    entry: int
    asserted: int
    """How many hold it."""
    text: str
    """The entry in words."""


@dataclass(frozen=True, slots=True)
class IoApicView:
    """The IOAPIC."""

    id: int
    version: int
    pins: tuple[PinView, ...]


@dataclass(frozen=True, slots=True)
class PicView:
    """An 8259."""

    chip: str
    """master or slave."""
    base: int
    irr: int
    isr: int
    imr: int
    elcr: int
    ready: bool


def ioapic(state: IoapicState) -> IoApicView:
    """Return the IOAPIC, pin by pin."""
    pins = tuple(
        PinView(number, pin.entry, pin.count, explain("rte", pin.entry).text)
        for number, pin in enumerate(state.pins)
    )
    return IoApicView(state.id >> 24, state.version, pins)


def pic(state: PicState) -> list[PicView]:
    """Return the two 8259s."""
    return [
        PicView(
            chip=name,
            base=chip.base,
            irr=chip.edges | chip.lines & chip.elcr,
            isr=chip.isr,
            imr=chip.imr,
            elcr=chip.elcr,
            ready=chip.ready,
        )
        for name, chip in (("master", state.master), ("slave", state.slave))
    ]


def kernemu_text(view: KernemuView) -> str:
    """Say what was read or written, and what that caused."""
    head = f"{view.bytes} bytes at {view.gpa:#x} = {view.value:#x}"
    return f"{head}\n{events.text(view.events)}" if view.events else head


def ioapic_text(view: IoApicView) -> str:
    """Return the IOAPIC, one line per pin."""
    head = f"IOAPIC {view.id:#x}, version {view.version:#x}"
    rows = [
        f"{row.pin:>3}  {row.entry:#018x}  asserted {row.asserted}  {row.text}"
        for row in view.pins
    ]
    return "\n".join([head, *rows])


def pic_text(rows: Sequence[PicView]) -> str:
    """Return the two 8259s, one line per chip."""
    return "\n".join(
        f"{r.chip:<6}  base {r.base:#04x}  IRR {r.irr:#04x}  "
        f"ISR {r.isr:#04x}  IMR {r.imr:#04x}  ELCR {r.elcr:#04x}"
        + ("" if r.ready else "  not initialised")
        for r in rows
    )
