"""Display adapter in text mode: its registers read back, and its text can be looked at.

The text itself is RAM at 0xB8000 and none of the adapter's. After a reset it is in
mode 3, 80 columns by 25 rows of colour, as the BIOS of an adapter leaves it. Nothing
draws: `screen.screen` says what there would be to see.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.vga import access, regs
from lapis_engine.devices.vga.state import VgaState


def device() -> Device:
    """Return an adapter at ports 0x3B4 to 0x3DA."""
    return Device(
        "vga",
        VgaState(),
        access,
        regs.PORTS,
        plain=access.plain,
        registers=regs.NAMES,
    )
