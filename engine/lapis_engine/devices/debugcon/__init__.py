"""Debug console: what firmware writes to port 0x402 is text for its developer.

The port is QEMU's and Bochs' (QEMU `isa-debugcon`); nothing is ever received.
"""

from __future__ import annotations

from lapis_engine.devices.debugcon import access, regs
from lapis_engine.devices.debugcon.state import DebugconState
from lapis_engine.devices.device import Device


def device() -> Device:
    """Return a debug console at port 0x402."""
    return Device(
        "debugcon", DebugconState(), access, regs.PORTS, reset=DebugconState()
    )
