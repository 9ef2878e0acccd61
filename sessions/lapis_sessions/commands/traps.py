"""Commands that hand what the engine serves to the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.vmm import traps as engine_traps
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals
from lapis_sessions.views import traps as traps_view

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.traps import TrapView


def trap(session: Session, bound: Bound) -> TrapView:
    """Set a trap; return it."""
    space = bound.word("space")
    first, size = numerals.span(bound.word("range"), f"trap: {space}")
    machine = session.machine
    return traps_view.of(machine, machine.trap(space, first, size))


def traps(session: Session, _bound: Bound) -> list[TrapView]:
    """Return the traps."""
    machine = session.machine
    return [
        traps_view.of(machine, each) for each in engine_traps.listed(machine.vm.traps)
    ]


def untrap(session: Session, bound: Bound) -> list[TrapView]:
    """Take a trap away, or all; return what is left."""
    which = bound.word("number")
    number = None if which == "all" else numerals.number(which, "untrap: number")
    session.machine.untrap(number)
    return traps(session, bound)


COMMANDS = (
    Command(
        "trap",
        "hand accesses to RANGE, FIRST/SIZE, of mmio, port or msr to the user: trap "
        "mmio 0xfed00000/0x400",
        "mutating", trap, traps_view.text,
        (
            Argument("space", "word", required=True, choices=("mmio", "port", "msr")),
            Argument("range", "word", required=True),
        ),
    ),
    Command(
        "traps", "list the traps", "read-only", traps, traps_view.table_text,
    ),
    Command(
        "untrap", "take trap NUMBER away, or all; what is pending still is",
        "mutating", untrap, traps_view.table_text,
        (Argument("number", "word", required=True),),
    ),
)  # fmt: skip
