"""The ACPI power management timer: a 32-bit count of virtual time."""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.pmtimer import access, regs
from lapis_engine.devices.pmtimer.state import PmTimerState


def device() -> Device:
    """Return the timer at ports 0x408 to 0x40B."""
    return Device("pmtimer", PmTimerState(), access, regs.PORTS, reset=PmTimerState())
