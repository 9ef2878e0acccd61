"""What the words of a line may be in a session: names, points, files, vectors.

Nothing that is looked at changes the machine or touches a device.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import LapisError
from lapis_sessions.scope.scope import Scope
from lapis_sessions.text.decoded import Decoded
from lapis_sessions.text.operators import FUNCTIONS

if TYPE_CHECKING:
    from lapis_sessions.session import Session

MOST: Final = 200
"""Words offered at once."""
MOST_FILES: Final = 2000
"""Entries of a folder that are looked at."""
_PART: Final = r"[A-Za-z_]\w*(?:\[\w+\])?"
_TAIL: Final = re.compile(
    rf"(?:(?<![\w.$])\$?{_PART}(?:\.{_PART})*\.?|\$)?\Z", re.ASCII
)
"""The name that a text ends in, with what it is a part of. It can be read in one way
only: else a long text that ends in none would be read in all of them."""
_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def names(session: Session, begun: str) -> list[str]:
    """Return what an expression may become whose last name is `begun`, as a whole.

    A name behind a dot is one of the parts of what is before it.
    """
    found = _TAIL.search(begun)
    tail = found[0] if found is not None else ""
    head = begun[: len(begun) - len(tail)]
    path, dot, stem = tail.rpartition(".")
    if dot:
        return [f"{head}{path}.{name}" for name in _parts(session, path, stem)]
    sign = "$" if stem.startswith("$") else ""
    stem = stem.removeprefix("$")
    scope = Scope(session)
    known = chain(
        (name for name in scope if _WORD.fullmatch(name)),
        (f"{name}(" for name in sorted({*FUNCTIONS, *scope.functions})),
        filter(_WORD.fullmatch, session.symbols.starting(stem, MOST)),
    )
    fit = dict.fromkeys(name for name in known if name.startswith(stem))
    return [f"{head}{sign}{name}" for name in islice(fit, MOST)]


def _parts(session: Session, path: str, stem: str) -> list[str]:
    """Return the names of the parts of what `path` comes to."""
    try:
        value: Any = session.value(path)
    except LapisError:
        return []
    parts = value.parts if isinstance(value, Decoded) else value
    if not isinstance(parts, Mapping):
        return []
    return [str(name) for name in islice(parts, MOST) if str(name).startswith(stem)]


def symbols(session: Session, begun: str) -> list[str]:
    """Return the symbols that begin so, as far as they can be typed."""
    return list(filter(str.isprintable, session.symbols.starting(begun, MOST)))


def points(session: Session, _begun: str) -> list[str]:
    """Return the numbers of breakpoints and watchpoints."""
    machine = session.machine
    numbers = [point.number for point in machine.points.items]
    numbers += [watch.number for watch in machine.watches.items]
    return list(map(str, sorted(numbers)))


def places(session: Session, _begun: str) -> list[str]:
    """Return the points of history that have a name, and the branches."""
    timeline = session.timeline
    return ["start", "end", *timeline.names, *timeline.branches]


def vectors(session: Session, _begun: str) -> list[str]:
    """Return the vectors that are in an APIC: requested, or in service."""
    apics = [session.value(f"apic[{v.id}]") for v in session.machine.vcpus]
    there = {vector for apic in apics for vector in (*apic["irr"], *apic["isr"])}
    return [f"{vector:#04x}" for vector in sorted(there)]


def files(_session: Session | None, begun: str) -> list[str]:
    """Return the files and folders that begin so; a folder ends with a slash."""
    folder, slash, stem = begun.rpartition("/")
    there = Path(folder + slash).expanduser() if slash else Path()
    try:
        entries = list(islice(there.iterdir(), MOST_FILES))
        found = [
            f"{folder}{slash}{entry.name}{'/' if entry.is_dir() else ''}"
            for entry in entries
            if entry.name.startswith(stem) and (stem or entry.name[0] != ".")
        ]
    except (OSError, ValueError, RuntimeError):
        return []
    return sorted(name for name in found if name.isprintable() and " " not in name)


BY_NAME: Final[Mapping[str, Callable[[Session, str], list[str]]]] = MappingProxyType(
    {"number": points, "where": places, "vector": vectors}
)
"""By the name of an argument, whatever command it is of."""
