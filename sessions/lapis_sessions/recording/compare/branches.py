"""Where a branch of the session's history differs from where the machine is.

Two branches do the same up to where they part, so only what came after that is done
again: once along each, and back. What is compared is what a recording of each would
say: the first event that differs, and the two states in the end.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.machine.log import KEPT
from lapis_engine.replay.digest import Digester
from lapis_sessions.errors import CommandError
from lapis_sessions.recording.compare import fields
from lapis_sessions.recording.compare.diff import BEFORE, Events
from lapis_sessions.recording.compare.fields import MEMORY, Different
from lapis_sessions.text.visible import quoted
from lapis_sessions.timeline.branches import Spot, listed, parting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.capture import Position
    from lapis_sessions.timeline.branches import Branch
    from lapis_sessions.timeline.timeline import Timeline

MOST_EVENTS: Final = KEPT
"""Events after the parting that are compared."""
MOST_PAGES: Final = 256
"""Pages that are compared by the word; of more it is told that they differ."""


class BranchPoint(NamedTuple):
    """A point of a branch."""

    branch: Branch
    spot: Spot


@dataclass(frozen=True, slots=True)
class Apart:
    """All that was found."""

    here: BranchPoint
    there: BranchPoint
    parting: Position
    """Up to where both did the same."""
    acts: tuple[int | None, int | None]
    """The entry that each goes on with, from 0; None where it ends there."""
    events: Events | None
    """The first that differs: `a` is of here, `b` of there."""
    fields: list[Different]
    """Of the states at the two points."""

    @property
    def is_equal(self) -> bool:
        """Whether nothing tells the two apart."""
        return self.events is None and not self.fields


def point(timeline: Timeline, name: str) -> BranchPoint:
    """Return the end of a branch, or a named point; raise `CommandError`."""
    if name in timeline.branches:
        branch = timeline.branches[name]
        return BranchPoint(branch, branch.end)
    if name in timeline.names:
        of, spot = timeline.names[name]
        return BranchPoint(timeline.named_branch(of), spot)
    raise CommandError(
        f"diff: there is no branch or point {quoted(name)}: "
        f"{listed([*timeline.branches, *timeline.names])}"
    )


def compare(timeline: Timeline, there: BranchPoint) -> Apart:
    """Compare where the machine is with another point, and leave it where it is.

    Raises `CommandError` where they have no beginning in common any more, and as
    `Timeline.go`.
    """
    here = BranchPoint(timeline.branch, timeline.spot)
    mine, its = _partings(here, there)
    after = [one.spot.at.retired - mine.at.retired for one in (here, there)]
    back = here.spot.at.retired - here.branch.before(here.spot).spot.at.retired
    with timeline.or_back(), timeline.going(sum(after) + back) as course:
        first = _along(timeline, here, mine)
        digester = Digester(timeline.machine)
        fields_here = digester.fields()
        course.expect(after[1] + back)
        second = _along(timeline, there, its)
        found = fields.different(fields_here, digester.fields())
        wanted = [_gpa(row) for row in found if row.field.startswith(MEMORY)]
        pages = {gpa: fields.page(timeline.machine, gpa) for gpa in wanted[:MOST_PAGES]}
        course.expect(back)
        timeline.go(here.spot, here.branch.name)
        found = list(_by_word(found, timeline.machine, pages))
    acts = _next(here, mine), _next(there, its)
    return Apart(here, there, mine.at, acts, _first(first, second), found)


def _partings(here: BranchPoint, there: BranchPoint) -> tuple[Spot, Spot]:
    """Return where the two part, as each has it."""
    one, other = here.branch, there.branch
    begin = one.kept[0].spot.at
    if begin != other.kept[0].spot.at:
        raise CommandError(
            f"diff: {one.name} and {other.name} have no beginning in common any more"
        )
    if one is other:
        least = min(here.spot, there.spot)
        return least, least
    mine = parting(one.entries, other.entries, begin)
    its = parting(other.entries, one.entries, begin)
    if here.spot.at < mine.at and here.spot.at <= there.spot.at:
        return here.spot, other.spot_at(here.spot.at)
    if there.spot.at < mine.at:
        return one.spot_at(there.spot.at), there.spot
    return min(mine, here.spot), min(its, there.spot)


def _next(to: BranchPoint, at: Spot) -> int | None:
    """Return the entry that the way to a point goes on with after `at`."""
    index = to.branch.over(at) - to.branch.given_up
    goes_on = at.at < to.spot.at or index < to.spot.done
    return index if goes_on else None


class _Walked(NamedTuple):
    """The events of a way from where two points part."""

    before: tuple[Logged, ...]
    """The last ones before it."""
    events: list[Logged]
    is_cut: bool
    """Whether there were more."""


def _along(timeline: Timeline, to: BranchPoint, begin: Spot) -> _Walked:
    """Go along to a point; return what happened from `begin` on."""
    timeline.go(begin, to.branch.name)
    log = timeline.machine.log
    before = tuple(log.last(BEFORE))
    with timeline.travelling(), _heard(timeline.machine) as events:
        timeline.forward(to.spot)
    is_cut = log.next_seq - begin.at.seq > len(events)
    return _Walked(before, events, is_cut)


@contextmanager
def _heard(machine: Machine) -> Iterator[list[Logged]]:
    """Gather the first events that happen within."""
    events: list[Logged] = []

    def hear(logged: Logged) -> None:
        if len(events) < MOST_EVENTS:
            events.append(logged)

    machine.log.observers.append(hear)
    try:
        yield events
    finally:
        machine.log.observers.remove(hear)


def _first(a: _Walked, b: _Walked) -> Events | None:
    before: deque[Logged] = deque(a.before, maxlen=BEFORE)
    for index in range(max(len(a.events), len(b.events))):
        one, other = _at(a.events, index), _at(b.events, index)
        if one != other:
            is_unknown = (one is None and a.is_cut) or (other is None and b.is_cut)
            return None if is_unknown else Events(one, other, list(before))
        if one is not None:
            before.append(one)
    return None


def _at(events: Sequence[Logged], index: int) -> Logged | None:
    return events[index] if index < len(events) else None


# Memory.


def _gpa(row: Different) -> int:
    return int(row.field.removeprefix(MEMORY), 16)


def _by_word(
    found: Sequence[Different], machine: Machine, pages: dict[int, bytes]
) -> Iterator[Different]:
    """Yield what differs, of memory by the word: `pages` are those of there."""
    for row in found:
        if not row.field.startswith(MEMORY):
            yield row
        elif (gpa := _gpa(row)) in pages:
            yield from fields.words(gpa, fields.page(machine, gpa), pages[gpa])
        else:
            yield Different(row.field, "differs", "differs")
