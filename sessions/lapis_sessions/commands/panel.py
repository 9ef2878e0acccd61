"""Commands of the buttons on a machine's case, and of what is plugged into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.commands.fabric import caused
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import events

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.events import EventView

LINT1 = 1


def reset(session: Session, _bound: Bound) -> list[EventView]:
    """Press the reset button."""
    return caused(session, session.machine.press_reset)


def power(session: Session, _bound: Bound) -> list[EventView]:
    """Press the power button."""
    return caused(session, session.machine.press_power)


def nmi(session: Session, _bound: Bound) -> list[EventView]:
    """Press the NMI button, which is wired to LINT1 of every processor."""
    return caused(session, lambda: session.machine.pulse_lint(LINT1))


def unplug(session: Session, bound: Bound) -> list[EventView]:
    """Take a processor away."""
    number = bound.number("vcpu")
    return caused(session, lambda: session.machine.unplug(number))


COMMANDS = (
    Command(
        "machine reset",
        "press the reset button: with --on-reset reboot the machine starts again, else "
        "it stops for good",
        "mutating", reset, events.text, (), ("system_reset",),
    ),
    Command(
        "machine power-button",
        "press the power button of a pc: an event of ACPI, at which a guest shuts down "
        "if it has set that up",
        "mutating", power, events.text, (), ("system_powerdown",),
    ),
    Command(
        "machine nmi",
        "press the NMI button: a pulse on LINT1 of every APIC, which is an NMI where "
        "LVT LINT1 says so, or the APIC is off",
        "mutating", nmi, events.text,
    ),
    Command(
        "machine unplug",
        "take a processor away by INIT: it waits for SIPI, as a new one does; the "
        "guest is not asked, and is not told",
        "mutating", unplug, events.text, (Argument("vcpu", "vcpu", required=True),),
    ),
)  # fmt: skip
