"""Commands that settle pending requests, and show how they were settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.machine.requests import FAULTS
from lapis_sessions.errors import CommandError, LeavesBranchError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import requests as requests_view
from lapis_sessions.views import rules as rules_view
from lapis_sessions.views import vie as vie_view
from lapis_sessions.views.requests import AnsweredView, FaultedView
from lapis_sessions.views.rules import RuleView

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.requests import RequestView, SettledView
    from lapis_sessions.views.vie import VieView

VCPU = Argument("vcpu", "vcpu")
RULE = Argument("rule", "word", option=True)


def answer(session: Session, bound: Bound) -> AnsweredView | RuleView:
    """Fulfil a request; return it with the value. With --rule, make a rule."""
    if "rule" in bound:
        if "value" in bound or "vcpu" in bound:
            raise CommandError("answer: --rule takes the place of VALUE and VCPU")
        return add_rule(session, bound)
    value = bound.number("value") if "value" in bound else None
    request = session.answer(value, _whose(bound))
    given = value if request.read and value is not None else request.data
    return AnsweredView(requests_view.of(request), given)


def answer_fault(session: Session, bound: Bound) -> FaultedView:
    """Raise a fault in the instruction that waits; return the request."""
    request = session.waiting(_whose(bound))
    name = bound.word("fault")
    error = bound.number("error") if "error" in bound else None
    address = bound.number("address") if "address" in bound else None
    session.machine.answer_fault(request.vcpu, name, error, address)
    return FaultedView(requests_view.of(request), name, error)


def answer_device(session: Session, bound: Bound) -> AnsweredView:
    """Let the engine's own device answer; return the request with the value."""
    request = session.waiting(_whose(bound))
    value = session.machine.answer_by_device(request.vcpu)
    return AnsweredView(requests_view.of(request), value)


def discard(session: Session, bound: Bound) -> RequestView:
    """Discard a request; return it."""
    return requests_view.of(session.discard(_whose(bound)))


def add_rule(session: Session, bound: Bound) -> RuleView:
    """Make a rule, and let it answer what waits already; return it."""
    rule = session.rules.add(bound.word("rule"))
    try:
        session.rules.settle()
    except LeavesBranchError:
        session.rules.delete(rule.number)
        raise
    return rules_view.of(rule)


def rules(session: Session, _bound: Bound) -> list[RuleView]:
    """Return the rules."""
    return [rules_view.of(rule) for rule in session.rules.rules]


def delete_rule(session: Session, bound: Bound) -> list[RuleView]:
    """Take a rule away, or all; return what is left."""
    session.rules.delete(bound.number("number") if "number" in bound else None)
    return rules(session, bound)


def vie(session: Session, bound: Bound) -> VieView:
    """Return the instruction in the making."""
    number = bound.number("vcpu", session.selected)
    return vie_view.of(session.machine, number)


def requests(session: Session, bound: Bound) -> list[SettledView]:
    """Return the last requests."""
    return requests_view.history(session.machine, bound.number("count", 20))


def _whose(bound: Bound) -> int | None:
    return bound.number("vcpu") if "vcpu" in bound else None


def _answer_text(view: AnsweredView | RuleView) -> str:
    """Say what was answered, or which rule was made."""
    if isinstance(view, RuleView):
        return rules_view.text(view)
    return requests_view.answered_text(view)


COMMANDS = (
    Command(
        "answer",
        "answer a pending read with VALUE, or let a pending write be; with --rule "
        "answer by a rule from here on (see rule add)",
        "mutating", answer, _answer_text,
        (Argument("value", "value"), VCPU, RULE), ("a", "fulfill"),
    ),
    Command(
        "answer fault", "raise a fault in the instruction that waits, RIP on it",
        "mutating", answer_fault, requests_view.faulted_text,
        (
            Argument("fault", "word", required=True, choices=tuple(FAULTS)),
            Argument("error", "value"),
            Argument("address", "value", option=True),
            Argument("vcpu", "vcpu", option=True),
        ),
    ),
    Command(
        "answer device", "let the engine's own device answer, whoever traps it",
        "mutating", answer_device, requests_view.answered_text, (VCPU,),
    ),
    Command(
        "discard", "forget a pending request; its instruction runs again",
        "mutating", discard, requests_view.discarded_text, (VCPU,),
    ),
    Command(
        "rule add",
        "answer requests by RULE, 'WHERE = HOW': mmio 0xfed00000/0x400 read = count*4; "
        "port 0x40 = 1,2,3; msr 0x7ff = fault gp; any = device; any = once 5, cycle "
        "1,2 or file PATH; WHERE may end with if CONDITION, and both speak of the "
        "request (address, size, data, vcpu, count) and all that print knows",
        "mutating", add_rule, rules_view.text,
        (Argument("rule", "word", required=True),),
    ),
    Command(
        "rules", "list the rules that answer requests, with their last answers",
        "read-only", rules, rules_view.table_text,
    ),
    Command(
        "rule delete", "take rule NUMBER away, or all",
        "mutating", delete_rule, rules_view.table_text, (Argument("number", "count"),),
    ),
    Command(
        "vie",
        "show the instruction that waits, and which entry commands would be accepted",
        "read-only", vie, vie_view.text, (VCPU,),
    ),
    Command(
        "requests", "show the last COUNT (20) requests, and who answered each",
        "read-only", requests, requests_view.history_text,
        (Argument("count", "count"),),
    ),
)  # fmt: skip
