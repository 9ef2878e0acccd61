"""What a serial port remembers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class UartState:
    """Reset values are the defaults; the first three say which port it is."""

    port: str
    """Name that its output is printed under."""
    base: int
    """First of its eight ports."""
    irq: int
    """ISA line."""
    ier: int = 0
    """Interrupt enable."""
    fcr: int = 0
    """FIFO control: FIFO_ENABLE is kept, and with `levels` TRIGGER."""
    lcr: int = 0
    """Line control."""
    mcr: int = 0
    """Modem control."""
    scr: int = 0
    """Scratch."""
    divisor: int = 0
    """Divisor latch, 16 bits. # Not modelled: what is sent takes no time."""
    received: bytes = b""
    """Bytes not yet read, at most 16 (1 without FIFOs)."""
    overrun: bool = False
    """LSR OE."""
    delta: int = 0
    """MSR [3:0]."""
    transmitted: bool = False
    """The THRE interrupt is pending."""
    line: bool = False
    """Level of the interrupt line as last signalled."""
    settle_at: int | None = None
    """When the line follows a read that lowered it, ns."""
    levels: bool = False
    """The receive FIFO has trigger levels and a time-out."""
    timed_out: bool = False
    """The time-out interrupt is pending."""
    timeout_at: int | None = None
    """When it is next, ns, if nothing is received or read before."""
    waiting: bytes = b""
    """What the host's end of the line has still to send."""
    next_at: int = 0
    """When the first byte of `waiting` is here, ns, if there is room for it."""
