"""Commands that get in the way of IPIs: drop, delay, duplicate, by rules that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic.regs import MODES
from lapis_engine.vmm.interference import EVERY
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command

if TYPE_CHECKING:
    from lapis_engine.vmm.interference import Held, Rule
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json

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


def _add(session: Session, bound: Bound, action: str) -> Json:
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
    return _rule(rule)


def drop(session: Session, bound: Bound) -> Json:
    """Add a rule that drops; return it."""
    return _add(session, bound, "drop")


def delay(session: Session, bound: Bound) -> Json:
    """Add a rule that delays; return it."""
    return _add(session, bound, "delay")


def duplicate(session: Session, bound: Bound) -> Json:
    """Add a rule that duplicates; return it."""
    return _add(session, bound, "duplicate")


def rules(session: Session, _bound: Bound) -> Json:
    """Return the rules, and the IPIs that are on their way."""
    state = session.machine.vm.interference
    return {
        "rules": list(map(_rule, state.rules)),
        "held": list(map(_held, state.held)),
    }


def clear(session: Session, bound: Bound) -> Json:
    """Take a rule away, or all; return what is left."""
    number = bound.number("number") if "number" in bound else None
    session.machine.clear_interference(number)
    return rules(session, bound)


def _rule(rule: Rule) -> Json:
    return {
        "number": rule.number,
        "action": rule.action,
        "mode": rule.mode,
        "to": rule.to,
        "from": rule.sender,
        "vector": rule.vector,
        "nth": None if rule.nth == EVERY else rule.nth,
        "by": rule.by,
        "seen": rule.seen,
        "done": rule.done,
        "text": rule.text,
    }


def _held(held: Held) -> Json:
    return {
        "rule": held.rule,
        "mode": held.ipi.mode,
        "vector": held.ipi.vector,
        "from": held.ipi.sender,
        "to": held.target,
        "due": held.due,
    }


def _rule_text(view: Json) -> str:
    return f"{view['text']}; {view['seen']} seen, {view['done']} of them acted on"


def _rules_text(view: Json) -> str:
    out = [_rule_text(row) for row in view["rules"]]
    out += [
        f"on its way: {row['mode']} {row['vector']:#04x} from vCPU {row['from']} to "
        f"vCPU {row['to']}, arrives at {row['due']:,} ns (rule {row['rule']})"
        for row in view["held"]
    ]
    return "\n".join(out) or "no rule gets in the way of an IPI"


COMMANDS = (
    Command(
        "ipi drop", "lose the NTH IPI (the first, or every one) that matches",
        "mutating", drop, _rule_text, MATCHES,
    ),
    Command(
        "ipi delay", "let the NTH IPI that matches arrive BY ns of virtual time late",
        "mutating", delay, _rule_text, (*MATCHES, BY),
    ),
    Command(
        "ipi duplicate", "let the NTH IPI that matches arrive twice",
        "mutating", duplicate, _rule_text, MATCHES,
    ),
    Command(
        "ipi rules", "list the rules that drop, delay or duplicate IPIs",
        "read-only", rules, _rules_text,
    ),
    Command(
        "ipi clear", "take rule NUMBER away, or all; what is on its way still arrives",
        "mutating", clear, _rules_text, (NUMBER,),
    ),
)  # fmt: skip
