"""Commands of the user's hand on the interrupt fabric: KERNEMU, pins, MSI, NMI, LINT.

The result of an act is what it caused: the events that it left in the history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import devices, events, pic
from lapis_sessions.views.devices import KernemuView

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session
    from lapis_sessions.views.events import EventView

VCPU = Argument("vcpu", "vcpu")
OF_VCPU = Argument("vcpu", "vcpu", option=True)
GPA = Argument("gpa", "address", required=True)
SIZE = Argument("size", "count", required=True)
VALUE = Argument("value", "value", required=True)
PIN = Argument("pin", "value", required=True)
ISA = Argument("isa", "flag", option=True)


def caused(session: Session, act: Callable[[], object]) -> list[EventView]:
    """Perform `act`; return the events that it caused, oldest first."""
    log = session.machine.log
    first = log.next_seq
    act()
    return [events.of(logged) for logged in log.since(first)]


def kernemu_write(session: Session, bound: Bound) -> KernemuView:
    """Write a device outside `vm_run`."""
    vcpu = bound.number("vcpu", session.selected)
    gpa, size, value = (bound.number(name) for name in ("gpa", "size", "value"))
    machine = session.machine
    done = caused(session, lambda: machine.kernemu_write(vcpu, gpa, size, value))
    return KernemuView(vcpu, gpa, size, value, tuple(done))


def kernemu_read(session: Session, bound: Bound) -> KernemuView:
    """Read a device outside `vm_run`, side effects included."""
    vcpu = bound.number("vcpu", session.selected)
    gpa, size = bound.number("gpa"), bound.number("size")
    value = session.machine.kernemu_read(vcpu, gpa, size)
    return KernemuView(vcpu, gpa, size, value)


def tpr(session: Session, bound: Bound) -> list[EventView]:
    """Write the TPR of a vCPU."""
    vcpu, value = bound.number("vcpu", session.selected), bound.number("value")
    machine = session.machine
    return caused(session, lambda: machine.write_apic(vcpu, "tpr", value))


def eoi(session: Session, bound: Bound) -> list[EventView]:
    """Write the EOI register of a vCPU."""
    vcpu = bound.number("vcpu", session.selected)
    machine = session.machine
    return caused(session, lambda: machine.write_apic(vcpu, "eoi", 0))


def _move(session: Session, bound: Bound, levels: tuple[bool, ...]) -> list[EventView]:
    machine, pin = session.machine, bound.number("pin")

    def act() -> None:
        for asserted in levels:
            if "isa" in bound:
                machine.set_line(pin, asserted=asserted)
            else:
                machine.set_pin(pin, asserted=asserted)

    return caused(session, act)


def irq_raise(session: Session, bound: Bound) -> list[EventView]:
    """Assert a pin once more."""
    return _move(session, bound, (True,))


def irq_lower(session: Session, bound: Bound) -> list[EventView]:
    """Take one assertion away."""
    return _move(session, bound, (False,))


def irq_pulse(session: Session, bound: Bound) -> list[EventView]:
    """Assert a pin and let it go."""
    return _move(session, bound, (True, False))


def lint(session: Session, bound: Bound) -> list[EventView]:
    """Pulse a LINT pin."""
    vcpu = bound.number("vcpu") if "vcpu" in bound else None
    number = bound.number("pin")
    done = caused(session, lambda: session.machine.pulse_lint(number, vcpu))
    return [pic.told_of_spurious(session.machine, event) for event in done]


def msi(session: Session, bound: Bound) -> list[EventView]:
    """Send a message-signalled interrupt."""
    address, data = bound.number("address"), bound.number("data")
    return caused(session, lambda: session.machine.send_msi(address, data))


def nmi(session: Session, bound: Bound) -> list[EventView]:
    """Make an NMI pending."""
    vcpu = bound.number("vcpu", session.selected)
    return caused(session, lambda: session.machine.inject_nmi(vcpu))


def run_state(session: Session, bound: Bound) -> list[EventView]:
    """Set a run-state."""
    vcpu = bound.number("vcpu", session.selected)
    state, vector = bound.number("state"), bound.number("vector")
    machine = session.machine
    return caused(session, lambda: machine.set_run_state(vcpu, state, vector))


COMMANDS = (
    Command(
        "kernemu write",
        "write SIZE bytes of a device of the engine outside vm_run, as VCPU",
        "mutating", kernemu_write, devices.kernemu_text, (GPA, SIZE, VALUE, OF_VCPU),
    ),
    Command(
        "kernemu read",
        "read SIZE bytes of a device of the engine outside vm_run, with side effects",
        "mutating", kernemu_read, devices.kernemu_text, (GPA, SIZE, OF_VCPU),
    ),
    Command(
        "tpr", "write VALUE to the TPR of VCPU, as it would itself, in its mode",
        "mutating", tpr, events.text, (VALUE, VCPU),
    ),
    Command(
        "eoi", "write the EOI register of VCPU, as it would itself, in its mode",
        "mutating", eoi, events.text, (VCPU,),
    ),
    Command(
        "irq raise", "assert an IOAPIC pin, or with --isa an ISA line, once more",
        "mutating", irq_raise, events.text, (PIN, ISA),
    ),
    Command(
        "irq lower", "take away one assertion of a pin or line",
        "mutating", irq_lower, events.text, (PIN, ISA),
    ),
    Command(
        "irq pulse", "assert a pin or line and let it go",
        "mutating", irq_pulse, events.text, (PIN, ISA),
    ),
    Command(
        "irq lint", "pulse LINT0 or LINT1 of VCPU, or of all",
        "mutating", lint, events.text, (PIN, VCPU),
    ),
    Command(
        "msi", "send what a device does by writing DATA to ADDRESS, 0xFEExxxxx",
        "mutating", msi, events.text,
        (
            Argument("address", "value", required=True),
            Argument("data", "value", required=True),
        ),
    ),
    Command(
        "nmi", "make an NMI pending", "mutating", nmi, events.text, (VCPU,),
    ),
    Command(
        "run-state", "set the run-state of a vCPU (VM_SET_RUN_STATE)",
        "mutating", run_state, events.text,
        (
            Argument("state", "value", required=True),
            Argument("vector", "value", option=True),
            OF_VCPU,
        ),
    ),
)  # fmt: skip
