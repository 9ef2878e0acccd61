"""The command `goto`: every way to name a point of a branch."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from lapis_engine.replay.capture import Position
from lapis_engine.units import NS
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals
from lapis_sessions.timeline import moments
from lapis_sessions.timeline.branches import Spot
from lapis_sessions.views import timeline as views

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.timeline import Timeline
    from lapis_sessions.views.timeline import PlaceView

PER_CENT = 100
ACT = "act"
NOTE = "note"
UNITS = {"ns": 1, "us": NS // 10**6, "ms": NS // 10**3, "s": NS}
"""ns in each."""
_TIME = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)(ns|us|ms|s)", re.ASCII)
_ACT = re.compile(r"act([0-9]{1,30})", re.ASCII)


def goto(session: Session, bound: Bound) -> PlaceView:
    """Go to a point."""
    where, timeline = bound.word("where"), session.timeline
    if "number" in bound and where not in {ACT, NOTE}:
        raise CommandError(
            f"goto {numerals.shown(where)}: a number comes after `act` or `note`"
        )
    if where in timeline.names and "number" not in bound:
        branch, spot = timeline.names[where]
        timeline.go(spot, branch)
    elif where == "start":
        timeline.go(timeline.branch.kept[0].spot)
    elif where == "end":
        timeline.go(timeline.branch.end)
    elif where.startswith("#"):
        timeline.go_to_event(numerals.number(where[1:], "goto: event"))
    elif where == ACT or _ACT.fullmatch(where):
        timeline.go(_after_act(timeline, _act(where, bound)))
    elif where == NOTE:
        timeline.go(_at_note(timeline, bound))
    elif (time := _TIME.fullmatch(where.lower())) is not None:
        moments.go(timeline, int(Fraction(time[1]) * UNITS[time[2]]))
    else:
        timeline.go(timeline.branch.spot_of(_count(timeline, where)))
    return views.place(session)


def _act(where: str, bound: Bound) -> int:
    """Return the number in `act 3` or `act3`."""
    if where != ACT:
        return int(where.removeprefix(ACT))
    if "number" not in bound:
        raise CommandError("goto act needs a NUMBER: goto act 3 is after the third act")
    return bound.number("number")


def _after_act(timeline: Timeline, number: int) -> Spot:
    """Return where act `number` of the branch, from 1, is just over."""
    branch = timeline.branch
    last = branch.given_up + len(branch.entries)
    if number > last:
        raise CommandError(f"goto act {number}: {branch.name} has {last} acts")
    if number < branch.given_up:
        raise CommandError(
            f"goto act {number}: what is known begins after act {branch.given_up}"
        )
    index = number - branch.given_up
    at = branch.entries[index - 1].end if index else branch.kept[0].spot.at
    return Spot(index, at)


def _at_note(timeline: Timeline, bound: Bound) -> Spot:
    """Return where note NUMBER of the branch, from 1, was written.

    It may lie within a run: then so many instructions of that are done.
    """
    if "number" not in bound:
        raise CommandError("goto note needs a NUMBER: goto note 1 is the first")
    branch, number = timeline.branch, bound.number("number")
    if not 1 <= number <= len(branch.notes):
        raise CommandError(
            f"goto note {number}: {branch.name} has {len(branch.notes)} notes"
        )
    note = branch.notes[number - 1]
    spot = _after_act(timeline, note.acts)
    if note.retired <= spot.at.retired:
        return spot
    return Spot(spot.done, Position(note.retired, 0, 0))


def _count(timeline: Timeline, where: str) -> int:
    """Return the instruction count that a number, or N% of the branch, names."""
    first, last = timeline.branch.kept[0].spot.at, timeline.branch.end.at.retired
    if where.endswith("%"):
        share = numerals.number(where[:-1], "goto: per cent")
        if share > PER_CENT:
            raise CommandError(f"goto {where}: {PER_CENT}% is the end")
        return first.retired + (last - first.retired) * share // PER_CENT
    retired = numerals.number(where, "goto: instruction count")
    if retired < first.retired:
        raise CommandError(f"goto {where}: what is known begins at {first.text}")
    if retired > last:
        raise CommandError(f"goto {where}: this branch ends at instruction {last}")
    return retired


COMMANDS = (
    Command(
        "goto",
        "go to an instruction count, to N% of the branch, to a virtual time (28.8us), "
        "to #EVENT, to act NUMBER (just after it) or note NUMBER, to a named point, to "
        "start or end",
        "time-moving", goto, views.place_text,
        (Argument("where", "word", required=True), Argument("number", "count")),
    ),
)  # fmt: skip
