"""Getting to know the events that lie ahead, by going there once and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.machine.log import KEPT

if TYPE_CHECKING:
    from lapis_sessions.timeline.timeline import Timeline

SHORT = 5_000_000
"""Instructions of a branch that is gone through without being asked to."""


def is_short(timeline: Timeline, most: int = SHORT) -> bool:
    """Tell whether to learn takes no more than a moment, or `most` instructions.

    It says so by instructions and not by the clock: it is so or not everywhere.
    """
    branch = timeline.branch
    return branch.end.at.retired - branch.kept[0].spot.at.retired <= most


def learn(timeline: Timeline) -> int:
    """Know the events that come next on the branch, as many as are kept of one.

    Returns how many are known. Raises as `Timeline.go`, with the machine where it was.
    """
    here, branch = timeline.spot, timeline.branch
    last = min(branch.end.at.seq, here.at.seq + KEPT)
    if len(timeline.ahead()) < last - here.at.seq:
        there = (
            branch.entries[branch.entry_of_event(last - 1)].end.retired
            - here.at.retired
        )
        back = here.at.retired - branch.before(here).spot.at.retired
        with timeline.or_back(), timeline.going(there + back) as course:
            timeline.go_to_event(last - 1)
            course.expect(back)
            timeline.go(here)
    return len(timeline.ahead())
