"""Commands that hand what the engine serves to the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.vmm import traps as engine_traps
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import ranges
from lapis_sessions.views import render_requests, requests

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json


def trap(session: Session, bound: Bound) -> Json:
    """Set a trap; return it."""
    space = bound.word("space")
    first, size = ranges.read(bound.word("range"), f"trap: {space}")
    machine = session.machine
    return requests.trap(machine.vm, machine.trap(space, first, size))


def traps(session: Session, _bound: Bound) -> list[Json]:
    """Return the traps."""
    vm = session.machine.vm
    return [requests.trap(vm, each) for each in engine_traps.listed(vm.traps)]


def untrap(session: Session, bound: Bound) -> list[Json]:
    """Take a trap away, or all; return what is left."""
    which = bound.word("number")
    if which == "all":
        session.machine.untrap()
    elif which.isascii() and which.isdigit():
        session.machine.untrap(int(which[:18]))
    else:
        raise CommandError(f"untrap: {which[:20]!r} is neither a number nor all")
    return traps(session, bound)


COMMANDS = (
    Command(
        "trap",
        "hand accesses to RANGE, FIRST/SIZE, of mmio, port or msr to the user: trap "
        "mmio 0xfed00000/0x400",
        "mutating", trap, render_requests.trap,
        (
            Argument("space", "word", required=True, choices=("mmio", "port", "msr")),
            Argument("range", "word", required=True),
        ),
    ),
    Command(
        "traps", "list the traps", "read-only", traps, render_requests.traps,
    ),
    Command(
        "untrap", "take trap NUMBER away, or all; what is pending still is",
        "mutating", untrap, render_requests.traps,
        (Argument("number", "word", required=True),),
    ),
)  # fmt: skip
