"""Entry commands: what `vm_run` is told to do first (bhyve `struct vm_entry`).

Each may carry VEC_FLAG_EXIT_CONSISTENT: come back as soon as no instruction is in the
making, before the guest is entered. `answered` is the event of one that was accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.events import Answered
from lapis_engine.frozen import record
from lapis_engine.vie.operands import SIZE_MASK
from lapis_engine.vie.request import (
    InoutRequest,
    InstEmulRequest,
    MmioRequest,
    MsrRequest,
)

if TYPE_CHECKING:
    from lapis_engine.vie.request import Request

    Parts = tuple[str, bool, int, int, int]

VEC_DEFAULT: Final = 0
VEC_DISCARD_INSTR: Final = 1
VEC_FULFILL_MMIO: Final = 2
VEC_FULFILL_INOUT: Final = 3
VEC_FLAG_EXIT_CONSISTENT: Final = 1 << 31


Context = Literal["outside", "normal", "critical"]
"""Where something is done: outside vm_run, in it, or in its critical section around the
guest, where nothing may sleep."""


@dataclass(frozen=True, slots=True)
class Default:
    """VEC_DEFAULT: run; what is pending is reported again."""

    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class DiscardInstr:
    """VEC_DISCARD_INSTR: forget the instruction in flight, run from RIP."""

    exit_consistent: bool = False


@record
class FulfillMmio:
    """VEC_FULFILL_MMIO: the answer to an `Mmio` exit."""

    gpa: int
    bytes: int
    read: bool
    data: int
    exit_consistent: bool = False


@record
class FulfillInout:
    """VEC_FULFILL_INOUT: the answer to an `Inout` exit."""

    port: int
    bytes: int
    read: bool
    eax: int
    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class FulfillMsr:
    """The answer to a `Rdmsr` or a waiting `Wrmsr` exit.

    Not one of bhyve's: there userspace sets the registers, and runs on.
    """

    msr: int
    read: bool
    value: int
    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class InjectFault:
    """Give the instruction in flight up, and raise an exception in its place.

    Two calls of bhyve's: VEC_DISCARD_INSTR, and VM_INJECT_EXCEPTION with
    restart_instruction set.
    """

    vector: int
    error: int | None = None
    """Error code, for an exception that has one."""
    cr2: int = 0
    """Linear address, for #PF."""
    exit_consistent: bool = False


Command = DiscardInstr | FulfillMmio | FulfillInout | FulfillMsr | InjectFault
Entry = Default | Command
DEFAULT: Final = Default()

MSR_BYTES: Final = 8


def request_parts(request: Request) -> Parts:
    """Return (kind, read, address, bytes, data) of a request."""
    match request:
        case MmioRequest():
            return "mmio", request.read, request.gpa, request.bytes, request.data
        case InoutRequest():
            return "inout", request.read, request.port, request.bytes, request.eax
        case MsrRequest():
            return "msr", request.read, request.msr, MSR_BYTES, request.value
        case InstEmulRequest():
            return "inst-emul", False, request.gpa, len(request.code), 0


def answered(vcpu: int, asked: Request | None, entry: Command, by: str) -> Answered:
    """Return the event of an entry command that was accepted."""
    what = ("", False, 0, 0, 0) if asked is None else request_parts(asked)
    command, text, given = _told(entry)
    value = None
    if given is not None and what[1]:
        value = given & SIZE_MASK[what[3]]
    return Answered(vcpu, command, text, by, *what, value)


def _told(entry: Command) -> tuple[str, str, int | None]:
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
