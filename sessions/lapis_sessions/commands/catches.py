"""Commands for event breakpoints."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lapis_engine.machine.catches import EVENTS
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.catches import Catch
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json

NUMBERS = ("vcpu", "vector", "to", "msr")
ARGUMENTS = (
    Argument("event", "word", choices=tuple(EVENTS)),
    Argument("vcpu", "vcpu", option=True),
    Argument("vector", "value", option=True),
    Argument("mode", "word", option=True),
    Argument("to", "vcpu", option=True),
    Argument("code", "word", option=True),
    Argument("msr", "value", option=True),
    Argument("once", "flag", option=True),
)


def catch(session: Session, bound: Bound) -> list[Json]:
    """Set an event breakpoint, if one is named; return all."""
    catches = session.machine.catches
    conditions: dict[str, Any] = {
        name: bound.number(name) for name in NUMBERS if name in bound
    }
    if "mode" in bound:
        conditions["mode"] = bound.word("mode")
    if "code" in bound:
        conditions["code"] = bound.word("code").upper()
    if "event" not in bound:
        if conditions or "once" in bound:
            raise CommandError(f"catch needs an event: {', '.join(EVENTS)}")
    else:
        for name in ("vcpu", "to"):
            if name in conditions:
                session.machine.vcpu(conditions[name])
        catches.add(bound.word("event"), once="once" in bound, **conditions)
    return list(map(_view, catches.items))


def uncatch(session: Session, bound: Bound) -> list[Json]:
    """Take one event breakpoint away, or all; return what is left."""
    word = bound.word("number")
    number = None if word == "all" else numerals.number(word, "uncatch: number")
    session.machine.catches.remove(number)
    return list(map(_view, session.machine.catches.items))


def _view(item: Catch) -> Json:
    fields = asdict(item)
    own = {name: fields.pop(name) for name in ("number", "event", "once", "hits")}
    given = {name: value for name, value in fields.items() if value is not None}
    return own | {"conditions": given}


def _text(rows: Sequence[Json]) -> str:
    out = []
    for row in rows:
        words = [
            f"--{name} {value:#x}" if name in {"vector", "msr"} else f"--{name} {value}"
            for name, value in row["conditions"].items()
        ]
        words += ["--once"] * row["once"]
        line = " ".join([f"{row['number']:>3}  catch {row['event']}", *words])
        out.append(f"{line}  ({row['hits']} times)")
    return "\n".join(out) or "there are no event breakpoints"


COMMANDS = (
    Command(
        "catch", "stop right after an event, or list what is waited for",
        "mutating", catch, _text, ARGUMENTS,
    ),
    Command(
        "uncatch", "take event breakpoint NUMBER away, or all", "mutating",
        uncatch, _text, (Argument("number", "word", required=True),),
    ),
)  # fmt: skip
