"""What would make a vCPU run that does not.

bhyve `vcpu_run_state_pending`, `vm_handle_hlt`; SDM Vol. 3A "MP Initialization
Protocol", Vol. 2A "HLT". What one might expect of it and would not do so is there too,
as a reason that blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import MODE_WORDS
from lapis_engine.apic.regs import LVT_MASKED, LVT_VECTOR, SVR_ENABLED
from lapis_engine.vmm import run_state
from lapis_engine.vmm.startup import protocols
from lapis_engine.why import boot, pic_inputs, ppr
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def wakes(machine: Machine, it: Vcpu) -> Iterator[Reason]:
    """Yield what would make it run; nothing does when the machine has stopped."""
    vm = machine.vm
    if vm.panic is not None or vm.suspended is not None:
        return
    asked = False
    for request in machine.pending():
        if request.vcpu == it.id:
            asked = True
            yield from _answers(request.kind, read=request.read)
    if asked:
        return
    schedule = machine.schedule
    if schedule.policy == "only" and schedule.only != it.id:
        yield allows("schedule", "another schedule (`sched round-robin`)")
    yield from _held(vm, it)
    if not it.active or not run_state.can_run(it.run_state):
        yield from boot.of(vm.profile).wakes(vm, it)
    elif vm.debug_cpus >> it.id & 1:
        yield allows("resume-cpu", "vm_resume_cpu, which userspace does at a SIPI")
    elif it.halted:
        yield from _hlt(machine, it)


def _answers(kind: str, *, read: bool) -> Iterator[Reason]:
    if kind != "inst-emul":
        yield allows("answer", "`answer VALUE`" if read else "`answer`")
    yield allows("discard", "`discard`, and the instruction runs again")


def _held(vm: Vm, it: Vcpu) -> Iterator[Reason]:
    """Yield the IPIs that rules of the user's hold back."""
    for held in vm.interference.held:
        if held.target == it.id:
            what = MODE_WORDS[held.ipi.mode]
            text = f"the {what} of {held.source} that rule {held.rule} holds back"
            left = max(held.due - vm.now, 0)
            yield allows(
                "delayed", f"{text} until {held.due} ns", deadline=held.due, left=left
            )


# HLT.


def _hlt(machine: Machine, it: Vcpu) -> Iterator[Reason]:
    vm = machine.vm
    if it.nmi_blocked:
        yield blocks("nmi-blocking", "no NMI: its handler has not ended with IRET")
    else:
        yield allows("nmi", "an NMI")
    yield _init(vm, it)
    if not it.regs.interrupts:
        rflags = it.regs.rflags
        text = f"no interrupt: RFLAGS is {rflags:#x}, IF (bit 9) is 0"
        yield blocks("if", text, rflags=rflags)
        return
    yield from _interrupts(it)
    if vm.pic is not None and not list(pic_inputs.way(it, "")):
        yield allows("extint", "an ExtINT of the 8259 pair")
    yield from _timers(machine, it)


def _init(vm: Vm, it: Vcpu) -> Reason:
    """Return what INIT would do to a vCPU in HLT."""
    if not protocols.of(vm.profile).takes_init_again:
        text = "no INIT: it is ignored by a vCPU in BS_RUNNING"
        return blocks("boot-state", text, running=vm.spinup.running)
    restarts = it.id == 0 and vm.profile.bsp_restarts_on_init
    tail = ", which restarts it at the reset vector" if restarts else " and then a SIPI"
    return allows("init", f"INIT{tail}")


def _interrupts(it: Vcpu) -> Iterator[Reason]:
    apic = it.apic
    waiting = priority.highest(apic.irr)
    if waiting >= 0:
        yield ppr.class_reason(apic, waiting)
    if not apic.svr & SVR_ENABLED:
        text = f"no new interrupt: SVR is {apic.svr:#x}, bit 8 is 0"
        yield blocks("svr", text, svr=apic.svr)
        return
    lowest = ((apic.ppr >> 4) + 1) << 4
    if lowest <= 0xFF:
        text = f"a vector from {lowest:#04x} on ({ppr.ppr_text(apic)})"
        yield allows("vector", text, lowest=lowest, ppr=apic.ppr)
    elif waiting < 0:
        text = f"no vector: {ppr.ppr_text(apic)}, and no class is above 15"
        yield blocks("class", text, ppr=apic.ppr, tpr=apic.tpr)


def _timers(machine: Machine, it: Vcpu) -> Iterator[Reason]:
    vm, apic, now = machine.vm, it.apic, machine.now
    at = apic.timer_deadline
    if at is not None:
        yield _own_timer(vm, it, at, max(at - now, 0))
    for device in vm.devices:
        at = device.timer.deadline(device.state) if device.timer is not None else None
        if at is not None:
            text = f"{device.name} at {at} ns, if what it sends gets through"
            left = max(at - now, 0)
            yield allows("device-timer", text, device.name, deadline=at, left=left)


def _own_timer(vm: Vm, it: Vcpu, at: int, left: int) -> Reason:
    apic = it.apic
    entry, number = apic.lvt_timer, apic.lvt_timer & LVT_VECTOR
    head = f"the APIC timer at {at} ns, in {left} ns"
    values = {"deadline": at, "left": left, "lvt": entry}
    if entry & LVT_MASKED:
        text = f"not {head}: LVT timer ({entry:#x}) is masked"
        return Reason("lvt-mask", text, values, blocks=True, about="lvt timer")
    hears = apic.svr & SVR_ENABLED and apic_state.hears(apic, vm.profile)
    if not hears or number >> 4 <= apic.ppr >> 4:
        text = f"not {head}: its vector {number:#04x} would wait or be refused"
        return Reason("timer-blocked", text, values, blocks=True, about="lvt timer")
    text = f"{head}, vector {number:#04x}"
    return Reason("timer", text, values, blocks=False, about="lvt timer")
