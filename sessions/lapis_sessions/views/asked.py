"""What is known of each request that waits, and of those that were settled.

Making it changes nothing and touches no device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_engine.events import Answered, Exited
from lapis_engine.explain import explain
from lapis_engine.vmm import naming, peeking
from lapis_engine.why import changes, entry_commands
from lapis_sessions.views import rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.cpu.disasm import Line
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.vmm.naming import Named
    from lapis_engine.why.entry_commands import Tried
    from lapis_sessions.extensions import Explainer
    from lapis_sessions.session import Session
    from lapis_sessions.views.rules import RuleView

LOOKED_AT: Final = 2000
"""Events, the last ones, that are searched for answers and questions."""
MOST_SETTLED: Final = 200
"""Settled requests that are kept in a picture, the last ones."""
CODE: Final = 3
"""Instructions that are shown of a vCPU that waits."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A request that was settled."""

    seq: int
    """Event of the answer."""
    at: int
    """ns of virtual time."""
    asked: int
    """Event from which on it waited; `seq` where that is not known any more."""
    answer: Answered
    place: Named
    is_replayed: bool
    """It came with a recording, and was not done here."""

    def is_at(self, request: PendingRequest) -> bool:
        """Tell whether it was at the same place, and of the same direction."""
        it = self.answer
        there = request.kind, request.address, request.read
        return (it.what, it.address, it.read) == there


@dataclass(frozen=True, slots=True)
class AskedView:
    """A request that waits, and all that bears upon the answer."""

    request: PendingRequest
    place: Named
    """Who would answer, and what the register is called."""
    code: tuple[Line, ...]
    """The instruction that waits, and what comes behind it."""
    own: int | None
    """What a read there gives without traps, found out without touching it: the answer
    of the engine's own device, or for a write what it would overwrite. None where
    nobody is there, or it cannot be looked at."""
    own_decoded: str | None
    """That in words; None where nobody explains it."""
    decoded: str | None
    """What is written, in words; None for a read, and for what nobody explains."""
    changes: tuple[str, ...]
    """What the answer will change, each in a phrase."""
    commands: tuple[Tried, ...]
    """What would become of each entry command."""
    since: Logged | None
    """The event with which the wait began; None if it is forgotten."""
    before: tuple[Settled, ...]
    """What was answered at the same place, the last first."""


@dataclass(frozen=True, slots=True)
class Requests:
    """All that is known of requests."""

    asked: tuple[AskedView, ...]
    """What waits, by vCPU."""
    settled: tuple[Settled, ...]
    """What was settled, oldest first; the last ones."""
    rules: tuple[RuleView, ...]
    """What answers by itself."""


def take(session: Session) -> Requests:
    """Return what waits, what was settled, and what answers by itself."""
    machine = session.machine
    waiting = machine.pending()
    events = machine.log.last(LOOKED_AT)
    past = _settled(session, events)
    known = session.extensions.explainers
    asked = tuple(_asked(machine, each, events, past, known) for each in waiting)
    return Requests(asked, past, tuple(map(rules.of, session.rules.rules)))


def _asked(
    machine: Machine,
    request: PendingRequest,
    events: Sequence[Logged],
    past: Sequence[Settled],
    known: Mapping[str, Explainer],
) -> AskedView:
    vm, vcpu = machine.vm, machine.vcpu(request.vcpu)
    kind, address = request.kind, request.address
    place = naming.name(vm, vcpu, kind, address, read=request.read)
    own = peeking.peek(vm, vcpu, kind, address, request.bytes)
    return AskedView(
        request=request,
        place=place,
        code=tuple(machine.disassemble(request.vcpu, None, CODE)),
        own=own,
        own_decoded=_decoded(own, place, known),
        decoded=None if request.read else _decoded(request.data, place, known),
        changes=changes.of(vm, vcpu, request),
        commands=tuple(entry_commands.try_all(vm, vcpu)),
        since=_since(events, request.vcpu),
        before=tuple(each for each in reversed(past) if each.is_at(request)),
    )


def _decoded(
    value: int | None, place: Named, known: Mapping[str, Explainer]
) -> str | None:
    """Say what a value is, where somebody explains those of its register."""
    what = place.explained
    if value is None or what is None or what not in known or place.within:
        return None
    try:
        return explain(what, value | place.rest, {what: known[what].explain}).text
    except LapisError:
        return None  # of a plug-in that failed, which has been told


def _since(events: Sequence[Logged], vcpu: int) -> Logged | None:
    """Return the event with which a vCPU began to wait, where it is known.

    An exit is told again at each attempt to run: it is the first since the last answer.
    Where an instruction goes on to ask, that answer itself is the beginning.
    """
    found: Logged | None = None
    for logged in reversed(events):
        event = logged.event
        if getattr(event, "vcpu", None) != vcpu:
            continue
        if isinstance(event, Answered):
            return found or logged
        if isinstance(event, Exited):
            if found is not None and event != found.event:
                return found
            found = logged
    return found


def _settled(session: Session, events: Sequence[Logged]) -> tuple[Settled, ...]:
    """Return the requests that were settled, oldest first."""
    machine, adopted = session.machine, session.timeline.branch.adopted
    names: dict[tuple[str, int, bool, int], Named] = {}
    began: dict[int, int] = {}
    rows: list[Settled] = []
    for logged in events:
        event = logged.event
        if isinstance(event, Exited):
            began[event.vcpu] = logged.seq
        elif isinstance(event, Answered) and event.what:
            asked = began.get(event.vcpu, logged.seq)
            place = _place(machine, event, names)
            is_replayed = logged.seq < adopted
            row = Settled(logged.seq, logged.at, asked, event, place, is_replayed)
            rows.append(row)
            began[event.vcpu] = logged.seq
    return tuple(rows[-MOST_SETTLED:])


def _place(
    machine: Machine, it: Answered, names: dict[tuple[str, int, bool, int], Named]
) -> Named:
    """Name where a request was; `names` are those that were found already."""
    key = it.what, it.address, it.read, it.vcpu
    place = names.get(key)
    if place is None:
        vcpu = machine.vcpu(it.vcpu)
        place = naming.name(machine.vm, vcpu, it.what, it.address, read=it.read)
        names[key] = place
    return place
