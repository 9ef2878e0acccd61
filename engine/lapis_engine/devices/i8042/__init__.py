"""Keyboard controller of a PC with a keyboard and a mouse, and port 0x92.

The keyboard types what the host puts into it (`keyboard.key`); the mouse says who it
is and never moves. After a reset the controller is as firmware leaves it, for guests
that come without: firmware of its own sets it up anyhow.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.i8042 import access, output, timer
from lapis_engine.devices.i8042.state import I8042State
from lapis_engine.devices.ps2 import regs as ps2_regs


def device() -> Device:
    """Return a controller at ports 0x60, 0x64 and 0x92, on ISA lines 1 and 12."""
    return Device(
        "i8042",
        I8042State(),
        access,
        ps2_regs.PORTS,
        timer=timer,
        plain=access.plain,
        holds=output.holds,
        registers=ps2_regs.NAMES,
    )
