"""Why a vCPU does not run and what would wake it, or what it does next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import priority
from lapis_engine.events import InitReceived, Interfered, SipiReceived
from lapis_engine.machine.log import KEPT
from lapis_engine.vmm import arbitration, fabric, unreached
from lapis_engine.vmm import run_state as runstate
from lapis_engine.why import gates, last_command, wakes
from lapis_engine.why.reason import Reason, allows, blocks, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


@dataclass(frozen=True, slots=True)
class VcpuAnswer:
    """Why a vCPU runs, or does not."""

    vcpu: int
    state: str
    """never-started, wait-for-sipi, running, halted or suspended."""
    run_state: int
    verdict: str
    """runs; waits: something can make it run; stuck: nothing can."""
    text: str
    """One sentence."""
    reasons: tuple[Reason, ...]
    """Why it does not run."""
    wakes: tuple[Reason, ...]
    """What would make it run, and of what one might expect it, why not."""
    next: Reason | None
    """What it does first at its next entry, when it runs."""


def vcpu(machine: Machine, number: int) -> VcpuAnswer:
    """Answer for vCPU `number`; raise `EngineError` when there is none."""
    it = machine.vcpu(number)
    found = tuple(_reasons(machine, it))
    following = None if found else _next(machine, it)
    sources = () if following else tuple(wakes.wakes(machine, it))
    is_stuck = all(reason.blocks for reason in sources)
    verdict = "runs" if following else "stuck" if is_stuck else "waits"
    return VcpuAnswer(
        vcpu=number,
        state=machine.vcpu_state(number),
        run_state=it.run_state,
        verdict=verdict,
        text=_text(machine, it, found, sources, following),
        reasons=found,
        wakes=sources,
        next=following,
    )


def _text(
    machine: Machine,
    it: Vcpu,
    found: tuple[Reason, ...],
    sources: tuple[Reason, ...],
    following: Reason | None,
) -> str:
    if following is not None:
        return f"vCPU {it.id} runs: {following.text}"
    why = machine.why_not_runnable(it.id)
    told = [
        sentence(found) if why is None else why.text,
        *(reason.text for reason in found if reason.rule in BESIDE),
    ]
    ways = [reason.text for reason in sources if not reason.blocks]
    end = f"; it would run after: {', or '.join(ways)}" if ways else ""
    return f"vCPU {it.id} does not run: {'; '.join(told)}{end}"


BESIDE: Final = frozenset({"unreached", "interfered", "icr"})
"""Reasons that `Machine.why_not_runnable` does not give."""


def _reasons(machine: Machine, it: Vcpu) -> Iterator[Reason]:
    for reason in gates.gates(machine, it):
        if reason.rule not in gates.FIRST:
            yield reason
    if not runstate.can_run(it.run_state):
        yield from _missed(machine, it)
    elif it.halted and not arbitration.wake_reason(machine.vm, it):
        yield _halted(it)
    schedule = machine.schedule
    if schedule.policy == "only" and schedule.only != it.id:
        text = f"the schedule runs vCPU {schedule.only} only"
        yield blocks("schedule", text, only=schedule.only)


def _missed(machine: Machine, it: Vcpu) -> Iterator[Reason]:
    """Yield what became of the INIT or SIPI that it waits for."""
    if it.unreached is not None:
        yield blocks("unreached", unreached.text(it.unreached))
    told: dict[str, Reason | None] = {}
    for logged in reversed(machine.log.last(KEPT)):
        if len(told) == 2:
            break
        match logged.event:
            case InitReceived(vcpu=it.id):
                told.setdefault("init", None)
            case SipiReceived(vcpu=it.id):
                told.setdefault("sipi", None)
            case (
                Interfered(
                    vcpu=it.id, action="drop" | "delay", mode="init" | "sipi"
                ) as event
            ):
                text = f"{event.action}: {event.text}"
                reason = blocks("interfered", text, at=logged.at)
                told.setdefault(event.mode, reason)
            case _:
                pass
    for mode in ("init", "sipi"):
        found = told.get(mode)
        if found is not None:
            yield found
    if "sipi" not in told:
        yield from last_command.missed(machine, it)


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
