"""The 8254 timer of a PC, and port 0x61 through which channel 2 is heard and seen.

Counters are functions of virtual time; nothing ticks. Channel 0 is IRQ 0.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.pit import access, regs, timer
from lapis_engine.devices.pit.state import PitState


def device(*, pulses: bool = True) -> Device:
    """Return the timer at ports 0x40 to 0x43, and port 0x61.

    With `pulses` (`profile.pic_keeps_edges`) IRQ 0 is never up for longer than nothing.
    """
    return Device(
        "pit",
        PitState(pulses=pulses),
        access,
        regs.PORTS,
        timer=timer,
        plain=access.plain,
        holds=timer.holds,
        registers=regs.NAMES,
    )
