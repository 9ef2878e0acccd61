"""Lints about interrupts that are taken, halted for, and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import priority
from lapis_engine.apic.regs import LVT_MASKED
from lapis_engine.cpu.registers import RSP
from lapis_engine.lints.state import Finding
from lapis_engine.lints.traffic import where
from lapis_engine.vmm import fabric, run_state

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.events import (
        ExtIntDelivered,
        Halted,
        PinChanged,
        VectorAccepted,
        VectorDelivered,
    )
    from lapis_engine.vmm.vm import Vm

LONG: Final = 10_000_000
"""ns for which an edge may be in service while others wait."""
STACK: Final = 1 << 16
"""Bytes within which RSP is on the same stack."""


# HLT with IF clear.


def by_pic(_vm: Vm, memory: dict[str, Any], event: ExtIntDelivered) -> None:
    """Remember who takes interrupts of the 8259: from others it may ask for ever."""
    memory[str(event.vcpu)] = True


def deaf_halt(vm: Vm, memory: dict[str, Any], event: Halted) -> Finding | None:
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
    elif str(event.vcpu) in memory and _is_asked(vm, event.vcpu):
        vector, what = -1, "the 8259 asks for it"
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


def deaf_to_pic(
    vm: Vm, memory: dict[str, Any], event: PinChanged
) -> list[Finding] | None:
    """Find those that halted with IF clear when INTR of the 8259 comes, on pin 0."""
    if event.pin or not event.asserted:
        return None
    return [
        _deaf(vm, vcpu.id, -1, "the 8259 asks for it")
        for vcpu in vm.vcpus
        if vcpu.halted
        and not vcpu.regs.interrupts
        and str(vcpu.id) in memory
        and _is_asked(vm, vcpu.id)
    ]


def _is_asked(vm: Vm, number: int) -> bool:
    """Tell whether the 8259 asks a processor for an INTA."""
    vcpu = vm.vcpus[number]
    return bool(vcpu.run_state & run_state.RUN) and fabric.extint_pending(vm, vcpu)


def _deaf(vm: Vm, number: int, vector: int, what: str) -> Finding:
    rip = vm.vcpus[number].regs.rip
    text = f"halted before {rip:#x} with IF clear, and {what}: no interrupt wakes it"
    values = (("rip", rip),) if vector < 0 else (("vector", vector), ("rip", rip))
    return Finding("cli-hlt", number, f"RIP {rip:#x}", text, values)


# Edges without an EOI.


def served(vm: Vm, memory: dict[str, Any], event: VectorDelivered) -> None:
    """Remember when a vector was delivered, and on what stack it found the processor.

    RSP is still that of what it interrupts.
    """
    regs = vm.vcpus[event.vcpu].regs
    memory[f"{event.vcpu} {event.vector}"] = (vm.now, regs.gpr[RSP], regs.cpl)


def waits(vm: Vm, memory: dict[str, Any], event: VectorAccepted) -> Finding | None:
    """Find a vector that waits behind an edge whose handler is over, or takes long."""
    apic = vm.vcpus[event.vcpu].apic
    if not apic.isr:
        return None
    vector = priority.highest(apic.isr)
    delivered = memory.get(f"{event.vcpu} {vector}")
    if delivered is None or event.vector >> 4 > vector >> 4:
        return None
    since, rsp, cpl = delivered
    if _is_over(vm.vcpus[event.vcpu].regs, rsp, cpl):
        what = "though its handler is over"
    elif vm.now - since >= LONG:
        what = f"for {(vm.now - since) // 1_000_000} ms"
    else:
        return None
    text = f"in service {what}, no EOI, and {event.vector:#04x} waits behind it"
    return _without_eoi(apic, event.vcpu, vector, text)


def _is_over(regs: Registers, rsp: int, cpl: int) -> bool:
    """Tell whether a processor is back on the stack that was interrupted at `rsp`."""
    is_back = rsp <= regs.gpr[RSP] < rsp + STACK
    return is_back and regs.interrupts and regs.cpl == cpl


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
