"""Lints about what a guest does with its APICs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import priority
from lapis_engine.apic.access import ICR_LEGAL, RESERVED_ICR_BITS
from lapis_engine.apic.regs import ICR_SHORTHAND
from lapis_engine.lints.state import Finding
from lapis_engine.vmm.fabric import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.events import (
        ApicImported,
        Halted,
        IpiSent,
        MsrAccessed,
        Oddity,
        VectorDelivered,
        VectorEnded,
    )
    from lapis_engine.lints.state import LintState
    from lapis_engine.vmm.vm import Vm

X2APIC_ICR: Final = 0x830
"""MSR."""
NO_SHORTHAND: Final = 0
LEVEL_TICKS: Final = 10
"""Ticks of 1 ms for which a level vector may be in service."""


def where(vm: Vm, number: int) -> str:
    """Say where a vCPU does what it does, or that the user does it."""
    if vm.entered is None:
        return "the user's hand"
    return f"RIP {vm.vcpus[number].regs.rip:#x}"


def eoi(vm: Vm, _state: LintState, event: Oddity) -> Finding | None:
    """Find an EOI with nothing in service."""
    if event.name != priority.GRATUITOUS_EOI:
        return None
    place = where(vm, event.vcpu)
    return Finding("eoi-empty-isr", event.vcpu, place, f"{event.text}, by {place}")


def reserved(vm: Vm, _state: LintState, event: Oddity) -> Finding | None:
    """Find reserved bits in an ICR of xAPIC mode."""
    if event.name != RESERVED_ICR_BITS:
        return None
    place = where(vm, event.vcpu)
    return Finding("icr-reserved-bits", event.vcpu, place, f"{event.text}, by {place}")


def reserved_msr(vm: Vm, _state: LintState, event: MsrAccessed) -> Finding | None:
    """Find them in a WRMSR, which is #GP(0) in x2APIC mode."""
    bits = event.value & ~ICR_LEGAL
    if event.msr != X2APIC_ICR or not event.write or not bits:
        return None
    place = where(vm, event.vcpu)
    text = f"ICR {event.value:#x} has reserved bits {bits:#x} set, by {place}"
    return Finding("icr-reserved-bits", event.vcpu, place, text)


def absent(vm: Vm, _state: LintState, event: IpiSent) -> Finding | None:
    """Find an IPI that names nobody. A shorthand that finds nobody is all right."""
    if event.dropped is None or event.dropped.code != ABSENT.code:
        return None
    if ICR_SHORTHAND.get(event.icr) != NO_SHORTHAND:
        return None
    place = where(vm, event.vcpu)
    text = f"ICR {event.icr:#x} ({event.text}): {event.dropped}, by {place}"
    return Finding("ipi-absent", event.vcpu, f"{event.icr:#x} {place}", text)


# Level interrupts.


def delivered(vm: Vm, state: LintState, event: VectorDelivered) -> None:
    """Begin to count the ticks of a level vector in service."""
    apic = vm.vcpus[event.vcpu].apic
    if apic.tmr >> event.vector & 1 and "level-no-eoi" not in state.off:
        state.served[event.vcpu, event.vector] = 0


def checked(
    vm: Vm, state: LintState, event: VectorDelivered | VectorEnded
) -> Finding | None:
    """Check the ISR, where there is a stack to check it by."""
    apic = vm.vcpus[event.vcpu].apic
    return None if apic.isrvec_view is None else isrvec(vm, state, event)


def halted(vm: Vm, state: LintState, event: Halted) -> Finding | None:
    """Find a processor that halts with a level vector in service."""
    if not state.served:
        return None
    for vcpu, vector in list(state.served):
        if vcpu == event.vcpu and _in_service(vm, vcpu, vector):
            del state.served[vcpu, vector]
            text = f"halts with level vector {vector:#04x} in service and no EOI"
            return Finding("level-no-eoi", vcpu, f"{vector:#04x}", text)
    return None


def lingering(vm: Vm, state: LintState) -> Iterator[Finding]:
    """Let a tick pass; find the level vectors that are in service for too long."""
    for (vcpu, vector), ticks in list(state.served.items()):
        if not _in_service(vm, vcpu, vector):
            del state.served[vcpu, vector]  # EOI, INIT or the user took it away
        elif ticks + 1 < LEVEL_TICKS:
            state.served[vcpu, vector] = ticks + 1
        else:
            del state.served[vcpu, vector]
            text = f"level vector {vector:#04x} in service for {LEVEL_TICKS} ms, no EOI"
            yield Finding("level-no-eoi", vcpu, f"{vector:#04x}", text)


def _in_service(vm: Vm, vcpu: int, vector: int) -> bool:
    return bool(vm.vcpus[vcpu].apic.isr >> vector & 1)


# The stack beside the ISR.


def isrvec(
    vm: Vm, _state: LintState, event: VectorDelivered | VectorEnded | ApicImported
) -> Finding | None:
    """Find an ISR that is not the stack of what was delivered and ended."""
    apic = vm.vcpus[event.vcpu].apic
    text = priority.out_of_sync(apic.isrvec_view, apic.isr)
    return None if text is None else Finding("isrvec", event.vcpu, "", text)
