"""Registers of the IOAPIC and the fields of a redirection entry.

Sources: Intel 82093AA "Register Description"; Intel ICH "I/O APIC" for the EOI
register.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName
from lapis_engine.units import PAGE

BASE: Final = 0xFEC0_0000
MMIO: Final = (Range(BASE, PAGE),)

SELECT: Final = 0x00
"""Offset of IOREGSEL: which register the window shows, [7:0]."""
WINDOW: Final = 0x10
"""Offset of IOWIN."""
EOI: Final = 0x40
"""Offset of the EOI register, write-only, [7:0] the vector."""
EOI_VERSION: Final = 0x20
"""First version with an EOI register."""

INDEX: Final = bits(7, 0)
"""SELECT: a register's index."""
ID: Final = 0x00
"""Index of IOAPICID."""
VERSION: Final = 0x01
"""Index of IOAPICVER."""
ARBITRATION: Final = 0x02
"""Index of IOAPICARB."""
REDIRECTION: Final = 0x10
"""Index of the low half of pin 0's entry; two registers a pin."""

ID_BITS: Final = bits(27, 24)
"""IOAPICID, IOAPICARB: the id."""
LAST_PIN: Final = bits(23, 16)
"""IOAPICVER: number of the last pin."""

VECTOR: Final = bits(7, 0)
MODE: Final = bits(10, 8)
"""Delivery mode."""
LOGICAL: Final = bit(11)
"""Destination mode."""
BUSY: Final = bit(12)
"""Delivery status, read-only; messages go out at once, so it is 0."""
ACTIVE_LOW: Final = bit(13)
"""Polarity of the pin. # Not modelled: pins are asserted or not, at any voltage."""
REMOTE_IRR: Final = bit(14)
"""A level message is out and no EOI has come back, read-only."""
LEVEL: Final = bit(15)
"""Trigger mode."""
MASKED: Final = bit(16)
DESTINATION: Final = bits(63, 56)

READ_ONLY: Final = BUSY | REMOTE_IRR
"""The rest of an entry reads back as written. # As bhyve: [55:17], reserved, too."""
HALF: Final = bits(31, 0)
"""What the window shows of an entry at a time."""

NAMES: Final = (
    RegisterName(
        BASE + SELECT, 4, "IOREGSEL", "index of the register in IOWIN", "mmio"
    ),
    RegisterName(BASE + WINDOW, 4, "IOWIN", "the register that is selected", "mmio"),
    RegisterName(BASE + EOI, 4, "EOI", "vector whose pins are ended", "mmio", "w"),
)
INDEXED: Final = {
    ID: ("IOAPICID", "id"),
    VERSION: ("IOAPICVER", "version, and number of the last pin"),
    ARBITRATION: ("IOAPICARB", "arbitration id"),
}
"""Name and meaning of the registers before those of the pins."""
