"""Expressions that are shown at every stop, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_sessions.text.expressions import ExpressionError
from lapis_sessions.views import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.session import Session


@dataclass(frozen=True, slots=True)
class DisplayView:
    """One of them."""

    number: int
    expression: str
    shown: str
    """What it comes to, in words, or why it comes to nothing."""


def of(session: Session) -> tuple[DisplayView, ...]:
    """Return all, by number."""
    return tuple(
        DisplayView(
            number, each.expression, _shown(session, each.expression, each.form)
        )
        for number, each in session.stops.displays.items()
    )


def _shown(session: Session, text: str, form: str | None) -> str:
    try:
        value = session.value(text)
    except ExpressionError as error:
        return str(error).partition("\n")[0]
    return values.text(values.of(text, value, session.symbols.places, form))


def text(rows: Sequence[DisplayView]) -> str:
    """Return one line for each, or more where it has parts."""
    return "\n".join(map(line, rows)) or "nothing is displayed"


def line(row: DisplayView) -> str:
    """Return `1: rax = 0x5`."""
    return f"{row.number}: {row.expression} = {row.shown}"
