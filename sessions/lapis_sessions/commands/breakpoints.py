"""Commands for breakpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import memory

if TYPE_CHECKING:
    from lapis_sessions.session import Session

ADDRESS = Argument("address", "address")


def set_one(session: Session, bound: Bound) -> list[int]:
    """Set a breakpoint; return all."""
    rip = session.machine.vcpu(session.selected).regs.linear_rip
    session.machine.break_at(bound.number("address", rip))
    return list(session.machine.breakpoints)


def delete(session: Session, bound: Bound) -> list[int]:
    """Take away one breakpoint, or all; return what is left."""
    machine = session.machine
    found = [bound.number("address")] if "address" in bound else machine.breakpoints
    for linear in list(found):
        machine.unbreak(linear)
    return list(machine.breakpoints)


def breakpoints(session: Session, _bound: Bound) -> list[int]:
    """Return all breakpoints."""
    return list(session.machine.breakpoints)


COMMANDS = (
    Command(
        "break", "stop any vCPU before the instruction at ADDRESS, or at RIP",
        "mutating", set_one, memory.breakpoints_text, (ADDRESS,), ("b", "bp", "hb"),
    ),
    Command(
        "delete", "take away the breakpoint at ADDRESS, or all of them",
        "mutating", delete, memory.breakpoints_text, (ADDRESS,),
        ("d", "bc", "unbreak"),
    ),
    Command(
        "breakpoints", "list the breakpoints", "read-only",
        breakpoints, memory.breakpoints_text, (), ("bl", "info breakpoints", "i b"),
    ),
)  # fmt: skip
