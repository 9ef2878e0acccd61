"""Commands for event breakpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_engine.machine.catches import EVENTS
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals, typed
from lapis_sessions.views import catches as catches_view

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.catches import CatchView

NUMBERS = ("vcpu", "vector", "to", "msr")
ARGUMENTS = (
    Argument("event", "word", choices=tuple(EVENTS)),
    Argument("text", "word"),
    Argument("vcpu", "vcpu", option=True),
    Argument("vector", "value", option=True),
    Argument("mode", "word", option=True),
    Argument("to", "vcpu", option=True),
    Argument("code", "word", option=True),
    Argument("msr", "value", option=True),
    Argument("port", "word", option=True),
    Argument("once", "flag", option=True),
    Argument("condition", "expression", after="if"),
)


def catch(session: Session, bound: Bound) -> list[CatchView]:
    """Set an event breakpoint, if one is named; return all."""
    catches = session.machine.catches
    conditions: dict[str, Any] = {
        name: bound.number(name) for name in NUMBERS if name in bound
    }
    for name in ("mode", "port"):
        if name in bound:
            conditions[name] = bound.word(name)
    if "text" in bound:
        conditions["text"] = typed.read(bound.word("text"), "catch")
    if "code" in bound:
        conditions["code"] = bound.word("code").upper()
    if "event" not in bound:
        if conditions or "once" in bound or "condition" in bound:
            raise CommandError(f"catch needs an event: {', '.join(EVENTS)}")
    else:
        for name in ("vcpu", "to"):
            if name in conditions:
                session.machine.vcpu(conditions[name])
        if "condition" in bound:
            asked = bound.word("condition")
            conditions["condition"] = asked
            conditions["when"] = session.stops.event_condition(asked)
        catches.add(bound.word("event"), once="once" in bound, **conditions)
    return list(map(catches_view.of, catches.items))


def uncatch(session: Session, bound: Bound) -> list[CatchView]:
    """Take one event breakpoint away, or all; return what is left."""
    word = bound.word("number")
    number = None if word == "all" else numerals.number(word, "uncatch: number")
    session.machine.catches.remove(number)
    return list(map(catches_view.of, session.machine.catches.items))


COMMANDS = (
    Command(
        "catch",
        "stop right after an event, or list what is waited for; catch console TEXT "
        "stops when a guest has printed TEXT, written as `type` takes it; CONDITION "
        "may speak of event.vector, event.kind and other fields of the event",
        "mutating", catch, catches_view.text, ARGUMENTS,
    ),
    Command(
        "uncatch", "take event breakpoint NUMBER away, or all", "mutating",
        uncatch, catches_view.text, (Argument("number", "word", required=True),),
    ),
)  # fmt: skip
