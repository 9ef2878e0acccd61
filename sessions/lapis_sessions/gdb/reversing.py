"""Going back: `bs` and `bc`, about the vCPU of `Hc`.

`bs` goes back to where that vCPU was about to run its last instruction, whoever ran
since; what stands at the breakpoint under it does not matter. `bc` goes back to the
last breakpoint that a vCPU stood at, or to before the last access to what is watched:
gdb compares what was there, and expects the access undone, be it the one at which it
has just stopped. At the ends of what is known the client is told so
(`replaylog:begin`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from lapis_engine.errors import LapisError
from lapis_sessions.errors import TurnedBackError
from lapis_sessions.gdb import stopped
from lapis_sessions.gdb.conversation import INTERRUPTED, TRAP
from lapis_sessions.gdb.marks import WATCHES
from lapis_sessions.text.visible import printed
from lapis_sessions.timeline import searches

if TYPE_CHECKING:
    from lapis_engine.machine.points import Point
    from lapis_engine.machine.watches import Watch
    from lapis_engine.replay.capture import Checkpoint
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_sessions.gdb.conversation import Conversation
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way

Asked = TypeVar("Asked", "Point", "Watch")
BEGIN: Final = "replaylog:begin;"


class Met(NamedTuple):
    """A breakpoint or a watchpoint that the way met."""

    vcpu: int
    retired: int
    """Instructions of all vCPUs then: it may stand still while others go on."""
    number: int
    is_watch: bool


@dataclass(slots=True)
class Backward:
    """A way back; it is done in one slice, and may be broken off within."""

    talk: Conversation
    number: int
    """The vCPU that it is about."""
    is_step: bool

    def go(self, _instructions: int) -> bytes:
        """Go back; return the stop reply."""
        talk, session = self.talk, self.talk.session
        before, session.watch = session.watch, self._goes_on
        try:
            return self._step() if self.is_step else self._continue()
        except TurnedBackError as error:
            talk.say(printed(str(error)))
            return stopped.reply(talk, self.number, INTERRUPTED)
        except LapisError as error:
            talk.say(printed(f"stopped: {error}"))
            return stopped.reply(talk, self.number)
        finally:
            session.watch = before

    def _goes_on(self, _way: Way) -> bool:
        return not self.talk.is_asked_to_stop()

    def interrupt(self) -> bytes:
        """Break off before it began."""
        return stopped.reply(self.talk, self.number, INTERRUPTED)

    def _step(self) -> bytes:
        session = self.talk.session
        vcpu = session.machine.vcpu(self.number)
        session.select(self.number)
        if vcpu.retired and _took_back(self.talk, vcpu):
            return stopped.reply(self.talk, self.number)
        self.talk.say(f"vCPU {self.number}: nothing is known of it before this")
        return stopped.reply(self.talk, self.number, reason=BEGIN)

    def _continue(self) -> bytes:
        talk, session = self.talk, self.talk.session
        timeline, machine = session.timeline, session.machine
        last = talk.touched
        is_here = last is not None and last.spot == timeline.spot
        if last is not None and is_here and talk.marks.of(last.number) is not None:
            return self._before_access(last.vcpu, last.number)
        met: list[Met] = []
        enabled = [each for each in machine.points.items if each.enabled]
        points = [
            _noting(met, talk, each, copy, is_watch=False)
            for each, copy in zip(enabled, machine.points.asked(), strict=True)
        ]
        watched = [each for each in machine.watches.items if each.enabled]
        watches = [
            _noting(met, talk, each, copy, is_watch=True)
            for each, copy in zip(watched, machine.watches.asked(), strict=True)
        ]
        found = searches.either(
            searches.breakpoints(timeline, points),
            searches.catches(timeline, list(machine.catches.items)),
        )
        if watches:
            found = searches.either(found, searches.watched(timeline, watches))
        if not searches.back_to_last(timeline, found):
            timeline.go(timeline.branch.kept[0].spot)
            return stopped.reply(talk, self.number, reason=BEGIN)
        return self._arrived(met)

    def _arrived(self, met: list[Met]) -> bytes:
        """Say what it is that was found."""
        talk, session = self.talk, self.talk.session
        here = [each for each in met if each.retired == _retired(session)]
        watch = next((each for each in reversed(here) if each.is_watch), None)
        if watch is not None:
            return self._before_access(watch.vcpu, watch.number)
        point = next((each for each in reversed(here)), None)
        if point is not None:
            session.select(point.vcpu)
            if talk.marks.of(point.number) is None:
                talk.say(f"at breakpoint {point.number}")
            reason = stopped.break_reason(talk, point.vcpu)
            return stopped.reply(talk, point.vcpu, TRAP, reason)
        talk.say("just after an event that is caught")
        return stopped.reply(talk, session.selected)

    def _before_access(self, number: int, watchpoint: int) -> bytes:
        """Undo the access that a vCPU has just made; say which watchpoint it is."""
        talk, session = self.talk, self.talk.session
        session.select(number)
        _took_back(talk, session.machine.vcpu(number))
        mark = talk.marks.of(watchpoint)
        word = "" if mark is None else f"{WATCHES[mark.type][1]}:{mark.address:x};"
        if mark is None:
            talk.say(f"before an access to what watchpoint {watchpoint} watches")
        return stopped.reply(talk, number, TRAP, word)


def _noting(
    met: list[Met], talk: Conversation, item: Asked, copy: Asked, *, is_watch: bool
) -> Asked:
    """Return the copy of a breakpoint or watchpoint that notes where it was met."""
    when = copy.when

    def holds(vcpu: int) -> bool:
        if when is not None and not when(vcpu):
            return False
        met.append(Met(vcpu, _retired(talk.session), item.number, is_watch))
        return True

    return replace(copy, when=holds)


def _retired(session: Session) -> int:
    """Return the instructions of all vCPUs."""
    return sum(vcpu.retired for vcpu in session.machine.vcpus)


def _took_back(talk: Conversation, vcpu: Vcpu) -> bool:
    """Go back to where a vCPU was about to run its last instruction, if it is known."""
    timeline, wanted = talk.session.timeline, vcpu.retired - 1

    def within(checkpoint: Checkpoint) -> bool:
        return checkpoint.retired[vcpu.id] <= wanted

    instrument = searches.instruction(timeline, vcpu)
    return searches.back_to_last(timeline, instrument, within)


def begin(talk: Conversation, *, is_step: bool) -> None:
    """Go back from the next slice on."""
    talk.marks.settle()
    talk.refused = None
    number = talk.general if is_step else talk.session.selected
    if talk.resumed is not None:
        number = talk.resumed
    talk.run = Backward(talk, number, is_step)
