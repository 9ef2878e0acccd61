"""Going along: in the past, running and stepping follow what was done there.

Acts between two runs are done again with them: answers, injections, turns, changes of
the schedule. The user's breakpoints and catches stop on the way as they do live, and
the end of the branch stops it at last. Nothing here is an act, so nothing forks.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.machine.stop import Stop
from lapis_engine.replay.capture import Position
from lapis_engine.replay.entries import HITS, behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapis_engine.machine.acts import Act
    from lapis_engine.replay.entries import Entry
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_sessions.timeline.timeline import Timeline

    Pace = Callable[[int], int]
    Until = Callable[[], bool]

END_OF_BRANCH = "end-of-branch"
"""Reason of a stop: nothing is known of what comes next."""
PLAYED = "played"
"""Reason of a stop: as many acts were done again as were asked for."""


class _Came(Exception):  # noqa: N818 - it leaves a run, and nothing is wrong
    """The machine stopped on the way."""


def run(timeline: Timeline, limit: int, pace: Pace, until: Until | None = None) -> Stop:
    """Go along for `limit` instructions of all vCPUs, or to a stop.

    Args:
        timeline: It is not at the end of its branch.
        limit: Instructions.
        pace: As for a live run; 0 breaks off.
        until: Asked after each move whether that is far enough.

    Raises `DivergedError` with the machine where it was.
    """
    goal = timeline.spot.at.retired + limit

    def room(_entry: Entry) -> int:
        return goal - timeline.spot.at.retired

    return _Walk(timeline, timeline.machine.schedule.current).go(room, pace, until)


def step(
    timeline: Timeline,
    number: int,
    count: int,
    pace: Pace,
    until: Until | None = None,
) -> Stop:
    """Go along until vCPU `number` has retired `count` more instructions.

    What the others did meanwhile is done again, too. Arguments and errors are as for
    `run`.
    """
    machine = timeline.machine
    vcpu = machine.vcpu(number)
    wanted = vcpu.retired + count
    walk = _Walk(timeline, number)

    def room(entry: Entry) -> int:
        left = wanted - vcpu.retired
        if left <= 0 or not entry.moves:
            return left
        if entry.act.verb == "step":
            mine = entry.act.args["number"] == number
        else:
            upcoming = machine.schedule.upcoming()
            mine = upcoming is None or upcoming is vcpu
        return left if mine else entry.end.retired + 1

    with walk.stopping_after_turns_of_others(vcpu):
        return walk.go(room, pace, until)


def play(timeline: Timeline, count: int | None, pace: Pace) -> Stop:
    """Go along until `count` more acts are over, or to the end of the branch.

    The machine is not at that end. An act that is begun counts. Arguments and errors
    are as for `run`.
    """
    last = goal_of(timeline, count)
    begun = timeline.branch.over(timeline.spot)

    def room(_entry: Entry) -> int:
        if timeline.branch.over(timeline.spot) >= last:
            return 0
        return timeline.branch.end.at.retired - timeline.spot.at.retired + 1

    def enough() -> tuple[str, str]:
        acts = timeline.branch.over(timeline.spot) - begun
        return PLAYED, f"{acts} act{'s' * (acts != 1)}"

    walk = _Walk(timeline, timeline.machine.schedule.current, enough)
    return walk.go(room, pace, None)


def goal_of(timeline: Timeline, count: int | None) -> int:
    """Return how many acts of the branch are over after so many more, or all."""
    branch = timeline.branch
    end = branch.given_up + len(branch.entries)
    return end if count is None else min(branch.over(timeline.spot) + count, end)


class _Walk:
    """One way along a branch."""

    def __init__(
        self,
        timeline: Timeline,
        number: int,
        enough: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        """Begin where the machine is; a stop is about vCPU `number` if about none.

        `enough` says reason and text of the stop where there is no room left.
        """
        self._timeline, self._number = timeline, number
        self._enough = enough or self._spent
        self._from = timeline.spot.at.retired
        self._stops: list[Stop] = []
        """How the machine came back in this move."""
        self._is_turn_over = False
        self._acts: list[str] = []
        """Verbs of acts that were done again."""

    def go(self, room: Callable[[Entry], int], pace: Pace, until: Until | None) -> Stop:
        """Move until there is no `room`, in instructions, or something stops it."""
        timeline = self._timeline
        with timeline.or_back():
            while not timeline.at_end:
                entry = timeline.branch.entries[timeline.spot.done]
                left = room(entry)
                if left <= 0:
                    return self._over(*self._enough())
                ahead = timeline.branch.end.at.retired - timeline.spot.at.retired
                some = pace(max(min(left, ahead), 1))
                if some <= 0:
                    return self._over("budget", "broken off")
                stop = self._move(entry, min(some, left))
                if stop is not None:
                    return self._told(stop)
                if until is not None and until():
                    return self._over("catch", "asked to stop at an event")
        return self._end()

    @contextmanager
    def stopping_after_turns_of_others(self, vcpu: Vcpu) -> Iterator[None]:
        """Come back when another vCPU's turn is over: the next may be that of `vcpu`.

        A turn of its own is cut to what it is to do beforehand.
        """
        machine = self._timeline.machine
        attention = machine.vm.attention

        def turn(ran_by: Vcpu, _ran: int) -> None:
            if ran_by is not vcpu and not attention.must_stop():
                self._is_turn_over = True
                attention.ask_stop()

        machine.on_turn = turn
        try:
            yield
        finally:
            machine.on_turn = None

    def _spent(self) -> tuple[str, str]:
        return "budget", f"{self._ran} instructions"

    @property
    def _ran(self) -> int:
        return self._timeline.spot.at.retired - self._from

    def _move(self, entry: Entry, some: int) -> Stop | None:
        """Do at most `some` instructions of an entry; return a stop of the user's."""
        timeline = self._timeline
        self._stops.clear()
        self._is_turn_over = came = False
        goal = timeline.spot.at.retired + some
        last = entry.end.retired + (entry.reason != "budget")
        to = Position(goal, 0, 0) if entry.moves and goal < last else entry.end
        with timeline.following(self._heard):
            try:
                timeline.through(entry, to, self._hit if entry.moves else None)
            except _Came:
                came = True
        if came:
            timeline.end_entry()
        if not entry.moves:
            self._acts.append(entry.act.verb)
            return behind(timeline.machine, entry)
        if not self._stops or self._stops[-1].reason not in HITS:
            return None
        stop = self._stops[-1]
        asked = came and not self._is_turn_over
        return stop if asked or stop.catch is not None else None

    def _heard(self, _act: Act, result: object) -> None:
        if isinstance(result, Stop):
            self._stops.append(result)

    def _hit(self, _at: Position) -> None:
        raise _Came

    def _end(self) -> Stop:
        """Say that the branch ends here, and how the last run on it ended."""
        timeline = self._timeline
        entries = timeline.branch.entries
        reason = entries[-1].reason if entries and entries[-1].moves else ""
        was = f", where it stopped ({reason})" if reason not in {"", "budget"} else ""
        waiting = timeline.machine.pending()
        self._number = waiting[0].vcpu if waiting else self._number
        return self._over(END_OF_BRANCH, f"end of {timeline.branch.name}{was}")

    def _over(self, reason: str, text: str) -> Stop:
        return self._told(Stop(reason, 0, self._number, None, text))

    def _told(self, stop: Stop) -> Stop:
        """Return a stop with what was done since the beginning."""
        text = stop.text
        if self._acts:
            verbs = ", ".join(dict.fromkeys(self._acts))
            text = f"{text}; as recorded: {verbs}"
        return replace(stop, retired=self._ran, text=text)
