"""Serial port: a 16550A whose transmitter is infinitely fast.

Everything written is printed at once. What arrives is what loopback mode sends back,
and what the host types (`receiver.queue`), at the line's speed in virtual time.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device, Range
from lapis_engine.devices.uart import access, priority, regs, timer
from lapis_engine.devices.uart.state import UartState


def device(
    name: str = "com1", base: int = 0x3F8, irq: int = 4, *, levels: bool = False
) -> Device:
    """Return a serial port of eight ports from `base`, on ISA line `irq`.

    With `levels` its receive FIFO has the trigger levels and the time-out of a 16550A;
    without, one byte interrupts, as in bhyve.
    """
    return Device(
        name,
        UartState(name, base, irq, levels=levels),
        access,
        (Range(base, regs.SIZE),),
        timer=timer,
        plain=access.plain,
        plain_write=access.plain_write,
        holds=priority.holds,
        kept=frozenset({"waiting", "next_at"}),
        registers=regs.names(base),
        registers_now=access.names,
    )
