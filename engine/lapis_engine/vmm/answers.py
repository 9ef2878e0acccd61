"""Answers to requests as events: who answered what, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.events import Answered
from lapis_engine.vie.operands import SIZE_MASK
from lapis_engine.vie.request import InoutRequest, InstEmul, MmioRequest, MsrRequest
from lapis_engine.vmm.entry import (
    DiscardInstr,
    FulfillInout,
    FulfillMmio,
    FulfillMsr,
    InjectFault,
)

if TYPE_CHECKING:
    from lapis_engine.vie.request import Request

    Told = DiscardInstr | FulfillMmio | FulfillInout | FulfillMsr | InjectFault
    Parts = tuple[str, bool, int, int, int]

MSR_BYTES = 8


def parts(request: Request) -> Parts:
    """Return (kind, read, address, bytes, data) of a request."""
    match request:
        case MmioRequest():
            return "mmio", request.read, request.gpa, request.bytes, request.data
        case InoutRequest():
            return "inout", request.read, request.port, request.bytes, request.eax
        case MsrRequest():
            return "msr", request.read, request.msr, MSR_BYTES, request.value
        case InstEmul():
            return "inst-emul", False, request.gpa, len(request.code), 0


def answered(vcpu: int, asked: Request | None, entry: Told, by: str) -> Answered:
    """Return the event of an entry command that was accepted."""
    what = ("", False, 0, 0, 0) if asked is None else parts(asked)
    command, text, given = _told(entry)
    value = None
    if given is not None and what[1]:
        value = given & SIZE_MASK[what[3]]
    return Answered(vcpu, command, text, by, *what, value)


def _told(entry: Told) -> tuple[str, str, int | None]:
    """Return the command, the whole of it in words, and the value it gives."""
    match entry:
        case DiscardInstr():
            return "DISCARD_INSTR", "instruction forgotten", None
        case FulfillMmio():
            text = f"{entry.bytes} bytes at {entry.gpa:#x} = {entry.data:#x}"
            return "FULFILL_MMIO", text, entry.data
        case FulfillInout():
            text = f"{entry.bytes} bytes at port {entry.port:#x} = {entry.eax:#x}"
            return "FULFILL_INOUT", text, entry.eax
        case FulfillMsr():
            text = f"MSR {entry.msr:#x} = {entry.value:#x}"
            return "FULFILL_MSR", text, entry.value
        case InjectFault():
            error = "" if entry.error is None else f"({entry.error:#x})"
            text = f"vector {entry.vector}{error} in place of the instruction"
            return "INJECT_FAULT", text, None
