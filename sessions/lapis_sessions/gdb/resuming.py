"""Going on: `vCont`, `c` and `s`, in slices.

What the actions of `vCont` come to here:

- all vCPUs continue: the schedule runs, as it does for the command `run`;
- one steps and the others continue (gdb's `stepi`): the schedule runs until that one
  has retired an instruction, so that stepping through gives the same history as running
  does. Whose turn it is steps at once, and for another the turns before its own are run
  first, `MOST` instructions at most;
- one steps or continues and the others have no action (`set scheduler-locking on`): it
  alone runs, and everything else is frozen;
- some continue, but not all: they take turns of a quantum, all others frozen;
- several step: one after the other, an instruction each;
- one steps while it is in a range (`r`, of gdb's `step` and `next`): as single steps.

A vCPU that cannot run is never waited for, and nobody runs in its place: its step is
answered at once, with the reason. gdb's `step` and `next` would ask again for ever, so
from the second time on the answer is of no signal, at which they give up.

In the past all of it goes along what was done there; at the end the client is told that
the history ends, and what it asks for then happens anew. A step that comes there is not
answered by gdb's word for it (`replaylog:end`): gdb 13 steps off a breakpoint before it
goes on, and would wait for the end of that step for ever. It gets the word when it goes
on from there.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - of a named tuple's fields
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.errors import LapisError
from lapis_sessions.gdb import advancing, stopped
from lapis_sessions.gdb.conversation import (
    INTERRUPTED,
    SILENT,
    TRAP,
    Touched,
    vcpu_of,
)
from lapis_sessions.gdb.marks import WATCHES
from lapis_sessions.gdb.refusal import BAD_PACKET, PacketError, in_hex
from lapis_sessions.text.visible import printed
from lapis_sessions.timeline.following import END_OF_BRANCH

if TYPE_CHECKING:
    from lapis_engine.machine.stop import Stop
    from lapis_sessions.gdb.advancing import Advance
    from lapis_sessions.gdb.conversation import Conversation

MOST: Final = 10_000_000
"""Instructions of the others that a step waits for the turn of its vCPU."""
END: Final = "replaylog:end;"


@dataclass(slots=True)
class Forward:
    """A resumption that is going on."""

    talk: Conversation
    advance: Advance
    left: int | None
    """Instructions that it has yet; None for as many as it takes."""
    step: int | None
    """The vCPU whose step it is."""
    was_past: bool
    """It began in the past."""
    wanted: int | None = None
    """Instructions that the vCPU has retired when its step is done, if it is one."""

    def go(self, instructions: int) -> bytes | None:
        """Do a slice; return the stop reply, or None while it goes on."""
        talk = self.talk
        try:
            stop = self.advance(max(instructions, 1))
        except LapisError as error:
            return self._given_up(printed(f"stopped: {error}"), self._whom())
        timeline = talk.session.timeline
        is_end = stop.reason == END_OF_BRANCH
        if stop.reason == "budget":
            if not (self.was_past and timeline.at_end):
                return self._spent(stop.retired)
            is_end = True
        if is_end:
            return self._ended(stop.vcpu)
        said = stopped.words(talk, stop)
        if said:
            talk.say(said)
        self._note_access(stop)
        signal = stopped.SIGNALS.get(stop.reason, TRAP)
        reason = stopped.reason_of(talk, stop) or stopped.exception(talk, said)
        return stopped.reply(talk, stop.vcpu, signal, reason)

    def _note_access(self, stop: Stop) -> None:
        """Note where an access was met, which a way back from there undoes first."""
        talk = self.talk
        mark = talk.marks.of(stop.point)
        if stop.point is not None and mark is not None and mark.type in WATCHES:
            here = talk.session.timeline.spot
            talk.touched = Touched(here, stop.vcpu, stop.point)

    def _ended(self, number: int) -> bytes:
        """Say that the history ends here, where a vCPU would have gone on."""
        talk, timeline = self.talk, self.talk.session.timeline
        what_comes = (
            "`monitor fork` goes on from here"
            if talk.session.read_only
            else "from here on what you do is done anew"
        )
        said = printed(f"end of {timeline.branch.name}: {what_comes}")
        if self.step is None:
            talk.say(said)
            return stopped.reply(talk, number, reason=END)
        retired = talk.session.machine.vcpu(self.step).retired
        if self.wanted is not None and retired >= self.wanted:
            talk.say(said)
            talk.end_owed = timeline.spot
            return stopped.reply(talk, self.step)
        return self._given_up(said, self.step)

    def _given_up(self, said: str, number: int) -> bytes:
        """Say why it does not go on; gdb asks for no further step then."""
        self.talk.say(said)
        reason = stopped.exception(self.talk, said)
        is_silent = self.step is not None and not reason
        signal = SILENT if is_silent else TRAP
        return stopped.reply(self.talk, number, signal, reason)

    def _spent(self, retired: int) -> bytes | None:
        if self.left is None:
            return None
        self.left -= retired
        if self.left > 0 or self.step is None:
            return None
        why = f"it had no turn in {MOST} instructions"
        self.talk.say(f"vCPU {self.step} was not stepped: {why}")
        return stopped.reply(self.talk, self.step)

    def _whom(self) -> int:
        return self.talk.session.selected if self.step is None else self.step

    def interrupt(self) -> bytes:
        """Break off where it is."""
        return stopped.reply(self.talk, self._whom(), INTERRUPTED)


class Actions(NamedTuple):
    """What is asked of each vCPU; nothing of one that is in neither."""

    steps: Sequence[int]
    goes: Sequence[int]
    within: range | None = None
    """Linear addresses that the step goes on in."""


def actions(talk: Conversation, text: str) -> Actions:
    """Read the actions of `vCont`: the first that is about a vCPU counts.

    Raises `PacketError`.
    """
    count, within = len(talk.session.machine.vcpus), None
    steps, goes, seen = list[int](), list[int](), set[int]()
    for part in text.split(";"):
        action, _, thread = part.partition(":")
        if not action or action[0] not in "cCsStr":
            raise PacketError(BAD_PACKET, f"vCont has no action {part[:20]!r}")
        whom = vcpu_of(talk, thread) if thread else None
        about = [n for n in range(count) if whom in {None, n} and n not in seen]
        seen.update(about)
        if action[0] == "r":
            first, _, end = action[1:].partition(",")
            within = range(in_hex(first, "an address"), in_hex(end, "an address"))
        if action[0] in "sSr":
            steps += about
        elif action[0] in "cC":
            goes += about
    return Actions(steps, goes, within)


def begin(talk: Conversation, asked: Actions) -> bytes | None:
    """Go on; return the answer if there is one at once."""
    session, steps, goes = talk.session, asked.steps, asked.goes
    talk.marks.settle()
    first = talk.general
    if steps:
        first = first if first in steps else steps[0]
        if talk.is_lldb and talk.refused == first:
            _go_on(talk, first)
            return None
        is_alone = len(goes) < len(session.machine.vcpus) - 1 or not goes
        refusal = _refusal(talk, first, is_alone=is_alone)
        if refusal is not None:
            return refusal
    talk.refused = None
    was_past = not session.timeline.at_end
    owed, talk.end_owed = talk.end_owed, None
    if not steps and not goes:
        return stopped.reply(talk, first)
    if not steps and not was_past and owed == session.timeline.spot:
        return stopped.reply(talk, first, reason=END)
    if len(steps) > 1:
        talk.run = Forward(talk, advancing.each(talk, steps), None, first, was_past)
    elif steps:
        advance = advancing.step(talk, first, asked.within, alone=is_alone)
        most = wanted = None
        if asked.within is None:
            most, wanted = MOST, session.machine.vcpu(first).retired + 1
        talk.run = Forward(talk, advance, most, first, was_past, wanted)
    else:
        talk.run = Forward(talk, advancing.whole(talk, goes), None, None, was_past)
    return None


def _refusal(talk: Conversation, number: int, *, is_alone: bool) -> bytes | None:
    """Answer the step of a vCPU that cannot run, or has no turn."""
    cause, schedule = advancing.cause(talk, number), talk.session.machine.schedule
    has_turn = is_alone or schedule.policy != "only" or schedule.only == number
    if cause is None and not has_turn:
        cause = f"the schedule runs vCPU {schedule.only} only (`monitor sched`)"
    if cause is None:
        return None
    talk.session.select(number)
    said = printed(f"vCPU {number} cannot be stepped: {cause}; nothing was run")
    talk.say(said)
    is_again, talk.refused = talk.refused == number, number
    reason = stopped.exception(talk, said)
    return stopped.reply(
        talk, number, SILENT if is_again and not reason else TRAP, reason
    )


def _go_on(talk: Conversation, number: int) -> None:
    """Let the schedule run until a vCPU whose step was refused has had it.

    lldb keeps a step that has not moved, and has nothing but that when its user says
    `continue`: to refuse it again would leave him standing for ever.
    """
    talk.refused = None
    was_past = not talk.session.timeline.at_end
    advance = advancing.in_time(talk, number)
    talk.run = Forward(talk, advance, None, number, was_past)
