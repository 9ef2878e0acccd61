"""The fixed ACPI description table: where power management is, and what there is of it.

The machine is in ACPI mode from the start, so there is no command to get there.

Source: ACPI Specification 6.4 "Fixed ACPI Description Table (FADT)"; its third
revision, of 244 bytes, is the oldest with a reset register and 64-bit addresses.
"""

from __future__ import annotations

import struct
from typing import Final

from lapis_engine.bits import bit
from lapis_engine.boot.bios.description import HEADER, table

FADT_REVISION: Final = 3
SIZE: Final = 244
"""Bytes of the whole table."""

SCI_LINE: Final = 9
"""ISA line of the system control interrupt."""
EVENTS: Final = 0x600
"""Port of PM1a_EVT, 4 bytes; the same number is in the devices of platform `pc`."""
CONTROL: Final = 0x604
"""Port of PM1a_CNT, 2 bytes."""
TIMER: Final = 0x608
"""Port of PM_TMR, 4 bytes, of which 24 bits count."""
GENERAL_EVENTS: Final = 0xAFE0
"""Port of GPE0, 4 bytes: two of status and two of enable."""
RESET_PORT: Final = 0xCF9
RESET_VALUE: Final = 6
NO_C2: Final = 0xFFF
"""A latency that says that there is no such state; it is above 100 us."""
NO_C3: Final = 0xFFF
CENTURY_CELL: Final = 0x32
"""Cell of the CMOS memory."""

LEGACY_DEVICES: Final = bit(0)
"""IAPC_BOOT_ARCH: there are devices of ISA."""
HAS_8042: Final = bit(1)
"""IAPC_BOOT_ARCH; a VGA is there unless another bit denies it."""

WBINVD: Final = bit(0)
"""Flags: WBINVD works."""
PROC_C1: Final = bit(2)
"""Flags: HLT works on every processor."""
NO_SLEEP_BUTTON: Final = bit(5)
"""Flags: SLP_BUTTON. PWR_BUTTON is clear: that button is a fixed event."""
NO_RTC_WAKE: Final = bit(6)
"""Flags: FIX_RTC, the alarm is no fixed event."""
RESET_SUPPORTED: Final = bit(10)
"""Flags: RESET_REG_SUP. TMR_VAL_EXT is clear: the timer has 24 bits."""
FLAGS: Final = WBINVD | PROC_C1 | NO_SLEEP_BUTTON | NO_RTC_WAKE | RESET_SUPPORTED

PORT_SPACE: Final = 1
"""Address space of a generic address."""
ACCESS: Final = {1: 1, 2: 2, 4: 3}
"""Access size of a generic address, by bytes."""


def fadt(facs: int, dsdt: int) -> bytes:
    """Return the table, which leads to two others by guest-physical address."""
    out = bytearray(SIZE)
    for offset, layout, values in (
        (36, "<II", (facs, dsdt)),
        (46, "<H", (SCI_LINE,)),
        (56, "<I", (EVENTS,)),
        (64, "<I", (CONTROL,)),
        (76, "<I", (TIMER,)),
        (80, "<I", (GENERAL_EVENTS,)),
        (88, "<BBBBB", (4, 2, 0, 4, 4)),  # lengths of EVT, CNT, PM2, TMR and GPE0
        (96, "<HH", (NO_C2, NO_C3)),
        (108, "<BH", (CENTURY_CELL, LEGACY_DEVICES | HAS_8042)),
        (112, "<I", (FLAGS,)),
        (128, "<B", (RESET_VALUE,)),
        (132, "<QQ", (facs, dsdt)),  # as above: Xen complains of a 0
    ):
        struct.pack_into(layout, out, offset, *values)
    for offset, port, size, access in (
        (116, RESET_PORT, 1, 1),
        (148, EVENTS, 4, 2),
        (172, CONTROL, 2, 2),
        (208, TIMER, 4, 4),
        (220, GENERAL_EVENTS, 4, 1),
    ):
        out[offset : offset + 12] = _generic(port, size, access)
    return table("FACP", FADT_REVISION, bytes(out[HEADER:]))


def _generic(port: int, size: int, access: int) -> bytes:
    """Return the Generic Address Structure of `size` bytes of ports."""
    return struct.pack("<BBBBQ", PORT_SPACE, 8 * size, 0, ACCESS[access], port)
