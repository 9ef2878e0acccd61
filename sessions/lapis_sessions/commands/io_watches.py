"""Commands for watchpoints on ports and MSRs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.machine.watches import Watch
from lapis_engine.why.msrs import NAMES
from lapis_sessions.commands import breakpoints
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text.near import nearest
from lapis_sessions.views import stops as views

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session
    from lapis_sessions.views.stops import StopPointView

LIMITS: Final = {"port": 1 << 16, "msr": 1 << 32}
"""How many there are of each space."""
MOST_MSRS: Final = 4096
"""As many MSRs, or ports, as one watchpoint has."""
HOW: Final = (("watch", "write"), ("rwatch", "read"), ("awatch", "access"))
"""The commands, and the kind of watchpoint that each sets."""


def port(kind: str) -> Callable[[Session, Bound], list[StopPointView]]:
    """Return what watches ports for accesses of a kind."""

    def perform(session: Session, bound: Bound) -> list[StopPointView]:
        return _watch(session, bound, kind, "port", bound.number("port"))

    return perform


def msr(kind: str) -> Callable[[Session, Bound], list[StopPointView]]:
    """Return what watches MSRs for accesses of a kind."""

    def perform(session: Session, bound: Bound) -> list[StopPointView]:
        wanted = "change" if "change" in bound else kind
        return _watch(session, bound, wanted, "msr", _number(session, bound))

    return perform


def _watch(
    session: Session, bound: Bound, kind: str, space: str, first: int
) -> list[StopPointView]:
    size, limit = bound.number("size", 1), LIMITS[space]
    if not 1 <= size <= MOST_MSRS:
        raise CommandError(f"{kind} of {size} {space}s: 1 to {MOST_MSRS}")
    if not 0 <= first <= limit - size:
        raise CommandError(f"{space} {first:#x}/{size}: the last one is {limit - 1:#x}")
    vcpu, when, condition = breakpoints.conditions(session, bound)
    machine = session.machine
    number = machine.points.take_number()
    item = Watch(
        number, kind, first, ((first, size),), space, vcpu=vcpu, when=when,
        once="once" in bound, skip=bound.number("skip"),
    )  # fmt: skip
    machine.watches.put([*machine.watches.items, item])
    session.stops.note(number, condition)
    return [row for row in views.of(session) if row.number == number]


def _number(session: Session, bound: Bound) -> int:
    """Return the MSR that a number, an expression or a name means."""
    text = bound.word("msr")
    named = _named()
    known = named.get(text.lower())
    if known is not None:
        return known
    if text.isidentifier() and text not in session.symbols:
        near = nearest(text.lower(), named)
        hint = f"; did you mean {near}?" if near is not None else ""
        raise CommandError(f"there is no MSR {text[:40]!r}{hint}")
    value = session.value(text)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CommandError(f"{text[:40]!r} is no number of an MSR")
    return int(value)


def _named() -> dict[str, int]:
    """Return the MSRs by what they are called, in small letters.

    >>> _named()["ia32_apic_base"] == _named()["apicbase"] == _named()["apic_base"]
    True
    """
    found: dict[str, int] = {}
    for number, name in NAMES.items():
        short = name.lower().removeprefix("ia32_")
        found |= {short.replace("_", ""): number, short: number, name.lower(): number}
    return found


SIZE: Final = Argument("size", "count")
COMMANDS = (
    *(
        Command(
            f"{name} port",
            f"stop behind the instruction that {_verb} PORT or one of SIZE from it on, "
            "with the value; no other access gets slower",
            "mutating", port(kind), views.text,
            (Argument("port", "address", required=True), SIZE, *breakpoints.ON,
             breakpoints.IF),
        )
        for (name, kind), _verb in zip(
            HOW, ("writes to", "reads", "reads or writes"), strict=True
        )
    ),
    *(
        Command(
            f"{name} msr",
            f"stop behind the {_verb} of MSR, a number or a name as apic_base, or of "
            f"one of SIZE from it on, with old and new value{_more}",
            "mutating", msr(kind), views.text,
            (
                Argument("msr", "word", required=True), SIZE, *breakpoints.ON,
                breakpoints.IF,
                *([Argument("change", "flag", option=True)] if _more else ()),
            ),
        )
        for (name, kind), (_verb, _more) in zip(
            HOW,
            (
                ("WRMSR", "; --change only if they differ"), ("RDMSR", ""),
                ("RDMSR or WRMSR", ""),
            ),
            strict=True,
        )
    ),
)  # fmt: skip
