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
    """FIFO control: FIFO_ENABLE alone is kept."""
    lcr: int = 0
    """Line control."""
    mcr: int = 0
    """Modem control."""
    scr: int = 0
    """Scratch."""
    divisor: int = 0
    """Divisor latch, 16 bits. # Not modelled: it has no effect on time."""
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
