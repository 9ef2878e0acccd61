"""Completion of command lines from the registry: pure text in, whole lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions import offered
from lapis_sessions.errors import CommandError
from lapis_sessions.offered import MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.registry import Argument, Command, Registry
    from lapis_sessions.session import Session


def complete(session: Session, line: str) -> list[str]:
    """Return what `line` may become with its last word completed, as whole lines."""
    return within(session.registry, line, session)


def within(registry: Registry, line: str, session: Session | None = None) -> list[str]:
    """Complete `line` as `complete` does, from a registry that no session need have."""
    head, blank, last = line.rpartition(" ")
    before = head + blank
    words = before.split()
    if not words:
        first = dict.fromkeys(name.split()[0] for name in registry.names)
        return [name for name in first if name.startswith(last)]
    found = _second(registry, words) + _words(registry, words, last, session)
    fit = dict.fromkeys(before + word for word in found if word.startswith(last))
    return list(fit)[:MOST]


def _second(registry: Registry, words: Sequence[str]) -> list[str]:
    """Return the second words of the names of two words that begin so."""
    if len(words) > 1:
        return []
    names = [name.split() for name in registry.names]
    return [name[1] for name in names if name[0] == words[0] and len(name) > 1]


def _words(
    registry: Registry, words: Sequence[str], last: str, session: Session | None
) -> list[str]:
    try:
        command, rest = registry.find(words)
    except CommandError:
        return []
    options = {f"--{a.name}": a for a in command.arguments if a.option}
    if last == "-" or last.startswith("--"):
        return [name for name in options if name not in rest]
    if rest and rest[-1] in options and options[rest[-1]].kind != "flag":
        return _values(registry, options[rest[-1]], last, session)
    if _is_within_expression(command, rest):
        return offered.names(session, last) if session is not None else []
    valued = {name for name, a in options.items() if a.kind != "flag"}
    # What comes after an option that takes a value is its value, whatever it is.
    own = [
        w for before, w in zip(["", *rest], rest, strict=False) if before not in valued
    ]
    taken = len([w for w in own if not w.startswith("-")])
    positional = [a for a in command.arguments if not a.option]
    more = [a.after for a in positional if a.after is not None] if rest else []
    plain = [a for a in positional if a.after is None]
    if taken >= len(plain):
        return [*more, *(name for name in options if name not in rest)]
    return more + _values(registry, plain[taken], last, session)


def _is_within_expression(command: Command, rest: Sequence[str]) -> bool:
    """Tell whether what comes next belongs to the expression of a line."""
    return any(
        argument.kind == "expression"
        and (argument.after in rest if argument.after is not None else bool(rest))
        for argument in command.arguments
    )


def _values(
    registry: Registry, argument: Argument, last: str, session: Session | None
) -> list[str]:
    if argument.choices:
        return list(argument.choices)
    if argument.name == "command":
        return [c.name for c in registry.commands]
    if argument.name == "file":
        return offered.files(session, last)
    if session is None:
        return []
    if argument.name in offered.BY_NAME:
        return offered.BY_NAME[argument.name](session, last)
    match argument.kind:
        case "vcpu":
            return [str(number) for number in range(len(session.machine.vcpus))]
        case "address":
            return offered.symbols(session, last) + offered.names(session, last)
        case "expression" | "value":
            return offered.names(session, last)
        case _:
            return []
