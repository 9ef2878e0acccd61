"""Doing again what was done on a branch: the way from a spot to a later one.

It goes in slices, keeps checkpoints on the way, and tells who waits how far it is.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from lapis_engine.replay import capture
from lapis_engine.replay import entries as replay
from lapis_engine.replay.capture import Position
from lapis_engine.replay.entries import DivergedError
from lapis_sessions.timeline.branches import Spot
from lapis_sessions.timeline.way import Course

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.stop import Stop
    from lapis_engine.replay.entries import Entry, Hit
    from lapis_sessions.timeline.branches import Branch
    from lapis_sessions.timeline.keeper import Keeper
    from lapis_sessions.timeline.way import Way

LEAST, MOST = 1_000, 16_000_000
"""Instructions of a slice on the way through a run."""
QUICK, SLOW = 0.004, 0.016
"""Seconds that a slice should take."""


class Again:
    """A machine on a branch of what was done to it."""

    def __init__(self, machine: Machine, branch: Branch, keeper: Keeper) -> None:
        """Be at the beginning of `branch`; `keeper` takes the checkpoints."""
        self.machine, self.branch, self.keeper = machine, branch, keeper
        self.spot = Spot(0, capture.position(machine))
        """Where the machine is."""
        self.slice = LEAST * 100
        """Instructions of a slice: what takes a moment on this machine."""
        self.on_way: Callable[[Way], None] | None = None
        """Told how a way to another point gets on; what it raises breaks that off."""
        self._course: Course | None = None
        """The present way; None if it is not told."""

    def timed(self, advance: Callable[[int], Stop], limit: int) -> Stop:
        """Do a slice of at most `limit` instructions; keep a checkpoint if due."""
        begun = perf_counter()
        stop = advance(min(limit, self.slice))
        self._learn(perf_counter() - begun, stop.retired)
        if self.keeper.is_due():
            self.keeper.keep(self.branch, self.spot)
        return stop

    def _learn(self, seconds: float, retired: int) -> None:
        """Adapt the slice to how long the last one took."""
        if seconds < QUICK and retired >= self.slice:
            self.slice = min(self.slice * 2, MOST)
        elif seconds > SLOW:
            self.slice = min(max(self.slice // 2, LEAST), MOST)

    @contextmanager
    def looking(self, most: int) -> Iterator[None]:
        """Have a round of the machine within be no longer than `most` instructions.

        Checkpoints are as far apart as while it runs: it is a long way, and who looks
        is seldom back soon.
        """
        vm, keeper = self.machine.vm, self.keeper
        before = vm.longest, keeper.is_sparse
        vm.longest, keeper.is_sparse = min(most, vm.longest), True
        try:
            yield
        finally:
            vm.longest, keeper.is_sparse = before

    def forward(self, spot: Spot, hit: Hit | None = None) -> None:
        """Do again what was done, up to `spot`; `hit` is as for `replay.advance`."""
        end = spot.at.retired
        with self.going(end - self.spot.at.retired, end if hit is None else None):
            self._forward(spot, hit)

    @contextmanager
    def going(self, whole: int, end: int | None = None) -> Iterator[Course]:
        """Tell `on_way` of what is done again within; all of it is one way.

        `whole` and `end` are as in `Way`, if this is not within a way already.
        """
        outer, here = self._course, self.spot.at.retired
        course = self._course = outer or Course(here, end, whole)
        course.stretch(here)
        try:
            yield course
        finally:
            course.over(self.spot.at.retired)
            self._course = outer

    def _tell(self) -> None:
        if self.on_way is not None and self._course is not None:
            self.on_way(self._course.way(self.spot.at.retired))

    def _forward(self, spot: Spot, hit: Hit | None = None) -> None:
        entries = self.branch.entries
        while self.spot.done < spot.done:
            entry = entries[self.spot.done]
            self.through(entry, entry.end, hit)
            self._tell()
        if spot.at > self.spot.at and spot.done < len(entries):
            self.through(entries[spot.done], spot.at, hit)

    def _to_event(self, entry: Entry, seq: int) -> None:
        """Go on in the present entry till an event of it, by a slice at most."""
        begun, here = perf_counter(), self.spot.at
        replay.to_event(self.machine, entry, seq, self.slice)
        self.spot = Spot(self.spot.done, capture.position(self.machine))
        if self.spot.at == here or self.spot.at > entry.end:
            raise DivergedError(entry.act, entry.end, self.spot.at)
        self._passed(perf_counter() - begun, here)
        if self.spot.at == entry.end:
            self._finish(entry)

    def _passed(self, seconds: float, since: Position) -> None:
        """Learn from a slice on the way; keep a checkpoint if due."""
        self._learn(seconds, self.spot.at.retired - since.retired)
        if self.keeper.is_due(back=True):
            self.keeper.keep(self.branch, self.spot)
        self._tell()

    def through(self, entry: Entry, to: Position, hit: Hit | None = None) -> None:
        """Go on in the present entry as far as `to`, in slices.

        How large these are says the clock of the host, and nothing else does it say:
        a slice that does not come to its end is a divergence, whatever its size.
        Raises `DivergedError`.
        """
        while entry.moves and self.spot.at.retired + self.slice < to.retired:
            goal = self.spot.at.retired + self.slice
            self._slice(entry, Position(goal, 0, 0), hit)
            if self.spot.at.retired < goal:
                raise DivergedError(entry.act, to, self.spot.at)
        self._slice(entry, to, hit)
        if self.spot.at == entry.end:
            self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        """Count an entry as over; where its instructions end the turn may not be."""
        if entry.moves:
            replay.perform(self.machine, entry)
        self.spot = Spot(self.spot.done + 1, entry.end)

    def _slice(self, entry: Entry, to: Position, hit: Hit | None) -> None:
        begun, here = perf_counter(), self.spot.at
        try:
            if to == entry.end:
                replay.perform(self.machine, entry, hit)
            else:
                replay.advance(self.machine, entry, to, hit)
        finally:
            self.spot = Spot(self.spot.done, capture.position(self.machine))
        if entry.moves:
            self._passed(perf_counter() - begun, here)
