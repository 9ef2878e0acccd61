"""Commands that let time pass or choose who runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.machine.schedule import POLICIES
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import machine as views
from lapis_sessions.views import render_machine

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json


def run(session: Session, bound: Bound) -> Json:
    """Run until a stop."""
    limit = bound.number("count") if "count" in bound else None
    return views.stop(session.run(limit))


def step(session: Session, bound: Bound) -> Json:
    """Step the selected vCPU alone."""
    return views.stop(session.step(bound.number("count", 1)))


def vcpu(session: Session, bound: Bound) -> Json:
    """Select a vCPU."""
    session.select(bound.number("vcpu", session.selected))
    return views.vcpu(session.machine, session.selected)


def quantum(session: Session, bound: Bound) -> Json:
    """Set the quantum."""
    if "count" in bound:
        session.set_quantum(bound.number("count"))
    return _schedule(session)


def schedule(session: Session, bound: Bound) -> Json:
    """Set the schedule."""
    if "schedule" in bound:
        only = bound.number("vcpu") if "vcpu" in bound else None
        session.set_schedule(bound.word("schedule"), only)
    return _schedule(session)


def _schedule(session: Session) -> Json:
    machine = session.machine
    return {
        "schedule": machine.schedule.policy,
        "only": machine.schedule.only,
        "quantum": machine.schedule.quantum,
    }


COMMANDS = (
    Command(
        "run",
        "run until something stops the machine, at most COUNT instructions",
        "time-moving",
        run,
        render_machine.stop,
        (Argument("count", "count"),),
        ("continue", "c", "cont", "r", "g"),
    ),
    Command(
        "step",
        "step the selected vCPU alone, all others frozen",
        "time-moving",
        step,
        render_machine.stop,
        (Argument("count", "count"),),
        ("s", "si", "stepi", "t"),
    ),
    Command(
        "vcpu",
        "select the vCPU that commands are about",
        "read-only",
        vcpu,
        render_machine.selected,
        (Argument("vcpu", "vcpu"),),
        ("cpu", "thread"),
    ),
    Command(
        "sched",
        "show or choose how turns are given; only VCPU runs one vCPU alone",
        "mutating",
        schedule,
        render_machine.schedule,
        (Argument("schedule", "word", choices=POLICIES), Argument("vcpu", "vcpu")),
        ("schedule",),
    ),
    Command(
        "quantum",
        "show or set the instructions of a turn in round-robin",
        "mutating",
        quantum,
        render_machine.schedule,
        (Argument("count", "count"),),
    ),
)
