"""Commands for what checks the guest while it runs: the lints and isrvec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_sessions.registry import Argument, Bound, Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json

NAME = Argument("name", "word", required=True, choices=("all",), table="lints")
SWITCH = Argument("switch", "word", required=True, choices=("on", "off"))


def lint(session: Session, _bound: Bound) -> list[Json]:
    """Return the lints with what they have found."""
    lints = session.machine.lints
    return [
        {
            "name": name,
            "on": name not in lints.state.off,
            "found": lints.count(name),
            "text": known.text,
            "places": [
                {"vcpu": vcpu, "place": place, "times": times}
                for (of, vcpu, place), times in lints.state.found.items()
                if of == name
            ],
        }
        for name, known in lints.lints.items()
    ]


def lint_on(session: Session, bound: Bound) -> list[Json]:
    """Switch a lint on, or all."""
    session.machine.set_lint(bound.word("name"), on=True)
    return lint(session, bound)


def lint_off(session: Session, bound: Bound) -> list[Json]:
    """Switch a lint off, or all."""
    session.machine.set_lint(bound.word("name"), on=False)
    return lint(session, bound)


def set_isrvec(session: Session, bound: Bound) -> Json:
    """Switch the stack that checks the ISRs."""
    session.machine.set_isrvec(on=bound.word("switch") == "on")
    return isrvec(session, bound)


def isrvec(session: Session, bound: Bound) -> Json:
    """Return the stack of one vCPU, and whether the ISR agrees with it."""
    number = bound.number("vcpu", session.selected)
    apic = session.machine.vcpu(number).apic
    gives_ppr = apic.isrvec is not None
    stack = apic.isrvec if gives_ppr else apic.isrvec_view
    return {
        "vcpu": number,
        "on": stack is not None,
        "gives_ppr": gives_ppr,
        "stack": list(stack or ()),
        "isr": priority.vectors(apic.isr),
        "agrees": not priority.out_of_sync(stack, apic.isr),
        "text": priority.out_of_sync(stack, apic.isr),
    }


def _lint_text(rows: Sequence[Json]) -> str:
    out = []
    for row in rows:
        on = "on " if row["on"] else "off"
        out.append(f"{on} {row['found']:>7}  {row['name']:<18} {row['text']}")
        out += [
            f"{place['times']:>11}  vCPU {place['vcpu']} {place['place']}".rstrip()
            for place in row["places"]
        ]
    return "\n".join(out)


def _isrvec_text(view: Json) -> str:
    if not view["on"]:
        return f"vCPU {view['vcpu']}: isrvec is off; set isrvec on"
    what = "gives the PPR" if view["gives_ppr"] else "checks the ISR"
    stack, isr = (
        " ".join(f"{vector:#04x}" for vector in view[name]) or "empty"
        for name in ("stack", "isr")
    )
    verdict = "they agree" if view["agrees"] else "they do NOT agree"
    return f"vCPU {view['vcpu']}: isrvec_stk {stack} ({what}); ISR {isr}; {verdict}"


COMMANDS = (
    Command(
        "lint", "list the lints, which are on, and what they have found",
        "read-only", lint, _lint_text,
    ),
    Command(
        "lint on", "switch a lint on, or all", "mutating", lint_on, _lint_text, (NAME,),
    ),
    Command(
        "lint off", "switch a lint off, or all", "mutating", lint_off, _lint_text,
        (NAME,),
    ),
    Command(
        "set isrvec", "check every ISR by bhyve's isrvec_stk, or not", "mutating",
        set_isrvec, _isrvec_text, (SWITCH,),
    ),
    Command(
        "isrvec", "show the isrvec_stk of a vCPU, and whether the ISR agrees",
        "read-only", isrvec, _isrvec_text, (Argument("vcpu", "vcpu"),),
    ),
)  # fmt: skip
