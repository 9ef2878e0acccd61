"""Doing again what was done to a machine, to its end or to any point within it.

What moves time is not done again by its limit but by where it ended: so many
instructions, and so many events. A run that is cut in two does what the whole does.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.errors import EngineError
from lapis_engine.machine import acts
from lapis_engine.machine.acts import Act, ActError
from lapis_engine.machine.stop import NotRunnableError, Stop
from lapis_engine.replay.capture import Position, position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine

    Hit = Callable[[Position], None]

TIME_MOVING: Final = {"run": "limit", "step": "count"}
"""Verbs that move time, and which argument of theirs an entry has no use for: how far
they went is where they ended."""
HITS: Final = frozenset({"breakpoint", "catch", "watchpoint"})
NEVER: Final = 1 << 63
"""Number of an event that never comes."""
WRITTEN: Final = {"watchpoint": "catch"}
"""Reasons that are recorded by another name, which readers of all versions know: it
tells that the run ended behind an instruction, and not why the user wanted that."""
ANSWERS: Final = frozenset({"answer", "answer_by_device"})
"""Verbs by which an access of the guest is made that waited for the user."""
AT_ONCE: Final = frozenset({"budget", "breakpoint", "catch"})
"""Reasons of a stop that lies where instructions and events say; the others are met
only by going on from there."""


class DivergedError(EngineError):
    """A replay came to somewhere else than what is replayed."""

    title = "Diverged"

    def __init__(self, act: Act, wanted: Position, came: Position) -> None:
        """Say that `act` ended at `came` and not at `wanted`."""
        super().__init__(f"{act.text} ended at {came.text} and not at {wanted.text}")
        self.act = act
        self.wanted = wanted
        self.came = came


class Entry(NamedTuple):
    """An act, and where the machine was before and after it.

    A tuple, as a recording may have a million of them and a tuple is soon made.
    """

    act: Act
    start: Position
    end: Position
    reason: str = ""
    """Why a run or a step came back."""

    @property
    def moves(self) -> bool:
        """Whether time moved in it."""
        return self.act.verb in TIME_MOVING


def entry(act: Act, result: object, start: Position, end: Position) -> Entry:
    """Return the entry of an act that has just been done."""
    if act.verb not in TIME_MOVING:
        return Entry(act, start, end)
    reason = result.reason if isinstance(result, Stop) else "refused"
    reason = WRITTEN.get(reason, reason)
    limit = TIME_MOVING[act.verb]
    args = {name: value for name, value in act.args.items() if name != limit}
    return Entry(Act(act.verb, args), start, end, reason)


def check(act: Act) -> None:
    """Raise `ActError` unless this can be the act of an entry."""
    limit = TIME_MOVING.get(act.verb)
    if limit is None:
        acts.check(act)
    elif limit in act.args:
        raise ActError(f"act {act.verb}: {limit} is told by where it ended")
    else:
        acts.check(Act(act.verb, {**act.args, limit: 1}))


def perform(machine: Machine, again: Entry, hit: Hit | None = None) -> None:
    """Do the rest of an entry, which may be begun; raise `DivergedError`.

    `hit` is as for `advance`.
    """
    if again.moves:
        if position(machine) != again.end:
            advance(machine, again, again.end, hit)
        is_there = position(machine).retired == again.end.retired
        if again.reason == "breakpoint" and is_there:
            _turn(machine, again)
    else:
        machine.watches.forget_touched()
        acts.perform(machine, again.act)
    here = position(machine)
    if here != again.end:
        raise DivergedError(again.act, again.end, here)
    if hit is not None and behind(machine, again) is not None:
        hit(here)


def behind(machine: Machine, again: Entry) -> Stop | None:
    """Return the stop of a watchpoint at an access that an answer has just ended.

    What else the user does stops nothing.
    """
    if again.act.verb not in ANSWERS or not machine.watches.has_touched:
        return None
    return machine.watched(again.act.args["number"])


def advance(
    machine: Machine, within: Entry, to: Position, hit: Hit | None = None
) -> None:
    """Go on in an entry that moves time, as far as `to`, which lies within it.

    `hit` is told of every stop at a breakpoint or a catch on the way.
    """
    here = position(machine)
    if to.retired > here.retired:
        here = _past_hits(machine, within, to.retired, hit)
    is_short = to == within.end != here and within.reason not in AT_ONCE
    if is_short or here.seq < to.seq:
        # A breakpoint may lie where the instructions end and the exit is yet to come.
        with stopping_at(machine, to.seq):
            _past_hits(machine, within, here.retired + 1, hit, to.seq)


def _past_hits(
    machine: Machine, within: Entry, retired: int, hit: Hit | None, seq: int = NEVER
) -> Position:
    """Go on to so many instructions or events, or to a stop that is no hit.

    Each vCPU in turn may stand at a breakpoint without a step between: when nothing
    moved for longer than that, nothing ever will, and this comes back.

    Who is led here without those breakpoints has given no turn there either, so that is
    taken back: what is done next may wake another vCPU, whose turn it would be.
    """
    here = position(machine)
    idle = 0
    while here.retired < retired and idle <= len(machine.vcpus):
        before = here
        stop = _go(machine, within, retired - here.retired)
        here = position(machine)
        if stop is None or stop.reason not in HITS:
            break
        if stop.turn is not None:
            machine.schedule.put_back(stop.turn)
        if here.seq >= seq:
            break
        if hit is not None:
            hit(here)
        idle = idle + 1 if here == before else 0
    return here


def to_event(machine: Machine, within: Entry, seq: int, most: int) -> None:
    """Go on in an entry that moves time until event number `seq` has happened.

    The event is one of this entry; at most `most` instructions are done.
    """
    left = within.end.retired - position(machine).retired
    with stopping_at(machine, seq + 1):
        _go(machine, within, max(min(most, left), 1))


def _turn(machine: Machine, within: Entry) -> None:
    """Come to the breakpoint where the entry ended: the turn may have moved on to it.

    The instructions before it do not tell: another vCPU may have run the last of them,
    and sleeps since. Where nothing moved it stops here again. The user's own stops here
    are still to come: they are met by whoever goes on.
    """
    points = machine.points.items
    stopped = [vcpu.stopped_at for vcpu in machine.vcpus]
    machine.break_only_at([vcpu.regs.linear_rip for vcpu in machine.vcpus])
    for vcpu in machine.vcpus:
        vcpu.stopped_at = None
    try:
        _go(machine, within, 1)
    finally:
        machine.points.put(points)
        for vcpu, at in zip(machine.vcpus, stopped, strict=True):
            vcpu.stopped_at = at


def _go(machine: Machine, within: Entry, count: int) -> Stop | None:
    if within.act.verb == "run":
        return machine.run(count)
    try:
        return machine.step(within.act.args["number"], count)
    except NotRunnableError:
        return None  # as it was then, when the step came back before its count


@contextmanager
def stopping_at(machine: Machine, seq: int) -> Iterator[None]:
    """Let the machine stop as soon as event number `seq` - 1 has happened."""

    def observe(logged: Logged) -> None:
        if logged.seq + 1 >= seq:
            machine.vm.attention.ask_stop()

    machine.log.observers.append(observe)
    try:
        yield
    finally:
        machine.log.observers.remove(observe)
