"""The tables of the MultiProcessor Specification, for kernels that read no ACPI.

Source: Intel MultiProcessor Specification 1.4 "MP Configuration Table". The pins of
PCI are in it as they are in ACPI (`dsdt`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit
from lapis_engine.boot.bios import places
from lapis_engine.boot.bios.description import summed
from lapis_engine.boot.bios.dsdt import PINS, SLOTS, line
from lapis_engine.boot.bios.madt import (
    ENABLED,
    FIRST_X2APIC,
    IOAPIC,
    IOAPIC_ID,
    LOCAL_APIC,
    TIMER_INPUT,
)

if TYPE_CHECKING:
    from lapis_engine.boot.bios.area import Area

VERSION: Final = 4
"""Of 1.4."""
APIC_VERSION: Final = 0x14
IOAPIC_VERSION: Final = 0x11
BOOT: Final = bit(1)
"""Flags of a processor: the one that started."""
SIGNATURE: Final = 0x000306C4
"""CPUID leaf 1 EAX in the entries, family 6."""
FEATURES: Final = 0x0000_0201
"""Its EDX there: FPU and APIC."""
PCI_BUS: Final = 0
ISA_BUS: Final = 1
LINE_COUNT: Final = 16
NOT_THERE: Final = 2
"""The ISA line that there is none of."""

INT: Final = 0
"""Type of interrupt: vectored."""
NMI: Final = 1
EXTINT: Final = 3
CONFORMS: Final = 0
PCI_LEVEL: Final = 0b1111
"""Polarity low, trigger level."""
EVERY_APIC: Final = 0xFF

HEADER_BYTES: Final = 44
POINTER_CHECKSUM: Final = 10
TABLE_CHECKSUM: Final = 7


def put(area: Area, cpus: int) -> None:
    """Put the table, and the pointer to it at its place."""
    at = area.add(table(cpus))
    # 16 bytes in one paragraph; features 0: there is a table and virtual wire mode.
    pointer = struct.pack("<4sIBB6x", b"_MP_", at, 1, VERSION)
    area.put(places.MP_POINTER, summed(pointer, POINTER_CHECKSUM))


def table(cpus: int) -> bytes:
    """Return the configuration table, without processors that need x2APIC."""
    entries = (
        *(_processor(number) for number in range(min(cpus, FIRST_X2APIC))),
        struct.pack("<BB6s", 1, PCI_BUS, b"PCI   "),
        struct.pack("<BB6s", 1, ISA_BUS, b"ISA   "),
        struct.pack("<BBBBI", 2, IOAPIC_ID, IOAPIC_VERSION, ENABLED, IOAPIC),
        *_pci_interrupts(),
        *_isa_interrupts(),
        _local(EXTINT, 0),
        _local(NMI, 1),
    )
    body = b"".join(entries)
    head = struct.pack(
        "<4sHBB8s12sIHHIHBB",
        b"PCMP",
        HEADER_BYTES + len(body),
        VERSION,
        0,
        b"LAPIS   ",
        b"PC          ",
        0,
        0,
        len(entries),
        LOCAL_APIC,
        0,
        0,
        0,
    )
    return summed(head + body, TABLE_CHECKSUM)


def _processor(number: int) -> bytes:
    flags = ENABLED | (0 if number else BOOT)
    what = number, APIC_VERSION, flags, SIGNATURE, FEATURES
    return struct.pack("<BBBBIIQ", 0, *what, 0)


def _pci_interrupts() -> list[bytes]:
    return [
        _assignment(INT, PCI_LEVEL, PCI_BUS, slot << 2 | pin, line(slot, pin))
        for slot in range(1, SLOTS)
        for pin in range(PINS)
    ]


def _isa_interrupts() -> list[bytes]:
    lines = [line for line in range(LINE_COUNT) if line != NOT_THERE]
    return [
        _assignment(INT, CONFORMS, ISA_BUS, line, line or TIMER_INPUT) for line in lines
    ]


def _assignment(kind: int, flags: int, bus: int, source: int, pin: int) -> bytes:
    """Return an I/O interrupt assignment to an input of the IOAPIC."""
    return struct.pack("<BBHBBBB", 3, kind, flags, bus, source, IOAPIC_ID, pin)


def _local(kind: int, pin: int) -> bytes:
    """Return a local interrupt assignment to LINT `pin` of every processor."""
    return struct.pack("<BBHBBBB", 4, kind, CONFORMS, ISA_BUS, 0, EVERY_APIC, pin)
