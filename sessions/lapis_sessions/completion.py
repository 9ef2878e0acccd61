"""Completion of command lines from the registry: pure text in, whole lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.symbols.book import Symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.registry import Argument, Registry
    from lapis_sessions.session import Session

MOST = 200
"""Lines offered at once."""


def complete(session: Session, line: str) -> list[str]:
    """Return what `line` may become with its last word completed, as whole lines."""
    cpus = len(session.machine.vcpus)
    return within(session.registry, line, session.symbols, cpus)


def within(
    registry: Registry, line: str, symbols: Symbols | None = None, cpus: int = 0
) -> list[str]:
    """Complete `line` as `complete` does, from a registry that no session need have."""
    symbols = symbols if symbols is not None else Symbols()
    head, blank, last = line.rpartition(" ")
    before = head + blank
    words = before.split()
    if not words:
        first = dict.fromkeys(name.split()[0] for name in registry.names)
        return [name for name in first if name.startswith(last)]
    found = _second(registry, words) + _words(registry, words, last, symbols, cpus)
    return [before + word for word in found if word.startswith(last)][:MOST]


def _second(registry: Registry, words: Sequence[str]) -> list[str]:
    """Return the second words of the names of two words that begin so."""
    if len(words) > 1:
        return []
    names = [name.split() for name in registry.names]
    return [name[1] for name in names if name[0] == words[0] and len(name) > 1]


def _words(
    registry: Registry,
    words: Sequence[str],
    last: str,
    symbols: Symbols,
    cpus: int,
) -> list[str]:
    try:
        command, rest = registry.find(words)
    except CommandError:
        return []
    options = {f"--{a.name}": a for a in command.arguments if a.option}
    if last.startswith("-"):
        return [name for name in options if name not in rest]
    if rest and rest[-1] in options and options[rest[-1]].kind != "flag":
        return _values(registry, options[rest[-1]], last, symbols, cpus)
    valued = {name for name, a in options.items() if a.kind != "flag"}
    # What comes after an option that takes a value is its value, whatever it is.
    own = [
        w for before, w in zip(["", *rest], rest, strict=False) if before not in valued
    ]
    taken = len([w for w in own if not w.startswith("-")])
    positional = [a for a in command.arguments if not a.option]
    if taken >= len(positional):
        return [name for name in options if name not in rest]
    return _values(registry, positional[taken], last, symbols, cpus)


def _values(
    registry: Registry, argument: Argument, last: str, symbols: Symbols, cpus: int
) -> list[str]:
    if argument.choices:
        return list(argument.choices)
    match argument.kind:
        case "vcpu":
            return [str(number) for number in range(cpus)]
        case "address" | "expression":
            return list(filter(str.isprintable, symbols.starting(last, MOST)))
        case _:
            return [c.name for c in registry.commands] * (argument.name == "command")
