"""Which rule a fault broke, and the chain from a fault to a shutdown.

It is told from the log of events, which knows the rule as it was found when the fault
was delivered; of a page fault the walk is made anew, and told if it still refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import PF_, PF_I, PF_U, PF_W
from lapis_engine.errors import EngineError
from lapis_engine.events import (
    ExceptionRaised,
    ExtIntDelivered,
    NmiDelivered,
    VectorDelivered,
)
from lapis_engine.explain.rules import rule_text, section_of
from lapis_engine.explain.vectors import vector_name
from lapis_engine.machine.log import KEPT
from lapis_engine.why import pages
from lapis_engine.why.pages import PageAccess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.cause import Undelivered
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.why.pages import PageAnswer

EXTERNAL: Final = 1
"""EXT, bit 0 of an error code (SDM Vol. 3A "Error Code")."""

UNKNOWN: Final = "the rule is not known to Lapis"


class NoFaultError(EngineError):
    """There is no such fault."""

    title = "No fault"


@dataclass(frozen=True, slots=True)
class FaultLink:
    """One exception of a chain."""

    vector: int
    name: str
    """#GP, #PF ..., or INT 0x80."""
    error: int | None
    cr2: int | None
    rule: str | None
    """Code of the rule that was broken; None where Lapis knows none."""
    values: tuple[int, ...]
    """The numbers in its sentence."""
    section: str | None
    """Where the SDM has it."""
    text: str
    """The rule as a sentence, without a full stop."""
    during: str | None
    """What was being delivered when it came; None for what an instruction raised."""
    delivered: bool
    """Its handler was entered."""


@dataclass(frozen=True, slots=True)
class FaultAnswer:
    """Why a vCPU faulted, and what came of it."""

    vcpu: int
    back: int
    """1 for the last one."""
    seq: int
    """Number of its first event."""
    at: int
    """Virtual time in ns."""
    rip: int
    chain: tuple[FaultLink, ...]
    """The first is what the instruction raised, or what was to be delivered."""
    is_shutdown: bool
    """It ended in a triple fault."""
    page: PageAnswer | None
    """Of a #PF: the walk, if it comes to the same error code now."""
    text: str
    """One sentence, without a full stop."""


def fault(machine: Machine, number: int, back: int = 1) -> FaultAnswer:
    """Answer for the last fault of vCPU `number`, or the one `back` - 1 before it.

    Raises `EngineError` without such a vCPU, and `NoFaultError` if it had fewer faults
    since the log begins.
    """
    machine.vcpu(number)
    chains = _chains(machine.log.last(KEPT), number)
    if not 1 <= back <= len(chains):
        had = f"{len(chains)} fault{'s' * (len(chains) != 1)}" if chains else "no fault"
        raise NoFaultError(
            f"vCPU {number} has had {had} among the events that are kept; "
            f"{back} back there is none"
        )
    return _answer(machine, number, back, chains[-back])


def at_event(machine: Machine, seq: int) -> FaultAnswer:
    """Answer for the fault that event `seq` is of; raise `NoFaultError`."""
    for logged in machine.log.between(seq, seq + 1):
        event = logged.event
        if isinstance(event, ExceptionRaised):
            chains = _chains(machine.log.last(KEPT), event.vcpu)
            for back, chain in enumerate(reversed(chains), 1):
                if chain[0].seq <= seq <= chain[-1].seq:
                    return _answer(machine, event.vcpu, back, chain)
    raise NoFaultError(f"event {seq} is no fault, or not kept any more")


def shutdown(machine: Machine) -> FaultAnswer | None:
    """Answer for the triple fault that shut the machine down, if one did."""
    vm = machine.vm
    if vm.suspended is None or vm.suspended.how != "triple-fault":
        return None
    chains = _chains(machine.log.last(KEPT), vm.suspended.source)
    if not chains or not _is_shutdown(chains[-1]):
        return None
    return _answer(machine, vm.suspended.source, 1, chains[-1])


def _chains(log: Sequence[Logged], number: int) -> list[list[Logged]]:
    """Return the faults of a vCPU, oldest first, each with what became of it.

    INT n is one where it did not come to its handler. What interrupts brought to a
    fault is put before it.
    """
    found: list[list[Logged]] = []
    open_chain = False
    before: Logged | None = None
    for logged in log:
        event = logged.event
        if isinstance(event, ExceptionRaised) and event.vcpu == number:
            if open_chain:
                found[-1].append(logged)
            elif not event.software or event.failed is not None:
                came = before is not None and _brought(before, logged, event)
                found.append([before, logged] if came and before else [logged])
            open_chain = event.failed is not None
        before = logged
    return found


def _brought(before: Logged, logged: Logged, event: ExceptionRaised) -> bool:
    """Tell whether the event before is of the interrupt that was being delivered."""
    kinds = VectorDelivered, ExtIntDelivered, NmiDelivered
    is_external = event.error is not None and event.error & EXTERNAL
    return (
        bool(is_external)
        and event.vector != PF_
        and isinstance(before.event, kinds)
        and before.event.vcpu == event.vcpu
        and before.at == logged.at
    )


def _is_shutdown(chain: Sequence[Logged]) -> bool:
    last = chain[-1].event
    return isinstance(last, ExceptionRaised) and last.failed is not None


def _answer(
    machine: Machine, number: int, back: int, chain: Sequence[Logged]
) -> FaultAnswer:
    raised = [each.event for each in chain if isinstance(each.event, ExceptionRaised)]
    first = raised[0]
    links = tuple(_links(_interrupt(chain[0]), raised))
    is_shutdown = _is_shutdown(chain)
    page = _page(machine, number, first)
    return FaultAnswer(
        number, back, chain[0].seq, chain[0].at, first.rip, links, is_shutdown, page,
        _text(first.rip, links, page, is_shutdown=is_shutdown),
    )  # fmt: skip


def _interrupt(logged: Logged) -> str | None:
    """Name the interrupt that was being delivered, if it is one."""
    match logged.event:
        case VectorDelivered(vector=vector) | ExtIntDelivered(vector=vector):
            return f"interrupt {vector:#04x}"
        case NmiDelivered():
            return "the NMI"
        case _:
            return None


def _links(
    during: str | None, raised: Sequence[ExceptionRaised]
) -> Iterator[FaultLink]:
    """Yield the exceptions in order, those in between that no handler was for too."""
    failed: Undelivered | None = None
    for event in raised:
        if failed is not None and failed.vector != event.vector:  # it became #DF
            yield _failed(failed, during)
            during = None
        yield _link(event, during)
        failed, during = event.failed, _named(event)
    if failed is not None:
        yield _failed(failed, during)


def _link(event: ExceptionRaised, during: str | None) -> FaultLink:
    rule, values = event.rule, event.values
    return FaultLink(
        event.vector, _named(event), event.error, event.cr2, rule, values,
        None if rule is None else section_of(rule, values),
        _words(rule, values, is_software=event.software),
        during, event.failed is None,
    )  # fmt: skip


def _failed(fault: Undelivered, during: str | None) -> FaultLink:
    rule, values = fault.rule, fault.values
    return FaultLink(
        fault.vector, vector_name(fault.vector), fault.error, fault.cr2, rule, values,
        None if rule is None else section_of(rule, values),
        _words(rule, values, is_software=False), during, delivered=False,
    )  # fmt: skip


def _named(event: ExceptionRaised) -> str:
    return f"INT {event.vector:#04x}" if event.software else vector_name(event.vector)


def _words(rule: str | None, values: tuple[int, ...], *, is_software: bool) -> str:
    if rule is not None:
        return rule_text(rule, values)
    return "a software interrupt" if is_software else UNKNOWN


def _page(machine: Machine, number: int, event: ExceptionRaised) -> PageAnswer | None:
    """Return the walk of a #PF, unless the tables say something else by now."""
    error = event.error
    if event.software or event.vector != PF_ or event.cr2 is None or error is None:
        return None
    is_fetch = bool(error & PF_I) or event.cr2 == event.rip
    access = PageAccess(bool(error & PF_W), bool(error & PF_U), is_fetch)
    found = pages.page(machine, number, event.cr2, access)
    same = found.refusal is not None and found.refusal.error == error
    return found if same else None


def _text(
    rip: int, links: Sequence[FaultLink], page: PageAnswer | None, *, is_shutdown: bool
) -> str:
    first, *others = links
    parts = [f"{_head(first)} at {rip:#x}"]
    if first.rule is not None or not first.name.startswith("INT "):
        parts[0] += f": {first.text}"
    if page is not None and page.refusal is not None:
        parts[0] += f" ({page.refusal.text})"
    if first.during is not None:
        parts[0] = f"while {first.during} was delivered, {parts[0]}"
    told = {first.rule}
    for link in others:
        if link.during is None:
            parts.append(f"so {_head(link)}")
            continue
        is_told = link.rule is not None and link.rule in told
        why = ", likewise" if is_told else f": {link.text}"
        parts.append(f"{_head(link)} while {link.during} was delivered{why}")
        told.add(link.rule)
    return "; ".join([*parts, *(["so a shutdown"] if is_shutdown else [])])


def _head(link: FaultLink) -> str:
    return link.name if link.error is None else f"{link.name}({link.error:#x})"
