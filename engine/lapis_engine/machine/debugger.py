"""Where the user wants a machine to stop: breakpoints, watchpoints, events."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.errors import EngineError
from lapis_engine.machine.editor import Editor
from lapis_engine.machine.points import Point, Points
from lapis_engine.machine.stop import Stop
from lapis_engine.machine.watches import Watches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.machine.catches import Catches
    from lapis_engine.machine.log import EventLog
    from lapis_engine.vmm.vcpu import Vcpu


class Debugger(Editor):
    """What stops a machine on the user's behalf; a `Machine` has it."""

    catches: Catches
    log: EventLog

    def _attend_stops(self) -> None:
        """Begin with none."""
        self.points = Points(
            self.vm.core.set_breakpoints,
            lambda vcpu, linear: self.vcpu(vcpu).linear.peek(linear),
        )
        """Breakpoints on instructions."""
        self.watches = Watches(self.vm, self.log.observers)
        """Watchpoints on memory, ports and MSRs."""
        self._goal: tuple[Vcpu, int] | None = None
        """A vCPU, and how many instructions it has retired where a run comes back."""

    @contextmanager
    def coming_back_at(self, number: int, retired: int) -> Iterator[None]:
        """Have runs within come back when vCPU `number` has retired so many in all.

        The turn that it is in goes on with the next run, so that nobody can tell.
        Raises `EngineError` without such a vCPU.
        """
        self._goal = self.vcpu(number), retired
        try:
            yield
        finally:
            self._goal = None

    def _short_of_goal(self, vcpu: Vcpu, budget: int) -> int:
        """Return for how many instructions it may run, at most `budget`."""
        if self._goal is None or self._goal[0] is not vcpu:
            return budget
        return min(budget, max(self._goal[1] - vcpu.retired, 1))

    def _is_at_goal(self) -> bool:
        return self._goal is not None and self._goal[0].retired >= self._goal[1]

    def asked(self, number: int, ran: int) -> Stop | None:
        """Return the stop at what vCPU `number` has just done, `ran` instructions long.

        Where nobody asked for one, or only watchpoints and none of them wants it, there
        is none: the machine goes on.
        """
        attention = self.vm.attention
        if not attention.must_stop():
            return None
        has_touched = self.watches.has_touched
        stop = Stop("catch", ran, number, None, "asked to stop at an event")
        told = self._told(stop)
        if has_touched and told is stop:
            attention.forget_stop()
            return None
        return told

    def _told(self, stop: Stop) -> Stop:
        """Return `stop`, or the stop at what was watched or caught in its place."""
        watched = self.watched(stop.vcpu) if self.watches.has_touched else None
        if watched is not None:
            text, number = watched.text, watched.point
            stop = replace(stop, reason="watchpoint", text=text, point=number)
        return self.catches.told(stop)

    def watched(self, number: int) -> Stop | None:
        """Return the stop of a watchpoint at what vCPU `number` has done, if any."""
        hit = self.watches.judged(number)
        if hit is None:
            return None
        point = hit.watch.number
        return Stop("watchpoint", 0, number, None, hit.text, point=point)

    @property
    def breakpoints(self) -> list[int]:
        """Linear addresses where a vCPU stops before the instruction, ascending."""
        return self.points.linears

    def break_at(self, linear: int) -> None:
        """Stop before the instruction at this linear address, on any vCPU."""
        if linear not in self.breakpoints:
            self.points.add(linear)

    def break_only_at(self, linears: Sequence[int]) -> None:
        """Make these the breakpoints."""
        self.points.put(Point(0, linear) for linear in sorted(set(linears)))

    def unbreak(self, linear: int) -> None:
        """Take breakpoints away; raise `EngineError` when there is none there."""
        kept = [point for point in self.points.items if point.linear != linear]
        if len(kept) == len(self.points.items):
            raise EngineError(f"there is no breakpoint at {linear:#x}")
        self.points.put(kept)
