"""Registers of the serial port.

Source: National Semiconductor PC16550D datasheet "Registers"; offsets are from the
port's base.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import RegisterName

SIZE: Final = 8
"""Ports."""
HZ: Final = 1_843_200
"""Crystal of a PC's serial port; a bit takes 16 times the divisor of its periods."""
TIMEOUT: Final = 4
"""Characters for which nothing moves before the FIFO's time-out."""

RBR: Final = 0
"""Receiver buffer (read), transmitter holding (write), divisor low with DLAB."""
IER: Final = 1
"""Interrupt enable, divisor high with DLAB."""
IIR: Final = 2
"""Interrupt identification (read), FIFO control (write)."""
LCR: Final = 3
"""Line control."""
MCR: Final = 4
"""Modem control."""
LSR: Final = 5
"""Line status."""
MSR: Final = 6
"""Modem status."""
SCR: Final = 7
"""Scratch."""

ERBFI: Final = bit(0)
"""IER: received data."""
ETBEI: Final = bit(1)
"""IER: transmitter holding register empty."""
ELSI: Final = bit(2)
"""IER: line status."""
EDSSI: Final = bit(3)
"""IER: modem status."""
IER_WRITABLE: Final = ERBFI | ETBEI | ELSI | EDSSI

IIR_LINE_STATUS: Final = 0x06
IIR_DATA: Final = 0x04
IIR_TIMEOUT: Final = 0x0C
IIR_THRE: Final = 0x02
IIR_MODEM: Final = 0x00
IIR_NONE: Final = 0x01
"""IIR [3:0]: which interrupt is pending, the highest first."""
IIR_FIFO: Final = bits(7, 6)
"""IIR: both set when the FIFOs are on: a 16550A."""

FIFO_ENABLE: Final = bit(0)
"""FCR: FIFOs on."""
FIFO_CLEAR_RECEIVER: Final = bit(1)
"""FCR: empty the receive FIFO."""
TRIGGER: Final = bits(7, 6)
"""FCR: which of `TRIGGERS` the receive FIFO interrupts at."""
TRIGGERS: Final = (1, 4, 8, 14)
"""Bytes."""

WORD: Final = bits(1, 0)
"""LCR: data bits of a character, less five."""
STOP: Final = bit(2)
"""LCR: two stop bits, not one."""
PARITY: Final = bit(3)
"""LCR: there is a parity bit."""
DLAB: Final = bit(7)
"""LCR: offsets 0 and 1 are the divisor latch."""

DTR: Final = bit(0)
"""MCR: data terminal ready."""
RTS: Final = bit(1)
"""MCR: request to send."""
OUT1: Final = bit(2)
"""MCR: output 1."""
OUT2: Final = bit(3)
"""MCR: output 2."""
LOOP: Final = bit(4)
"""MCR: loopback."""
MCR_WRITABLE: Final = DTR | RTS | OUT1 | OUT2 | LOOP

DR: Final = bit(0)
"""LSR: data ready."""
OE: Final = bit(1)
"""LSR: overrun."""
THRE: Final = bit(5)
"""LSR: transmitter holding register empty."""
TEMT: Final = bit(6)
"""LSR: transmitter empty."""

DELTA: Final = bits(3, 0)
"""MSR: what has changed since it was last read, in the order of `CTS` ... `DCD`."""
TERI: Final = bit(2)
"""MSR: ring indicator has ENDED; of the four the only one-way change."""
CTS: Final = bit(4)
"""MSR: clear to send; in loopback RTS."""
DSR: Final = bit(5)
"""MSR: data set ready; in loopback DTR."""
RI: Final = bit(6)
"""MSR: ring indicator; in loopback OUT1."""
DCD: Final = bit(7)
"""MSR: data carrier detect; in loopback OUT2."""

FIFO_SIZE: Final = 16
"""Bytes of the receive FIFO."""


def names(base: int) -> tuple[RegisterName, ...]:
    """Return the names of the eight ports from `base`."""
    return (
        RegisterName(base, 1, "RBR", "receiver buffer", access="r"),
        RegisterName(base, 1, "THR", "transmitter holding", access="w"),
        RegisterName(base + IER, 1, "IER", "interrupt enable"),
        RegisterName(base + IIR, 1, "IIR", "interrupt identification", access="r"),
        RegisterName(base + IIR, 1, "FCR", "FIFO control", access="w"),
        RegisterName(base + LCR, 1, "LCR", "line control"),
        RegisterName(base + MCR, 1, "MCR", "modem control"),
        RegisterName(base + LSR, 1, "LSR", "line status"),
        RegisterName(base + MSR, 1, "MSR", "modem status"),
        RegisterName(base + SCR, 1, "SCR", "scratch"),
    )


def latch_names(base: int) -> tuple[RegisterName, ...]:
    """Return the names of the ports that DLAB gives to the divisor."""
    return (
        RegisterName(base, 1, "DLL", "divisor latch, low"),
        RegisterName(base + IER, 1, "DLM", "divisor latch, high"),
    )
