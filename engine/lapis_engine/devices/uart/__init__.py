"""Serial port: a 16550A whose transmitter is infinitely fast.

Everything written is printed at once; nothing arrives but what loopback mode sends
back and what the machine hands to `priority.receive`.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device, Range
from lapis_engine.devices.uart import access, regs, timer
from lapis_engine.devices.uart.state import UartState


def device(name: str = "com1", base: int = 0x3F8, irq: int = 4) -> Device:
    """Return a serial port of eight ports from `base`, on ISA line `irq`."""
    return Device(
        name,
        UartState(name, base, irq),
        access,
        (Range(base, regs.SIZE),),
        timer=timer,
        plain=access.plain,
    )
