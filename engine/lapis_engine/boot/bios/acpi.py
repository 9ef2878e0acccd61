"""The tables of ACPI, from the root pointer down.

Source: ACPI Specification 6.4 "ACPI System Description Tables"; for HPET the IA-PC HPET
Specification 1.0a "The ACPI 2.0 HPET Description Table (HPET)".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine.boot.bios import dsdt, places
from lapis_engine.boot.bios.description import OEM, summed, table
from lapis_engine.boot.bios.fadt import fadt
from lapis_engine.boot.bios.madt import madt

if TYPE_CHECKING:
    from lapis_engine.boot.bios.area import Area

HPET_BLOCK: Final = 0x8086_A201
"""Event timer block id, the low half of its capabilities: 3 timers of 64 bits."""
HPET: Final = 0xFED0_0000
FACS_SIZE: Final = 64
RSDP_REVISION: Final = 2
RSDP_SIZE: Final = 36


def put(area: Area, cpus: int) -> None:
    """Put all tables of a machine with `cpus` processors, the root at its place."""
    facs = area.add(_facs(), align=64)
    fixed = area.add(fadt(facs, area.add(table("DSDT", 2, dsdt.body()))))
    found = (fixed, area.add(madt(cpus)), area.add(_hpet()))
    rsdt = area.add(table("RSDT", 1, struct.pack(f"<{len(found)}I", *found)))
    xsdt = area.add(table("XSDT", 1, struct.pack(f"<{len(found)}Q", *found)))
    area.put(places.RSDP, _root(rsdt, xsdt))


def _root(rsdt: int, xsdt: int) -> bytes:
    first = struct.pack("<8sB6sBI", b"RSD PTR ", 0, OEM, RSDP_REVISION, rsdt)
    rest = struct.pack("<IQI", RSDP_SIZE, xsdt, 0)
    return summed(summed(first, 8) + rest, 32)


def _facs() -> bytes:
    """Return the firmware control structure, which has no checksum."""
    return struct.pack("<4sI24xB31x", b"FACS", FACS_SIZE, 1)


def _hpet() -> bytes:
    where = struct.pack("<BBBBQ", 0, 0, 0, 0, HPET)
    return table("HPET", 1, struct.pack("<I12sBHB", HPET_BLOCK, where, 0, 0, 0))
