"""Lints about the processor itself: tables that are shared, stacks, code of zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.access import MSR_BASE, MSR_END
from lapis_engine.cpu.fault import GP, PF_, UD
from lapis_engine.cpu.registers import CR0_PE, CS, EFER_LMA, RAX, RSP
from lapis_engine.errors import EngineError
from lapis_engine.lints.state import Finding
from lapis_engine.lints.traffic import where
from lapis_engine.units import PAGE
from lapis_engine.vmm import guest_memory, run_state

if TYPE_CHECKING:
    from lapis_engine.events import (
        ExceptionRaised,
        Exited,
        Halted,
        MsrAccessed,
        NmiDelivered,
        VectorDelivered,
    )
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

NMI_GATE: Final = 2 * 16
"""Offset of the NMI's gate in an IDT of long mode."""
IST: Final = 7
"""Of byte 4 of a gate: the number of its stack, 0 for none."""
IST1: Final = 0x24
"""Offset of the first of these stack pointers in a 64-bit TSS."""
SELECTOR: Final = ~7
"""Bits of a selector that name a descriptor."""
RUN_OF_ZEROS: Final = 16
"""Bytes from RIP on that make it running through zeros."""
REAL_FRAME: Final = 6
"""Bytes that an event pushes in real mode: IP, CS and FLAGS."""


def x2apic_msr(vm: Vm, _memory: dict[str, Any], event: MsrAccessed) -> Finding | None:
    """Find an access to an x2APIC register while the APIC is in another mode."""
    if not MSR_BASE <= event.msr <= MSR_END:
        return None
    mode = apic_state.mode(vm.vcpus[event.vcpu].apic)
    if mode == "x2apic":
        return None
    what = "WRMSR" if event.write else "RDMSR"
    # Where it does not fault it may be told of later, when RIP is elsewhere.
    by = f", by {where(vm, event.vcpu)}" if event.fault else ""
    fate = "is #GP(0)" if event.fault else "does nothing"
    text = f"{what} of MSR {event.msr:#x} {fate}: the APIC is in {mode} mode{by}"
    values = (("msr", event.msr), ("value", event.value))
    return Finding("x2apic-msr", event.vcpu, f"{what} {event.msr:#x}", text, values)


# Tables and stacks.


def tss_in_use(
    vm: Vm, memory: dict[str, Any], _event: VectorDelivered | Halted | NmiDelivered
) -> Finding | None:
    """Find two processors with one TSS; look when a TR has changed."""
    bases = [vcpu.regs.tr_base for vcpu in vm.vcpus]
    if memory.get("seen") == bases:
        return None
    memory["seen"] = bases
    owners: dict[int, int] = {}
    for vcpu in filter(_has_task, vm.vcpus):
        other = owners.setdefault(bases[vcpu.id], vcpu.id)
        if other != vcpu.id:
            base = bases[vcpu.id]
            text = f"has the TSS at {base:#x} that vCPU {other} has, too"
            values = (("tss", base), ("other", other))
            return Finding("shared-tss", vcpu.id, f"{base:#x}", text, values)
    return None


def _has_task(vcpu: Vcpu) -> bool:
    return bool(vcpu.run_state & run_state.RUN and vcpu.regs.tr.selector & SELECTOR)


def nested_nmi(vm: Vm, _memory: dict[str, Any], event: NmiDelivered) -> Finding | None:
    """Find an NMI that is taken on the stack to whose top it switches."""
    vcpu = vm.vcpus[event.vcpu]
    top, rsp = _nmi_stack(vm, vcpu), vcpu.regs.gpr[RSP]
    if top is None or not top - PAGE <= rsp < top:
        return None
    place = where(vm, event.vcpu)
    text = (
        f"NMI at {place} with RSP {rsp:#x}, on the IST stack whose top is {top:#x}: "
        f"it overwrites the frame of the one before"
    )
    return Finding("ist-reuse", event.vcpu, place, text, (("rsp", rsp), ("top", top)))


def _nmi_stack(vm: Vm, vcpu: Vcpu) -> int | None:
    """Return the top of the stack to which an NMI switches, or None."""
    regs = vcpu.regs
    if not regs.efer & EFER_LMA:
        return None
    try:
        gate = guest_memory.read(vm.memory, vcpu, regs.idtr.base + NMI_GATE, 16)
        number = gate[4] & IST
        if not number:
            return None
        at = regs.tr.base + IST1 + 8 * (number - 1)
        return int.from_bytes(guest_memory.read(vm.memory, vcpu, at, 8), "little")
    except EngineError:
        return None


# Zeros that run.


def zeros_at_fault(
    vm: Vm, _memory: dict[str, Any], event: ExceptionRaised
) -> Finding | None:
    """Find a fault in code that is zeros."""
    if event.vector not in {UD, GP, PF_} or event.software:
        return None
    vcpu = vm.vcpus[event.vcpu]
    if event.vector == PF_ and event.cr2 not in {event.rip, vcpu.regs.gpr[RAX]}:
        return None  # add [rax], al faults at RAX: others need no look
    linear = _faulted_at(vm, vcpu, event.rip)
    return _zeros(vm, vcpu, event.rip, linear, f"exception {event.vector}")


def zeros_at_exit(vm: Vm, _memory: dict[str, Any], event: Exited) -> Finding | None:
    """Find an exit of code that is zeros."""
    vcpu = vm.vcpus[event.vcpu]
    linear = vcpu.regs.base(CS) + event.rip
    return _zeros(vm, vcpu, event.rip, linear, f"exit {event.code}")


def _zeros(vm: Vm, vcpu: Vcpu, rip: int, linear: int, what: str) -> Finding | None:
    try:
        code = guest_memory.read(vm.memory, vcpu, linear, RUN_OF_ZEROS)
    except EngineError:
        return None
    if any(code):
        return None
    text = f"runs zeros, which are add [rax], al: {what} at {rip:#x}"
    return Finding("runs-zeros", vcpu.id, f"{what} {rip:#x}", text, (("at", rip),))


def _faulted_at(vm: Vm, vcpu: Vcpu, rip: int) -> int:
    """Return the linear address of RIP at a fault whose handler is entered already."""
    regs = vcpu.regs
    if regs.cr0 & CR0_PE:
        return regs.base(CS) + rip  # by the handler's CS, as both are flat
    frame = vm.memory.peek(regs.linear_rsp, REAL_FRAME)
    return (int.from_bytes(frame[2:4], "little") << 4) + rip
