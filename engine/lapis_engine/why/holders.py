"""Who holds which interrupt line up, as far as the devices themselves tell.

A line counts its holders and knows none by name (`devices.wired`). What is counted
beyond those named here is the user's, or of a plug-in's device that tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lapis_engine.devices.device import GsiChanged, IntxChanged, LineChanged
from lapis_engine.devices.hpet import lines as hpet_lines
from lapis_engine.devices.hpet.state import HpetState
from lapis_engine.devices.piix3 import routing
from lapis_engine.devices.piix3.state import Piix3State
from lapis_engine.vmm import fabric

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device, Wire
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vm import Vm

INTR = "8259 INTR"
"""Holder of pin 0: the output of the 8259 pair."""


@dataclass(frozen=True, slots=True)
class Holders:
    """Names of devices, by what they hold up."""

    lines: dict[int, list[str]] = field(default_factory=dict)
    """By ISA line."""
    pins: dict[int, list[str]] = field(default_factory=dict)
    """By input of the IOAPIC; those that hold its ISA line are among them."""


def holders(machine: Machine) -> Holders:
    """Return who holds what now."""
    vm, out = machine.vm, Holders()
    for device in vm.devices:
        if device.holds is not None:
            for wire in device.holds(device.state):
                _note(vm, out, device, wire)
    if vm.pic is not None and vm.pic.intr:
        out.pins.setdefault(0, []).append(INTR)
    return out


def _note(vm: Vm, out: Holders, device: Device, wire: Wire) -> None:
    match wire:
        case LineChanged() if not wire.is_final and _is_displaced(vm, wire.irq):
            pass
        case LineChanged() if isinstance(device.state, Piix3State):
            pass  # told by those who assert the pins that it leads there
        case LineChanged():
            _hold(out, wire.irq, device.name)
        case GsiChanged():
            out.pins.setdefault(wire.pin, []).append(device.name)
        case IntxChanged() if vm.pirq is not None:
            _intx(vm.pirq, out, device.name, wire)


def _is_displaced(vm: Vm, irq: int) -> bool:
    """Tell whether an HPET has the line instead."""
    if irq not in fabric.DISPLACED or vm.hpet is None:
        return False
    state = vm.hpet.state
    return isinstance(state, HpetState) and hpet_lines.is_displacing(state)


def _intx(between: Device, out: Holders, name: str, wire: IntxChanged) -> None:
    """Note the holder of an interrupt pin of PCI at the line that it is led to."""
    if not isinstance(between.state, Piix3State):
        return
    number = routing.pirq(wire.slot, wire.pin)
    irq = between.state.held[number]
    if irq is not None:
        _hold(out, irq, f"{name} by PIRQ{'ABCD'[number]}#")


def _hold(out: Holders, irq: int, name: str) -> None:
    out.lines.setdefault(irq, []).append(name)
    pin = fabric.pin_of(irq)
    if pin is not None:
        out.pins.setdefault(pin, []).append(name)
