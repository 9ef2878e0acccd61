"""Commands that evaluate expressions, and write what they name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.scope.scope import Scope
from lapis_sessions.scope.targets import target
from lapis_sessions.text.expressions import ExpressionError
from lapis_sessions.views import displays, values
from lapis_sessions.views.values import SetView

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.displays import DisplayView
    from lapis_sessions.views.values import ValueView

_ASSIGN: Final = re.compile(r"(?<![=<>!])=(?!=)")
EXPRESSION = Argument("expression", "expression", required=True)


def print_(session: Session, bound: Bound) -> ValueView:
    """Return what an expression comes to."""
    text = bound.word("expression")
    form = bound.word("format") if "format" in bound else None
    return values.of(text, session.value(text), session.symbols.places, form)


def set_(session: Session, bound: Bound) -> SetView:
    """Write a value into a place, by the rules of the place unless --raw."""
    left, right = _assignment(bound.word("assignment"))
    scope = Scope(session)
    place = target(scope, left)
    value = scope.value(right)
    if not isinstance(value, int):
        raise CommandError(f"set: {right!r} comes to no number")
    low = -(1 << place.bits - 1)
    if not low <= value < 1 << place.bits:
        raise CommandError(
            f"set: {value:#x} does not fit in {left}, which has {place.bits} bits"
        )
    before = _present(scope, place.read)
    place.write(value % (1 << place.bits), "raw" in bound)
    return SetView(left, before, _present(scope, place.read))


def _assignment(text: str) -> tuple[str, str]:
    """Part `TARGET = VALUE` at the sign that is no comparison."""
    parts = _ASSIGN.split(text, maxsplit=1)
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise CommandError(f"set: {text[:40]!r} is not TARGET = VALUE, as rax = 5")
    return parts[0].strip(), parts[1].strip()


def _present(scope: Scope, text: str) -> int | None:
    """Return what a place holds, or None where it cannot be read, as EOI."""
    try:
        value = scope.value(text)
    except ExpressionError:
        return None
    return int(value) if isinstance(value, int) else None


def display(session: Session, bound: Bound) -> list[DisplayView]:
    """Show an expression at every stop, if one is given; return what all come to."""
    if "expression" in bound:
        form = bound.word("format") if "format" in bound else None
        session.stops.display(bound.word("expression"), form)
    return list(displays.of(session))


def undisplay(session: Session, bound: Bound) -> list[DisplayView]:
    """Show one no longer, or none."""
    session.stops.undisplay(bound.number("number") if "number" in bound else None)
    return list(displays.of(session))


FORMAT = Argument("format", "word", choices=values.FORMATS, option=True)
COMMANDS = (
    Command(
        "set",
        "write a register (rax, vcpu[1].rip, flags.if, cs.base), an APIC's "
        "(apic[0].tpr), an MSR (msr[0x1b]) or memory (u32(ADDRESS), [rsp+8]): an act "
        "that is recorded, by the rules of what is written; --raw goes past those of "
        "registers",
        "mutating", set_, values.set_text,
        (
            Argument("assignment", "expression", required=True),
            Argument("raw", "flag", option=True),
        ),
        ("set var", "assign"),
    ),
    Command(
        "print",
        "show what EXPRESSION comes to, and what it means: registers ($rax, vcpu[1].rip"
        ", rflags.if), APICs (apic[1].irr, apic.lvt.timer.vector), devices, MSRs "
        "(msr[0x1b]), memory (u32(rsp+8), [rsp+8], phys(...)), symbols; was(X) is "
        "what X was before the machine moved last, was(X, 'NAME') at a point of that "
        "name or at 'start', and changed(X) whether X is another one now",
        "read-only", print_, values.text,
        (EXPRESSION, FORMAT), ("p", "inspect", "calc"),
    ),
    Command(
        "display",
        "show EXPRESSION at every stop, or what all that are shown come to now",
        "mutating", display, displays.text,
        (Argument("expression", "expression"), FORMAT),
    ),
    Command(
        "undisplay", "show expression NUMBER no longer, or none", "mutating",
        undisplay, displays.text, (Argument("number", "count"),),
    ),
)  # fmt: skip
