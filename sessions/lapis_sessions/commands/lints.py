"""Commands for what checks the guest while it runs: the lints and isrvec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import lints

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.lints import IsrvecView, LintPage, LintView

NAME = Argument("name", "word", required=True, choices=("all",), table="lints")
SWITCH = Argument("switch", "word", required=True, choices=("on", "off"))


def lint(session: Session, bound: Bound) -> list[LintView] | list[LintPage] | LintPage:
    """Return the lints with what they have found, or what there is to read of them."""
    name = bound.word("name") or None
    if "explain" not in bound:
        return lints.of(session.machine, name)
    pages = lints.pages(session.machine, name)
    return pages if name is None else pages[0]


def lint_on(session: Session, bound: Bound) -> list[LintView]:
    """Switch a lint on, or all."""
    return _switched(session, bound, on=True)


def lint_off(session: Session, bound: Bound) -> list[LintView]:
    """Switch a lint off, or all."""
    return _switched(session, bound, on=False)


def _switched(session: Session, bound: Bound, *, on: bool) -> list[LintView]:
    name = bound.word("name")
    session.machine.set_lint(name, on=on)
    return lints.of(session.machine, None if name == "all" else name)


def set_isrvec(session: Session, bound: Bound) -> IsrvecView:
    """Switch the stack that checks the ISRs."""
    session.machine.set_isrvec(on=bound.word("switch") == "on")
    return isrvec(session, bound)


def isrvec(session: Session, bound: Bound) -> IsrvecView:
    """Return the stack of one vCPU, and whether the ISR agrees with it."""
    return lints.isrvec(session.machine, bound.number("vcpu", session.selected))


COMMANDS = (
    Command(
        "lint",
        "list the lints, which are on, and what they have found, or one; with "
        "--explain what each is for, and of one all there is to read",
        "read-only", lint, lints.text,
        (
            Argument("name", "word", table="lints"),
            Argument("explain", "flag", option=True),
        ),
    ),
    Command(
        "lint on", "switch a lint on, or all", "mutating", lint_on, lints.text, (NAME,),
    ),
    Command(
        "lint off", "switch a lint off, or all", "mutating", lint_off, lints.text,
        (NAME,),
    ),
    Command(
        "set isrvec", "check every ISR by bhyve's isrvec_stk, or not", "mutating",
        set_isrvec, lints.isrvec_text, (SWITCH,),
    ),
    Command(
        "isrvec", "show the isrvec_stk of a vCPU, and whether the ISR agrees",
        "read-only", isrvec, lints.isrvec_text, (Argument("vcpu", "vcpu"),),
    ),
)  # fmt: skip
