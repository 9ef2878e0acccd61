"""Why a breakpoint, a watchpoint or a catch has not stopped the machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_engine.cause import sentence
from lapis_engine.errors import EngineError
from lapis_engine.events import MsrAccessed
from lapis_engine.machine import catches
from lapis_engine.machine.catches import CONSOLE, EVENTS, Catch
from lapis_engine.machine.log import KEPT
from lapis_engine.why import pages
from lapis_engine.why.pages import PageAccess
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.events import Event
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.points import Point
    from lapis_engine.machine.terms import Terms
    from lapis_engine.machine.watches import Watch

EXECUTE: Final = PageAccess(fetch=True)
MOST_FAR: Final = 0x1000
"""Bytes from the beginning of a function that are disassembled to a breakpoint."""
SHOWN: Final = 6
"""Values that are named of events that a condition did not want."""
NAMED: Final = ("vcpu", "vector", "mode", "msr", "to", "code")
"""Conditions of a catch, as its fields are called."""


@dataclass(frozen=True, slots=True)
class StopAnswer:
    """Why something has not stopped the machine, or that it has."""

    number: int
    what: str
    """breakpoint, watchpoint or catch."""
    hits: int
    """How often it was met."""
    text: str
    """One sentence."""
    reasons: tuple[Reason, ...]


def _answer(number: int, what: str, hits: int, reasons: list[Reason]) -> StopAnswer:
    first = next((each for each in reasons if each.blocks), None)
    head = f"{what} {number} "
    if first is not None and not hits:
        text = f"{head}has not stopped the machine: {first.text}"
    elif first is not None:
        text = f"{head}was met {hits} times; {first.text}"
    elif hits:
        text = f"{head}was met {hits} times"
    else:
        text = f"{head}has not stopped the machine: nothing came to it yet"
    return StopAnswer(number, what, hits, text, tuple(reasons))


# Breakpoints.


def point(machine: Machine, number: int, start: int | None = None) -> StopAnswer:
    """Answer for a breakpoint; raise `EngineError` when there is none.

    `start` is where the function begins that it lies in, if somebody knows: from there
    on instructions are told from what lies within one.
    """
    it = machine.points.named(number)
    reasons = [
        *_terms(machine, it),
        *(() if it.physical else _linear(machine, it, start)),
    ]
    return _answer(number, "breakpoint", it.hits, reasons)


def _terms(machine: Machine, it: Terms) -> Iterator[Reason]:
    if not it.enabled:
        yield blocks("disabled", "it is disabled")
    if it.unmet:
        text = f"its condition was asked {it.unmet} times in vain"
        yield blocks("condition", text, unmet=it.unmet)
    if it.skip:
        yield blocks("skip", f"it lets {it.skip} more go by", skip=it.skip)
    if it.vcpu is None:
        return
    if it.others:
        text = f"it is for vCPU {it.vcpu}, and others came {it.others} times"
        yield blocks("vcpu", text, vcpu=it.vcpu, others=it.others)
    why = machine.why_not_runnable(it.vcpu)
    if why is not None:
        text = f"it is for vCPU {it.vcpu}, which does not run: {sentence(why)}"
        yield blocks("not-running", text, vcpu=it.vcpu)


def _linear(machine: Machine, it: Point, start: int | None) -> Iterator[Reason]:
    """Yield what one at a linear address meets; one at a physical has many of those."""
    yield from _boundary(machine, it, start)
    yield from _mapped(machine, it)


def _boundary(machine: Machine, it: Point, start: int | None) -> Iterator[Reason]:
    """Yield the instruction that the breakpoint lies within, and not at."""
    if start is None or not 0 <= it.linear - start < MOST_FAR:
        return
    number = it.vcpu or 0
    for line in machine.disassemble(number, start, it.linear - start + 1):
        if line.linear >= it.linear:
            return
        after = line.linear + len(line.code)
        if line.linear < it.linear < after:
            text = (
                f"{it.linear:#x} lies within the instruction at {line.linear:#x} "
                f"({line.mnemonic} {line.operands}".rstrip()
                + ")"
            )
            yield blocks("boundary", text, address=line.linear)
            return


def _mapped(machine: Machine, it: Point) -> Iterator[Reason]:
    """Yield who could not fetch from there now, where that is all of them."""
    numbers = [it.vcpu] if it.vcpu is not None else range(len(machine.vcpus))
    refused = []
    for number in numbers:
        answer = pages.page(machine, number, it.linear, EXECUTE)
        if answer.refusal is None and answer.served is not None:
            return
        refused.append(answer.text)
    yield blocks("unmapped", f"nobody can execute there now: {refused[0]}")


# Watchpoints.


def watch(machine: Machine, number: int) -> StopAnswer:
    """Answer for a watchpoint; raise `EngineError` when there is none."""
    it = machine.watches.named(number)
    reasons = [*_terms(machine, it), *_same(it), *_elsewhere(machine, it)]
    return _answer(number, "watchpoint", it.hits, reasons)


def _same(it: Watch) -> Iterator[Reason]:
    if it.kind == "change":
        text = "it stops at a write that changes something, and at no other"
        yield allows("change", text)


def _elsewhere(machine: Machine, it: Watch) -> Iterator[Reason]:
    """Yield that the address means other memory now than what is watched."""
    if it.space != "memory" or not it.places or it.address == it.places[0][0]:
        return
    watched = it.places[0][0]
    for vcpu in machine.vcpus:
        now = pages.page(machine, vcpu.id, it.address, PageAccess())
        if now.physical is not None and now.physical != watched:
            text = (
                f"physical {watched:#x} is watched, and {it.address:#x} of vCPU "
                f"{vcpu.id} is physical {now.physical:#x} now"
            )
            yield blocks("remapped", text, watched=watched, now=now.physical)
            return


# Catches.


def catch(machine: Machine, number: int) -> StopAnswer:
    """Answer for a catch; raise `EngineError` when there is none."""
    found = [each for each in machine.catches.items if each.number == number]
    if not found:
        known = ", ".join(str(each.number) for each in machine.catches.items)
        raise EngineError(f"there is no catch {number}; there are: {known or 'none'}")
    it = found[0]
    reasons = [] if it.event == CONSOLE else list(_unwanted(machine, it))
    return _answer(number, "catch", it.hits, reasons)


def _unwanted(machine: Machine, it: Catch) -> Iterator[Reason]:
    """Yield what keeps the events that are remembered from being what it waits for."""
    events = [logged.event for logged in machine.log.last(KEPT)]
    alike = [event for event in events if isinstance(event, EVENTS[it.event])]
    if not alike:
        kinds = Counter(event.kind for event in events)
        most = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(SHOWN))
        text = f"nothing of that kind happened; what happened is {most or 'nothing'}"
        yield blocks("none", text, events=len(events))
        return
    if any(catches.matches(replace(it, when=None), event) for event in alike):
        if it.when is not None and not it.hits:
            yield blocks("condition", "its condition held for none of them")
        elif not it.hits:
            yield blocks("earlier", "what it waits for happened before it was set")
        return
    for name in NAMED:
        wanted = getattr(it, name)
        if wanted is None:
            continue
        bare = Catch(0, it.event, **{name: wanted})
        if any(catches.matches(bare, event) for event in alike):
            continue
        had = Counter(_told(name, event) for event in alike)
        listed = ", ".join(value for value, _ in had.most_common(SHOWN))
        text = (
            f"{len(alike)} of that kind happened, none with {name} {_word(wanted)}; "
            f"they have {listed}"
        )
        yield blocks(name, text, events=len(alike))
        return
    yield blocks("together", f"none of {len(alike)} of that kind met all that it wants")


def _told(name: str, event: Event) -> str:
    """Return what an event has where a condition asks."""
    match name:
        case "vector":
            value: object = catches.vector(event)
        case "mode":
            value = catches.mode(event)
        case "to":
            value = getattr(event, "targets", None)
        case "msr":
            value = event.msr if isinstance(event, MsrAccessed) else None
        case _:
            value = getattr(event, name, None)
    return "none" if value is None else _word(value)


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(_word, value)) or "nobody"
    return f"{value:#x}" if isinstance(value, int) else str(value)
