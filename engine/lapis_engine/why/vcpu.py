"""Why a vCPU does not run and what would wake it, or what it does next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.vmm import arbitration, fabric
from lapis_engine.vmm import run_state as runstate
from lapis_engine.why import gates, unknown, wakes
from lapis_engine.why.causes import cause, deeds, fates
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm
    from lapis_engine.why.causes.deeds import Deed
    from lapis_engine.why.causes.fates import MessageFate
    from lapis_engine.why.causes.spins import Place


@dataclass(frozen=True, slots=True)
class VcpuAnswer:
    """Why a vCPU runs, or does not."""

    vcpu: int
    state: str
    """never-started, wait-for-sipi, running, halted or suspended."""
    run_state: int
    verdict: str
    """runs; waits: something can make it run; stuck: nothing can; unknown: a file that
    it was read from has its APIC alone."""
    text: str
    """One sentence, of the cause."""
    reasons: tuple[Reason, ...]
    """Why it does not run, or gets nowhere: the cause first."""
    wakes: tuple[Reason, ...]
    """What would make it run, and of what one might expect it, why not."""
    next: Reason | None
    """What it does first at its next entry, when it runs."""
    sent: tuple[MessageFate, ...]
    """The last INIT, SIPI and NMI that came to it and that did not, as sent."""
    did: tuple[Deed, ...]
    """The last things that it did, oldest first."""
    whole: bool = False
    """All of it is wanted in words; else the cause, and no more than three reasons."""


def vcpu(
    machine: Machine, number: int, place: Place = hex, *, whole: bool = False
) -> VcpuAnswer:
    """Answer for vCPU `number`; raise `EngineError` when there is none.

    `place` puts linear addresses into words.
    """
    it = machine.vcpu(number)
    state = tuple(_state(machine, it))
    known = fates.fates(machine, it)
    if unknown.hides_state(machine.vm, it):
        return _unknown(machine, it, known.all)
    following = None if state else _next(machine, it)
    if following is None:
        found = cause.stands(machine, it, known, place, state)
    else:
        found = cause.runs(machine, it, known, place) if _goes_on(following) else []
    sources = () if following else tuple(wakes.wakes(machine, it))
    is_stuck = all(reason.blocks for reason in sources)
    verdict = "runs" if following else "stuck" if is_stuck else "waits"
    first = found[0] if found else following
    assert first is not None, number
    does = "runs" if following else "does not run"
    return VcpuAnswer(
        vcpu=number,
        state=machine.vcpu_state(number),
        run_state=it.run_state,
        verdict=verdict,
        text=f"vCPU {number} {does}: {first.text}",
        reasons=tuple(found),
        wakes=tuple(way for way in sources if way not in found),
        next=following,
        sent=known.all,
        did=deeds.deeds(machine, number),
        whole=whole,
    )


def _goes_on(following: Reason) -> bool:
    """Tell whether it goes on where it is, and not somewhere else first."""
    return following.rule == "instruction"


def _unknown(machine: Machine, it: Vcpu, sent: tuple[MessageFate, ...]) -> VcpuAnswer:
    """Answer for a vCPU of which a file told no more than its APIC."""
    text = f"unknown, not in the file: what vCPU {it.id} does"
    state, run_state = machine.vcpu_state(it.id), it.run_state
    return VcpuAnswer(it.id, state, run_state, "unknown", text, (), (), None, sent, ())


def _state(machine: Machine, it: Vcpu) -> Iterator[Reason]:
    """Yield what keeps it now."""
    for reason in gates.gates(machine, it):
        if reason.rule not in gates.FIRST:
            yield reason
    is_able = runstate.can_run(it.run_state)
    if is_able and it.halted and not arbitration.wake_reason(machine.vm, it):
        yield _halted(it)
    schedule = machine.schedule
    if schedule.policy == "only" and schedule.only != it.id:
        text = f"the schedule runs vCPU {schedule.only} only"
        yield blocks("schedule", text, only=schedule.only)


def _halted(it: Vcpu) -> Reason:
    rflags = it.regs.rflags
    if it.regs.interrupts:
        text = "it is halted and waits for an interrupt"
        return blocks("halted", text, rflags=rflags)
    text = f"it is halted, and RFLAGS is {rflags:#x}: IF (bit 9) is 0"
    return blocks("halted-if0", text, rflags=rflags)


def _next(machine: Machine, it: Vcpu) -> Reason:
    """Return what the next entry does first, in the order of `vm_run`."""
    vm = machine.vm
    for reason in gates.gates(machine, it):
        if reason.rule == "exit-first":
            return allows("exit", "it gives userspace the exit that it owes")
    if not it.run_state & runstate.RUN or it.run_state & runstate.PEND_INIT:
        return _boot(vm, it)
    for reason in gates.stack(it):
        return allows(reason.rule, reason.text)
    return _event(vm, it) or _instruction(machine, it)


def _boot(vm: Vm, it: Vcpu) -> Reason:
    """Return what `vm_handle_run_state` does with a vCPU that it can move."""
    state, start = it.run_state, it.sipi_vector << 12
    if not state & runstate.PEND_INIT:
        text = f"it takes the SIPI and starts at {start:#x}"
        return allows("sipi", text, vector=it.sipi_vector, start=start)
    if it.id == 0 and vm.profile.bsp_restarts_on_init:
        text = "it takes INIT and restarts at the reset vector"
    elif state & runstate.PEND_SIPI:
        text = f"it takes INIT, and then the SIPI, and starts at {start:#x}"
    else:
        text = "it takes INIT, and then waits for SIPI"
    return allows("init", text, run_state=state)


def _event(vm: Vm, it: Vcpu) -> Reason | None:
    """Return the event that the next entry delivers, in the order of arbitration."""
    regs = it.regs
    wakes_it = ", which wakes it from HLT" if it.halted else ""
    if it.event is not None:
        text = f"it delivers {it.event.kind} vector {it.event.vector:#04x}{wakes_it}"
        return allows("event-in-flight", text, vector=it.event.vector)
    if it.nmi_pending and not it.nmi_blocked and not regs.shadow:
        return allows("nmi", f"it takes the NMI{wakes_it}", vector=2)
    if not regs.interrupts or regs.shadow:
        return None
    if fabric.extint_pending(vm, it):
        return allows("extint", f"it takes the ExtINT of the 8259 pair{wakes_it}")
    vector = priority.deliverable(it.apic)
    if vector is None:
        return None
    return allows("vector", f"it takes vector {vector:#04x}{wakes_it}", vector=vector)


def _instruction(machine: Machine, it: Vcpu) -> Reason:
    rip = it.regs.linear_rip
    lines = machine.disassemble(it.id, count=1)
    what = "what is there cannot be read"
    if lines:
        what = f"{lines[0].mnemonic} {lines[0].operands}".strip()
    return allows("instruction", f"next it executes {rip:#x}: {what}", rip=rip)
