"""What goes on by a slice: steps of one vCPU or of several, and runs of some or all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lapis_engine.machine.stop import Stop
from lapis_sessions.gdb import stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.gdb.conversation import Conversation

Advance = Callable[[int], Stop]
"""Goes on by so many instructions at most; `budget` is the reason when it can go on."""


def cause(talk: Conversation, number: int) -> str | None:
    """Say why a vCPU would not retire an instruction now, or None."""
    why = talk.session.machine.why_not_runnable(number)
    return None if why is None else why.text


def step(
    talk: Conversation, number: int, within: range | None, *, alone: bool
) -> Advance:
    """Return what steps a vCPU, alone or with the others as they have their turns.

    It goes on while that vCPU is `within` these addresses.
    """
    session = talk.session
    vcpu = session.machine.vcpu(number)
    begun = vcpu.retired

    def one(some: int) -> Stop:
        session.select(number)
        return session.step() if alone else session.step_among(1, some)

    def advance(some: int) -> Stop:
        ran = 0
        while True:
            before = vcpu.retired
            stop = one(some)
            if stop.reason == "breakpoint" and not stop.retired and before == begun:
                # Where a step begins there is nobody to be told of a breakpoint.
                stop = one(some) if stop.vcpu == number else stop
            ran += stop.retired
            if stop.reason != "budget":
                return stop
            if vcpu.retired == before:
                why = cause(talk, number)
                reason = "budget" if why is None else "halted"
                return Stop(reason, ran, number, None, why or "")
            if within is None or vcpu.regs.linear_rip not in within:
                return Stop(stopped.STEPPED, ran, number)
            if ran >= some or not session.timeline.at_end:
                return Stop("budget", ran, number)

    return advance


def each(talk: Conversation, steps: Sequence[int]) -> Advance:
    """Return what steps several, an instruction each, those that can run."""
    session, first = talk.session, talk.general

    def advance(_some: int) -> Stop:
        ran = 0
        for number in steps:
            if session.machine.why_not_runnable(number) is None:
                session.select(number)
                stop = session.step()
                ran += stop.retired
                if stop.reason != "budget":
                    return stop
        return Stop(stopped.STEPPED, ran, first)

    return advance


def whole(talk: Conversation, goes: Sequence[int]) -> Advance:
    """Return what lets all go on, or one, or some in turn."""
    session = talk.session
    if len(goes) == len(session.machine.vcpus):
        return session.run
    turns = list(goes)

    def advance(some: int) -> Stop:
        quantum = session.machine.schedule.quantum
        for _ in range(len(turns)):
            number = turns[0]
            if session.machine.why_not_runnable(number) is None:
                session.select(number)
                stop = session.step(min(some, quantum))
                turns.append(turns.pop(0))
                return stop
            turns.append(turns.pop(0))
        why = "; ".join(f"vCPU {n}: {cause(talk, n)}" for n in goes)
        return Stop("halted", 0, goes[0], None, why)

    return advance


def in_time(talk: Conversation, number: int) -> Advance:
    """Return what has the schedule run until a vCPU has retired an instruction."""
    session = talk.session
    vcpu = session.machine.vcpu(number)
    wanted = vcpu.retired + 1

    def advance(some: int) -> Stop:
        session.select(number)
        stop = session.step_among(1, some)
        if stop.reason == "budget" and vcpu.retired >= wanted:
            return Stop(stopped.STEPPED, stop.retired, number)
        return stop

    return advance
