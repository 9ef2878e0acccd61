"""The command `run-to`: on to an event by its number, where a `catch` asks by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.machine.stop import Stop
from lapis_engine.replay.entries import stopping_at
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import machine as views
from lapis_sessions.views import render_machine

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json


def run_to(session: Session, bound: Bound) -> Json:
    """Run till an event has happened, unless something else stops the machine first."""
    seq, machine = bound.number("event"), session.machine
    if machine.log.next_seq > seq:
        text = f"event {seq} has happened already"
        return views.stop(Stop("catch", 0, session.selected, None, text))
    with stopping_at(machine, seq + 1):
        return views.stop(session.step() if "step" in bound else session.run())


COMMANDS = (
    Command(
        "run-to",
        "run until event number EVENT has happened; with --step at most one "
        "instruction of the selected vCPU",
        "time-moving", run_to, render_machine.stop,
        (
            Argument("event", "count", required=True),
            Argument("step", "flag", option=True),
        ),
    ),
)  # fmt: skip
