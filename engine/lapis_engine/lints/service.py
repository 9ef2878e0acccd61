"""Lints about interrupts that are taken, halted for, and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import priority
from lapis_engine.apic.regs import LVT_MASKED
from lapis_engine.lints.state import Finding
from lapis_engine.lints.traffic import where
from lapis_engine.vmm import run_state

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.events import Halted, VectorAccepted, VectorDelivered
    from lapis_engine.vmm.vm import Vm

LONG: Final = 10_000_000
"""ns for which an edge may be in service while others wait."""


# HLT with IF clear.


def deaf_halt(vm: Vm, _memory: dict[str, Any], event: Halted) -> Finding | None:
    """Find a processor that halts with IF clear though something is to come."""
    if event.interrupts:
        return None
    apic = vm.vcpus[event.vcpu].apic
    vector = priority.deliverable(apic)
    if vector is not None:
        what = f"vector {vector:#04x} waits in its IRR"
    elif apic.timer_deadline is not None and not apic.lvt_timer & LVT_MASKED:
        vector = apic.lvt_timer & 0xFF
        what = f"its timer is armed, vector {vector:#04x}"
    else:
        return None  # it is parked
    return _deaf(vm, event.vcpu, vector, what)


def deaf_sleeper(
    vm: Vm, _memory: dict[str, Any], event: VectorAccepted
) -> Finding | None:
    """Find a vector for a processor that halted with IF clear."""
    vcpu = vm.vcpus[event.vcpu]
    if not vcpu.halted or vcpu.regs.interrupts or not vcpu.run_state & run_state.RUN:
        return None
    what = f"vector {event.vector:#04x} comes from {event.source}"
    return _deaf(vm, event.vcpu, event.vector, what)


def _deaf(vm: Vm, number: int, vector: int, what: str) -> Finding:
    rip = vm.vcpus[number].regs.rip
    text = f"halted before {rip:#x} with IF clear, and {what}: no interrupt wakes it"
    values = (("vector", vector), ("rip", rip))
    return Finding("cli-hlt", number, f"RIP {rip:#x}", text, values)


# Edges without an EOI.


def served(_vm: Vm, memory: dict[str, Any], event: VectorDelivered) -> None:
    """Remember when a vector was delivered."""
    memory[f"{event.vcpu} {event.vector}"] = _vm.now


def waits(vm: Vm, memory: dict[str, Any], event: VectorAccepted) -> Finding | None:
    """Find a vector that waits behind an edge that is in service for too long."""
    apic = vm.vcpus[event.vcpu].apic
    if not apic.isr:
        return None
    vector = priority.highest(apic.isr)
    since = memory.get(f"{event.vcpu} {vector}")
    if since is None or vm.now - since < LONG or event.vector >> 4 > vector >> 4:
        return None
    ago = f"for {(vm.now - since) // 1_000_000} ms"
    text = f"in service {ago}, no EOI, and {event.vector:#04x} waits behind it"
    return _without_eoi(apic, event.vcpu, vector, text)


def halted(vm: Vm, _memory: dict[str, Any], event: Halted) -> Finding | None:
    """Find a processor that halts with an edge in service."""
    apic = vm.vcpus[event.vcpu].apic
    if not apic.isr:
        return None
    vector = priority.highest(apic.isr)
    place = where(vm, event.vcpu)
    return _without_eoi(apic, event.vcpu, vector, f"in service at a HLT before {place}")


def _without_eoi(
    apic: ApicState, number: int, vector: int, text: str
) -> Finding | None:
    if apic.tmr >> vector & 1:
        return None  # level-no-eoi has it
    what = f"edge vector {vector:#04x} {text}"
    return Finding("edge-no-eoi", number, f"{vector:#04x}", what, (("vector", vector),))
