"""Going to a moment: the last point of a branch at or before a virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.replay.capture import Position
from lapis_sessions.errors import CommandError
from lapis_sessions.timeline.branches import Spot

if TYPE_CHECKING:
    from lapis_engine.replay.entries import Entry
    from lapis_sessions.timeline.timeline import Timeline


def go(timeline: Timeline, now: int) -> None:
    """Go to the last point at or before `now`, in ns of virtual time.

    Raises `CommandError` for a time that the branch does not have, else as
    `Timeline.go`, with the machine where it was.
    """
    branch = timeline.branch
    begin, end = branch.kept[0].spot, branch.end
    if not begin.at.now <= now <= end.at.now:
        what = f"from {begin.at.now:,} to {end.at.now:,} ns"
        raise CommandError(f"{now:,} ns: {branch.name} goes {what}")
    index = branch.entry_of_time(now)
    if index == len(branch.entries):
        timeline.go(end)
        return
    entry = branch.entries[index]
    first = Spot(index, entry.start)
    near = branch.before_time(now)
    is_on_the_way = first <= timeline.spot and timeline.spot.at.now <= now
    start = max(near, timeline.spot) if is_on_the_way else near
    whole = entry.end.retired - min(start.at.retired, first.at.retired)
    with timeline.or_back(), timeline.going(whole):
        timeline.go(max(start, first))
        _to_instruction(timeline, entry, now)
        _to_event(timeline, entry, now)


def _to_instruction(timeline: Timeline, entry: Entry, now: int) -> None:
    """Go on to the last instruction of an entry that begins at or before `now`."""
    good, high = timeline.spot, entry.end.retired + 1
    while (left := high - good.at.retired) > 1:
        # A slice at a time, and from where that is too far by halves.
        middle = good.at.retired + max(min(timeline.slice, left // 2), 1)
        timeline.go(Spot(good.done, Position(middle, 0, 0)))
        here = timeline.spot
        if here.at.now > now:
            high = middle
            timeline.go(good)
        elif here.at.retired > good.at.retired:
            good = here
        else:  # the entry ends before that, though its end is told by what came later
            high = middle


def _to_event(timeline: Timeline, entry: Entry, now: int) -> None:
    """Go on to the last event of the instruction here at or before `now`.

    A vCPU that sleeps has many moments between two instructions.
    """
    good = timeline.spot
    while good.at.seq < entry.end.seq:
        timeline.go_to_event(good.at.seq)
        here = timeline.spot
        if here.at.now > now or here.at.retired > good.at.retired:
            timeline.go(good)
            return
        good = here
