"""All that can happen in a machine: frozen records that hold nothing live.

Transitions return them, `Machine` places them (`Logged`), `explain.events` words them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from lapis_engine.frozen import record

if TYPE_CHECKING:
    from lapis_engine.cause import Cause, Undelivered


@record
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
    dropped: Cause | None
    """Why nothing was sent."""


@record
class VectorAccepted:
    """A vector entered the IRR (SDM Vol. 3A "Acceptance for Fixed Interrupts")."""

    kind: ClassVar[str] = "accept"
    vcpu: int
    vector: int
    level: bool
    source: str
    """What sent it: ipi, timer, ioapic, msi, lint0 ..., user."""


@record
class VectorRefused:
    """A vector reached an APIC that did not take it."""

    kind: ClassVar[str] = "refuse"
    vcpu: int
    vector: int
    source: str
    why: str


@record
class VectorDelivered:
    """A vector went from the IRR to the ISR and into the processor."""

    kind: ClassVar[str] = "deliver"
    vcpu: int
    vector: int
    ppr: int
    """PPR after the delivery."""


@record
class VectorEnded:
    """EOI: the highest vector in service left the ISR."""

    kind: ClassVar[str] = "eoi"
    vcpu: int
    vector: int
    level: bool
    """True when the TMR says that the IOAPICs must hear of it."""
    ppr: int


@record
class InitReceived:
    """INIT became pending (`vm_inject_init`)."""

    kind: ClassVar[str] = "init"
    vcpu: int
    source: str


@record
class SipiReceived:
    """A start-up IPI arrived (`vm_inject_sipi`)."""

    kind: ClassVar[str] = "sipi"
    vcpu: int
    vector: int
    source: str
    latched: Cause | None
    """Why it will not start the vCPU now."""


@record
class RunStateChanged:
    """The boot state machine moved (`vm_run_state`)."""

    kind: ClassVar[str] = "boot"
    vcpu: int
    before: int
    after: int
    why: str


@record
class NmiReceived:
    """An NMI became pending."""

    kind: ClassVar[str] = "nmi"
    vcpu: int
    source: str


@record
class NmiDelivered:
    """A pending NMI entered its handler."""

    kind: ClassVar[str] = "nmi-deliver"
    vcpu: int


@record
class ExtIntDelivered:
    """The 8259 pair was acknowledged and its vector entered the processor."""

    kind: ClassVar[str] = "extint"
    vcpu: int
    vector: int


@record
class TimerArmed:
    """The APIC timer was started, moved or stopped."""

    kind: ClassVar[str] = "timer-armed"
    vcpu: int
    deadline: int | None
    """ns of virtual time, or None when stopped."""


@record
class TimerFired:
    """The APIC timer reached zero."""

    kind: ClassVar[str] = "timer"
    vcpu: int
    vector: int
    masked: bool


@record
class ApicModeChanged:
    """APICBASE moved the APIC between disabled, xapic and x2apic."""

    kind: ClassVar[str] = "apic-mode"
    vcpu: int
    before: str
    after: str
    base: int


@record
class MessageSent:
    """An IOAPIC or a device sent an interrupt message, with the fate it met."""

    kind: ClassVar[str] = "message"
    vcpu: int
    """Always -1: no vCPU sent it."""
    source: str
    """ioapic pin 4, msi, user ..."""
    mode: str
    vector: int
    level: bool
    destination: str
    """Whom it names, in words."""
    targets: tuple[int, ...]
    """vCPUs that it reaches, ascending; empty when it is dropped."""
    dropped: Cause | None
    """Why nothing was sent."""


@record
class PinChanged:
    """An input of the IOAPIC moved."""

    kind: ClassVar[str] = "pin"
    vcpu: int
    """Always -1."""
    pin: int
    asserted: bool
    count: int
    """How many sources hold it asserted."""


@record
class IoapicEnded:
    """An EOI reached an IOAPIC pin: its remote-IRR was cleared."""

    kind: ClassVar[str] = "ioapic-eoi"
    vcpu: int
    """Always -1."""
    pin: int
    vector: int
    again: bool
    """The line is still asserted, and the message goes out once more."""


@record
class LvtFired:
    """An entry of the local vector table other than the timer fired."""

    kind: ClassVar[str] = "lvt"
    vcpu: int
    lvt: str
    """lint0, lint1, error, thermal, perf, cmci."""
    mode: str
    """fixed, smi, nmi, init, extint."""
    vector: int
    dropped: Cause | None
    """Why nothing came of it."""


@record
class ApicError:
    """The APIC found an error; a write to the ESR will show it."""

    kind: ClassVar[str] = "apic-error"
    vcpu: int
    bit: int
    """Number of the ESR bit."""
    text: str


@record
class Interfered:
    """A rule of the user's dropped, delayed or duplicated an IPI to one target."""

    kind: ClassVar[str] = "interfere"
    vcpu: int
    """Target."""
    action: str
    """drop, delay or duplicate."""
    mode: str
    sender: int
    text: str


@record
class Linted:
    """A lint found something that is legal and seldom meant."""

    kind: ClassVar[str] = "lint"
    vcpu: int
    """The vCPU it is about, or -1."""
    name: str
    text: str
    place: str = ""
    """Findings of one lint about one vCPU at one place are one, and counted."""
    about: int | None = None
    """Number of the event at which it was found; None between events."""
    ran: int | None = None
    """The vCPU that ran then; None by the user's hand, or while time passed."""
    rip: int | None = None
    """RIP of that vCPU."""
    values: tuple[tuple[str, int], ...] = ()
    """What it was found by: name and number."""


@record
class KernemuAccessed:
    """The user reached a device of the engine outside `vm_run` (VM_SET_KERNEMU_DEV)."""

    kind: ClassVar[str] = "kernemu"
    vcpu: int
    write: bool
    gpa: int
    size: int
    value: int


@record
class ApicImported:
    """The state of a local APIC was replaced by the user."""

    kind: ClassVar[str] = "import"
    vcpu: int
    source: str


@record
class ModeChanged:
    """The processor moved between real, protected, compat and long mode."""

    kind: ClassVar[str] = "mode"
    vcpu: int
    before: str
    after: str
    rip: int


@record
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
    rule: str | None = None
    """Code of the rule of the manual that the instruction broke, if it is known."""
    values: tuple[int, ...] = ()
    """What broke it: numbers for the sentence of that rule; none in older events."""
    failed: Undelivered | None = None
    """What kept it from its handler; the next exception, or a shutdown, is of that."""


@record
class DebugHit:
    """A debug exception is due, and what for (SDM Vol. 3B "Debug Exceptions")."""

    kind: ClassVar[str] = "debug"
    vcpu: int
    what: str
    """execute, write, access (of data), io, task-switch, or dr-access (DR7.GD)."""
    dr: int | None
    """0 to 3: the debug register that was hit; None where it was none of these."""
    address: int | None
    """Its linear address, or the port."""
    size: int
    """Bytes that it watches; 0 where there is no address."""
    rip: int


@record
class MsrAccessed:
    """RDMSR or WRMSR of a register that the engine serves."""

    kind: ClassVar[str] = "msr"
    vcpu: int
    msr: int
    write: bool
    value: int
    fault: bool
    """True when it ended in #GP(0)."""


@record
class Halted:
    """HLT retired; the vCPU waits."""

    kind: ClassVar[str] = "halt"
    vcpu: int
    interrupts: bool
    """RFLAGS.IF: False means that only NMI, INIT or reset can wake it."""


@record
class Woken:
    """A halted vCPU goes on."""

    kind: ClassVar[str] = "wake"
    vcpu: int
    why: str


@record
class Exited:
    """`vm_run` came back to the user with an exit record."""

    kind: ClassVar[str] = "exit"
    vcpu: int
    code: str
    text: str
    rip: int


@record
class Answered:
    """A pending request was fulfilled, discarded, or ended in a fault."""

    kind: ClassVar[str] = "answer"
    vcpu: int
    command: str
    text: str
    by: str = "user"
    """user, rule N, or device: the one of the engine, when it was asked to."""
    what: str = ""
    """Kind of the request: mmio, inout, msr, inst-emul; nothing if there was none."""
    read: bool = False
    address: int = 0
    """Guest-physical address, port or number of the MSR."""
    bytes: int = 0
    data: int = 0
    """What was written; 0 for a read."""
    value: int | None = None
    """What was answered to a read."""


@record
class Suspended:
    """The whole machine stopped for good (`vm_suspend`)."""

    kind: ClassVar[str] = "suspend"
    vcpu: int
    """Cause, or -1 when it was no vCPU."""
    how: str
    """reset, poweroff, halt or triple-fault."""
    text: str


@record
class Rebooted:
    """A reset started the machine again."""

    kind: ClassVar[str] = "reset"
    vcpu: int
    """Cause, or -1 when it was no vCPU."""
    how: str
    """reset or triple-fault."""
    text: str


@record
class Oddity:
    """Legal but unlikely guest behaviour, or what a real host would count."""

    kind: ClassVar[str] = "oddity"
    vcpu: int
    name: str
    text: str


@record
class EngineFault:
    """What was a panic of the host under a `pre` profile."""

    kind: ClassVar[str] = "fault"
    vcpu: int
    text: str


Message = (
    MessageSent
    | PinChanged
    | IoapicEnded
    | LvtFired
    | ApicError
    | Interfered
    | KernemuAccessed
    | ApicImported
)
"""What devices, pins, the LVT and the user's hand do to the APICs."""

FabricEvent = (
    IpiSent
    | VectorAccepted | VectorRefused | VectorDelivered | VectorEnded
    | InitReceived | SipiReceived | NmiReceived | NmiDelivered | ExtIntDelivered
    | TimerArmed | TimerFired | ApicModeChanged | Message
)  # fmt: skip
"""What happens between and in the APICs."""

ProcessorEvent = (
    RunStateChanged | ModeChanged | ExceptionRaised | DebugHit | MsrAccessed | Halted
    | Woken | Exited | Answered | Suspended | Rebooted | Oddity | Linted | EngineFault
)  # fmt: skip
"""What happens to a vCPU, or to the machine."""

Event = FabricEvent | ProcessorEvent
"""The closed union: a consumer matches on it and ends with `assert_never`."""


@record
class Logged:
    """An event with its place in the stream."""

    seq: int
    """Counts from 0, without gaps, over the whole life of the machine."""
    at: int
    """Virtual time in ns."""
    event: Event
