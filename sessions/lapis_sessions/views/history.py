"""Where a session is in its history, and what lies before and after, for the screen.

It is taken for every picture of a running guest, so nothing here goes through all that
was done: of the acts it holds those around the present point.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from lapis_sessions.timeline.branches import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.acts import Act
    from lapis_engine.replay.capture import Position
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.branches import Branch, Note
    from lapis_sessions.timeline.timeline import Timeline

AROUND = 32
"""Acts before the present point, and after it."""
MOST = 64
"""Branches, and named points."""
TEXT = 80
"""Letters of an act."""


class HistoryAct(NamedTuple):
    """One act of a branch."""

    number: int
    """From 1, over all of the branch."""
    verb: str
    text: str
    """The act on one line, a long one without its end."""
    begin: Position
    end: Position
    reason: str
    """Why a run or a step came back, or nothing."""
    done: bool
    """Whether it is over at the present point."""


class HistoryPoint(NamedTuple):
    """A point with a name."""

    name: str
    branch: str
    at: Position


class HistoryBranch(NamedTuple):
    """A branch, and where it left which other one."""

    name: str
    parent: str
    """Nothing for the first."""
    fork: Position | None
    end: Position


class History(NamedTuple):
    """The place of a session in its history. Positions are (retired, seq, now)."""

    branch: str
    begin: Position
    here: Position
    end: Position
    at_end: bool
    """Whether what is done next is new."""
    done: int
    """Acts that are over, of the branch."""
    acts: int
    """Acts of the branch in all."""
    given_up: int
    """Of those the first ones, which are no longer known."""
    window: tuple[HistoryAct, ...]
    """Acts around the present point, oldest first."""
    notes: tuple[Note, ...]
    """Of the branch, in their order. Each is at so many acts and instructions."""
    named: tuple[HistoryPoint, ...]
    """On all branches, those that were named last."""
    branches: tuple[HistoryBranch, ...]
    """The first, the present one, and the newest others, in the order they came."""
    branches_total: int
    read_only: bool
    """Whether what is not what was done is refused."""
    recording: bool

    def passed(self, note: Note) -> bool:
        """Tell whether the machine has come past a note."""
        return note[:2] <= (self.done, self.here.retired)


def take(session: Session) -> History:
    """Return where the session is."""
    timeline = session.timeline
    branch, spot = timeline.branch, timeline.spot
    over = branch.over(spot)
    writer = session.writer
    return History(
        branch=branch.name,
        begin=branch.kept[0].spot.at,
        here=spot.at,
        end=branch.end.at,
        at_end=timeline.at_end,
        done=over,
        acts=branch.given_up + len(branch.entries),
        given_up=branch.given_up,
        window=_window(branch, over, over, AROUND),
        notes=branch.notes,
        named=tuple(_named(timeline)),
        branches=tuple(_branches(timeline)),
        branches_total=len(timeline.branches),
        read_only=session.read_only,
        recording=writer is not None and not writer.failed,
    )


def act(branch: Branch, index: int, over: int) -> HistoryAct:
    """Return entry `index`, from 0, of a branch of which `over` acts are over."""
    entry, number = branch.entries[index], branch.given_up + index + 1
    return HistoryAct(
        number,
        entry.act.verb,
        _text(entry.act),
        entry.start,
        entry.end,
        entry.reason,
        number <= over,
    )


def around(
    timeline: Timeline, number: int | None, count: int
) -> tuple[HistoryAct, ...]:
    """Return `count` acts up to act `number` of the branch, and as many after it.

    None is the last one that is over.
    """
    branch = timeline.branch
    over = branch.over(timeline.spot)
    return _window(branch, over, over if number is None else number, count)


def _window(
    branch: Branch, over: int, number: int, count: int
) -> tuple[HistoryAct, ...]:
    middle = number - branch.given_up
    last = min(middle + count, len(branch.entries))
    return tuple(act(branch, n, over) for n in range(max(middle - count, 0), last))


def _text(done: Act) -> str:
    """Return `done.text`, and of a long one not much more than fits."""
    words, room = [done.verb], TEXT
    for name, value in done.args.items():
        if room <= 0:
            break
        words.append(f"{name}={_brief(value)}")
        room -= len(words[-1])
    text = " ".join(words)
    return text if len(text) <= TEXT else f"{text[: TEXT - 3]}..."


def _brief(value: object) -> str:
    if isinstance(value, Mapping):
        return "{...}"
    return repr(value[:TEXT] if isinstance(value, str) else value)[:TEXT]


def _named(timeline: Timeline) -> Iterator[HistoryPoint]:
    items = timeline.names.items()
    for name, (branch, spot) in islice(items, max(len(items) - MOST, 0), None):
        yield HistoryPoint(name, branch, spot.at)


def _branches(timeline: Timeline) -> Iterator[HistoryBranch]:
    names = [*islice(reversed(timeline.branches), MOST)]
    wanted = {FIRST, timeline.branch.name, *names}
    for name in (name for name in timeline.branches if name in wanted):
        branch = timeline.branches[name]
        fork = branch.fork.at if branch.fork is not None else None
        yield HistoryBranch(name, branch.parent, fork, branch.end.at)
