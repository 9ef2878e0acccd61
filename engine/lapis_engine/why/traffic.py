"""The messages that carried a vector: the last ones in the history, and the ICRs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import icr_text
from lapis_engine.apic.regs import VECTORED
from lapis_engine.events import (
    Interfered,
    IpiSent,
    MessageSent,
    VectorAccepted,
    VectorRefused,
)
from lapis_engine.machine.log import KEPT
from lapis_engine.vmm import fabric
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.events import Event
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def sent(machine: Machine, vcpu: Vcpu, vector: int, *, nmi: bool) -> Iterator[Reason]:
    """Yield the fate of the last IPI and the last message with it, and the ICRs."""
    history = [logged.event for logged in machine.log.last(KEPT)]
    history.reverse()
    refused = _refused(history, vcpu.id, vector)
    if refused is not None:
        text = f"it was refused when it came from {refused.source}: {refused.why}"
        yield blocks("refused", text, vector=vector)
    known = -1
    for at, event in enumerate(history):
        if isinstance(event, IpiSent) and _carries(
            event.mode, event.icr & 0xFF, vector, nmi=nmi
        ):
            head = f"the last IPI with it, of vCPU {event.vcpu} (ICR {event.icr:#x}),"
            known, about = event.icr, f"vcpu {event.vcpu}"
            met = _interfered(history[at - 1 :: -1] if at else [], vcpu.id)
            if met is not None:
                text = f"{head} met a rule: {met.action}: {met.text}"
                yield blocks("interfered", text, about)
            else:
                yield from _fate(head, about, event, vcpu.id, refused)
            break
    for event in history:
        if isinstance(event, MessageSent) and _carries(
            event.mode, event.vector, vector, nmi=nmi
        ):
            head = f"the last message with it, of {event.source},"
            yield from _fate(head, event.source, event, vcpu.id, refused)
            break
    yield from _icrs(machine.vm, vcpu, vector, known, nmi=nmi)


def _carries(mode: str, carried: int, vector: int, *, nmi: bool) -> bool:
    return mode == "nmi" if nmi else mode in VECTORED and carried == vector


def _interfered(later: list[Event], number: int) -> Interfered | None:
    """Return how a rule kept an IPI from this target; `later` begins after it."""
    for event in later:
        if not isinstance(event, (Interfered, VectorAccepted, VectorRefused)):
            return None
        if isinstance(event, Interfered) and event.vcpu == number:
            return event if event.action != "duplicate" else None
    return None


def _refused(history: list[Event], number: int, vector: int) -> VectorRefused | None:
    """Return the refusal of the vector, if nothing was accepted after it."""
    kinds = (VectorAccepted, VectorRefused)
    for event in history:
        if isinstance(event, kinds) and (event.vcpu, event.vector) == (number, vector):
            return event if isinstance(event, VectorRefused) else None
    return None


def _fate(
    head: str,
    about: str,
    event: IpiSent | MessageSent,
    number: int,
    refused: VectorRefused | None,
) -> Iterator[Reason]:
    if event.dropped is not None:
        is_absent = event.dropped.code == fabric.ABSENT.code
        rule = fabric.ABSENT.code if is_absent else "dropped"
        yield blocks(rule, f"{head} was dropped: {event.dropped}", about)
    elif number not in event.targets:
        names = ", ".join(f"vCPU {target}" for target in event.targets)
        yield blocks("elsewhere", f"{head} reached {names}", about)
    elif refused is None:
        yield allows("arrived", f"{head} arrived, and is over", about)


def _icrs(
    vm: Vm, vcpu: Vcpu, vector: int, known: int, *, nmi: bool
) -> Iterator[Reason]:
    """Yield the ICRs that hold it as last written and would not bring it here."""
    for sender in vm.vcpus:
        icr = sender.apic.icr
        x2apic = apic_state.mode(sender.apic) == "x2apic"
        ipi = apic_icr.decode(icr, x2apic=x2apic, sender=sender.id)
        if icr == known or not _carries(ipi.mode, ipi.vector, vector, nmi=nmi):
            continue
        head = f"the ICR of vCPU {sender.id} ({icr:#x}) names it"
        about, words = f"vcpu {sender.id}", icr_text(icr, x2apic=x2apic)
        why = icr_rules.refusal(ipi, vm.profile)
        reached = () if why is not None else fabric.destinations(vm, ipi)
        if why is not None:
            yield blocks("dropped", f"{head}, but {why}", about, icr=icr)
        elif not reached:
            text = f"{head} and goes to nobody ({words})"
            yield blocks("destination", text, about, icr=icr)
        elif vcpu.id not in reached:
            names = ", ".join(f"vCPU {number}" for number in reached)
            yield blocks("elsewhere", f"{head} and goes to {names}", about, icr=icr)
