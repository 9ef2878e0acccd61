"""Commands that ask why the machine stops, waits, is slow, or does something else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.why import asking, exits, slowness, stopping
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.rules import unanswered
from lapis_sessions.views import diverged as views_diverged
from lapis_sessions.views import why

if TYPE_CHECKING:
    from lapis_engine.why.asking import AskingAnswer
    from lapis_engine.why.exits import ExitAnswer
    from lapis_engine.why.slowness import SlowAnswer
    from lapis_engine.why.stopping import StopAnswer
    from lapis_sessions.session import Session
    from lapis_sessions.views.diverged import DivergedView

VCPU = Argument("vcpu", "vcpu")


def pending(session: Session, bound: Bound) -> AskingAnswer:
    """Say why an access became a request, and which rules did not answer it."""
    found = asking.asking(session.machine, bound.number("vcpu", session.selected))
    if found.request is None:
        return found
    rules = unanswered.reasons(session.rules.rules, found.request, session)
    return replace(found, reasons=(*found.reasons, *rules))


def last_exit(session: Session, bound: Bound) -> ExitAnswer:
    """Say why a vCPU came out of vm_run last."""
    return exits.last_exit(session.machine, bound.number("vcpu", session.selected))


def unmet(session: Session, bound: Bound) -> StopAnswer:
    """Say why a breakpoint, a watchpoint or a catch has not stopped the machine.

    An address, too, names a breakpoint.
    """
    machine, word, number = session.machine, bound.word("what"), bound.number("number")
    if word == "catch":
        return stopping.catch(machine, number)
    if word == "watch":
        return stopping.watch(machine, number)
    for point in machine.points.items:
        if number in {point.number, point.linear}:
            start = session.symbols.places.start(point.linear)
            return stopping.point(machine, point.number, start)
    return stopping.point(machine, number)  # which says that there is none


def slow(session: Session, _bound: Bound) -> SlowAnswer:
    """Say who waits in a loop, what comes again and again, and what costs time."""
    return slowness.slow(session.machine, why.placed(session))


def diverged(session: Session, _bound: Bound) -> DivergedView:
    """Say where a replay came to something else last."""
    return views_diverged.of(session)


COMMANDS = (
    Command(
        "why pending",
        "say why the access of a vCPU became a request, and why no rule answered it",
        "read-only", pending, why.answer_text, (VCPU,), ("why request",),
    ),
    Command(
        "why exit", "say why a vCPU came out of vm_run last, and what that asks for",
        "read-only", last_exit, why.answer_text, (VCPU,),
    ),
    Command(
        "why not",
        "say why breakpoint, watchpoint or catch NUMBER has not stopped the machine",
        "read-only", unmet, why.answer_text,
        (
            Argument(
                "what", "word", required=True, choices=("break", "watch", "catch")
            ),
            Argument("number", "address", required=True),
        ),
    ),
    Command(
        "why slow",
        "say who waits in a loop and for what, which events come again and again, and "
        "what of the debugger's own costs time",
        "read-only", slow, why.slow_text,
    ),
    Command(
        "why diverged", "say where what was recorded did not come about again, and "
        "what may be the cause",
        "read-only", diverged, views_diverged.text,
    ),
)  # fmt: skip
