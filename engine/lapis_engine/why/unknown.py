"""What a file did not tell of a machine that was read from it, and what rests on that.

`Vm.unknown` has the names (`saved.system`). A reason that rests on one of them is left
out, and what is not known is said instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.saved.system import HISTORY, IOAPIC, LINES, PIC
from lapis_engine.why.history import PINS
from lapis_engine.why.reason import Reason, allows, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

STATE: Final = "state"
"""Registers and run-state of a processor, as a fact about it."""
RESTS: Final = {
    "not-running": STATE, "init-first": STATE, "if": STATE, "shadow": STATE,
    "halted": STATE, "nmi-blocking": STATE, "inactive": STATE,
    "svr": "svr", "class": "tpr", "higher-vector": "irr", "apicbase": "apicbase",
    "in-service": "isr", "eoi-order": "isr", "timer-stopped": "timer",
    "timer-count-0": "timer", "timer-not-armed": "timer", "timer-expired": "timer",
    "timer": "timer", "no-source": HISTORY,
}  # fmt: skip
"""Rule -> the fact that it rests on."""
PLACE: Final = {"irr": "IRR", "isr": "ISR"}
PENDING: Final = frozenset({"irr", "irr+isr", "pic"})


def facts(vm: Vm, vcpu: Vcpu) -> frozenset[str]:
    """Return what is not known of `vcpu`, and of what it shares with the others.

    A processor that has run, or whose IF was set, is the user's: its state is known.
    """
    own = f"vcpu{vcpu.id}"
    found = {name for name in vm.unknown if not name.startswith("vcpu")}
    found |= {
        name.removeprefix(f"{own}.")
        for name in vm.unknown
        if name.startswith(f"{own}.")
    }
    touched = vcpu.retired or vcpu.regs.interrupts
    if own in vm.unknown and not touched:
        found.add(STATE)
    return frozenset(found)


def strangers(vm: Vm) -> frozenset[int]:
    """Return the vCPUs of whose APIC nothing is known, not even its id."""
    if not vm.unknown:
        return frozenset()
    names = set(vm.unknown)
    return frozenset(v.id for v in vm.vcpus if f"vcpu{v.id}.apicbase" in names)


def hides_state(vm: Vm, vcpu: Vcpu) -> bool:
    """Tell whether nothing is known of registers and run-state."""
    return bool(vm.unknown) and STATE in facts(vm, vcpu)


class Found(NamedTuple):
    """What was found out about a vector on a vCPU."""

    vector: int
    where: str
    head: str
    """Where it is, in words."""
    verdict: str
    text: str
    reasons: tuple[Reason, ...]


def qualified(machine: Machine, vcpu: Vcpu, found: Found) -> Found:
    """Return an answer without what nobody knows; the same where all is known."""
    vm = machine.vm
    if not vm.unknown:
        return found
    lost = facts(vm, vcpu)
    kept = tuple(row for row in found.reasons if not _rests(row, vcpu, lost))
    is_blocked = found.where in PENDING and any(row.blocks for row in kept)
    beside = () if is_blocked else tuple(_missing(found.where, vcpu, lost))
    verdict, text = _told(found, kept, beside, lost)
    return found._replace(verdict=verdict, text=text, reasons=(*kept, *beside))


def _told(
    answer: Found,
    kept: tuple[Reason, ...],
    beside: tuple[Reason, ...],
    lost: frozenset[str],
) -> tuple[str, str]:
    """Return verdict and sentence."""
    head = answer.head
    stuck = sentence(kept)
    unknown = "; ".join(row.text for row in beside)
    if answer.where == "nowhere":
        # Where something that the file has is the reason, that is the answer.
        gone = [PLACE[name] for name in PLACE if name in lost]
        told = kept[0].text if kept else None
        if gone:
            what = f"whether vector {answer.vector:#04x} is pending is not known"
            return "unknown", f"{what}: the file has no {' and no '.join(gone)}"
        said = told or f"{NOWHERE}{f'; {unknown}' if unknown else ''}"
        return "absent", f"{head}: {said}"
    if answer.where == "isr":
        return "in-service", f"{head}: {stuck}"
    if stuck:
        return "blocked", f"{head} and waits: {stuck}"
    if unknown:
        return "unknown", f"{head}, and nothing that the file has keeps it; {unknown}"
    return "deliverable", f"{head} and goes in at its next entry"


NOWHERE: Final = "nothing that the file has names it"


def _rests(row: Reason, vcpu: Vcpu, lost: frozenset[str]) -> bool:
    """Tell whether a reason rests on what is not known."""
    fact = RESTS.get(row.rule)
    if row.rule == "class":
        # What is in service alone may be class enough: the PPR is at least its class.
        return (
            "tpr" in lost and vcpu.apic.isr.bit_length() - 1 >> 4 < vcpu.apic.ppr >> 4
        )
    if fact in lost:
        return True
    kind, _, name = row.about.partition(" ")
    match kind:
        case "lvt":
            return f"lvt_{name}" in lost
        case "ioapic":
            return f"{IOAPIC}.pin{PINS.get(row.about)}" in lost or (
                row.rule in {"line", "edge"} and LINES in lost
            )
        case _:
            return False


def _missing(where: str, vcpu: Vcpu, lost: frozenset[str]) -> Iterator[Reason]:
    """Yield what would have to be known to say more, where something would."""
    if where in PENDING or where in {"event", "pending"}:
        found = [name.upper() for name in ("tpr", "isr") if name in lost]
        if where != "irr":
            found = []
        if STATE in lost:
            found.append(f"the registers of vCPU {vcpu.id}")
    elif where == "nowhere":
        found = list(_senders(lost))
    else:
        found = []
    if found:
        yield allows("unknown", f"unknown, not in the file: {', '.join(found)}")


def _senders(lost: frozenset[str]) -> Iterator[str]:
    """Yield who could send a vector for all that is known."""
    lvts = sorted(name for name in lost if name.startswith("lvt_"))
    if lvts:
        yield f"LVT {', '.join(name.removeprefix('lvt_') for name in lvts)}"
    if "timer" in lost:
        yield "the counts of the timer"
    pins = [name for name in lost if name.startswith(f"{IOAPIC}.pin")]
    if pins:
        yield f"{len(pins)} pins of the IOAPIC"
    if {IOAPIC, PIC} & lost:
        yield "who else could send it"
    if HISTORY in lost:
        yield "what was sent before"
