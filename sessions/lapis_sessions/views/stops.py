"""Breakpoints, watchpoints and event breakpoints in one list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from lapis_engine.why.msrs import NAMES
from lapis_sessions.views import catches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.machine.points import Point
    from lapis_engine.machine.watches import Watch
    from lapis_sessions.session import Session
    from lapis_sessions.views.catches import CatchView


@dataclass(frozen=True, slots=True)
class StopPointView:
    """One of what stops the machine on the user's behalf."""

    number: int
    """Of a catch among the catches."""
    kind: str
    """break, a kind of watch (write, change, read, access), or catch."""
    what: str
    """Where, or which event."""
    hits: int
    enabled: bool
    once: bool
    address: int | UnsetType = UNSET
    size: int | UnsetType = UNSET
    """Bytes; of ports and MSRs how many."""
    vcpu: int | UnsetType = UNSET
    condition: str | UnsetType = UNSET
    skip: int | UnsetType = UNSET
    """Hits that it lets by yet."""
    commands: tuple[str, ...] | UnsetType = UNSET


def of(session: Session) -> list[StopPointView]:
    """Return all, breakpoints and watchpoints by number, then the catches."""
    machine = session.machine
    numbered = [_point(session, point) for point in machine.points.items]
    numbered += [_watch(session, watch) for watch in machine.watches.items]
    caught = [_catch(catches.of(each)) for each in machine.catches.items]
    return [*sorted(numbered, key=lambda row: row.number), *caught]


def _point(session: Session, point: Point) -> StopPointView:
    near = None if point.physical else session.symbols.places.near(point.linear)
    what = f"{point.linear:#x}{f' {near}' if near else ''}"
    what += " physical" if point.physical else ""
    return _row(session, point, "break", what, point.linear, UNSET)


def _watch(session: Session, watch: Watch) -> StopPointView:
    size = sum(length for _, length in watch.places)
    what = f"{size} bytes at {watch.address:#x}"
    if watch.space != "memory":
        what = _io_place(watch.space, watch.address, size)
    return _row(session, watch, watch.kind, what, watch.address, size)


def _io_place(space: str, first: int, size: int) -> str:
    """Return which ports or MSRs are watched, with the name of one that has one."""
    word = "MSR" if space == "msr" else "port"
    if size > 1:
        return f"{word}s {first:#x} to {first + size - 1:#x}"
    name = NAMES.get(first) if space == "msr" else None
    return f"{word} {first:#x}{f' {name}' if name else ''}"


def _catch(row: CatchView) -> StopPointView:
    what, hits = catches.words(row), row.hits
    return StopPointView(
        row.number, "catch", what, hits, enabled=True, once=row.once
    )  # fmt: skip


def _row(
    session: Session,
    item: Point | Watch,
    kind: str,
    what: str,
    address: int,
    size: int | UnsetType,
) -> StopPointView:
    known = session.stops
    return StopPointView(
        item.number, kind, what, item.hits, item.enabled, item.once, address, size,
        UNSET if item.vcpu is None else item.vcpu,
        known.conditions.get(item.number, UNSET),
        item.skip or UNSET,
        known.commands.get(item.number, UNSET),
    )  # fmt: skip


def text(rows: Sequence[StopPointView]) -> str:
    """Return a line for each, and below it what belongs to it."""
    return "\n".join(line for row in rows for line in _lines(row)) or (
        "there are no breakpoints, watchpoints or catches"
    )


def _lines(row: StopPointView) -> Iterator[str]:
    hits = f"{row.hits} hit{'s' * (row.hits != 1)}"
    words = [hits]
    words += [f"vCPU {row.vcpu} only"] if row.vcpu is not UNSET else []
    words += [f"{row.skip} to be let by"] if row.skip is not UNSET else []
    words += ["once"] if row.once else []
    words += [] if row.enabled else ["disabled"]
    yield f"{row.number:>3}  {row.kind:<6}  {row.what}  ({', '.join(words)})"
    if row.condition is not UNSET:
        yield f"     if {row.condition}"
    if row.commands is not UNSET:
        yield from (f"     > {line}" for line in row.commands)
