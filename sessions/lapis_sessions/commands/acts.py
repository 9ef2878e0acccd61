"""The command `act`: any act of the machine as recordings hold it.

Exported scripts use it for acts that no other command does in just that way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_engine.machine import acts
from lapis_engine.machine.acts import Act
from lapis_engine.replay.entries import TIME_MOVING
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import objects
from lapis_sessions.text.operators import clipped
from lapis_sessions.views import events

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.events import EventView


def perform(session: Session, bound: Bound) -> list[EventView]:
    """Do an act; return the events that it caused, oldest first."""
    verb = bound.word("verb")
    act = Act(verb, _arguments(verb, bound.word("args", "{}")))
    acts.check(act)
    if verb in TIME_MOVING:
        raise CommandError(f"act {verb}: there is a command {verb} for it")
    log = session.machine.log
    first = log.next_seq
    acts.VERBS[verb](session.machine, **act.args)
    return [events.of(logged) for logged in log.since(first)]


def _arguments(verb: str, text: str) -> dict[str, Any]:
    try:
        return objects.read(text)
    except ValueError as error:
        raise CommandError(
            f"act {verb}: {clipped(text)!r} is no JSON object as '{{\"number\": 0}}': "
            f"{error}"
        ) from None


COMMANDS = (
    Command(
        "act",
        "do an act of the machine as a recording holds it: its VERB, and its "
        "arguments as a JSON object",
        "mutating", perform, events.text,
        (Argument("verb", "word", required=True), Argument("args", "word")),
    ),
)  # fmt: skip
