"""A machine that is run from its beginning again and again, turn by turn."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.errors import LapisError
from lapis_engine.machine import acts
from lapis_engine.replay import capture, entries
from lapis_engine.replay.digest import Digester
from lapis_engine.vmm import run_state
from lapis_sessions.exploring.plan import Turn
from lapis_sessions.recording.edit.compose import compose
from lapis_sessions.recording.format.header import header
from lapis_sessions.recording.format.reader import RecordedBranch
from lapis_sessions.recording.format.schema import ActRow, Annotation, CheckpointRow
from lapis_sessions.recording.format.stored import StoredCheckpoint
from lapis_sessions.rules.book import Rules
from lapis_sessions.timeline.branches import FIRST, continues

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.stop import Stop
    from lapis_engine.replay.capture import Checkpoint
    from lapis_engine.replay.entries import Entry
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_sessions.exploring.plan import Step
    from lapis_sessions.rules.rule import Rule
    from lapis_sessions.session import Session

ENDS: Final = frozenset({"exit", "suspended", "fault"})
"""Reasons of a stop after which nothing comes without somebody's doing."""


class Waypoint(NamedTuple):
    """A point that a driver can go back to, and what was done up to it."""

    checkpoint: Checkpoint
    entries: tuple[Entry, ...]
    steps: tuple[Step, ...]
    spent: int
    rules: tuple[Rule, ...]


class Driver:
    """Drives the machine of a session, which stands at its beginning."""

    def __init__(self, session: Session) -> None:
        """Take the machine away from the session's timeline."""
        self.session = session
        self.machine: Machine = session.machine
        self._beginning = session.timeline.branches[FIRST].kept[0].checkpoint
        self.entries: list[Entry] = []
        """What was done since the beginning."""
        self.steps: list[Step] = []
        """The same as steps: turns as they came, those of one vCPU put together."""
        self._rules = Rules(session)
        self.spent = 0
        """Instructions retired, and one for each turn."""
        self.at = capture.position(self.machine)
        """Where the last act ended."""
        self.begin()

    def begin(self, catches: Sequence[str] = (), answers: Sequence[str] = ()) -> None:
        """Go back to the beginning.

        Turns will end at the events `catches`, and requests be answered by the rules
        `answers`; raises `CommandError` for what is no rule.
        """
        machine = self.machine
        machine.on_act = machine.before_act = None  # the timeline's: it is taken away
        machine.catches.remove()
        machine.break_only_at(())
        capture.put(machine, self._beginning)
        for name in catches:
            machine.catches.add(name)
        self._rules = Rules(self.session)
        for text in answers:
            self._rules.add(text)
        self.entries, self.steps, self.spent = [], [], 0
        self.at = capture.position(machine)
        machine.on_act = self._done

    def _done(self, act: Act, result: object) -> None:
        here = capture.position(self.machine)
        entry = entries.entry(act, result, self.at, here)
        last = self.entries[-1] if self.entries else None
        if last is not None and continues(last, entry):
            entry = entries.Entry(last.act, last.start, here, entry.reason)
            self.entries.pop()
        self.entries.append(entry)
        self.at = here

    def mark(self) -> Waypoint:
        """Return the present point, to go back to as often as wanted."""
        checkpoint = capture.take(self.machine, self._beginning)
        rules = tuple(map(copy, self._rules.rules))
        done = tuple(self.entries), tuple(self.steps)
        return Waypoint(checkpoint, *done, self.spent, rules)

    def back(self, mark: Waypoint) -> None:
        """Go back to a point since `begin`; catches stay as they are now."""
        self.machine.on_act = None
        capture.put(self.machine, mark.checkpoint)
        self.entries, self.steps = list(mark.entries), list(mark.steps)
        self.spent, self.at = mark.spent, mark.checkpoint.at
        self._rules.rules = list(map(copy, mark.rules))
        self.machine.on_act = self._done

    @property
    def answered(self) -> list[tuple[int, int, str]]:
        """What the rules remember: how they go on follows from it."""
        return [(it.answered, it.reads, it.disabled) for it in self._rules.rules]

    # Acts.

    def awake(self) -> list[int]:
        """Return the vCPUs that would retire an instruction now."""
        return [v.id for v in self.machine.vcpus if self.is_awake(v.id)]

    def is_awake(self, number: int) -> bool:
        """Tell whether a vCPU could have a turn: userspace may have suspended it."""
        vcpu, vm = self.machine.vcpu(number), self.machine.vm
        if not vcpu.active or vm.debug_cpus >> number & 1:
            return False
        return self.machine.why_not_runnable(number) is None

    def turn(self, vcpu: int, count: int) -> Stop:
        """Let a vCPU that is awake run alone."""
        stop = self.machine.step(vcpu, count)
        self.spent += stop.retired + 1
        self._add(self.machine.vcpu(vcpu), stop.retired)
        return self._settled(stop)

    def _settled(self, stop: Stop) -> Stop:
        """Let the rules answer what waits; return what the stop comes to then."""
        if not self._rules.rules or not self.machine.pending():
            return stop
        found = self._rules.settle()
        if found is None or stop.reason != "exit":
            return stop
        return replace(found, retired=stop.retired + found.retired)

    def is_over(self, stop: Stop) -> bool:
        """Tell whether nothing can come after the stop of a turn.

        While one vCPU waits for an answer the others go on: what they come to is then
        the same in every order. In the end `wake` tells of the request.
        """
        waits = stop.reason == "exit" and bool(self.machine.pending())
        return stop.reason in ENDS and not waits

    def wake(self, vcpu: int | None = None) -> Stop:
        """Let time pass, all being asleep, until one of them wakes, or just this one.

        It retires one instruction. The stop is "halted" when none ever does.
        """
        machine = self.machine
        with self.listening():
            if vcpu is None:
                stop = machine.run(1)
            else:
                machine.set_schedule("only", vcpu)
                stop = machine.run(1)
                machine.set_schedule("round-robin")
        self.spent += stop.retired + 1
        return self._settled(stop)

    def act(self, act: Act) -> None:
        """Do what moves no time; what is refused is left out."""
        self.steps.append(act)
        with suppress(LapisError):
            acts.perform(self.machine, act)

    def _add(self, vcpu: Vcpu, count: int) -> None:
        """Note a turn; one that retired nothing counts if it took an INIT in."""
        last = self.steps[-1] if self.steps else None
        if isinstance(last, Turn) and last.vcpu == vcpu.id:
            self.steps[-1] = Turn(vcpu.id, last.count + count)
        elif count or vcpu.run_state == run_state.INIT:
            self.steps.append(Turn(vcpu.id, count))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note the turns that the machine's own schedule gives meanwhile."""
        self.machine.on_turn = self._add
        try:
            yield
        finally:
            self.machine.on_turn = None

    # What was done.

    def recording(self, text: str) -> bytes:
        """Return what was done as the file of a recording, with `text` at its end."""
        rows = [
            ActRow(
                entry.act.verb, dict(entry.act.args), entry.end.retired, entry.end.seq,
                entry.end.now, entry.reason,
            )
            for entry in self.entries
        ]  # fmt: skip
        digester = Digester(self.machine)
        fields, digest = digester.fields(), digester.digest()
        row = CheckpointRow(len(rows), self.at.retired, digest, fields)
        end = StoredCheckpoint.of(row)
        note = Annotation(len(rows), self.at.retired, text)
        branch = RecordedBranch(FIRST, acts=rows, checkpoints=[end], notes=[note])
        session = self.session
        head = header(session.origin, session.timeline, embed=True)
        return b"".join(compose(head, [branch]))


def switches(steps: Sequence[Step]) -> int:
    """Return how often another vCPU than before had a turn."""
    turns = [step.vcpu for step in steps if isinstance(step, Turn)]
    return sum(one != other for one, other in pairwise(turns))
