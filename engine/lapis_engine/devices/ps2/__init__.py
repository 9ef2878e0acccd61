"""Keyboard controller without a keyboard, for the reset line that hangs off it.

Enough of the 8042 that firmware and kernels find a controller, find nothing plugged
in, and go on; port 0x92 (fast A20 and reset) is part of it.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.ps2 import access, regs
from lapis_engine.devices.ps2.state import Ps2State


def device() -> Device:
    """Return a controller at ports 0x60, 0x64 and 0x92."""
    return Device("ps2", Ps2State(), access, regs.PORTS, registers=regs.NAMES)
