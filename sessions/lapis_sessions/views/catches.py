"""Event breakpoints."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from lapis_sessions.text import typed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.machine.catches import Catch

OWN: Final = ("number", "event", "once", "hits", "when")
"""Fields of a `Catch` that are no conditions."""


@dataclass(frozen=True, slots=True)
class CatchView:
    """An event breakpoint."""

    number: int
    event: str
    once: bool
    hits: int
    conditions: Mapping[str, int | str]


def of(item: Catch) -> CatchView:
    """Return an event breakpoint with the conditions that it has."""
    names = [each.name for each in fields(item) if each.name not in OWN]
    given = {name: getattr(item, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if item.text is not None:
        given["text"] = typed.written(item.text)
    return CatchView(item.number, item.event, item.once, item.hits, given)


def text(rows: Sequence[CatchView]) -> str:
    """Return the event breakpoints as they would be typed."""
    out = []
    for row in rows:
        line = " ".join([words(row), *["--once"] * row.once])
        out.append(f"{row.number:>3}  catch {line}  ({row.hits} times)")
    return "\n".join(out) or "there are no event breakpoints"


def words(row: CatchView) -> str:
    """Return the event and its conditions as they would be typed."""
    given = dict(row.conditions)
    asked = given.pop("condition", None)
    tail = [] if asked is None else [f"if {asked}"]
    return " ".join([row.event, *(_word(n, v) for n, v in given.items()), *tail])


def _word(name: str, value: int | str) -> str:
    if name == "text":
        return f"'{value}'"
    if name in {"vector", "msr"}:
        return f"--{name} {value:#x}"
    return f"--{name} {value}"
