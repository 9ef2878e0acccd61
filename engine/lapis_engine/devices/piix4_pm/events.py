"""Events that become the SCI, and sleep.

Sources: ACPI Specification 6.4 "Fixed Hardware Features"; Intel 82371AB PIIX4
"PMCNTRL".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import LineChanged, PoweredOff
from lapis_engine.devices.piix4_pm import regs
from lapis_engine.events import Oddity

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.piix4_pm.state import Piix4PmState


def settle(state: Piix4PmState) -> Signals:
    """Bring the SCI to where it belongs after any change."""
    # Not modelled: outside ACPI mode they would be SMIs.
    is_on = state.control & regs.SCI_ENABLE
    wanted = bool(is_on and state.status & state.enable & regs.EVENTS)
    if wanted == state.sci:
        return ()
    state.sci = wanted
    return (LineChanged(regs.SCI, asserted=wanted),)


def holds(state: Piix4PmState) -> tuple[LineChanged, ...]:
    """Return the SCI's line while it is asserted."""
    return (LineChanged(regs.SCI, asserted=True),) if state.sci else ()


def press_power_button(state: Piix4PmState) -> Signals:
    """Let the power button have been pressed, for less than four seconds."""
    state.status |= regs.POWER_BUTTON
    return settle(state)


def sleep(state: Piix4PmState, kind: int) -> Signals:
    """Go to sleep of a type: to S5 for good, else wake at once."""
    if kind == regs.SOFT_OFF:
        return (PoweredOff(0, "ACPI: soft off (S5)"),)
    if kind == regs.TO_DISK:
        return (PoweredOff(0, "ACPI: off, with its state on disk (S4)"),)
    if kind == regs.WORKING:
        return ()
    # Not modelled: S1 to S3. As there is nobody to wake it, it wakes by itself.
    state.status |= regs.RESUMED
    text = f"ACPI: sleep of type {kind} is not there, the machine wakes at once"
    return (Oddity(-1, "ACPI sleep", text),)


def command(state: Piix4PmState, value: int) -> None:
    """Take a command that is for firmware: it alone switches ACPI mode.

    As QEMU (`apm_ctrl_changed`): what firmware in SMM would do is done at once.
    """
    state.command = value
    if value == regs.ACPI_ON:
        state.control |= regs.SCI_ENABLE
    elif value == regs.ACPI_OFF:
        state.control &= ~regs.SCI_ENABLE
