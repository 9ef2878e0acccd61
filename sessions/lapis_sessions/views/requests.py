"""Requests: those that wait for an answer, and what became of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from lapis_engine.events import Answered
from lapis_sessions.plain import FLAT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest


@dataclass(frozen=True, slots=True)
class RequestView:
    """What a vCPU asks for; its address is one of `gpa`, `port` and `msr`."""

    vcpu: int
    kind: str
    """mmio, inout, msr or inst-emul."""
    read: bool
    gpa: int | UnsetType
    port: int | UnsetType
    msr: int | UnsetType
    bytes: int
    data: int
    """What is written."""


@dataclass(frozen=True, slots=True)
class AnsweredView:
    """A request with the value that it was given."""

    request: RequestView = field(metadata=FLAT)
    value: int | None


@dataclass(frozen=True, slots=True)
class FaultedView:
    """A request in whose place a fault was raised."""

    request: RequestView = field(metadata=FLAT)
    fault: str
    error: int | None


@dataclass(frozen=True, slots=True)
class SettledView:
    """A request with who settled it, and how; one that waits still has no number."""

    seq: int | None
    at: int | None
    request: RequestView = field(metadata=FLAT)
    by: str = ""
    command: str = ""
    value: int | None = None
    text: str = ""


def of(request: PendingRequest) -> RequestView:
    """Return a request that waits for an answer."""
    it = request
    return _request(it.vcpu, it.kind, it.address, (it.read, it.bytes, it.data))


def _request(
    vcpu: int, kind: str, address: int, access: tuple[bool, int, int]
) -> RequestView:
    read, size, data = access
    port = address if kind == "inout" else UNSET
    msr = address if kind == "msr" else UNSET
    gpa = UNSET if kind in {"inout", "msr"} else address
    return RequestView(vcpu, kind, read, gpa, port, msr, size, data)


def history(machine: Machine, count: int) -> list[SettledView]:
    """Return the last `count` requests, those that wait still at the end."""
    rows = [
        _settled(logged, logged.event)
        for logged in machine.log.last(machine.log.next_seq)
        if isinstance(logged.event, Answered) and logged.event.what
    ]
    rows += [SettledView(None, None, of(request)) for request in machine.pending()]
    return rows[max(len(rows) - count, 0) :]


def _settled(logged: Logged, it: Answered) -> SettledView:
    access = (it.read, it.bytes, it.data)
    return SettledView(
        seq=logged.seq,
        at=logged.at,
        request=_request(it.vcpu, it.what, it.address, access),
        by=it.by,
        command=it.command,
        value=it.value,
        text=it.text,
    )


def text(view: RequestView) -> str:
    """Say what one request asks for."""
    if view.kind == "inst-emul":
        what = f"instruction without emulation on {view.gpa:#x}: discard it"
    elif view.kind == "inout":
        what = f"{'IN' if view.read else 'OUT'} {view.bytes} at port {view.port:#x}"
    elif view.kind == "msr":
        what = f"{'RDMSR' if view.read else 'WRMSR'} {view.msr:#x}"
    else:
        verb = "read" if view.read else "write"
        what = f"{verb} {view.bytes} bytes at {view.gpa:#x}"
    is_write = not view.read and view.kind != "inst-emul"
    tail = f" = {view.data:#x}" if is_write else ""
    return f"vCPU {view.vcpu}: {what}{tail}"


def pending_text(rows: Sequence[RequestView]) -> str:
    """Return the requests, or say that there are none."""
    return "\n".join(map(text, rows)) or "nothing is pending"


def answered_text(view: AnsweredView) -> str:
    """Say what was answered."""
    return f"answered {view.value:#x} to {text(view.request)}"


def discarded_text(view: RequestView) -> str:
    """Say what was discarded."""
    return f"discarded {text(view)}"


def faulted_text(view: FaultedView) -> str:
    """Say what was raised."""
    error = "" if view.error is None else f"({view.error:#x})"
    return f"#{view.fault.upper()}{error} raised instead of {text(view.request)}"


def history_text(rows: Sequence[SettledView]) -> str:
    """Return requests, oldest first, each with who settled it, and how."""
    return "\n".join(map(_row, rows)) or "nothing has been asked"


def _row(row: SettledView) -> str:
    seq = "" if row.seq is None else row.seq
    return f"{seq:>7}  {text(row.request):<52}  {fate(row)}"


def fate(row: SettledView) -> str:
    """Say what became of a request, and by whom."""
    match row.command:
        case "":
            return "waits"
        case "DISCARD_INSTR":
            return f"discarded by {row.by}"
        case "INJECT_FAULT":
            return f"{row.by}: {row.text}"
        case _:
            given = "taken" if row.value is None else f"{row.value:#x}"
            return f"{row.by}: {given}"
