"""Everything that can happen in a machine, one frozen record a kind.

Transitions return these; `Machine` alone gives them a place and a time in the
stream (`Logged`). `describe` is the one place that puts an event into words.
Nothing here refers to a live object: an event is as true in ten minutes as now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, assert_never


@dataclass(frozen=True, slots=True)
class IpiSent:
    """A write to the ICR (or SELF IPI), with the fate it met."""

    kind: ClassVar[str] = "ipi"
    vcpu: int
    """Sender."""
    icr: int
    """ICR as written, destination in the upper half (bits 63:32)."""
    mode: str
    """Delivery mode: fixed, lowest, smi, remote-read, nmi, init, sipi, reserved."""
    text: str
    """The ICR in words, as `explain icr` prints it."""
    targets: tuple[int, ...]
    """vCPUs that it reaches, ascending; empty when it is dropped."""
    dropped: str
    """Why nothing was sent, or the empty string."""


@dataclass(frozen=True, slots=True)
class VectorAccepted:
    """A vector entered the IRR (SDM Vol. 3A "Acceptance for Fixed Interrupts")."""

    kind: ClassVar[str] = "accept"
    vcpu: int
    vector: int
    level: bool
    source: str
    """What sent it: ipi, timer, ioapic, msi, lint0 ..., user."""


@dataclass(frozen=True, slots=True)
class VectorRefused:
    """A vector reached an APIC that did not take it."""

    kind: ClassVar[str] = "refuse"
    vcpu: int
    vector: int
    source: str
    why: str


@dataclass(frozen=True, slots=True)
class VectorDelivered:
    """A vector went from the IRR to the ISR and into the processor."""

    kind: ClassVar[str] = "deliver"
    vcpu: int
    vector: int
    ppr: int
    """PPR after the delivery."""


@dataclass(frozen=True, slots=True)
class VectorEnded:
    """EOI: the highest vector in service left the ISR."""

    kind: ClassVar[str] = "eoi"
    vcpu: int
    vector: int
    level: bool
    """True when the TMR says that the IOAPICs must hear of it."""
    ppr: int


@dataclass(frozen=True, slots=True)
class InitReceived:
    """INIT became pending (`vm_inject_init`)."""

    kind: ClassVar[str] = "init"
    vcpu: int
    source: str


@dataclass(frozen=True, slots=True)
class SipiReceived:
    """A start-up IPI arrived (`vm_inject_sipi`)."""

    kind: ClassVar[str] = "sipi"
    vcpu: int
    vector: int
    source: str
    latched: str
    """Why it will not start the vCPU now, or the empty string."""


@dataclass(frozen=True, slots=True)
class RunStateChanged:
    """The boot state machine moved (`vm_run_state`)."""

    kind: ClassVar[str] = "boot"
    vcpu: int
    before: int
    after: int
    why: str


@dataclass(frozen=True, slots=True)
class NmiReceived:
    """An NMI became pending."""

    kind: ClassVar[str] = "nmi"
    vcpu: int
    source: str


@dataclass(frozen=True, slots=True)
class NmiDelivered:
    """A pending NMI entered its handler."""

    kind: ClassVar[str] = "nmi-deliver"
    vcpu: int


@dataclass(frozen=True, slots=True)
class ExtIntDelivered:
    """The 8259 pair was acknowledged and its vector entered the processor."""

    kind: ClassVar[str] = "extint"
    vcpu: int
    vector: int


@dataclass(frozen=True, slots=True)
class TimerArmed:
    """The APIC timer was started, moved or stopped."""

    kind: ClassVar[str] = "timer-armed"
    vcpu: int
    deadline: int | None
    """ns of virtual time, or None when stopped."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The APIC timer reached zero."""

    kind: ClassVar[str] = "timer"
    vcpu: int
    vector: int
    masked: bool


@dataclass(frozen=True, slots=True)
class ApicModeChanged:
    """APICBASE moved the APIC between disabled, xapic and x2apic."""

    kind: ClassVar[str] = "apic-mode"
    vcpu: int
    before: str
    after: str
    base: int


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """The processor moved between real, protected, compat and long mode."""

    kind: ClassVar[str] = "mode"
    vcpu: int
    before: str
    after: str
    rip: int


@dataclass(frozen=True, slots=True)
class ExceptionRaised:
    """An exception or software interrupt was delivered to the guest."""

    kind: ClassVar[str] = "exception"
    vcpu: int
    vector: int
    error: int | None
    rip: int
    cr2: int | None
    """Faulting linear address, for #PF only."""
    software: bool


@dataclass(frozen=True, slots=True)
class MsrAccessed:
    """RDMSR or WRMSR of a register that the engine serves."""

    kind: ClassVar[str] = "msr"
    vcpu: int
    msr: int
    write: bool
    value: int
    fault: bool
    """True when it ended in #GP(0)."""


@dataclass(frozen=True, slots=True)
class Halted:
    """HLT retired; the vCPU waits."""

    kind: ClassVar[str] = "halt"
    vcpu: int
    interrupts: bool
    """RFLAGS.IF: False means that only NMI, INIT or reset can wake it."""


@dataclass(frozen=True, slots=True)
class Woken:
    """A halted vCPU goes on."""

    kind: ClassVar[str] = "wake"
    vcpu: int
    why: str


@dataclass(frozen=True, slots=True)
class Exited:
    """`vm_run` came back to the user with an exit record."""

    kind: ClassVar[str] = "exit"
    vcpu: int
    code: str
    text: str
    rip: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The user fulfilled or discarded a pending request."""

    kind: ClassVar[str] = "answer"
    vcpu: int
    command: str
    text: str


@dataclass(frozen=True, slots=True)
class Suspended:
    """The whole machine stopped for good (`vm_suspend`)."""

    kind: ClassVar[str] = "suspend"
    vcpu: int
    """Cause, or -1 when it was no vCPU."""
    how: str
    """reset, poweroff, halt or triple-fault."""
    text: str


@dataclass(frozen=True, slots=True)
class Oddity:
    """Legal but unlikely guest behaviour, or what a real host would count."""

    kind: ClassVar[str] = "oddity"
    vcpu: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class EngineFault:
    """What was a panic of the host under a `pre` profile."""

    kind: ClassVar[str] = "fault"
    vcpu: int
    text: str


FabricEvent = (
    IpiSent
    | VectorAccepted
    | VectorRefused
    | VectorDelivered
    | VectorEnded
    | InitReceived
    | SipiReceived
    | NmiReceived
    | NmiDelivered
    | ExtIntDelivered
    | TimerArmed
    | TimerFired
    | ApicModeChanged
)
"""What happens between and in the APICs."""

ProcessorEvent = (
    RunStateChanged
    | ModeChanged
    | ExceptionRaised
    | MsrAccessed
    | Halted
    | Woken
    | Exited
    | Answered
    | Suspended
    | Oddity
    | EngineFault
)
"""What happens to a vCPU, or to the machine."""

Event = FabricEvent | ProcessorEvent
"""The closed union: a consumer matches on it and ends with `assert_never`."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An event with its place in the stream."""

    seq: int
    """Counts from 0, without gaps, over the whole life of the machine."""
    at: int
    """Virtual time in ns."""
    event: Event


VECTOR_NAMES = {
    0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM",
    8: "#DF", 10: "#TS", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF",
    17: "#AC", 18: "#MC", 19: "#XM", 20: "#VE", 21: "#CP",
}  # fmt: skip
"""SDM Vol. 3A "Exceptions and Interrupts", table of vectors."""

RUN_STATE_BITS = (
    (1 << 1, "RUN"), (1 << 0, "INIT"), (1 << 14, "PEND_INIT"), (1 << 15, "PEND_SIPI"),
)  # fmt: skip
"""`VRS_*` of bhyve, in the order in which they are read aloud."""


def run_state_text(state: int) -> str:
    """Name the bits of a run-state: 0x8003 -> "RUN|INIT|PEND_SIPI"."""
    return "|".join(name for mask, name in RUN_STATE_BITS if state & mask) or "HALT"


def _ids(vcpus: tuple[int, ...]) -> str:
    return ", ".join(f"vCPU {v}" for v in vcpus) or "nobody"


def describe(event: Event) -> str:
    """Say in one line what happened; the vCPU itself is not repeated."""
    if isinstance(event, FabricEvent):
        return _fabric(event)
    return _processor(event)


def _fabric(event: FabricEvent) -> str:  # noqa: C901, PLR0912 - one arm an event
    match event:
        case IpiSent():
            fate = f"dropped: {event.dropped}" if event.dropped else _ids(event.targets)
            return f"IPI {event.icr & 0xFFFF_FFFF:#x} ({event.text}) -> {fate}"
        case VectorAccepted():
            trigger = "level" if event.level else "edge"
            return (
                f"vector {event.vector:#04x} accepted, {trigger}, from {event.source}"
            )
        case VectorRefused():
            return (
                f"vector {event.vector:#04x} from {event.source} refused: {event.why}"
            )
        case VectorDelivered():
            return f"vector {event.vector:#04x} delivered, PPR {event.ppr:#04x}"
        case VectorEnded():
            trigger = ", level" if event.level else ""
            return f"EOI of vector {event.vector:#04x}{trigger}, PPR {event.ppr:#04x}"
        case InitReceived():
            return f"INIT from {event.source}"
        case SipiReceived():
            tail = f", not taken now: {event.latched}" if event.latched else ""
            start = event.vector << 12
            return (
                f"SIPI {event.vector:#04x} (start {start:#x}) from {event.source}{tail}"
            )
        case NmiReceived():
            return f"NMI pending, from {event.source}"
        case NmiDelivered():
            return "NMI delivered"
        case ExtIntDelivered():
            return f"ExtINT vector {event.vector:#04x} delivered"
        case TimerArmed():
            return (
                "APIC timer stopped"
                if event.deadline is None
                else f"APIC timer armed for {event.deadline} ns"
            )
        case TimerFired():
            tail = ", masked" if event.masked else ""
            return f"APIC timer fired, vector {event.vector:#04x}{tail}"
        case ApicModeChanged():
            return f"APIC {event.before} -> {event.after}, base {event.base:#x}"
        case _:
            assert_never(event)


def _processor(event: ProcessorEvent) -> str:  # noqa: C901 - one arm an event
    match event:
        case RunStateChanged():
            before, after = run_state_text(event.before), run_state_text(event.after)
            return f"run-state {before} -> {after}: {event.why}"
        case ModeChanged():
            return f"{event.before} -> {event.after} mode at {event.rip:#x}"
        case ExceptionRaised():
            return _exception(event)
        case MsrAccessed():
            verb = "WRMSR" if event.write else "RDMSR"
            tail = " -> #GP(0)" if event.fault else ""
            return f"{verb} {event.msr:#x} = {event.value:#x}{tail}"
        case Halted():
            return f"HLT with IF={int(event.interrupts)}"
        case Woken():
            return f"woken by {event.why}"
        case Exited():
            return f"exit {event.code}: {event.text}"
        case Answered():
            return f"{event.command}: {event.text}"
        case Suspended():
            return f"suspended ({event.how}): {event.text}"
        case Oddity():
            return f"{event.name}: {event.text}"
        case EngineFault():
            return f"engine fault: {event.text}"
        case _:
            assert_never(event)


def _exception(event: ExceptionRaised) -> str:
    name = VECTOR_NAMES.get(event.vector, f"vector {event.vector:#04x}")
    if event.software:
        return f"INT {event.vector:#04x} at {event.rip:#x}"
    error = "" if event.error is None else f"({event.error:#x})"
    at = "" if event.cr2 is None else f", CR2 {event.cr2:#x}"
    return f"{name}{error} at {event.rip:#x}{at}"
