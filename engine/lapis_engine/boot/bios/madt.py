"""The multiple APIC description table: processors and where interrupts go.

Source: ACPI Specification 6.4 "Multiple APIC Description Table (MADT)".
"""

from __future__ import annotations

import struct
from typing import Final

from lapis_engine.bits import bit
from lapis_engine.boot.bios import fadt
from lapis_engine.boot.bios.description import table

MADT_REVISION: Final = 3
LOCAL_APIC: Final = 0xFEE0_0000
IOAPIC: Final = 0xFEC0_0000
IOAPIC_ID: Final = 0
FIRST_X2APIC: Final = 255
"""APIC ids from here on do not fit into an xAPIC entry; 255 is broadcast there."""

PCAT_COMPAT: Final = bit(0)
"""Flags: there are two 8259s, too."""
ENABLED: Final = bit(0)
"""Flags of a processor."""
ACTIVE_HIGH: Final = 1
"""MPS INTI flags: polarity."""
LEVEL: Final = 3 << 2
"""MPS INTI flags: trigger mode."""
TIMER_INPUT: Final = 2
"""Input of the IOAPIC that ISA line 0 has."""
EVERY: Final = 0xFF
"""Processor id of an entry for all of them."""
EVERY_X2APIC: Final = 0xFFFF_FFFF
NMI_PIN: Final = 1
"""LINT1."""


def madt(cpus: int) -> bytes:
    """Return the table of `cpus` processors, whose APIC ids are 0, 1, 2..."""
    return table(
        "APIC",
        MADT_REVISION,
        struct.pack("<II", LOCAL_APIC, PCAT_COMPAT)
        + b"".join(_processor(number) for number in range(cpus))
        + struct.pack("<BBBBII", 1, 12, IOAPIC_ID, 0, IOAPIC, 0)
        + _override(0, TIMER_INPUT, 0)
        + _override(fadt.SCI_LINE, fadt.SCI_LINE, ACTIVE_HIGH | LEVEL)
        + struct.pack("<BBBHB", 4, 6, EVERY, 0, NMI_PIN)
        + (_x2apic_nmi() if cpus > FIRST_X2APIC else b""),
    )


def _processor(number: int) -> bytes:
    """Return the entry of a processor, whose ACPI id is its APIC id."""
    if number < FIRST_X2APIC:
        return struct.pack("<BBBBI", 0, 8, number, number, ENABLED)
    return struct.pack("<BBHIII", 9, 16, 0, number, ENABLED, number)


def _override(irq: int, gsi: int, flags: int) -> bytes:
    """Return an interrupt source override of an ISA line."""
    return struct.pack("<BBBBIH", 2, 10, 0, irq, gsi, flags)


def _x2apic_nmi() -> bytes:
    return struct.pack("<BBHIBBH", 10, 12, 0, EVERY_X2APIC, NMI_PIN, 0, 0)
