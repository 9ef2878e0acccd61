"""Commands that settle pending requests, and show how they were settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.machine.requests import FAULTS
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import machine, render_machine, render_requests
from lapis_sessions.views import requests as views_requests

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json

VCPU = Argument("vcpu", "vcpu")
RULE = Argument("rule", "word", option=True)


def answer(session: Session, bound: Bound) -> Json:
    """Fulfil a request; return it with the value. With --rule, make a rule."""
    if "rule" in bound:
        if "value" in bound or "vcpu" in bound:
            raise CommandError("answer: --rule takes the place of VALUE and VCPU")
        return add_rule(session, bound)
    value = bound.number("value") if "value" in bound else None
    request = session.answer(value, _whose(bound))
    given = value if request.read and value is not None else request.data
    return machine.pending(request) | {"value": given}


def answer_fault(session: Session, bound: Bound) -> Json:
    """Raise a fault in the instruction that waits; return the request."""
    request = session.waiting(_whose(bound))
    name = bound.word("fault")
    error = bound.number("error") if "error" in bound else None
    address = bound.number("address") if "address" in bound else None
    session.machine.answer_fault(request.vcpu, name, error, address)
    return machine.pending(request) | {"fault": name, "error": error}


def answer_device(session: Session, bound: Bound) -> Json:
    """Let the engine's own device answer; return the request with the value."""
    request = session.waiting(_whose(bound))
    value = session.machine.answer_by_device(request.vcpu)
    return machine.pending(request) | {"value": value}


def discard(session: Session, bound: Bound) -> Json:
    """Discard a request; return it."""
    return machine.pending(session.discard(_whose(bound)))


def add_rule(session: Session, bound: Bound) -> Json:
    """Make a rule, and let it answer what waits already; return it."""
    rule = session.rules.add(bound.word("rule"))
    session.rules.settle()
    return views_requests.rule(rule)


def rules(session: Session, _bound: Bound) -> list[Json]:
    """Return the rules."""
    return [views_requests.rule(rule) for rule in session.rules.rules]


def delete_rule(session: Session, bound: Bound) -> list[Json]:
    """Take a rule away, or all; return what is left."""
    session.rules.delete(bound.number("number") if "number" in bound else None)
    return rules(session, bound)


def vie(session: Session, bound: Bound) -> Json:
    """Return the instruction in the making."""
    number = bound.number("vcpu", session.selected)
    return views_requests.vie_context(session.machine, number)


def requests(session: Session, bound: Bound) -> list[Json]:
    """Return the last requests."""
    return views_requests.history(session.machine, bound.number("count", 20))


def _whose(bound: Bound) -> int | None:
    return bound.number("vcpu") if "vcpu" in bound else None


COMMANDS = (
    Command(
        "answer",
        "answer a pending read with VALUE, or let a pending write be; with --rule "
        "answer by a rule from here on (see rule add)",
        "mutating", answer, render_requests.answered,
        (Argument("value", "value"), VCPU, RULE), ("a", "fulfill"),
    ),
    Command(
        "answer fault", "raise a fault in the instruction that waits, RIP on it",
        "mutating", answer_fault, render_requests.faulted,
        (
            Argument("fault", "word", required=True, choices=tuple(FAULTS)),
            Argument("error", "value"),
            Argument("address", "value", option=True),
            Argument("vcpu", "vcpu", option=True),
        ),
    ),
    Command(
        "answer device", "let the engine's own device answer, whoever traps it",
        "mutating", answer_device, render_machine.answered, (VCPU,),
    ),
    Command(
        "discard", "forget a pending request; its instruction runs again",
        "mutating", discard, render_machine.discarded, (VCPU,),
    ),
    Command(
        "rule add",
        "answer requests by RULE, 'WHERE = HOW': mmio 0xfed00000/0x400 read = count*4; "
        "port 0x40 = 1,2,3; msr 0x7ff = fault gp; any = device; any = once 5, cycle "
        "1,2 or file PATH",
        "mutating", add_rule, render_requests.rule,
        (Argument("rule", "word", required=True),),
    ),
    Command(
        "rules", "list the rules that answer requests, with their last answers",
        "read-only", rules, render_requests.rules,
    ),
    Command(
        "rule delete", "take rule NUMBER away, or all",
        "mutating", delete_rule, render_requests.rules, (Argument("number", "count"),),
    ),
    Command(
        "vie",
        "show the instruction that waits, and which entry commands would be accepted",
        "read-only", vie, render_requests.vie, (VCPU,),
    ),
    Command(
        "requests", "show the last COUNT (20) requests, and who answered each",
        "read-only", requests, render_requests.history, (Argument("count", "count"),),
    ),
)  # fmt: skip
