"""Debug exit: a guest's test ends the machine with a status (QEMU `isa-debug-exit`).

Placed as kvm-unit-tests and most hobby kernels ask for it: port 0xF4, four wide.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.isa_debug_exit import access, regs
from lapis_engine.devices.isa_debug_exit.state import DebugExitState


def device() -> Device:
    """Return a debug exit at ports 0xF4 to 0xF7."""
    return Device(
        "isa-debug-exit", DebugExitState(), access, regs.PORTS, reset=DebugExitState()
    )
