"""What stands between an event and a vCPU's next entry, in the order of `vm_run`.

bhyve `vm_loop_checks`, `vcpu_run_state`, `svm_inject_events`: the machine, the vCPU,
what goes first, RFLAGS and the shadow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import priority
from lapis_engine.devices.pic import priority as pic
from lapis_engine.devices.pic.regs import SPURIOUS
from lapis_engine.explain.events import run_state_text
from lapis_engine.vmm import fabric, run_state
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def gates(machine: Machine, vcpu: Vcpu) -> list[Reason]:
    """Return what keeps the vCPU from entering the guest, HLT apart.

    Rules of `FIRST` only come before what was asked about: the vCPU runs.
    """
    return [*stopped(machine), *_vcpu(machine, vcpu)]


FIRST: Final = frozenset({"exit-first", "init-first"})


def stopped(machine: Machine) -> Iterator[Reason]:
    """Yield that the whole machine stands for good, of which no source is spared."""
    vm = machine.vm
    if vm.panic is not None:
        yield blocks("panic", f"the host has panicked: {vm.panic.text}")
    if vm.suspended is not None:
        text = f"the machine is suspended ({vm.suspended.text})"
        yield blocks("suspended", text, at=vm.suspended.when)


def _vcpu(machine: Machine, vcpu: Vcpu) -> Iterator[Reason]:
    vm = machine.vm
    if not vcpu.active:
        yield blocks("inactive", f"vCPU {vcpu.id} is not active", vcpu=vcpu.id)
    for request in machine.pending():
        if request.vcpu == vcpu.id:
            text = (
                f"vCPU {vcpu.id} waits for an answer to its pending request "
                f"({request.kind} at {request.address:#x})"
            )
            yield blocks(
                "pending-request", text,
                address=request.address, bytes=request.bytes, data=request.data,
            )  # fmt: skip
    if _owes_exit(vm, vcpu):
        text = f"vCPU {vcpu.id} owes userspace an exit, which comes before any entry"
        yield blocks("exit-first", text, vcpu=vcpu.id)
    if vm.debug_cpus >> vcpu.id & 1:
        text = (
            f"vCPU {vcpu.id} is held by vm_suspend_cpu (debug_cpus {vm.debug_cpus:#x})"
        )
        yield blocks("debug-cpu", text, debug_cpus=vm.debug_cpus)
    state = vcpu.run_state
    if not run_state.can_run(state):
        text = (
            f"vCPU {vcpu.id} does not run: its run-state is {state:#x} "
            f"({run_state_text(state)})"
        )
        yield blocks("not-running", text, run_state=state)
    elif state & run_state.PEND_INIT:
        text = (
            f"run-state {state:#x} has PEND_INIT (bit 14): INIT is taken first and "
            f"clears the APIC"
        )
        yield blocks("init-first", text, run_state=state)


def _owes_exit(vm: Vm, vcpu: Vcpu) -> bool:
    """Tell whether an exit record waits for this vCPU (SPINUP_AP: for vCPU 0)."""
    spins_up = vm.spinup.request is not None and vcpu.id == 0
    return spins_up or vm.exit_due is not None


def event_first(vcpu: Vcpu) -> Iterator[Reason]:
    """Yield the event in delivery, which goes in before an NMI."""
    event = vcpu.event
    if event is not None:
        text = (
            f"one event an entry: {event.kind} vector {event.vector:#04x} is in "
            f"delivery and goes first"
        )
        yield blocks("event-in-flight", text, vector=event.vector)


def stack(vcpu: Vcpu) -> Iterator[Reason]:
    """Yield the panic of a vCPU whose isrvec_stk and ISR differ."""
    fault = priority.stack_fault(vcpu.apic)
    if fault is not None:
        yield blocks("isrvec", f"the next entry panics the host: {fault.text}")


def nmi_first(vcpu: Vcpu) -> Iterator[Reason]:
    """Yield the NMI that goes in before an interrupt."""
    if vcpu.nmi_pending and not vcpu.nmi_blocked:
        yield blocks("nmi-first", "an NMI is pending and goes first", vector=2)


def extint(vm: Vm, vcpu: Vcpu) -> int | None:
    """Return the vector that the 8259 pair gives this vCPU next, or None.

    With nothing to serve it gives the spurious one (`vatpic_pending_intr`).
    """
    if vm.pic is None or not fabric.extint_pending(vm, vcpu):
        return None
    vector = pic.peek(vm.pic)
    return vm.pic.master.base + SPURIOUS if vector is None else vector


def extint_first(vm: Vm, vcpu: Vcpu) -> Iterator[Reason]:
    """Yield the ExtINT that goes in before the APIC's vector."""
    vector = extint(vm, vcpu)
    if vector is not None:
        text = (
            f"ExtINT vector {vector:#04x} is pending and goes first, whatever the PPR"
        )
        yield blocks("extint-first", text, vector=vector)


def masks(vcpu: Vcpu) -> Iterator[Reason]:
    """Yield what holds off maskable interrupts of any source."""
    if not vcpu.regs.interrupts:
        rflags = vcpu.regs.rflags
        tail = ", and it is halted: only NMI or INIT wakes it" if vcpu.halted else ""
        text = f"RFLAGS is {rflags:#x}: IF (bit 9) is 0{tail}"
        yield blocks("if", text, rflags=rflags)
    yield from shadow(vcpu)


def shadow(vcpu: Vcpu) -> Iterator[Reason]:
    """Yield the interrupt shadow, which holds off NMIs as well."""
    if vcpu.regs.shadow:
        rip = vcpu.regs.rip
        text = f"STI or MOV SS holds it off for the one instruction at RIP {rip:#x}"
        yield blocks("shadow", text, rip=rip)
