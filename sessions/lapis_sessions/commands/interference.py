"""Commands that get in the way of IPIs: drop, delay, duplicate, by rules that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic.regs import MODES
from lapis_engine.vmm.interference import EVERY
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import interference

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.interference import InterferencesView, InterferenceView

MATCHES = (
    Argument("mode", "word", choices=MODES[:-1], option=True),
    Argument("to", "vcpu", option=True),
    Argument("from", "vcpu", option=True),
    Argument("vector", "value", option=True),
    Argument("nth", "count", option=True),
    Argument("every", "flag", option=True),
)
BY = Argument("by", "count", required=True, option=True)
NUMBER = Argument("number", "count")


def _add(session: Session, bound: Bound, action: str) -> InterferenceView:
    if "nth" in bound and ("every" in bound or not bound.number("nth")):
        raise CommandError(
            f"ipi {action}: --nth {bound.number('nth')}: IPIs are counted from 1, and "
            f"--every takes no number"
        )
    given = {name: bound.number(name) for name in ("to", "vector") if name in bound}
    if "from" in bound:
        given["sender"] = bound.number("from")
    rule = session.machine.interfere(
        action,
        bound.word("mode") or None,
        nth=EVERY if "every" in bound else bound.number("nth", 1),
        by=bound.number("by"),
        **given,
    )
    return interference.of(rule)


def drop(session: Session, bound: Bound) -> InterferenceView:
    """Add a rule that drops; return it."""
    return _add(session, bound, "drop")


def delay(session: Session, bound: Bound) -> InterferenceView:
    """Add a rule that delays; return it."""
    return _add(session, bound, "delay")


def duplicate(session: Session, bound: Bound) -> InterferenceView:
    """Add a rule that duplicates; return it."""
    return _add(session, bound, "duplicate")


def rules(session: Session, _bound: Bound) -> InterferencesView:
    """Return the rules, and the IPIs that are on their way."""
    return interference.every(session.machine)


def clear(session: Session, bound: Bound) -> InterferencesView:
    """Take a rule away, or all; return what is left."""
    number = bound.number("number") if "number" in bound else None
    session.machine.clear_interference(number)
    return rules(session, bound)


COMMANDS = (
    Command(
        "ipi drop", "lose the NTH IPI (the first, or every one) that matches",
        "mutating", drop, interference.text, MATCHES,
    ),
    Command(
        "ipi delay", "let the NTH IPI that matches arrive BY ns of virtual time late",
        "mutating", delay, interference.text, (*MATCHES, BY),
    ),
    Command(
        "ipi duplicate", "let the NTH IPI that matches arrive twice",
        "mutating", duplicate, interference.text, MATCHES,
    ),
    Command(
        "ipi rules", "list the rules that drop, delay or duplicate IPIs",
        "read-only", rules, interference.every_text,
    ),
    Command(
        "ipi clear", "take rule NUMBER away, or all; what is on its way still arrives",
        "mutating", clear, interference.every_text, (NUMBER,),
    ),
)  # fmt: skip
