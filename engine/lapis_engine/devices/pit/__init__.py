"""The 8254 timer of a PC, and port 0x61 through which channel 2 is heard and seen.

Counters are functions of virtual time; nothing ticks. Channel 0 pulses IRQ 0.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.pit import access, regs, timer
from lapis_engine.devices.pit.state import PitState


def device() -> Device:
    """Return the timer at ports 0x40 to 0x43, and port 0x61."""
    return Device("pit", PitState(), access, regs.PORTS, timer=timer)
