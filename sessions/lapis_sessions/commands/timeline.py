"""Commands that go back: reverse steps, points with names, and branches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.apic.priority import vectors
from lapis_engine.replay.parts import parts
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals
from lapis_sessions.text.operators import clipped
from lapis_sessions.timeline import searches
from lapis_sessions.views import timeline as views

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.replay.capture import Checkpoint
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.searches import Instrument, Within
    from lapis_sessions.views.timeline import BranchView, CheckpointsView, PlaceView

MOST_BACK = 10_000
VECTORS = frozenset({"irr", "isr", "tmr"})
"""Fields of an APIC that have a bit for each vector."""
"""Instructions in one reverse-step."""
NAME = Argument("name", "word", required=True)


def _found(
    session: Session, instrument: Instrument, what: str, within: Within | None = None
) -> PlaceView:
    """Go back to what `instrument` finds; raise `CommandError` if that is nothing."""
    if not searches.back_to_last(session.timeline, instrument, within):
        raise CommandError(f"{what}: there is none before this; nothing was moved")
    return views.place(session)


def reverse_step(session: Session, bound: Bound) -> PlaceView:
    """Take back instructions of the selected vCPU."""
    count = bound.number("count", 1)
    if not 1 <= count <= MOST_BACK:
        raise CommandError(f"reverse-step {count}: 1 to {MOST_BACK} at a time")
    vcpu = session.machine.vcpu(session.selected)
    if vcpu.retired < count:
        raise CommandError(
            f"reverse-step {count}: vCPU {vcpu.id} has retired {vcpu.retired}"
        )
    instrument = searches.instruction(session.timeline, vcpu, count)
    wanted = vcpu.retired - count

    def within(checkpoint: Checkpoint) -> bool:
        return checkpoint.retired[vcpu.id] <= wanted

    return _found(session, instrument, f"an instruction of vCPU {vcpu.id}", within)


def reverse_continue(session: Session, _bound: Bound) -> PlaceView:
    """Go back to the last breakpoint or catch, or to the beginning."""
    timeline, machine = session.timeline, session.machine
    stops = searches.breakpoints(timeline, machine.points.asked())
    caught = searches.catches(timeline, list(machine.catches.items))
    both = searches.either(stops, caught)
    if machine.watches.items:
        watches = searches.watched(timeline, machine.watches.asked())
        both = searches.either(both, watches)
    if not searches.back_to_last(timeline, both):
        timeline.go(timeline.branch.kept[0].spot)
        return replace(views.place(session), text="the beginning")
    return views.place(session)


def last_write(session: Session, bound: Bound) -> PlaceView:
    """Go back to before the last write to an address."""
    linear, size = bound.number("address"), bound.number("size", 1)
    if not 1 <= size <= 4096:
        raise CommandError(f"{size} bytes: 1 to 4096")
    instrument = searches.writes(session.timeline, session.selected, linear, size)
    return _found(session, instrument, f"a write to {linear:#x}")


def last_change(session: Session, bound: Bound) -> PlaceView:
    """Go back to where a field of the state had just changed."""
    value = _field(session, bound.word("part"), bound)
    before = value()
    instrument = searches.changes(session.timeline, value)
    place = _found(session, instrument, f"a change of {_name(bound)}")
    shown = _vectors if bound.word("field") in VECTORS else _shown
    return replace(place, field=_name(bound), value=shown(value()), left=shown(before))


def _vectors(value: object) -> str:
    """Return the vectors of a 256-bit register, highest first, for it is next."""
    found = vectors(value) if isinstance(value, int) else []
    return ", ".join(f"{vector:#04x}" for vector in reversed(found)) or "empty"


def _shown(value: object) -> str:
    """Return a field as text, registers in hex."""
    return f"{value:#x}" if type(value) is int and value > 9 else str(value)


def _name(bound: Bound) -> str:
    if bound.word("part") in {"apic", "vcpu"}:
        return f"{bound.word('part')} {bound.word('which')} {bound.word('field')}"
    return f"{bound.word('part')} {bound.word('which')}"


def _field(session: Session, part: str, bound: Bound) -> Callable[[], object]:
    """Return a function that reads `apic 1 isr`, `vcpu 1 run_state` or `pit nmisc`."""
    name, field = part, bound.word("which")
    if part in {"apic", "vcpu"}:
        number = numerals.number(bound.word("which"), "last-change: vCPU")
        session.machine.vcpu(number)
        name = f"vcpu{number}.apic" if part == "apic" else f"vcpu{number}"
        field = bound.word("field")
    found = {each.name: each for each in parts(session.machine)}
    if name not in found:
        raise CommandError(
            f"last-change: there is no {clipped(name)}: {', '.join(found)}"
        )
    if field not in found[name].fields:
        known = ", ".join(found[name].fields)
        raise CommandError(f"last-change: {name} has no {clipped(field)!r}: {known}")
    holder = found[name].holder
    return lambda: getattr(holder, field)


def checkpoint(session: Session, bound: Bound) -> PlaceView:
    """Give this point a name."""
    name = bound.word("name")
    if name in {"start", "end"} or name[:1].isdigit() or name.startswith("#"):
        raise CommandError(
            f"checkpoint {name[:40]!r}: goto reads that as another place"
        )
    session.timeline.name(name)
    return replace(views.place(session), name=name)


def checkpoints(session: Session, bound: Bound) -> CheckpointsView:
    """List the named points, and what the checkpoints cost."""
    if "limit" in bound:
        keeper = session.timeline.keeper
        keeper.ceiling = numerals.size(bound.word("limit"), "limit")
        keeper.thin()
    return views.checkpoints(session)


def branches(session: Session, _bound: Bound) -> list[BranchView]:
    """List the branches."""
    return views.branches(session)


def branch(session: Session, bound: Bound) -> PlaceView:
    """Go to the end of a branch."""
    session.timeline.switch(bound.word("name"))
    return views.place(session)


def where(session: Session, _bound: Bound) -> PlaceView:
    """Say where in its history the machine is."""
    return views.place(session)


COMMANDS = (
    Command(
        "reverse-step", "take back the last COUNT instructions of the selected vCPU",
        "time-moving", reverse_step, views.place_text,
        (Argument("count", "count"),), ("rs", "rsi", "reverse-stepi"),
    ),
    Command(
        "reverse-continue", "go back to the last breakpoint or catch, or the beginning",
        "time-moving", reverse_continue, views.place_text, (), ("rc",),
    ),
    Command(
        "reverse-until last-write",
        "go back to the instruction that last wrote to ADDRESS, before it did",
        "time-moving", last_write, views.place_text,
        (Argument("address", "address", required=True), Argument("size", "count")),
        ("last-write",),
    ),
    Command(
        "last-change",
        "go back to where a field changed: apic 1 isr, vcpu 0 run_state, pit nmisc",
        "time-moving", last_change, views.place_text,
        (
            Argument("part", "word", required=True),
            Argument("which", "word", required=True), Argument("field", "word"),
        ),
        ("reverse-until last-change",),
    ),
    Command(
        "checkpoint", "give this point a name, for goto", "mutating",
        checkpoint, views.place_text, (NAME,),
    ),
    Command(
        "checkpoints", "list the named points; limit the memory of checkpoints",
        "mutating", checkpoints, views.checkpoints_text,
        (Argument("limit", "word", option=True),),
    ),
    Command(
        "branches", "list the branches of this session's history", "read-only",
        branches, views.branches_text,
    ),
    Command(
        "branch", "go to the end of a branch", "time-moving",
        branch, views.place_text, (NAME,),
    ),
    Command(
        "where", "say where in its history the machine is", "read-only",
        where, views.place_text,
    ),
)  # fmt: skip
