"""Commands that let time pass or choose who runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.machine.schedule import POLICIES
from lapis_engine.machine.stop import Stop
from lapis_engine.replay.entries import stopping_at
from lapis_engine.why import fault as why_fault
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.session import Outcome
from lapis_sessions.views import displays
from lapis_sessions.views import machine as views

MOST_DONE: Final = 100
"""Of commands at stops, so many are told of."""

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import ScheduleView, StopView, VcpuView


ON: Final = ("run", "continue", "c", "cont", "r", "g")
"""What the last command at a stop may be: it is passed, and the machine goes on."""


def run(session: Session, bound: Bound) -> StopView:
    """Run until a stop, and do what is to be done there."""
    left = bound.number("count") if "count" in bound else session.limit
    stop, done, ran = session.run(left), list[Outcome](), 0
    while stop.point is not None and stop.point in session.stops.commands:
        *lines, last = session.stops.commands[stop.point]
        goes_on = last in ON
        done += [session.execute(line) for line in [*lines, *[last] * (not goes_on)]]
        if not goes_on or stop.retired >= left:
            break
        left, ran = left - stop.retired, ran + stop.retired
        stop = session.run(left)
    return shown(session, replace(stop, retired=ran + stop.retired), done)


def shown(session: Session, stop: Stop, done: Sequence[Outcome] = ()) -> StopView:
    """Tell of a stop, what was `done` there, and what is displayed at every stop."""
    is_over = stop.reason == "suspended"
    fault = why_fault.shutdown(session.machine) if is_over else None
    return views.stop(stop, done[-MOST_DONE:], displays.of(session), fault)


def told(session: Session, stop: Stop) -> StopView:
    """Do what is to be done at a stop, and tell of both."""
    lines = session.stops.commands.get(stop.point, ()) if stop.point else ()
    return shown(session, stop, [session.execute(line) for line in lines])


def step(session: Session, bound: Bound) -> StopView:
    """Step the selected vCPU, alone or with the others."""
    count = bound.number("count", 1)
    if "with-others" in bound:
        return told(session, session.step_among(count))
    return shown(session, session.step(count))


def run_to(session: Session, bound: Bound) -> StopView:
    """Run till an event has happened, unless something else stops the machine first."""
    seq, machine = bound.number("event"), session.machine
    if machine.log.next_seq > seq:
        text = f"event {seq} has happened already"
        return views.stop(Stop("catch", 0, session.selected, None, text))

    def has_happened() -> bool:
        return machine.log.next_seq > seq

    with stopping_at(machine, seq + 1):
        if "step" in bound:
            return shown(session, session.step(until=has_happened))
        return shown(session, session.run(until=has_happened, watched=True))


def vcpu(session: Session, bound: Bound) -> VcpuView:
    """Select a vCPU."""
    session.select(bound.number("vcpu", session.selected))
    return views.vcpu(session.machine, session.selected, session.symbols.places)


def quantum(session: Session, bound: Bound) -> ScheduleView:
    """Set the quantum."""
    if "count" in bound:
        session.set_quantum(bound.number("count"))
    return views.schedule(session.machine)


def schedule(session: Session, bound: Bound) -> ScheduleView:
    """Set the schedule."""
    if "schedule" in bound:
        only = bound.number("vcpu") if "vcpu" in bound else None
        session.set_schedule(bound.word("schedule"), only)
    return views.schedule(session.machine)


COMMANDS = (
    Command(
        "run",
        "run until something stops the machine, at most COUNT instructions; in the "
        "past along what was done there, to its end",
        "time-moving",
        run,
        views.stop_text,
        (Argument("count", "count"),),
        ("continue", "c", "cont", "r", "g"),
    ),
    Command(
        "step",
        "step the selected vCPU alone, all others frozen, or --with-others as the "
        "schedule has it; in the past along what was done there, until that vCPU has "
        "retired COUNT more",
        "time-moving",
        step,
        views.stop_text,
        (Argument("count", "count"), Argument("with-others", "flag", option=True)),
        ("s", "si", "stepi", "t"),
    ),
    Command(
        "vcpu",
        "select the vCPU that commands are about",
        "read-only",
        vcpu,
        views.selected_text,
        (Argument("vcpu", "vcpu"),),
        ("cpu", "thread"),
    ),
    Command(
        "sched",
        "show or choose how turns are given; only VCPU runs one vCPU alone",
        "mutating",
        schedule,
        views.schedule_text,
        (Argument("schedule", "word", choices=POLICIES), Argument("vcpu", "vcpu")),
        ("schedule",),
    ),
    Command(
        "quantum",
        "show or set the instructions of a turn in round-robin",
        "mutating",
        quantum,
        views.schedule_text,
        (Argument("count", "count"),),
    ),
    Command(
        "run-to",
        "run until event number EVENT has happened; with --step at most one "
        "instruction of the selected vCPU",
        "time-moving",
        run_to,
        views.stop_text,
        (
            Argument("event", "count", required=True),
            Argument("step", "flag", option=True),
        ),
    ),
)
