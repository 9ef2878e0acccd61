"""POST code port: firmware shows its progress at port 0x80, drivers waste time there.

It only remembers the last code, for a pane to show.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.post_code import access, regs
from lapis_engine.devices.post_code.state import PostCodeState


def device() -> Device:
    """Return a POST code port at 0x80."""
    return Device(
        "post-code", PostCodeState(), access, regs.PORTS, reset=PostCodeState()
    )
