"""Events in words: the one place that does it."""

from __future__ import annotations

from typing import Final, assert_never

from lapis_engine.events import (
    Answered,
    ApicError,
    ApicImported,
    ApicModeChanged,
    DebugHit,
    EngineFault,
    Event,
    ExceptionRaised,
    Exited,
    ExtIntDelivered,
    FabricEvent,
    Halted,
    InitReceived,
    Interfered,
    IoapicEnded,
    IpiSent,
    KernemuAccessed,
    Linted,
    LvtFired,
    Message,
    MessageSent,
    ModeChanged,
    MsrAccessed,
    NmiDelivered,
    NmiReceived,
    Oddity,
    PinChanged,
    ProcessorEvent,
    Rebooted,
    RunStateChanged,
    SipiReceived,
    Suspended,
    TimerArmed,
    TimerFired,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
    Woken,
)
from lapis_engine.explain.rules import rule_text
from lapis_engine.explain.vectors import vector_name

RUN_STATE_BITS: Final = (
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
            return _message(event)


def _message(event: Message) -> str:
    """Put what IOAPICs, MSIs, LVT entries and the user's hand do into words."""
    match event:
        case MessageSent():
            fate = f"dropped: {event.dropped}" if event.dropped else _ids(event.targets)
            trigger = "level" if event.level else "edge"
            return (
                f"{event.source}: {event.mode} vector {event.vector:#04x}, {trigger}, "
                f"to {event.destination} -> {fate}"
            )
        case PinChanged():
            moved = "asserted" if event.asserted else "de-asserted"
            return f"IOAPIC pin {event.pin} {moved}, count {event.count}"
        case IoapicEnded():
            tail = ", still asserted: sent again" if event.again else ""
            return f"EOI of vector {event.vector:#04x} at IOAPIC pin {event.pin}{tail}"
        case LvtFired():
            tail = f", dropped: {event.dropped}" if event.dropped else ""
            return (
                f"LVT {event.lvt} fired, {event.mode} vector {event.vector:#04x}{tail}"
            )
        case ApicError():
            return f"APIC error, ESR bit {event.bit}: {event.text}"
        case Interfered():
            return f"{event.action}: {event.text}"
        case KernemuAccessed():
            verb = "write" if event.write else "read"
            return (
                f"KERNEMU {verb} of {event.size} bytes at {event.gpa:#x} = "
                f"{event.value:#x}"
            )
        case ApicImported():
            return f"APIC state imported from {event.source}"
        case _:
            assert_never(event)


def _processor(event: ProcessorEvent) -> str:  # noqa: C901, PLR0912 - one arm an event
    match event:
        case RunStateChanged():
            before, after = run_state_text(event.before), run_state_text(event.after)
            return f"run-state {before} -> {after}: {event.why}"
        case ModeChanged():
            return f"{event.before} -> {event.after} mode at {event.rip:#x}"
        case ExceptionRaised():
            return _exception(event)
        case DebugHit():
            return _debug(event)
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
            by = "" if event.by == "user" else f" (by {event.by})"
            return f"{event.command}: {event.text}{by}"
        case Suspended():
            return f"suspended ({event.how}): {event.text}"
        case Rebooted():
            return f"{event.how}: {event.text}; the machine starts again"
        case Oddity():
            return f"{event.name}: {event.text}"
        case Linted():
            return f"lint {event.name}: {event.text}"
        case EngineFault():
            return f"engine fault: {event.text}"
        case _:
            assert_never(event)


def _exception(event: ExceptionRaised) -> str:
    name, failed = vector_name(event.vector), event.failed
    error = "" if event.error is None else f"({event.error:#x})"
    head = f"INT {event.vector:#04x}" if event.software else f"{name}{error}"
    at = "" if event.cr2 is None else f", CR2 {event.cr2:#x}"
    rule = "" if event.rule is None else f": {rule_text(event.rule, event.values)}"
    text = f"{head} at {event.rip:#x}{at}{rule}"
    if failed is None:
        return text
    error = "" if failed.error is None else f"({failed.error:#x})"
    text += f"; not delivered: {vector_name(failed.vector)}{error}"
    if failed.rule is None or event.vector not in DOUBLING:
        return text  # the next event is the other fault itself, and tells
    return f"{text}, {rule_text(failed.rule, failed.values)}"


DOUBLING: Final = frozenset({0, 8, 10, 11, 12, 13, 14})
"""Exceptions of which another one makes a #DF, or a shutdown (SDM Vol. 3A "Conditions
for Generating a Double Fault")."""
DEBUG: Final = {
    "execute": "reached",
    "write": "wrote",
    "access": "read or wrote",
    "io": "used port",
    "dr-access": "MOV DR under DR7.GD",
    "task-switch": "to a task with T set",
}


def _debug(event: DebugHit) -> str:
    if event.dr is None or event.address is None:
        return f"{DEBUG[event.what]}, RIP {event.rip:#x}"
    size = f"/{event.size}" if event.size > 1 else ""
    verb = DEBUG[event.what]
    return f"DR{event.dr}: {verb} {event.address:#x}{size}, RIP {event.rip:#x}"
