"""What became of vectors: machines with a past, and what must be said of it.

What each must lead to is from the SDM: Vol. 3A "APIC Timer", "TSC-Deadline Mode", "EOI
Register", "Interrupt Acceptance for Fixed Interrupts", "Handling Multiple NMIs"; from
the 82093AA "I/O Redirection Table Registers"; from the 8259A "Interrupt Sequence".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import msi
from lapis_engine.events import Oddity
from lapis_engine.saved import transfer
from lapis_engine.vmm import arbitration, clock
from rigs.why_states import IDS, forgotten, irq, nmi, pic, pin, rig, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.machine.machine import Machine
    from lapis_engine.why.reason import Reason

    Row = tuple[str, bool, str, Mapping[str, int], Callable[[], tuple[Reason, ...]]]

PAGE = 0xFEE0_0000
SVR, EOI, LVT_TIMER, COUNT, ARMED = 0xF0, 0xB0, 0x320, 0x380, 0x6E0
"""Registers in the APIC's page, and an MSR."""
ONE_SHOT, PERIODIC, DEADLINE, MASKED = 0x31, 0x2_0031, 0x4_0031, 0x1_0031
"""LVT TIMER with vector 0x31."""
LEVEL = 0x8031
"""A redirection entry, of vector 0x31 to APIC id 0."""
IOREGSEL, IOWIN = 0xFEC0_0000, 0xFEC0_0010
LINE = 4
FAR = 1 << 40
"""A time-stamp that does not come."""


def timer(*writes: tuple[int, int]) -> Machine:
    return wrote(rig(), *writes)


def wrote(m: Machine, *writes: tuple[int, int]) -> Machine:
    """vCPU 0 writes registers of its APIC, 1 us apart."""
    for where, value in writes:
        if where == ARMED:
            m.write_msr(0, where, value)
        else:
            m.vm.buses[0].write(PAGE + where, 4, value)
        passed(m)
    return m


def passed(m: Machine, ns: int = 1000) -> Machine:
    clock.pass_time(m.vm, m.vm.now + ns)
    return m


def taken(m: Machine) -> Machine:
    """vCPU 0 takes what it would at its next entry; the handler begins."""
    arbitration.inject(m.vm, m.vcpus[0])
    m.vcpus[0].regs.rflags = 0x202
    return passed(m)


def ended(m: Machine) -> Machine:
    return wrote(m, (EOI, 0))


def entry(m: Machine, number: int, value: int) -> Machine:
    """vCPU 0 writes the lower half of a redirection entry."""
    m.vm.buses[0].write(IOREGSEL, 4, 0x10 + 2 * number)
    m.vm.buses[0].write(IOWIN, 4, value)
    return passed(m)


def pulse(m: Machine, number: int) -> Machine:
    m.set_pin(number, asserted=True)
    m.set_pin(number, asserted=False)
    return passed(m)


def ipi(m: Machine, icr: int, sender: int = 0) -> Machine:
    m.send_ipi(sender, icr)
    return passed(m)


def level_cleared_by_ipi() -> Machine:
    """A level vector in service, and an IPI with the same one from vCPU 1."""
    m = taken(pin(rig(), LEVEL, asserted=True))
    return ipi(m, 0x4031, 1)


def init_before_delivery() -> Machine:
    """The AP accepts a vector, and an INIT comes before it is delivered."""
    m = ipi(rig(), IDS[1] | 0x4031)
    ipi(m, IDS[1] | 0x4500)
    arbitration.boot(m.vm, m.vcpus[1])
    return m


def imported(m: Machine) -> Machine:
    """Another machine, with the APIC of vCPU 0 of `m`."""
    other = rig()
    saved = transfer.export_apic(m.vm, m.vcpus[0])
    other.import_apic(0, saved, "a file", lenient=True)
    return other


def served(line: int) -> Machine:
    """The 8259 pair, one of whose lines has risen and is in service."""
    return taken(pic(rig(), line))


def spurious() -> Machine:
    """LINT0 asks with nothing requested, and INTA follows."""
    return taken(asked_for_nothing())


def asked_for_nothing() -> Machine:
    m = pic(rig())
    m.pulse_lint(0, 0)
    return m


def by_hand() -> Machine:
    m = rig()
    m.vcpus[0].nmi_blocked = True
    m.inject_nmi(0)
    return m


def astray() -> Machine:
    """A device was told to send its message to where no APIC listens."""
    m = rig()
    what = msi.decode(0xFED0_0000, 0x31)
    m.vm.note(Oddity(-1, "message of a device", f"virtio-rng vector 0: {what}"))
    return m


def lined(m: Machine, line: int) -> Machine:
    m.set_line(line, asserted=True)
    return m


def fallen() -> Machine:
    m = lined(pic(rig()), 5)
    m.set_line(5, asserted=False)
    return m


def pic_ended(m: Machine, port: int = 0x20) -> Machine:
    """A non-specific EOI to the first 8259, or the one at `port`."""
    m.vm.buses[0].port_out(port, 1, 0x20)
    return m


def slave_ended(m: Machine) -> Machine:
    """EOI to the second one alone: the master's input 2 stays in service."""
    return pic_ended(m, 0xA0)


def half_ready() -> Machine:
    m = rig()
    for port, value in ((0x20, 0x11), (0x21, 0x20)):
        m.vm.buses[0].port_out(port, 1, value)
    return m


def asleep() -> Machine:
    m = rig()
    m.set_line(LINE, asserted=True)
    return m


ROWS: tuple[Row, ...] = (
    # The timer: its mode, and the write that counts.
    ("timer-count-ignored", True,
     ("the timer is stopped: the initial count 0xbb8, written by the user at 1,000 ns, "
     "was ignored, as LVT timer (0x40031) was in TSC-deadline mode"),
     {"value": 3000, "at": 1000},
     lambda: irq(timer((LVT_TIMER, DEADLINE), (COUNT, 3000)), 0x31)),
    ("timer-count-ignored", True,
     "; the mode has changed since (LVT timer 0x20031, written by the user at 2,000",
     {"lvt": PERIODIC},
     lambda: irq(timer((LVT_TIMER, DEADLINE), (COUNT, 3000), (LVT_TIMER, PERIODIC)),
                 0x31)),
    ("timer-disarmed", True,
     ("LVT timer 0x40031, written by the user at 2,000 ns, changed its mode into "
     "TSC-deadline, which disarms it"), {"at": 2000},
     lambda: irq(timer((LVT_TIMER, ONE_SHOT), (COUNT, 1 << 20), (LVT_TIMER, DEADLINE)),
                 0x31)),
    ("timer-disarmed", True, "changed its mode out of TSC-deadline", {},
     lambda: irq(timer((LVT_TIMER, DEADLINE), (ARMED, FAR), (LVT_TIMER, ONE_SHOT)),
                 0x31)),
    ("timer-disarmed", True, "IA32_TSC_DEADLINE (MSR 0x6e0) 0x0, written by the user",
     {"value": 0}, lambda: irq(timer((LVT_TIMER, DEADLINE), (ARMED, FAR), (ARMED, 0)),
                               0x31)),
    ("timer-disarmed", True, "switching the APIC off (SVR 0xff, written by the user",
     {}, lambda: irq(wrote(rig(profile="illumos"), (LVT_TIMER, ONE_SHOT),
                           (COUNT, 1 << 20), (SVR, 0xFF), (SVR, 0x1FF),
                           (LVT_TIMER, ONE_SHOT)), 0x31)),
    ("timer-deadline-ignored", True,
     ("written by the user at 1,000 ns, was ignored, as LVT timer (0x31) was not in "
     "TSC-deadline mode; the mode has changed since"), {},
     lambda: irq(timer((LVT_TIMER, ONE_SHOT), (ARMED, FAR), (LVT_TIMER, DEADLINE)),
                 0x31)),
    ("timer-count-0", True, "the initial count 0x0, written by the user at 2,000 ns,",
     {"value": 0},
     lambda: irq(timer((LVT_TIMER, ONE_SHOT), (COUNT, 1 << 20), (COUNT, 0)), 0x31)),
    ("timer-expired", True,
     ("the timer is stopped: it fired at 2,000 ns; one-shot: only a write of the "
     "initial count starts it again"), {"at": 2000},
     lambda: irq(ended(taken(timer((LVT_TIMER, ONE_SHOT), (COUNT, 100)))), 0x31)),
    ("timer-deadline-unknown", False,
     ("in TSC-deadline mode: IA32_TSC_DEADLINE (MSR 0x6e0) arms it, and not the "
     "initial count; what it was is not among what was imported"), {"lvt": DEADLINE},
     lambda: irq(imported(timer((LVT_TIMER, DEADLINE))), 0x31)),
    ("timer-not-armed", True,
     ("it is in TSC-deadline mode, where writes of the initial count are ignored, and "
     "IA32_TSC_DEADLINE (MSR 0x6e0), which arms it, was not written"),
     {"lvt": DEADLINE}, lambda: irq(timer((LVT_TIMER, DEADLINE)), 0x31)),
    ("fired-in-vain", True,
     "LVT timer fired in vain at 2,000 ns: it was masked (bit 16)", {"count": 1},
     lambda: irq(timer((LVT_TIMER, MASKED), (COUNT, 100)), 0x31)),
    # What its own APIC made of it.
    ("init-cleared", True,
     ("it was accepted at 0 ns from ipi of the user, and the INIT that was taken at "
     "2,000 ns cleared the IRR"), {"at": 2000},
     lambda: irq(init_before_delivery(), 0x31, 1)),
    ("delivered", False, ("it was delivered once at 0 ns, and its EOI came at 1,000 ns,"
     " as edge"), {"count": 1}, lambda: irq(ended(taken(sent(0x4_4031))), 0x31)),
    ("came", False, "it came from ipi of the user at 0 ns, as edge", {"at": 0},
     lambda: irq(sent(0x4_4031, tpr=0x40), 0x31)),
    ("came", False, "it came from ipi of the user at 0 ns, as edge", {},
     lambda: irq(taken(sent(0x4_4031)), 0x31)),
    ("came", False, "it came from the user at 0 ns", {}, lambda: irq(by_hand(), 2)),
    ("merged", False, "it has come 2 times since 0 ns: the IRR has one bit for it",
     {"count": 2}, lambda: irq(ipi(ipi(rig(tpr=0x40), 0x4_4031), 0x4_4031), 0x31)),
    ("merged", False, "one NMI can be pending, and it will be delivered once", {},
     lambda: irq(ipi(ipi(nmi(rig(), blocked=True), 0x4400, 1), 0x4400, 1), 2)),
    ("no-eoi", True, "vector 0x51 was delivered at 0 ns, and no EOI has come since",
     {"vector": 0x51},
     lambda: irq(ipi(taken(sent(0x4_4051)), 0x4_4031), 0x31)),
    ("no-eoi", True, "vector 0x31 was delivered at 0 ns, and no EOI has come since", {},
     lambda: irq(taken(sent(0x4_4031)), 0x31)),
    ("bad-message", True,
     "a message went astray at 0 ns: virtio-rng vector 0: 0xfed00000 is not an address",
     {"at": 0}, lambda: irq(astray(), 0x31)),
    ("svr-spurious", False, "vector 0xff is the spurious one of the SVR (0x1ff)",
     {"svr": 0x1FF}, lambda: irq(rig(), 0xFF)),
    # The IOAPIC and the EOI.
    ("eoi-as-edge", True,
     ("handled as edge (TMR bit 0), so it was not told to the IOAPIC, and the remote "
     "IRR of pin 4 stays set: an edge with the same vector, ipi of the user, cleared "
     "the TMR bit at 1,000 ns"), {"pin": 4, "at": 4000},
     lambda: irq(forgotten(ended(taken(ended(level_cleared_by_ipi())))), 0x31)),
    ("tmr-cleared", True,
     ("an edge with the same vector, ipi of the user, cleared its TMR bit at 1,000 ns: "
     "its EOI will be handled as edge"), {"pin": 4},
     lambda: irq(level_cleared_by_ipi(), 0x31)),
    ("edge-lost", True,
     ("and it rose (2 times, the last) at 2,000 ns while it was masked: an edge on a "
     "masked pin is lost; it was unmasked only after that"), {"pin": 4, "count": 2},
     lambda: irq(entry(pulse(pulse(entry(rig(), 4, MASKED), 4), 4), 4, 0x31), 0x31)),
    ("isa-line-0", True, "ISA line 0 (the 8254) is led to pin 2: pin 0 is INTR", {},
     lambda: irq(entry(rig(), 0, 0x31), 0x31)),
    # The 8259 pair.
    ("pic-spurious", False,
     "it is the spurious IRQ 7: the 8259 has nothing to serve", {"irq": 7},
     lambda: irq(asked_for_nothing(), 0x27)),
    ("pic-spurious", False, "IRQ 7 of the 8259 pair was spurious at 0 ns: its line had",
     {"irq": 7}, lambda: irq(spurious(), 0x27)),
    ("pic-in-service", True, "it is in service there (ISR 0x10): no EOI (OCW2) has",
     {"irq": 4, "isr": 0x10}, lambda: irq(served(LINE), 0x24)),
    ("pic-in-service", True, "and IRQ 4 is in service (ISR 0x10): until its EOI", {},
     lambda: irq(lined(served(LINE), 5), 0x25)),
    ("pic-in-service", True, "and IRQ 2 is in service (ISR 0x04): until its EOI", {},
     lambda: irq(lined(slave_ended(served(8)), 9), 0x29)),
    ("pic-fell", True, "its line rose at 0 ns and fell before INTA", {"irq": 5},
     lambda: irq(fallen(), 0x25)),
    ("pic-edge", True, "its line is up already: it is edge-triggered (ELCR 0x00)", {},
     lambda: irq(pic_ended(served(LINE)), 0x24)),
    ("pic-not-ready", True, "the chip still waits for ICW3 and ICW4", {"irq": 4},
     lambda: irq(half_ready(), 0x24)),
    ("pic-not-ready", True, "IRQ 4 of the 8259 pair is asserted, and the chip has not",
     {"irq": 4}, lambda: irq(asleep(), 0x24)),
)  # fmt: skip
