"""What a line that is being typed would be: its usage, or what it comes to by now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_sessions.spellings.translation import translated
from lapis_sessions.text.visible import shown

if TYPE_CHECKING:
    from lapis_sessions.registry import Command, Registry
    from lapis_sessions.session import Session

MOST: Final = 200
"""Letters of a hint."""
_VALUED: Final = re.compile(r"(?<![=<>!])=(?!=)(.*)", re.DOTALL)
_IF: Final = re.compile(r"(?:^|\s)if\s+(\S.*)", re.DOTALL)


def of(session: Session, line: str) -> str | None:
    """Return a hint on one row, None where there is nothing to say.

    Nothing is done and no device touched. What a condition or a value comes to is told
    as soon as it comes to something; of any other line its usage.
    """
    ours = translated(line, session.registry.names)
    command = _begun(session.registry, ours)
    if command is None:
        return None
    value = _value(session, command, ours)
    if value is not None:
        return value[:MOST]
    told = command.usage if ours == line else f"is {ours}"
    return f"{told} - {command.help}"[:MOST]


def _begun(registry: Registry, line: str) -> Command | None:
    words = line.split()[:2]
    try:
        return registry.find(words)[0] if words else None
    except LapisError:
        return None


def _value(session: Session, command: Command, line: str) -> str | None:
    """Return what the expression of a line comes to now, if to anything."""
    try:
        if command.name == "print":
            call = session.registry.parse(line, session)
            with session.past.staying():
                view = shown(call.command.perform(session, call.bound))
            return f"= {call.command.render(view).partition(chr(10))[0]}"
        taken = any(a.kind == "expression" for a in command.arguments)
        found = (_VALUED if command.name == "set" else _IF).search(line)
        if not taken or found is None or not found[1].strip():
            return None
        with session.past.staying():
            value = session.value(found[1].strip())
    except LapisError:
        return None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    told = f"{value:#x}" if is_number else str(value).lower()
    return f"{found[1].strip()} is {told}"
