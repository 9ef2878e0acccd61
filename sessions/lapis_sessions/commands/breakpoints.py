"""Commands for breakpoints and watchpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_engine.machine.watches import MOST, Watch
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals
from lapis_sessions.timeline.searches import places
from lapis_sessions.views import memory
from lapis_sessions.views import stops as views

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session
    from lapis_sessions.views.stops import StopPointView

    Breaks = list[int] | list[StopPointView]

ADDRESS = Argument("address", "address")
IF = Argument("condition", "expression", after="if")
PHYSICAL = Argument("physical", "flag", option=True)
ON = (
    Argument("vcpu", "vcpu", option=True),
    Argument("once", "flag", option=True),
    Argument("skip", "count", option=True),
)
"""Whom it stops, how often, and after how many hits."""
NUMBER = Argument("number", "count", required=True)
_SIZED: Final = re.compile(r"u(8|16|32|64)\((.*)\)", re.ASCII | re.DOTALL)
WORD: Final = 4
"""Bytes that are watched unless it is said how many."""


def set_one(session: Session, bound: Bound) -> Breaks:
    """Set a breakpoint; return the addresses of all, or one of physical memory."""
    return _set(session, bound, once="once" in bound)


def set_temporary(session: Session, bound: Bound) -> Breaks:
    """Set a breakpoint that is gone after its first stop."""
    return _set(session, bound, once=True)


def _set(session: Session, bound: Bound, *, once: bool) -> Breaks:
    machine, physical = session.machine, "physical" in bound
    at = _place(session, bound, physical=physical)
    vcpu, when, condition = conditions(session, bound)
    plain = vcpu is None and condition is None and not once and "skip" not in bound
    if plain and not physical and at in machine.breakpoints:
        return list(machine.breakpoints)
    skip = bound.number("skip")
    point = machine.points.add(at, vcpu, when, once=once, skip=skip, physical=physical)
    session.stops.note(point.number, condition)
    if physical:
        return [row for row in views.of(session) if row.number == point.number]
    return list(machine.breakpoints)


def _place(session: Session, bound: Bound, *, physical: bool) -> int:
    """Return the address that is meant; raise `UnmappedError` for no memory."""
    machine = session.machine
    vcpu = machine.vcpu(session.selected)
    at = bound.number("address", vcpu.regs.linear_rip)
    if physical:
        if "address" not in bound:
            at = vcpu.linear.peek(at) or 0
        machine.read_physical(at, 1)
    return at


def _set_text(found: Breaks) -> str:
    """Return addresses, or the rows of `stops`."""
    rows = [row for row in found if not isinstance(row, int)]
    if rows:
        return views.text(rows)
    return memory.breakpoints_text([at for at in found if isinstance(at, int)])


def conditions(
    session: Session, bound: Bound
) -> tuple[int | None, Callable[[int], bool] | None, str | None]:
    """Return the vCPU, the question and its words, of those that were given."""
    vcpu = session.machine.vcpu(bound.number("vcpu")).id if "vcpu" in bound else None
    if "condition" not in bound:
        return vcpu, None, None
    text = bound.word("condition")
    return vcpu, session.stops.condition(text), text


def watch(kind: str) -> Callable[[Session, Bound], list[StopPointView]]:
    """Return what watches memory for accesses of a kind."""

    def perform(session: Session, bound: Bound) -> list[StopPointView]:
        text = bound.word("address")
        size, at = _sized(session, text)
        size = bound.number("size", size)
        if not 1 <= size <= MOST:
            raise CommandError(f"{kind} of {size} bytes: 1 to {MOST}")
        found = _places(session, at, size, physical="physical" in bound)
        vcpu, when, condition = conditions(session, bound)
        wanted = "change" if "change" in bound else kind
        machine = session.machine
        number = machine.points.take_number()
        item = Watch(
            number, wanted, at, found, vcpu=vcpu, when=when,
            once="once" in bound, skip=bound.number("skip"),
        )  # fmt: skip
        machine.watches.put([*machine.watches.items, item])
        session.stops.note(number, condition)
        return [row for row in views.of(session) if row.number == number]

    return perform


def _sized(session: Session, text: str) -> tuple[int, int]:
    """Return bytes and address of `u32(ADDRESS)`, or of ADDRESS alone."""
    sized = _SIZED.fullmatch(text)
    where = sized[2] if sized else text
    size = int(sized[1]) // 8 if sized else WORD
    value = session.value(where)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= numerals.LARGEST:
        raise CommandError(f"watch: {where!r} is no address")
    return size, int(value)


def _places(
    session: Session, at: int, size: int, *, physical: bool
) -> tuple[tuple[int, int], ...]:
    machine = session.machine
    found = [(at, size)] if physical else places(machine, session.selected, at, size)
    for gpa, length in found:
        machine.read_physical(gpa, length)  # raises where there is no memory
    return tuple(found)


def delete(session: Session, bound: Bound) -> list[int]:
    """Take away what stops at an address or has a number, or all; return what is left.

    An address goes before a number.
    """
    machine = session.machine
    if "address" not in bound:
        _delete_all(session)
        return []
    where = bound.number("address")
    numbered = {point.number for point in machine.points.items}
    numbered |= {watch.number for watch in machine.watches.items}
    if where in {point.linear for point in machine.points.items}:
        gone = [p.number for p in machine.points.items if p.linear == where]
    elif where in numbered:
        gone = [where]
    else:
        machine.unbreak(where)  # which says what is wrong
        gone = []
    for number in gone:
        session.stops.forget(number)
    machine.points.put(p for p in machine.points.items if p.number not in gone)
    machine.watches.put(w for w in machine.watches.items if w.number not in gone)
    return list(machine.breakpoints)


def _delete_all(session: Session) -> None:
    machine = session.machine
    session.stops.conditions.clear()
    session.stops.commands.clear()
    machine.points.put(())
    machine.watches.put(())


def breakpoints(session: Session, _bound: Bound) -> list[int]:
    """Return the addresses of all breakpoints."""
    return list(session.machine.breakpoints)


def stops(session: Session, _bound: Bound) -> list[StopPointView]:
    """Return all that stops the machine."""
    return views.of(session)


def switch(*, on: bool) -> Callable[[Session, Bound], list[StopPointView]]:
    """Return what lets one stop, or not."""

    def perform(session: Session, bound: Bound) -> list[StopPointView]:
        item, machine = session.stops.found(bound.number("number")), session.machine
        item.enabled = on
        machine.points.put(machine.points.items)
        machine.watches.attend()
        return views.of(session)

    return perform


def condition(session: Session, bound: Bound) -> list[StopPointView]:
    """Give one a condition, or take it away."""
    item = session.stops.found(bound.number("number"))
    _, when, text = conditions(session, bound)
    item.when = when
    session.stops.note(item.number, text)
    return views.of(session)


def ignore(session: Session, bound: Bound) -> list[StopPointView]:
    """Let hits by."""
    session.stops.found(bound.number("number")).skip = bound.number("count")
    return views.of(session)


def commands(session: Session, bound: Bound) -> list[StopPointView]:
    """Have lines done whenever one stops."""
    item = session.stops.found(bound.number("number"))
    lines = [line.strip() for line in bound.word("lines").split(";")]
    session.stops.command(item.number, tuple(line for line in lines if line))
    return views.of(session)


WATCHED: Final = (
    Argument("address", "word", required=True),
    Argument("size", "count"),
    PHYSICAL,
    *ON,
    IF,
)
COMMANDS = (
    Command(
        "break",
        "stop any vCPU, or --vcpu alone, before the instruction at ADDRESS, or at RIP, "
        "if CONDITION holds; --skip lets so many hits by; --physical takes a physical "
        "one, by whatever linear address it is come to",
        "mutating", set_one, _set_text, (ADDRESS, PHYSICAL, *ON, IF),
        ("b", "bp", "hb"),
    ),
    Command(
        "tbreak", "the same, gone after the first stop", "mutating",
        set_temporary, _set_text, (ADDRESS, PHYSICAL, *ON, IF), ("tb",),
    ),
    Command(
        "watch",
        "stop behind the instruction that writes SIZE (4) bytes at ADDRESS, or as "
        "u64(ADDRESS) says, with old and new value; --change only if they differ; "
        "--physical; while there is any, the machine runs slower",
        "mutating", watch("write"), views.text,
        (*WATCHED, Argument("change", "flag", option=True)), ("ww",),
    ),
    Command(
        "rwatch", "the same for what reads them", "mutating",
        watch("read"), views.text, WATCHED, ("wr",),
    ),
    Command(
        "awatch", "the same for what reads or writes them", "mutating",
        watch("access"), views.text, WATCHED, ("wa",),
    ),
    Command(
        "delete",
        "take away the breakpoints at ADDRESS, or the breakpoint or watchpoint of that "
        "number, or all of them",
        "mutating", delete, memory.breakpoints_text, (ADDRESS,),
        ("d", "bc", "unbreak"),
    ),
    Command(
        "breakpoints", "list the addresses of breakpoints", "read-only",
        breakpoints, memory.breakpoints_text,
    ),
    Command(
        "stops",
        "list breakpoints, watchpoints and catches, with conditions, hits and commands",
        "read-only", stops, views.text, (), ("bl", "info breakpoints", "i b"),
    ),
    Command(
        "enable", "let breakpoint or watchpoint NUMBER stop again", "mutating",
        switch(on=True), views.text, (NUMBER,), ("be",),
    ),
    Command(
        "disable", "let breakpoint or watchpoint NUMBER stop nobody", "mutating",
        switch(on=False), views.text, (NUMBER,),
    ),
    Command(
        "condition",
        "have breakpoint or watchpoint NUMBER stop if CONDITION holds; without one, "
        "always",
        "mutating", condition, views.text, (NUMBER, IF),
    ),
    Command(
        "ignore", "let the next COUNT hits of NUMBER by", "mutating",
        ignore, views.text, (NUMBER, Argument("count", "count", required=True)),
    ),
    Command(
        "commands",
        "do LINES, with ; between them, whenever NUMBER stops; without any, nothing",
        "mutating", commands, views.text,
        (NUMBER, Argument("lines", "expression")),
    ),
)  # fmt: skip
