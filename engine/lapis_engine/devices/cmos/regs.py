"""Registers of the MC146818 and where a PC's firmware keeps what in its memory.

Sources: Motorola MC146818A datasheet "Registers"; IBM PC/AT Technical Reference "CMOS
RAM"; SeaBIOS `src/hw/rtc.h` for the cells from 0x30 on.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName

INDEX: Final = 0x70
"""Index port, write-only."""
DATA: Final = 0x71
"""Data port: the cell that the index names."""

PORTS: Final = (Range(INDEX, 2),)

CELL: Final = bits(6, 0)
"""Index: number of the cell."""
NMI_DISABLE: Final = bit(7)
"""Index: NMIs are held back from the processor."""

SECONDS: Final = 0x00
MINUTES: Final = 0x02
HOURS: Final = 0x04
DAY_OF_WEEK: Final = 0x06
"""1 is Sunday."""
DAY_OF_MONTH: Final = 0x07
MONTH: Final = 0x08
YEAR: Final = 0x09
"""Within its century."""
STATUS_A: Final = 0x0A
STATUS_B: Final = 0x0B
STATUS_C: Final = 0x0C
STATUS_D: Final = 0x0D
SHUTDOWN: Final = 0x0F
"""How firmware is to go on after a reset; 0 is a cold start."""
CENTURY: Final = 0x32

UIP: Final = bit(7)
"""A: an update of the clock is near or under way."""
DM: Final = bit(2)
"""B: cells are binary, not BCD."""
HOURS_24: Final = bit(1)
"""B: hours run from 0 to 23; else from 1 to 12 with `PM`."""
VRT: Final = bit(7)
"""D: the memory has kept its contents."""
PM: Final = bit(7)
"""HOURS in 12-hour form: afternoon."""

STATUS_A_RESET: Final = 0x26
"""32.768 kHz time base, 976.5625 us periodic rate."""
STATUS_B_RESET: Final = 0x02
"""BCD, 24 hours, no interrupts."""

EQUIPMENT: Final = 0x14
BASE_MEMORY: Final = 0x15
"""KiB below 1 MiB, low byte here, high byte next."""
EXTENDED_MEMORY: Final = 0x17
"""KiB above 1 MiB, two bytes, as the set-up program chose."""
CHECKSUM: Final = 0x2E
"""Sum of the cells 0x10 to 0x2D, HIGH byte here, low byte next."""
EXTENDED_MEMORY_FOUND: Final = 0x30
"""KiB above 1 MiB, two bytes, as the power-on test found."""
EXTENDED_MEMORY_2: Final = 0x34
"""64 KiB units above 16 MiB and below 4 GiB, two bytes."""
BOOT_FLAG_1: Final = 0x38
"""Third boot device in [7:4]; [0]: boot floppies without a signature."""
BOOT_FLAG_2: Final = 0x3D
"""Second boot device in [7:4], first in [3:0]."""
HIGH_MEMORY: Final = 0x5B
"""64 KiB units above 4 GiB, three bytes."""
SMP_COUNT: Final = 0x5F
"""Processors, less one."""

EQUIPMENT_FPU: Final = bit(1)
"""EQUIPMENT: there is an x87."""

SIZE: Final = 128
"""Cells."""

NAMES: Final = (
    RegisterName(INDEX, 1, "CMOS index", "cell of the data port [6:0], NMI off [7]"),
    RegisterName(DATA, 1, "CMOS data", "the cell that the index names"),
)
CELLS: Final = {
    SECONDS: "seconds", MINUTES: "minutes", HOURS: "hours",
    0x01: "seconds of the alarm", 0x03: "minutes of the alarm",
    0x05: "hours of the alarm", DAY_OF_WEEK: "day of the week",
    DAY_OF_MONTH: "day of the month", MONTH: "month", YEAR: "year in its century",
    STATUS_A: "register A: update in progress, rates",
    STATUS_B: "register B: format, interrupts",
    STATUS_C: "register C: interrupts, cleared when read",
    STATUS_D: "register D: valid RAM", SHUTDOWN: "shutdown code",
    EQUIPMENT: "equipment", CENTURY: "century", SMP_COUNT: "processors less one",
}  # fmt: skip
"""What is in the cells that everybody reads."""


def names(index: int) -> tuple[RegisterName, ...]:
    """Return the name of the cell behind the data port."""
    text = CELLS.get(index, "a cell of the memory")
    return (RegisterName(DATA, 1, f"CMOS {index:02x}", text),)
