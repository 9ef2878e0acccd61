"""Resource descriptors: which addresses and lines a device has.

Source: ACPI Specification 6.4 "Resource Data Types for ACPI".
"""

from __future__ import annotations

import struct
from typing import Final

from lapis_engine.bits import bit

IRQ: Final = 0x22
"""Small item: IRQ Descriptor of two bytes, edge and active high."""
IO: Final = 0x47
"""Small item: I/O Port Descriptor."""
IO_DECODES_16: Final = bit(0)
END_TAG: Final = b"\x79\x00"
"""Small item: End Tag, whose checksum counts as right when it is 0."""
DWORD_SPACE: Final = 0x87
"""Large item: DWord Address Space Descriptor."""
WORD_SPACE: Final = 0x88
"""Large item: Word Address Space Descriptor."""
MEMORY: Final = 0
"""Address space: memory."""
PORTS: Final = 1
BUSES: Final = 2

FIXED: Final = bit(2) | bit(3)
"""General flags: _MIF and _MAF, both ends are fixed; the bridge decodes positively."""
READ_WRITE: Final = bit(0)
"""Memory flags: _RW; it is not cacheable."""
ENTIRE: Final = bit(0) | bit(1)
"""Port flags: _RNG, ports of ISA and others."""


def template(*items: bytes) -> bytes:
    """Return a whole resource template, the content of a _CRS buffer."""
    return b"".join(items) + END_TAG


def ports(first: int, count: int) -> bytes:
    """Return `count` ports that a device answers at."""
    return struct.pack("<BBHHBB", IO, IO_DECODES_16, first, first, 1, count)


def irq(line: int) -> bytes:
    """Return an ISA line of its own."""
    return struct.pack("<BH", IRQ, 1 << line)


def buses(first: int, last: int) -> bytes:
    """Return the bus numbers that a bridge hands on."""
    return _words(BUSES, 0, first, last)


def port_window(first: int, last: int) -> bytes:
    """Return ports that a bridge hands on."""
    return _words(PORTS, ENTIRE, first, last)


def memory_window(first: int, last: int) -> bytes:
    """Return addresses below 4 GiB that a bridge hands on."""
    head = struct.pack("<BHBBB", DWORD_SPACE, 23, MEMORY, FIXED, READ_WRITE)
    return head + struct.pack("<5I", 0, first, last, 0, last - first + 1)


def _words(kind: int, flags: int, first: int, last: int) -> bytes:
    head = struct.pack("<BHBBB", WORD_SPACE, 13, kind, FIXED, flags)
    return head + struct.pack("<5H", 0, first, last, 0, last - first + 1)
