"""Commands that settle pending requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions import render, views
from lapis_sessions.registry import Argument, Bound, Command

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views import Json

VCPU = Argument("vcpu", "vcpu")


def answer(session: Session, bound: Bound) -> Json:
    """Fulfil a request; return it with the value."""
    value = bound.number("value") if "value" in bound else None
    request = session.answer(value, _whose(bound))
    given = value if request.read and value is not None else request.data
    return views.pending(request) | {"value": given}


def discard(session: Session, bound: Bound) -> Json:
    """Discard a request; return it."""
    return views.pending(session.discard(_whose(bound)))


def _whose(bound: Bound) -> int | None:
    return bound.number("vcpu") if "vcpu" in bound else None


COMMANDS = (
    Command(
        "answer", "answer a pending read with VALUE, or let a pending write be",
        "mutating", answer, render.answered, (Argument("value", "value"), VCPU),
        ("a", "fulfill"),
    ),
    Command(
        "discard", "forget a pending request; its instruction runs again",
        "mutating", discard, render.discarded, (VCPU,),
    ),
)  # fmt: skip
