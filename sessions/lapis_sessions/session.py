"""A live session: a machine, the vCPU that is looked at, and the verbs on both.

A session is driven by lines (`execute`) or by its verbs; both are for one thread. What
is done to the machine goes onto its timeline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lapis_engine.errors import ConfigError, LapisError
from lapis_engine.machine.stop import Stop
from lapis_engine.replay.entries import HITS, DivergedError
from lapis_sessions import footprint
from lapis_sessions.errors import (
    LeavesBranchError,
    MemoryLimitError,
    ReadOnlyError,
    TurnedBackError,
)
from lapis_sessions.past import Past
from lapis_sessions.plain import plain
from lapis_sessions.rules.book import Rules
from lapis_sessions.scope.scope import Scope
from lapis_sessions.stops import Stops
from lapis_sessions.symbols.book import Symbols
from lapis_sessions.text.expressions import ExpressionError
from lapis_sessions.text.visible import printed, shown, visible
from lapis_sessions.timeline import following
from lapis_sessions.timeline.timeline import Timeline
from lapis_sessions.timeline.way import Course, Way

if TYPE_CHECKING:
    from lapis_engine.cause import Cause
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.replay.capture import Position
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.front import Front
    from lapis_sessions.origin import Origin
    from lapis_sessions.recorder import Recorder
    from lapis_sessions.registry import Call

Pace = Callable[[int], int]
"""Asked before each slice of a run with the instructions that are left to do; returns
how many to do at most before it is asked again, 0 to break off. How a run is sliced
changes nothing in what the guest does."""
Watch = Callable[[Way], bool]
"""Told how a way to another point gets on; returns whether to go on. Where it does
not, the machine goes back to where it was."""
DEFAULT_LIMIT = 1_000_000_000
ENDLESS = 1 << 62
BEGINNING, END = 1500, 400
"""Characters of a refusal that are kept when what it repeats makes it longer."""

NOT_OF_THE_LINE = (
    LeavesBranchError, ReadOnlyError, TurnedBackError, MemoryLimitError
)  # fmt: skip
"""Errors for which no line that was entered can be blamed."""


def whole(left: int) -> int:
    """Do everything in one slice (a `Pace`)."""
    return left


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one command line."""

    command: str
    """The line."""
    ok: bool
    result: Any
    """Plain data that JSON can hold; None when it failed."""
    error: str
    """One sentence, or nothing."""
    text: str
    """The result, or the error, in words that a terminal can be shown."""
    leaves: LeavesBranchError | None = None
    """It failed for it would have left a branch, and was not allowed to."""
    is_wrong: bool = False
    """It failed, and another line in its place may not: it is worth mending."""

    def to_dict(self) -> dict[str, Any]:
        """Return the object of `lapis exec --json`."""
        tail = {"result": self.result} if self.ok else {"error": self.error}
        return {"command": self.command, "ok": self.ok, **tail}


def sentence(error: LapisError) -> str:
    """Return what an error says as one line, without the middle if that is too long.

    >>> len(sentence(LapisError("a" * 70_000 + " is no number"))) < 2000
    True
    """
    said = visible(str(error))
    if len(said) <= BEGINNING + END:
        return said
    left_out = len(said) - BEGINNING - END
    return f"{said[:BEGINNING]}... ({left_out:,} more) ...{said[-END:]}"


class Session:
    """A machine and its user."""

    def __init__(
        self,
        machine: Machine,
        guest: str,
        extensions: Extensions,
        origin: Origin | None = None,
    ) -> None:
        """Own `machine`, on which `guest` is loaded; `origin` says how it was made.

        `extensions` hold the commands that `execute` understands, and what they use.
        """
        self.machine = machine
        self.timeline = Timeline(machine)
        self.timeline.on_leave = self._left
        self.timeline.on_gone = self._gone
        self.timeline.on_way = self._on_way
        self.rules = Rules(self)
        self.guest = guest
        self.origin = origin
        self.extensions = extensions
        self.registry = extensions.registry
        self.notices = extensions.news()
        """Sentences for the user that no command asked for; whoever shows them takes
        them away."""
        self._saved = 0
        """Of the timeline's acts, how many are in a file that was closed."""
        self.writer: Recorder | None = None
        """The recording that is being made."""
        self.selected = 0
        """vCPU that commands are about unless they say otherwise."""
        self.limit = DEFAULT_LIMIT
        """Instructions of a run that names no limit."""
        self.memory_limit: int | None = None
        """Bytes that the process may take; a run stops when it takes more."""
        self.pace: Pace = whole
        self.watch: Watch | None = None
        """Asked on a way to another point; else `pace` is."""
        self.front: Front | None = None
        """Who is told at once what a command that waits has to say, and asked whether
        it is to wait on. Without one there is no such command."""
        self.recorded_by: int | None = None
        """Number of the engine's behaviours that its past was recorded with; None is
        this engine's."""
        self.divergence: DivergedError | None = None
        """What was done again last and came to something else."""
        self.past = Past(self)
        """What expressions were worth before the machine moved."""
        self.stops = Stops(self, self.past, self.notices.append)
        """What is known of breakpoints and watchpoints beside where they are."""
        self.described: object | None = None
        """What a file told of this machine, where it is there for that alone: an
        `apic_files.contents.Described`, which lies above."""
        self.symbols = Symbols.of_guest(guest, machine.plan.symbols)
        """Linear addresses by name, and the names of addresses."""

    # Lines.

    def execute(
        self,
        line: str,
        vcpu: int | None = None,
        pace: Pace | None = None,
        watch: Watch | None = None,
        *,
        may_leave: bool = True,
    ) -> Outcome:
        """Perform one command line; an error becomes an outcome and moves nothing.

        Args:
            line: The command with its arguments.
            vcpu: Select this vCPU first.
            pace: Slices what takes long, and may break it off.
            watch: Is told how a way to another point gets on, and may break that off.
            may_leave: Whether an act in the past that is not what was done then forks;
                else it fails, and nothing is done.
        """
        before = self.pace, self.watch
        could_leave = self.timeline.may_leave
        self.pace, self.watch = pace or self.pace, watch or self.watch
        self.timeline.may_leave = may_leave and could_leave
        self.past.begin()
        try:
            call = self._understood(line, vcpu)
            result = call.command.perform(self, call.bound)
            text = call.command.render(shown(result))
        except LapisError as error:
            if isinstance(error, DivergedError):
                self.divergence = error
            why = sentence(error)
            place = error.place if isinstance(error, ExpressionError) else ""
            said = "\n  ".join([why, *place.splitlines()])
            leaves = error if isinstance(error, LeavesBranchError) else None
            return Outcome(
                line, ok=False, result=None, error=why, text=said, leaves=leaves,
                is_wrong=not isinstance(error, NOT_OF_THE_LINE),
            )  # fmt: skip
        finally:
            self.pace, self.watch = before
            self.timeline.may_leave = could_leave
            self.notices += self.extensions.news()
        return Outcome(
            line, ok=True, result=plain(result), error="", text=printed(text)
        )

    def _understood(self, line: str, vcpu: int | None) -> Call:
        """Return the call of a line, with `vcpu` selected; else leave the selection."""
        before = self.selected
        if vcpu is not None:
            self.select(vcpu)
        try:
            return self.registry.parse(line, self)
        except LapisError:
            self.selected = before
            raise

    def value(self, text: str) -> Any:
        """Return what an expression comes to; raise `ExpressionError`."""
        return Scope(self).value(text)

    def topics(self) -> list[tuple[str, str, str]]:
        """Return (usage, aliases, help) of every command."""
        return [(c.usage, ", ".join(c.aliases), c.help) for c in self.registry.commands]

    def close(self, *, intact: bool = True) -> None:
        """Close the recording, if there is one; raise `RecordingError`.

        `intact` is whether the machine is what was done to it: a fault of ours leaves
        it in the midst of something, and its state is then left out.
        """
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close(intact=intact)
            self._saved = self.timeline.made

    @property
    def read_only(self) -> bool:
        """Whether what is not what was done is refused, until `fork`."""
        return self.timeline.read_only

    @read_only.setter
    def read_only(self, on: bool) -> None:
        self.timeline.read_only = on

    @property
    def unsaved(self) -> int:
        """How many acts of the user's are in no recording."""
        if self.writer is not None and not self.writer.failed:
            return 0
        return self.timeline.made - self._saved

    def release(self) -> None:
        """Give the machine's memory back: nobody looks at it any more.

        The recording is to be closed before. Twice is as good as once.
        """
        self.machine.close()

    def _on_way(self, way: Way) -> None:
        excess = self._excess()
        if excess is not None:
            raise MemoryLimitError(f"{excess}: stopped at instruction {way.at}")
        goes_on = self.watch(way) if self.watch is not None else self.pace(1) > 0
        if not goes_on:
            raise TurnedBackError(
                f"broken off at instruction {way.at}, {way.percent} per cent of the "
                f"way; the machine is where it was"
            )

    def _left(self, branch: str, at: Position) -> None:
        new = self.timeline.branch.name
        self.notices.append(f"this left {visible(branch)} for {new} at {at.text}")

    def _gone(self, branch: str) -> None:
        self.notices.append(
            f"{visible(branch)} was given up: {self.timeline.most_branches} branches "
            "are kept at most; a recording keeps all that were made while it runs"
        )

    # Verbs.

    def select(self, number: int) -> None:
        """Make vCPU `number` the one that is looked at; raise `EngineError`."""
        self.selected = self.machine.vcpu(number).id

    def run(
        self,
        limit: int | None = None,
        until: Callable[[], bool] | None = None,
        *,
        watched: bool = False,
    ) -> Stop:
        """Run the schedule until a stop, at most `limit` instructions.

        In the past this goes along what was done, to the end of the branch at most;
        `until` may say there that it is far enough, and who watches ways to other
        points is told of this one if it is `watched`. Raises `DivergedError`.
        """
        whole_limit, timeline = self.limit if limit is None else limit, self.timeline
        if timeline.at_end:
            return self._came(self._sliced(self.machine.run, whole_limit))
        end = min(
            timeline.branch.end.at.retired, timeline.spot.at.retired + whole_limit
        )
        pace = self._watched(end) if watched else self._some_along
        return self._came(
            self._checked(following.run(timeline, whole_limit, pace, until))
        )

    def play(self, count: int | None = None) -> Stop:
        """Go along `count` acts of what was done, or to the end of the branch.

        The user's stops stop it as they stop `run`; at the end of a branch nothing is
        moved. `watch` may break it off, with the machine where it is then. Raises
        `DivergedError`.
        """
        timeline = self.timeline
        if timeline.at_end:
            text = f"{timeline.branch.name} ends here: nothing is recorded ahead"
            return Stop(following.END_OF_BRANCH, 0, self.selected, None, text)
        last = following.goal_of(timeline, count) - timeline.branch.given_up
        end = timeline.branch.entries[last - 1].end if last else timeline.spot.at
        pace = self._watched(end.retired)
        return self._came(self._checked(following.play(timeline, count, pace)))

    def _watched(self, end: int) -> Pace:
        """Return the pace along what was done, as far as instruction `end`.

        `watch` is told how far that is, too.
        """
        here = self.timeline.spot.at.retired
        course = Course(here, end, end - here)

        def pace(left: int) -> int:
            way = course.way(self.timeline.spot.at.retired)
            if self.watch is not None and not self.watch(way):
                return 0
            return self._some_along(left)

        return pace

    def _came(self, stop: Stop) -> Stop:
        """Select the vCPU that a stop is about, if it is about one."""
        if stop.reason in {*HITS, "exit", following.END_OF_BRANCH}:
            self.selected = stop.vcpu
        return stop

    def step(self, count: int = 1, until: Callable[[], bool] | None = None) -> Stop:
        """Run the selected vCPU alone; raise `NotRunnableError` when it cannot run.

        In the past this goes along what was done until that vCPU has retired `count`
        more, as `run` does.
        """
        number = self.selected
        if not self.timeline.at_end:
            return self._checked(
                following.step(self.timeline, number, count, self._some_along, until)
            )

        def advance(some: int) -> Stop:
            return self.machine.step(number, some)

        return self._sliced(
            advance, count, lambda: self.machine.why_not_runnable(number)
        )

    def step_among(self, count: int = 1, limit: int | None = None) -> Stop:
        """Run the schedule until the selected vCPU has retired `count` more.

        At most `limit` instructions of all are run. In the past that is along what was
        done there, as a step is.
        """
        if not self.timeline.at_end:
            return self.step(count)
        machine, number, pace = self.machine, self.selected, self.pace
        vcpu = machine.vcpu(number)
        wanted = vcpu.retired + count

        def until_there(left: int) -> int:
            return pace(left) if vcpu.retired < wanted else 0

        self.pace = until_there
        try:
            with machine.coming_back_at(number, wanted):
                stop = self.run(limit)
        finally:
            self.pace = pace
        if stop.reason != "budget" or vcpu.retired < wanted:
            return stop
        return replace(stop, vcpu=number, text=f"{stop.retired} instructions")

    def _sliced(
        self,
        advance: Callable[[int], Stop],
        limit: int,
        asleep: Callable[[], Cause | None] = lambda: None,
    ) -> Stop:
        """Call `advance` in the slices that `pace` asks for; add up what retired.

        `asleep` tells between two slices why the next one would be refused, if so.
        """
        self.timeline.keeper.start()
        excess = self._excess()
        if excess is not None:
            return Stop("memory-limit", 0, self.selected, None, excess)
        stop = self._slice(advance, self._some(limit))
        ran = stop.retired
        while stop.reason == "budget" and ran < limit:
            excess = self._excess()
            if excess is not None:
                return replace(stop, reason="memory-limit", retired=ran, text=excess)
            why = asleep()
            if why is not None:
                return replace(stop, reason="halted", retired=ran, text=why.text)
            some = self._some(limit - ran)
            if some <= 0:
                return replace(stop, retired=ran, text="broken off")
            stop = self._slice(advance, some)
            ran += stop.retired
        text = f"{ran} instructions" if stop.reason == "budget" else stop.text
        return replace(stop, retired=ran, text=text)

    def _some(self, left: int) -> int:
        """Return the instructions of the next slice."""
        some = min(self.pace(left), left)
        return some if self.memory_limit is None else min(some, footprint.LOOK)

    def _some_along(self, left: int) -> int:
        """Return the instructions of the next slice in the past, 0 to break off."""
        return 0 if self._excess() is not None else self._some(left)

    def _checked(self, stop: Stop) -> Stop:
        """Return the stop of a way along what was done, or that of too much memory."""
        excess = self._excess() if stop.reason == "budget" else None
        if excess is None:
            return stop
        return replace(stop, reason="memory-limit", text=excess)

    def _excess(self) -> str | None:
        """Say that the process takes more memory than it may, or None."""
        limit = self.memory_limit
        return None if limit is None else footprint.excess(limit)

    def _slice(self, advance: Callable[[int], Stop], some: int) -> Stop:
        """Let the rules answer what waits, or else advance, and let them answer."""
        settled = self.rules.settle() if self.rules.rules else None
        if settled is not None:
            return settled
        return self.rules.carry_on(self.timeline.timed(advance, some))

    def answer(self, value: int | None, number: int | None = None) -> PendingRequest:
        """Fulfil a request and return it; a write needs no value.

        Raises `EntryError` when it is refused, with the request still pending.
        """
        request = self.machine.pending_on(self._whose(number))
        if value is None and request.read:
            raise ConfigError(
                f"vCPU {request.vcpu} waits for a value of {request.bytes} bytes: "
                f"say which one ({request.text})"
            )
        self.machine.answer(request.vcpu, value or 0)
        return request

    def discard(self, number: int | None = None) -> PendingRequest:
        """Forget a request and return it; its instruction runs again."""
        request = self.waiting(number)
        self.machine.discard(request.vcpu)
        return request

    def waiting(self, number: int | None = None) -> PendingRequest:
        """Return the request of a vCPU, else the only one; raise `EntryError`."""
        return self.machine.pending_on(self._whose(number))

    def _whose(self, number: int | None) -> int:
        """Return the vCPU named, else the only one that waits, else the selected."""
        if number is not None:
            return number
        waiting = [request.vcpu for request in self.machine.pending()]
        return waiting[0] if len(waiting) == 1 else self.selected

    def set_quantum(self, quantum: int) -> None:
        """Change the instructions of a turn; raise `ConfigError`."""
        self.machine.set_quantum(quantum)

    def set_schedule(self, name: str, only: int | None = None) -> None:
        """Choose how turns are given; `only` is the vCPU of schedule "only"."""
        if name == "only" and only is None:
            only = self.selected
        self.machine.set_schedule(name, only)
