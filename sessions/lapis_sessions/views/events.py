"""Events, and IPIs of the user's."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

from lapis_engine.cause import sentence
from lapis_engine.explain.events import describe
from lapis_sessions.plain import FLAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.events import Event, IpiSent, Logged

CAUSES: Final = frozenset({"dropped", "latched"})
"""Fields of events that say why not; shown as the sentence, which may be empty."""


@dataclass(frozen=True, slots=True)
class EventView:
    """An event, the first of `times` alike."""

    seq: int
    at: int
    """ns of virtual time."""
    vcpu: int
    """The vCPU that it is about, or -1."""
    kind: str
    """As `catch` calls it."""
    text: str
    """The whole of it in words."""
    times: int
    own: Mapping[str, object] = field(metadata=FLAT)
    """The fields of its kind."""


@dataclass(frozen=True, slots=True)
class IpiView:
    """An IPI of the user's and its fate."""

    icr: int
    mode: str
    text: str
    from_: int
    targets: tuple[int, ...]
    dropped: str
    """Why nothing was sent, or the empty string."""


def of(logged: Logged, times: int = 1) -> EventView:
    """Return an event, the first of `times` alike."""
    record = logged.event
    return EventView(
        seq=logged.seq,
        at=logged.at,
        vcpu=record.vcpu,
        kind=record.kind,
        text=describe(record),
        times=times,
        own=_own(record),
    )


def _own(record: Event) -> dict[str, object]:
    own = {each.name: getattr(record, each.name) for each in fields(record)}
    return own | {name: sentence(own[name]) for name in CAUSES & own.keys()}


def ipi(sent: IpiSent) -> IpiView:
    """Return an IPI of the user's and its fate."""
    return IpiView(
        icr=sent.icr,
        mode=sent.mode,
        text=sent.text,
        from_=sent.vcpu,
        targets=sent.targets,
        dropped=sentence(sent.dropped),
    )


def text(rows: Sequence[EventView]) -> str:
    """Return events, oldest first."""
    return "\n".join(map(row_text, rows)) or "nothing has happened"


def row_text(row: EventView) -> str:
    """Return one event on a line."""
    who = "-" if row.vcpu < 0 else row.vcpu
    times = f"  ({row.times} times)" if row.times > 1 else ""
    return f"{row.seq:>7} {row.at:>15,} ns  {who:>3}  {row.kind:<11} {row.text}{times}"


def ipi_text(view: IpiView) -> str:
    """Say what was sent and whom it reached."""
    fate = "reaches " + ", ".join(f"vCPU {number}" for number in view.targets)
    if view.dropped:
        fate = f"dropped: {view.dropped}"
    return f"ICR {view.icr:#x} from vCPU {view.from_}: {view.text}; {fate}"
