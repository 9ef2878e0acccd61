"""Where a vector is on a vCPU, whether it would go in now, and what keeps it.

SDM Vol. 3A "Interrupt Acceptance for Fixed Interrupts", "Task and Processor
Priorities", "Masking Maskable Hardware Interrupts", "Handling Multiple NMIs".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import priority
from lapis_engine.apic.regs import SVR_ENABLED
from lapis_engine.boot.image import SavedEntry
from lapis_engine.errors import EngineError
from lapis_engine.vmm import run_state
from lapis_engine.why import (
    eoi,
    fates,
    fault,
    gates,
    history,
    pic_inputs,
    ppr,
    ranking,
    sources,
    unknown,
)
from lapis_engine.why.causes import spins
from lapis_engine.why.reason import Reason, allows, blocks, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.apic.state import ApicState
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.why.history import History

NMI: Final = 2
PLACES: Final = {
    "irr": "in the IRR of", "isr": "in the ISR of",
    "irr+isr": "in the IRR and in the ISR of", "pic": "the next ExtINT of",
    "event": "in delivery to", "pending": "pending on",
    "nowhere": "neither in the IRR nor in the ISR of",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class VectorAnswer:
    """Why a vector is, or is not, delivered to a vCPU."""

    vcpu: int
    vector: int
    where: str
    """irr, isr, irr+isr; pic: the next ExtINT; event: on its way into the handler;
    pending: an NMI; nowhere."""
    verdict: str
    """deliverable, blocked, in-service or absent; unknown where it depends on what a
    file that the machine was read from does not have."""
    text: str
    """One sentence."""
    reasons: tuple[Reason, ...]
    """What blocks it and what bears on it; for an absent vector, what became of it and
    who could send it. What tells most comes first."""


def irq(machine: Machine, vector: int, number: int) -> VectorAnswer:
    """Answer for `vector` (2 is the NMI) on vCPU `number`; raise `EngineError`."""
    if not 0 <= vector <= 0xFF:
        raise EngineError(f"vector {vector:#x}: vectors are 8 bits, 0 to 0xff")
    vcpu = machine.vcpu(number)
    where = _where(machine, vcpu, vector)
    story = history.told(machine, number, vector, nmi=vector == NMI)
    story.is_imported &= not vcpu.retired
    is_whole = isinstance(machine.plan.entry, SavedEntry)
    story.is_alone = story.is_imported and not is_whole
    name = "the NMI" if vector == NMI else f"vector {vector:#04x}"
    head = f"{name} is {PLACES[where]} vCPU {number}"
    if where == "pic" and pic_inputs.spurious(machine.vm) is not None:
        head = f"{name}, spurious as the 8259 has nothing to serve, is the next ExtINT"
        head = f"{head} of vCPU {number}"
    if where == "nowhere":
        found = [*_stopped(machine), *sources.sources(machine, vcpu, story)]
        rows = ranking.absent(found)
        head = f"no NMI is pending on vCPU {number}" if vector == NMI else head
        verdict, text = "absent", f"{head}: {rows[0].text}" if rows else head
    else:
        rows = ranking.waiting(_reasons(machine, vcpu, story, where))
        verdict, text = _told(head, where, rows, is_alone=story.is_alone)
    known = unknown.qualified(
        machine, vcpu, unknown.Found(vector, where, head, verdict, text, rows)
    )
    return VectorAnswer(number, vector, where, known.verdict, known.text, known.reasons)


def _told(
    head: str, where: str, rows: tuple[Reason, ...], *, is_alone: bool
) -> tuple[str, str]:
    """Return verdict and sentence for one that is somewhere."""
    stuck = sentence(rows[: ranking.TOLD])
    if where == "isr":
        return "in-service", f"{head}: {stuck}"
    if stuck:
        return "blocked", f"{head} and waits: {stuck}"
    if is_alone:
        text = f"{head}, and nothing in its APIC keeps it; nothing else was imported"
        return "deliverable", text
    return "deliverable", f"{head} and goes in at its next entry"


def _where(machine: Machine, vcpu: Vcpu, vector: int) -> str:
    vm, apic = machine.vm, vcpu.apic
    if vector == NMI and vcpu.nmi_pending:
        return "pending"
    requested, in_service = apic.irr >> vector & 1, apic.isr >> vector & 1
    if requested:
        return "irr+isr" if in_service else "irr"
    if vcpu.event is not None and vcpu.event.vector == vector:
        return "event"
    if gates.extint(vm, vcpu) == vector:
        return "pic"
    return "isr" if in_service else "nowhere"


def _reasons(machine: Machine, vcpu: Vcpu, it: History, where: str) -> Iterator[Reason]:
    """Yield what holds back one that is somewhere."""
    vm, vector = machine.vm, it.vector
    if where == "isr":
        yield from _stopped(machine)
        yield from eoi.in_service(vcpu.apic, vector)
        yield from fates.no_eoi(it)
        yield from fates.came(it)
        yield from sources.waiting_pins(machine, vcpu, it)
        return
    if not it.is_alone:
        yield from gates.gates(machine, vcpu)
    if vcpu.halted:
        yield allows("halted", "the vCPU is halted, and what is delivered wakes it")
    yield from gates.stack(vcpu)
    if where == "event":
        return
    yield from gates.event_first(vcpu)
    if where == "pending":
        yield from _nmi_blocking(vcpu)
        yield from gates.shadow(vcpu)
        yield from fates.came(it)
        yield from fates.merged(it)
        return
    yield from gates.nmi_first(vcpu)
    if where == "pic":
        yield allows("extint", "an ExtINT goes past TPR and PPR", ppr=vcpu.apic.ppr)
        spurious = pic_inputs.spurious(vm)
        if spurious is not None:
            yield spurious
    else:
        yield from gates.extint_first(vm, vcpu)
        yield from _by_priority(machine, vcpu, vector)
    if not it.is_alone:
        yield from _masks(machine, vcpu)
    if where != "pic":
        yield from fates.came(it)
        yield from fates.merged(it)
        yield from _beside(vcpu.apic)
        yield from sources.waiting_pins(machine, vcpu, it)


def _stopped(machine: Machine) -> Iterator[Reason]:
    """Yield that the whole machine stands, and the exceptions that led to it."""
    fatal = fault.shutdown(machine)
    for reason in gates.stopped(machine):
        chain = "" if fatal is None or reason.rule != "suspended" else f": {fatal.text}"
        yield replace(reason, text=f"{reason.text}{chain}")


def _masks(machine: Machine, vcpu: Vcpu) -> Iterator[Reason]:
    """Yield what holds off all interrupts, and where it does so for ever."""
    for reason in gates.masks(vcpu):
        found = spins.spins(machine, vcpu, hex) if _may_spin(vcpu, reason) else None
        where = "" if found is None else f", and {found.reason.text}"
        yield replace(reason, text=f"{reason.text}{where}")


def _may_spin(vcpu: Vcpu, reason: Reason) -> bool:
    runs = not vcpu.halted and run_state.can_run(vcpu.run_state)
    return runs and reason.rule == "if"


def _nmi_blocking(vcpu: Vcpu) -> Iterator[Reason]:
    if vcpu.nmi_blocked:
        text = "an NMI handler runs, and NMIs are blocked until its IRET"
        yield blocks("nmi-blocking", text)


def _by_priority(machine: Machine, vcpu: Vcpu, vector: int) -> Iterator[Reason]:
    """Yield a higher vector, and the PPR if its class is too high."""
    apic = vcpu.apic
    highest = priority.highest(apic.irr)
    if highest > vector:
        text = f"vector {highest:#04x} is in the IRR too, and higher: it goes first"
        yield blocks("higher-vector", text, vector=vector, highest=highest)
    if vector >> 4 > apic.ppr >> 4:
        return
    reason = ppr.class_reason(apic, vector)
    yield reason
    serving = reason.values["isrv"]
    if serving and apic.tpr >> 4 < serving >> 4:
        yield from fates.no_eoi(history.told(machine, vcpu.id, serving, nmi=False))


def _beside(apic: ApicState) -> Iterator[Reason]:
    """Yield what could be taken for a reason and is none."""
    if not apic.svr & SVR_ENABLED:
        text = (
            f"SVR is {apic.svr:#x}: bit 8 is 0, so new interrupts are refused, but "
            f"what is in the IRR is still delivered"
        )
        yield allows("svr", text, svr=apic.svr)
