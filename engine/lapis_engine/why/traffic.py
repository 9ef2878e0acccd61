"""The messages that carried a vector: the last ones in the history, and the ICRs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import icr_text
from lapis_engine.events import (
    Interfered,
    IpiSent,
    MessageSent,
    VectorAccepted,
    VectorRefused,
)
from lapis_engine.units import MASK32
from lapis_engine.vmm import fabric
from lapis_engine.why import destination, fates, history
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm
    from lapis_engine.why.history import History


def sent(machine: Machine, vcpu: Vcpu, it: History) -> Iterator[Reason]:
    """Yield the fate of the last IPI and the last message with it, and the ICRs."""
    known, vm = -1, machine.vm
    ipi = next((e for e in reversed(it.sent) if isinstance(e.event, IpiSent)), None)
    if ipi is not None and isinstance(ipi.event, IpiSent):
        known, about = ipi.event.icr, f"vcpu {ipi.event.vcpu}"
        head = f"the last IPI with it, of vCPU {ipi.event.vcpu} (ICR {known:#x}),"
        met = _interfered(machine, ipi, vcpu.id)
        if met is not None:
            text = f"{head} met a rule: {met.action}: {met.text}"
            yield blocks("interfered", text, about, at=ipi.at)
        else:
            yield from _fate(vm, it, ipi, ipi.event, head, about)
    for logged in reversed(it.sent):
        if isinstance(logged.event, MessageSent):
            source = logged.event.source
            head = f"the last message with it, of {source},"
            yield from _fate(vm, it, logged, logged.event, head, source)
            break
    yield from _icrs(vm, vcpu, it, known)


def _interfered(machine: Machine, ipi: Logged, number: int) -> Interfered | None:
    """Return how a rule kept an IPI from this target."""
    most = 4 * len(machine.vcpus)
    for logged in machine.log.between(ipi.seq + 1, ipi.seq + 1 + most):
        event = logged.event
        if not isinstance(event, (Interfered, VectorAccepted, VectorRefused)):
            return None
        if isinstance(event, Interfered) and event.vcpu == number:
            return event if event.action != "duplicate" else None
    return None


def _fate(
    vm: Vm,
    it: History,
    logged: Logged,
    event: IpiSent | MessageSent,
    head: str,
    about: str,
) -> Iterator[Reason]:
    at = logged.at
    if event.dropped is not None:
        is_absent = event.dropped.code == fabric.ABSENT.code
        rule = fabric.ABSENT.code if is_absent else "dropped"
        tail = _way(vm, it, event) if is_absent else ""
        text = f"{head} was dropped: {event.dropped}{tail} (at {at:,} ns)"
        yield blocks(rule, text, about, at=at)
    elif it.vcpu not in event.targets:
        names = ", ".join(f"vCPU {target}" for target in event.targets)
        text = f"{head} reached {names} at {at:,} ns{_way(vm, it, event)}"
        yield blocks("elsewhere", text, about, at=at)
    elif it.last(VectorRefused, *fates.DELIVERED) is None and at >= it.since:
        text = f"{head} arrived, and is over (at {at:,} ns)"
        yield allows("arrived", text, about, at=at)


def _way(vm: Vm, it: History, event: IpiSent | MessageSent) -> str:
    """Say why this vCPU was not reached, as its APIC is now."""
    if isinstance(event, MessageSent):
        own = destination.ids(vm.vcpus[it.vcpu])
        return f", to {event.destination} (vCPU {it.vcpu} has {own})"
    x2apic = apic_state.mode(vm.vcpus[event.vcpu].apic) == "x2apic"
    ipi = apic_icr.decode(event.icr, x2apic=x2apic, sender=event.vcpu)
    if it.vcpu in fabric.destinations(vm, ipi):
        return ", where it was not to be found then"
    whom = "" if ipi.shorthand != "none" else f", {event.text.rpartition(', ')[2]}"
    return f"{whom} ({_past(vm, it, ipi)}){_high_later(vm, event)}"


def _past(vm: Vm, it: History, ipi: Ipi) -> str:
    """Say by which rule an IPI goes past this vCPU."""
    rule = destination.way(vm, vm.vcpus[it.vcpu], ipi, reached=False)
    if rule.rule != "physical-id":
        return rule.text
    ids = ", ".join(f"{apic_state.apic_id(v.apic):#x}" for v in vm.vcpus)
    return f"the APIC ids are {ids}"


def _high_later(vm: Vm, sent: IpiSent) -> str:
    """Say that the upper half of the ICR was written after the IPI had gone."""
    icr = vm.vcpus[sent.vcpu].apic.icr
    high = icr >> 32
    if icr & MASK32 != sent.icr & MASK32 or high == sent.icr >> 32:
        return ""
    return f"; the upper half of the ICR, {high:#x} now, was written after that"


def _icrs(vm: Vm, vcpu: Vcpu, it: History, known: int) -> Iterator[Reason]:
    """Yield the ICRs that hold it as last written and would not bring it here."""
    for sender in vm.vcpus:
        icr = sender.apic.icr
        x2apic = apic_state.mode(sender.apic) == "x2apic"
        ipi = apic_icr.decode(icr, x2apic=x2apic, sender=sender.id)
        if icr == known or not history.carries(it, ipi.mode, ipi.vector):
            continue
        head = f"the ICR of vCPU {sender.id} ({icr:#x}) names it"
        about, words = f"vcpu {sender.id}", icr_text(icr, x2apic=x2apic)
        why = icr_rules.refusal(ipi, vm.profile)
        reached = () if why is not None else fabric.destinations(vm, ipi)
        if why is not None:
            yield blocks("dropped", f"{head}, but {why}", about, icr=icr)
        elif not reached:
            text = f"{head} and goes to nobody ({words}; {_past(vm, it, ipi)})"
            yield blocks("destination", text, about, icr=icr)
        elif vcpu.id not in reached:
            names = ", ".join(f"vCPU {number}" for number in reached)
            text = f"{head} and goes to {names} ({_past(vm, it, ipi)})"
            yield blocks("elsewhere", text, about, icr=icr)
