"""What the processor reports when it comes back: one record a reason.

All of them are reported *before* the instruction, with RIP on it, unless the record
says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lapis_engine.cpu.marked import Mark

# SVM exit codes (APM Vol. 2 "SVM Intercept Codes").
CR0_WRITE: Final = 0x10
CR3_WRITE: Final = 0x13
CR4_WRITE: Final = 0x14
DR_READ: Final = 0x20
DR_WRITE: Final = 0x30
"""Of DR0; the others follow."""
CR8_READ: Final = 0x08
CR8_WRITE: Final = 0x18
VINTR: Final = 0x64
RDTSC: Final = 0x6E
CPUID: Final = 0x72
IRET: Final = 0x74
PAUSE: Final = 0x77
HLT: Final = 0x78
MSR: Final = 0x7C
SHUTDOWN: Final = 0x7F
RDTSCP: Final = 0x87
MONITOR: Final = 0x8A
MWAIT: Final = 0x8B


@dataclass(slots=True)
class Budget:
    """The instructions that were asked for have retired."""


@dataclass(slots=True)
class Intercepted:
    """An instruction that the engine carries out itself."""

    code: int
    """SVM exit code."""
    error: int
    """For MSR: 0 read, 1 write."""


@dataclass(slots=True)
class Marked:
    """An instruction that the processor must not carry out as it would (`marked`)."""

    mark: Mark | None = field(default=None, compare=False)
    """What it is, if it was seen, which a page's end may cut short."""


@dataclass(slots=True)
class Resumed:
    """An instruction before which RFLAGS.RF is set; no more than the core sees it."""


@dataclass(slots=True)
class Outdated:
    """What was marked here is overwritten: no more than the core sees it."""


@dataclass(slots=True)
class Faulted:
    """The instruction at RIP raised an exception (for #DB traps: RIP is the next)."""

    vector: int
    error: int
    cr2: int
    """Linear address, for #PF."""


@dataclass(slots=True)
class SoftwareInterrupt:
    """INT n, INT3 or INTO; RIP is already on the next instruction."""

    vector: int


@dataclass(slots=True)
class Hole:
    """A guest-physical access that memory does not serve (a nested page fault)."""

    gpa: int
    size: int
    access: str
    """read, write or fetch."""


@dataclass(slots=True)
class PortAccess:
    """IN, OUT, or one iteration of INS or OUTS."""

    port: int
    size: int
    write: bool
    value: int
    """What OUT writes."""


@dataclass(slots=True)
class Window:
    """RFLAGS.IF is 1 and there is no shadow: an interrupt can be taken now."""


@dataclass(slots=True)
class Breakpoint:
    """RIP (as a linear address) reached a breakpoint of the user's."""

    linear: int


@dataclass(slots=True)
class Watched:
    """The instruction before RIP hit data that the guest's debug registers watch."""

    hits: int
    """Bits 3:0 of DR6."""
    stepped: bool = False
    """It was a single step, too."""


@dataclass(slots=True)
class Unknown:
    """The processor gave up for a reason of its own."""

    text: str


HwExit = (
    Budget
    | Intercepted
    | Marked
    | Faulted
    | SoftwareInterrupt
    | Hole
    | PortAccess
    | Window
    | Breakpoint
    | Watched
    | Unknown
)
"""The closed union of reasons."""

NAMES: Final = {
    CR0_WRITE: "cr0", CR3_WRITE: "cr3", CR4_WRITE: "cr4", CR8_READ: "cr8",
    CR8_WRITE: "cr8", RDTSC: "rdtsc", CPUID: "cpuid", IRET: "iret", PAUSE: "pause",
    HLT: "hlt", MSR: "msr", SHUTDOWN: "shutdown", RDTSCP: "rdtscp",
    MONITOR: "monitor", MWAIT: "mwait",
}  # fmt: skip


def kind(report: HwExit) -> str:
    """Return the kind of a report in a word, for who counts them."""
    match report:
        case Intercepted():
            return NAMES.get(report.code, "intercepted")
        case Hole():
            return f"mmio-{report.access}"
        case PortAccess():
            return "out" if report.write else "in"
        case _:
            return type(report).__name__.lower()
