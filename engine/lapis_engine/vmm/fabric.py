"""Where what one APIC or device has to say reaches another: the only router.

Transitions return records; this carries each to its targets and writes down what
happened, in a fixed order (targets ascending).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine import explain
from lapis_engine.apic import ipi as apic_ipi
from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.ipi import Ipi
from lapis_engine.devices import device
from lapis_engine.devices.pic import priority as pic
from lapis_engine.events import (
    Event,
    IoapicEnded,
    IpiSent,
    MessageSent,
    NmiReceived,
    Oddity,
    PinChanged,
)
from lapis_engine.vmm import runstate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.devices.device import Signals
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

EXTINT_MODE = 7
"""LVT delivery mode [10:8] of ExtINT."""


def route(vm: Vm, outcome: Iterable[Event | Ipi]) -> None:
    """Log the events of an APIC transition and send the IPIs that it asked for."""
    for item in outcome:
        if isinstance(item, Ipi):
            send(vm, item)
        else:
            vm.note(item)
    vm.timers_moved = True


def send(vm: Vm, ipi: Ipi, source: str = "") -> IpiSent:
    """Carry an IPI to its targets; say what became of it."""
    why = apic_ipi.refusal(ipi, vm.profile)
    targets = () if why else apic_ipi.targets(ipi, [v.apic for v in vm.vcpus])
    if not why and not targets:
        why = "no APIC has that destination"
    text = explain.icr_text(ipi.icr, x2apic=ipi.x2apic)
    sent = IpiSent(ipi.sender, ipi.icr, ipi.mode, text, targets, why)
    vm.note(sent)
    source = source or f"vCPU {ipi.sender}"
    for target in targets:
        _arrive(vm, vm.vcpus[target], ipi, source)
    return sent


def _arrive(vm: Vm, vcpu: Vcpu, ipi: Ipi, source: str) -> None:
    vm.kick = True
    if ipi.mode == "init":
        vm.note(*runstate.inject_init(vcpu, source))
    elif ipi.mode == "sipi":
        vm.note(*runstate.inject_sipi(vcpu, ipi.vector, source))
    elif ipi.mode == "nmi":
        vcpu.nmi_pending = True
        vm.note(NmiReceived(vcpu.id, source))
    elif ipi.mode in {"fixed", "lowest"}:
        # As bhyve: IPIs are edges whatever the ICR says (`lapic_intr_edge`).
        edge = False
        vm.note(priority.accept(vcpu.apic, ipi.vector, edge, f"ipi of {source}"))


def signal(vm: Vm, signals: Signals, source: int) -> None:
    """Carry what a device has to say; `source` is the vCPU that made it, or -1."""
    for item in signals:
        match item:
            case device.Printed():
                vm.consoles.setdefault(item.port, bytearray()).extend(item.data)
            case device.PoweredOff():
                vm.suspend("poweroff", source, item.why, item.code)
            case device.ResetRequested():
                vm.suspend("reset", source, item.why)
            case device.LineChanged():
                if vm.pic is not None:
                    moved = pic.set_line(vm.pic, item.irq, item.asserted)
                    signal(vm, moved, source)
                    vm.timers_moved = True
            case device.ExtIntChanged():
                vm.kick = True
            case device.InterruptMessage():
                message(vm, item)
            case device.Refused():
                pass  # the access becomes INST_EMUL; see `Bus`
            case PinChanged() | IoapicEnded() | Oddity():
                vm.note(item)


def message(vm: Vm, item: device.InterruptMessage) -> MessageSent:
    """Carry an interrupt message of an IOAPIC or a device to its targets."""
    raise NotImplementedError


def extint_pending(vm: Vm, vcpu: Vcpu) -> bool:
    """Tell whether INTR of the 8259 pair reaches this vCPU (the BSP, by LINT0).

    As bhyve: with the APIC disabled by hardware or software LINT0 is plain INTR
    (`vlapic_trigger_lvt`). Not modelled: LINT0 in another delivery mode.
    """
    if vcpu.id or vm.pic is None or not pic.pending(vm.pic):
        return False
    if not apic_state.is_enabled(vcpu.apic):
        return True
    lint0 = vcpu.apic.lvt_lint0
    masked = lint0 & (1 << 16)
    return not masked and (lint0 >> 8) & 7 == EXTINT_MODE
