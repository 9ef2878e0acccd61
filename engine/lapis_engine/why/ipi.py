"""Whom an IPI would reach and what each would do with it: a verdict a vCPU.

What a target does is tried out on a copy of its state, so that it is the engine's own
rule that answers. `destination` says why one names an APIC or does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules, lvt
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import icr_text
from lapis_engine.apic.regs import SVR_ENABLED
from lapis_engine.events import VectorRefused
from lapis_engine.vmm import fabric, interference
from lapis_engine.vmm.startup import protocols
from lapis_engine.why import boot, destination
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.cause import Cause
    from lapis_engine.events import Interfered
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


@dataclass(frozen=True, slots=True)
class Fate:
    """What an IPI would do to one vCPU."""

    vcpu: int
    verdict: str
    """accepted; ignored: it arrives and changes nothing; refused by the APIC; lost on
    the way; delayed by a rule of the user's; not-reached."""
    text: str
    """One sentence."""
    reasons: tuple[Reason, ...]
    """The rule of the destination, then that of the target."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would become of an IPI."""

    sender: int
    icr: int
    mode: str
    words: str
    """The ICR in words."""
    targets: tuple[int, ...]
    """vCPUs that it would reach, ascending; empty when it would be dropped."""
    dropped: Cause | None
    """Why nothing would be sent."""
    text: str
    """One sentence."""
    verdicts: tuple[Fate, ...]
    """One a vCPU."""
    guest: str | None = None
    """What the kernel would do instead if the guest wrote it."""


def dry_run(machine: Machine, sender: int, icr: int) -> DryRun:
    """Judge what `Machine.send_ipi` would do with `icr`; raise `EngineError`."""
    vm = machine.vm
    x2apic = apic_state.mode(machine.vcpu(sender).apic) == "x2apic"
    ipi = apic_icr.decode(icr, x2apic=x2apic, sender=sender)
    dropped = icr_rules.refusal(ipi, vm.profile)
    targets = () if dropped is not None else fabric.destinations(vm, ipi)
    if dropped is None:
        acting = _interference(vm, ipi, targets)
        verdicts = tuple(_judge(vm, v, ipi, targets, acting) for v in vm.vcpus)
        dropped = None if targets else fabric.ABSENT
    else:
        reason = blocks(dropped.code, dropped.text, icr=icr)
        verdicts = tuple(
            Fate(v.id, "not-reached", dropped.text, (reason,)) for v in vm.vcpus
        )
    words = icr_text(icr, x2apic=x2apic)
    guest = _by_the_guest(vm, ipi)
    text = f"{words}; it would {_fate(sender, targets, dropped, verdicts)}"
    if guest is not None:
        text += f"; {guest}"
    return DryRun(sender, icr, ipi.mode, words, targets, dropped, text, verdicts, guest)


def _fate(
    sender: int,
    targets: tuple[int, ...],
    dropped: Cause | None,
    verdicts: Iterable[Fate],
) -> str:
    """Say what would become of it, after "it would"."""
    if dropped is None:
        fates = [f"vCPU {v.vcpu} ({v.verdict})" for v in verdicts if v.vcpu in targets]
        return f"reach {', '.join(fates)}"
    fate = f"be dropped: {dropped}"
    if dropped.code == "illegal-vector":
        fate += f", and vCPU {sender} has ESR bit 5 (send illegal vector)"
    return fate


def _by_the_guest(vm: Vm, ipi: Ipi) -> str | None:
    """Say how the guest's own write would end otherwise (`fabric.request`), or None."""
    profile = vm.profile
    if profile.ipi_unimplemented_fails and ipi.mode in fabric.UNIMPLEMENTED:
        return "written by the guest, it makes vm_run fail with EINVAL"
    why = protocols.of(profile).refusal(vm, ipi)
    if why is None:
        return None
    panics = profile.icr_refused == "panic"
    end = "the host panics" if panics else "it is an INST_EMUL exit"
    return f"written by the guest, {end}: {why}"


def _interference(vm: Vm, ipi: Ipi, targets: tuple[int, ...]) -> dict[int, Interfered]:
    """Return what rules of the user's would do, by target; their counts stay."""
    tried = interference.InterferenceState([replace(r) for r in vm.interference.rules])
    found = {}
    for target in targets:
        event = interference.copies(tried, ipi, target, "the user", vm.now)[1]
        if event is not None:
            found[target] = event
    return found


def _judge(
    vm: Vm,
    vcpu: Vcpu,
    ipi: Ipi,
    targets: tuple[int, ...],
    acting: Mapping[int, Interfered],
) -> Fate:
    reached = vcpu.id in targets
    way = destination.way(vm, vcpu, ipi, reached=reached)
    if not reached:
        return Fate(vcpu.id, "not-reached", way.text, (way,))
    reasons: tuple[Reason, ...] = (way,)
    event = acting.get(vcpu.id)
    if event is not None:
        text = f"{event.action}: {event.text}"
        stopped = event.action != "duplicate"
        reasons += (Reason("interfered", text, {}, blocks=stopped),)
        if stopped:
            verdict = "delayed" if event.action == "delay" else "lost"
            return Fate(vcpu.id, verdict, f"{way.text}; {text}", reasons)
    verdict, effect = _effect(vm, vcpu, ipi)
    reasons += (effect,)
    text = "; ".join(reason.text for reason in reasons)
    return Fate(vcpu.id, verdict, text, reasons)


# What a target does with it.


def _effect(vm: Vm, vcpu: Vcpu, ipi: Ipi) -> tuple[str, Reason]:
    if ipi.mode in {"fixed", "lowest"}:
        return _fixed(vm, vcpu, ipi.vector)
    if ipi.mode == "nmi":
        return "accepted", _nmi(vcpu)
    return boot.of(vm.profile).effect(vm, vcpu, ipi)


def _fixed(vm: Vm, vcpu: Vcpu, vector: int) -> tuple[str, Reason]:
    apic = replace(vcpu.apic)
    result = lvt.receive(apic, vector, "dry run", vm.profile)[0]
    if isinstance(result, VectorRefused):
        rule = "apicbase" if apic.svr & SVR_ENABLED else "svr"
        text = f"its APIC refuses it: {result.why}"
        return "refused", blocks(
            rule, text, svr=apic.svr, apicbase=apic.apicbase, vector=vector
        )
    if vcpu.apic.irr >> vector & 1:
        text = f"vector {vector:#04x} is in its IRR already, and stays there once"
        return "accepted", allows("merged", text, vector=vector)
    text = f"vector {vector:#04x} enters its IRR"
    return "accepted", allows("accept", text, vector=vector, ppr=apic.ppr)


def _nmi(vcpu: Vcpu) -> Reason:
    if vcpu.nmi_pending:
        return allows("merged", "an NMI is pending already, and stays so once")
    if vcpu.nmi_blocked:
        text = "the NMI becomes pending, and waits for the IRET of the one before"
        return allows("nmi-blocking", text)
    return allows("accept", "the NMI becomes pending")
