"""Why a guest gets on slowly.

That is who waits in a loop, what comes again and again, and what of the debugger's own
costs time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import selfcheck
from lapis_engine.events import (
    ExceptionRaised,
    Exited,
    Halted,
    IpiSent,
    MsrAccessed,
    VectorDelivered,
)
from lapis_engine.machine.log import KEPT
from lapis_engine.vmm.costs import FREE
from lapis_engine.why.causes import spins
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.events import Event
    from lapis_engine.machine.machine import Machine
    from lapis_engine.why.causes.spins import Place

MOST: Final = 8
"""Kinds of events that are told, the most frequent ones."""
OFTEN: Final = 1000
"""An event that comes oftener than once in so many ns is worth telling: an instruction
takes one, and an event costs the engine about what so many do."""
SHORT_TURN: Final = 1000
"""Instructions of a turn that are fewer than it costs to begin one."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """Events of one kind on one vCPU."""

    vcpu: int
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class SlowAnswer:
    """What takes the time."""

    text: str
    """One sentence, of what matters most."""
    reasons: tuple[Reason, ...]
    """spins, spins-lock, polls or endless: who waits in a loop, and for what; often:
    what comes oftener than instructions are worth; then what the debugger adds."""
    events: tuple[Frequency, ...]
    """The most frequent first."""
    seen: int
    """Events that were looked at: the last ones."""
    span: int
    """ns of virtual time that they took; an instruction takes one."""


def slow(machine: Machine, place: Place = hex) -> SlowAnswer:
    """Answer for the whole machine; `place` puts linear addresses into words."""
    events = machine.log.last(KEPT)
    counted = Counter(_kind(each.event) for each in events)
    frequent = tuple(
        Frequency(vcpu, what, count)
        for (vcpu, what), count in counted.most_common(MOST)
    )
    span = machine.vm.now - events[0].at if events else 0
    reasons = (
        *_loops(machine, place),
        *_often(frequent, span),
        *_own(machine),
    )
    head = next((each for each in reasons if each.blocks), None)
    text = "nothing is seen that would make it slow" if head is None else head.text
    return SlowAnswer(text, reasons, frequent, len(events), span)


def _loops(machine: Machine, place: Place) -> Iterator[Reason]:
    for vcpu in machine.vcpus:
        if machine.why_not_runnable(vcpu.id) is not None:
            continue
        found = spins.spins(machine, vcpu, place)
        if found is not None:
            it = found.reason
            about = f"vCPU {vcpu.id}"
            yield blocks(it.rule, f"{about}: {it.text}", about, **it.values)


def _often(frequent: tuple[Frequency, ...], span: int) -> Iterator[Reason]:
    for each in frequent:
        if each.count > 1 and span < each.count * OFTEN:
            every, about = span // each.count, who(each.vcpu)
            text = (
                f"{about} has {each.count} times {each.what}, once in {every} ns of "
                f"virtual time"
            )
            yield blocks("often", text, about, count=each.count, every=every)


def who(vcpu: int) -> str:
    """Return whose an event is, in words."""
    return f"vCPU {vcpu}" if vcpu >= 0 else "the machine"


def _kind(event: Event) -> tuple[int, str]:
    """Return whose an event is, and what it is one of."""
    match event:
        case Exited():
            what = f"exit {event.code} at {event.rip:#x}"
        case MsrAccessed():
            what = f"{'WRMSR' if event.write else 'RDMSR'} {event.msr:#x}"
        case VectorDelivered():
            what = f"vector {event.vector:#04x}"
        case ExceptionRaised():
            what = f"exception {event.vector}"
        case IpiSent():
            what = f"IPI of mode {event.mode}"
        case Halted():
            what = "HLT"
        case _:
            what = event.kind
    return event.vcpu, what


def _own(machine: Machine) -> Iterator[Reason]:
    """Yield what the debugger adds, the dearest first."""
    watches = [w for w in machine.watches.items if w.enabled and w.space == "memory"]
    if watches:
        text = (
            f"while memory is watched ({len(watches)} watchpoints) instructions are "
            f"counted one by one"
        )
        yield blocks("watch", text, watches=len(watches))
    library = selfcheck.blocks_library()
    if isinstance(library, str):
        yield blocks("counted", f"instructions are counted one by one: {library}")
    if machine.config.strict:
        yield blocks("strict", "operands are checked one by one (--strict)")
    conditions = [p for p in machine.points.items if p.enabled and p.when is not None]
    if any(point.unmet for point in conditions):
        unmet = sum(point.unmet for point in conditions)
        text = f"conditions of breakpoints were asked {unmet} times in vain"
        yield blocks("conditions", text, unmet=unmet)
    if machine.config.quantum < SHORT_TURN:
        text = f"turns are {machine.config.quantum} instructions (--quantum)"
        yield blocks("quantum", text, quantum=machine.config.quantum)
    if machine.catches.items:
        text = f"every event is shown to {len(machine.catches.items)} catches"
        yield allows("catches", text, catches=len(machine.catches.items))
    if machine.config.costs != FREE:
        yield allows("costs", "accesses take virtual time (--cost)")
