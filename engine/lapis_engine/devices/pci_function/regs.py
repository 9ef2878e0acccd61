"""The configuration header of type 0: where its registers are.

Source: PCI Local Bus 3.0 "Configuration Space Organization".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits

SIZE: Final = 256
"""Bytes of configuration space that mechanism 1 reaches."""

VENDOR: Final = 0x00
DEVICE: Final = 0x02
COMMAND: Final = 0x04
STATUS: Final = 0x06
REVISION: Final = 0x08
CLASS: Final = 0x09
"""Three bytes: programming interface, sub-class, base class."""
CACHE_LINE: Final = 0x0C
LATENCY: Final = 0x0D
HEADER_TYPE: Final = 0x0E
BARS: Final = 0x10
"""Six base address registers, a dword each."""
BAR_COUNT: Final = 6
SUBSYSTEM_VENDOR: Final = 0x2C
SUBSYSTEM: Final = 0x2E
CAPABILITIES: Final = 0x34
"""Offset of the first capability; 0 is the end of the list."""
INTERRUPT_LINE: Final = 0x3C
"""Kept for the operating system; the hardware does not look at it."""
INTERRUPT_PIN: Final = 0x3D
"""0 is none, 1 INTA#, 4 INTD#."""
OWN: Final = 0x40
"""First of the registers that are the function's own."""

COMMAND_IO: Final = bit(0)
"""Command: it answers in I/O space."""
COMMAND_MEMORY: Final = bit(1)
"""Command: it answers in memory space."""
COMMAND_MASTER: Final = bit(2)
"""Command: it may be a bus master, and send messages."""
COMMAND_PARITY: Final = bit(6)
COMMAND_SERR: Final = bit(8)
COMMAND_INTX_OFF: Final = bit(10)
"""Command: it does not assert its interrupt pin."""
COMMAND_WRITABLE: Final = (
    COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER
    | COMMAND_PARITY | COMMAND_SERR | COMMAND_INTX_OFF
)  # fmt: skip

STATUS_INTERRUPT: Final = bit(3)
"""Status: it has an interrupt to tell of, be the pin off or not."""
STATUS_CAPABILITIES: Final = bit(4)
"""Status: there is a list of capabilities."""

MULTIFUNCTION: Final = bit(7)
"""Header type: the device has functions beside function 0."""

BAR_IO: Final = bit(0)
"""Base address: of I/O space."""
BAR_IO_BASE: Final = bits(31, 2)
BAR_64: Final = bit(2)
"""Base address, memory: the next register holds the upper half."""
BAR_PREFETCHABLE: Final = bit(3)
"""Base address, memory: reads have no side effects."""
BAR_MEMORY_BASE: Final = bits(63, 4)
