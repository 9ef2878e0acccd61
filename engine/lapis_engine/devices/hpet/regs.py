"""Registers of the high precision event timers.

Source: Intel IA-PC HPET Specification 1.0a, "Register Model". All are 64 bits wide.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName
from lapis_engine.devices.pci_function.ids import INTEL
from lapis_engine.units import MASK64

BASE: Final = 0xFED0_0000
MMIO: Final = (Range(BASE, 0x400),)

TICK: Final = 10
"""ns between two counts."""
TIMERS: Final = 3

CAPABILITIES: Final = 0x000
"""General Capabilities and ID Register, read-only."""
CONFIG: Final = 0x010
"""General Configuration Register."""
STATUS: Final = 0x020
"""General Interrupt Status Register: bit n is timer n's; writing 1 clears it."""
COUNTER: Final = 0x0F0
"""Main Counter Value Register."""
FIRST_TIMER: Final = 0x100
"""Registers of timer 0."""
TIMER_SIZE: Final = 0x20
"""Bytes from those of one timer to those of the next."""
TIMER_CONFIG: Final = 0x00
"""Timer N Configuration and Capabilities Register, by offset among a timer's."""
COMPARATOR: Final = 0x08
"""Timer N Comparator Value Register."""
FSB_ROUTE: Final = 0x10
"""Timer N FSB Interrupt Route Register: address [63:32], data [31:0]."""

FEMTOSECONDS: Final = bits(63, 32)
"""CAPABILITIES: COUNTER_CLK_PERIOD."""
VENDOR: Final = bits(31, 16)
"""CAPABILITIES: VENDOR_ID."""
LEGACY_CAPABLE: Final = bit(15)
"""CAPABILITIES: LEG_RT_CAP."""
IS_64_BITS: Final = bit(13)
"""CAPABILITIES: COUNT_SIZE_CAP."""
LAST_TIMER: Final = bits(12, 8)
"""CAPABILITIES: NUM_TIM_CAP."""
REVISION: Final = bits(7, 0)
"""CAPABILITIES: REV_ID, not 0."""
CAPABILITIES_VALUE: Final = (
    FEMTOSECONDS.put(0, TICK * 1_000_000)
    | VENDOR.put(0, INTEL)
    | LEGACY_CAPABLE
    | IS_64_BITS
    | LAST_TIMER.put(0, TIMERS - 1)
    | REVISION.put(0, 1)
)

LEGACY: Final = bit(1)
"""CONFIG: LEG_RT_CNF, timers 0 and 1 have the lines of the 8254 and the RTC."""
ENABLE: Final = bit(0)
"""CONFIG: ENABLE_CNF, the counter runs and interrupts go out."""
CONFIG_WRITABLE: Final = LEGACY | ENABLE

ROUTES: Final = bits(63, 32)
"""Timer: Tn_INT_ROUTE_CAP, bit n is input n of the IOAPIC."""
FSB_CAPABLE: Final = bit(15)
"""Timer: Tn_FSB_INT_DEL_CAP."""
FSB: Final = bit(14)
"""Timer: Tn_FSB_EN_CNF, its interrupt is a message."""
ROUTE: Final = bits(13, 9)
"""Timer: Tn_INT_ROUTE_CNF, the input of the IOAPIC."""
IS_32: Final = bit(8)
"""Timer: Tn_32MODE_CNF, it compares [31:0] alone."""
VALUE_SET: Final = bit(6)
"""Timer: Tn_VAL_SET_CNF, the next write sets the accumulator, too."""
SIZE_64: Final = bit(5)
"""Timer: Tn_SIZE_CAP."""
PERIODIC_CAPABLE: Final = bit(4)
"""Timer: Tn_PER_INT_CAP."""
PERIODIC: Final = bit(3)
"""Timer: Tn_TYPE_CNF."""
INTERRUPTS: Final = bit(2)
"""Timer: Tn_INT_ENB_CNF."""
LEVEL: Final = bit(1)
"""Timer: Tn_INT_TYPE_CNF, its interrupt is a level."""
TIMER_WRITABLE: Final = FSB | ROUTE | IS_32 | VALUE_SET | PERIODIC | INTERRUPTS | LEVEL
ROUTE_MASK: Final = 0x00FF_0104
"""Inputs that every timer reaches: 2, 8 and 16 to 23 (QEMU, machine q35)."""
TIMER_CAPABILITIES: Final = (
    ROUTES.put(0, ROUTE_MASK) | FSB_CAPABLE | SIZE_64 | PERIODIC_CAPABLE
)

LEGACY_LINES: Final = (0, 8)
"""ISA lines of timers 0 and 1 by the legacy replacement route."""

COMPARATOR_RESET: Final[int] = MASK64

NAMES: Final = (
    RegisterName(
        BASE + CAPABILITIES, 8, "GCAP_ID", "general capabilities and id", "mmio"
    ),
    RegisterName(BASE + CONFIG, 8, "GEN_CONF", "general configuration", "mmio"),
    RegisterName(BASE + STATUS, 8, "GINTR_STA", "general interrupt status", "mmio"),
    RegisterName(BASE + COUNTER, 8, "MAIN_CNT", "main counter", "mmio"),
    *(
        RegisterName(
            BASE + FIRST_TIMER + number * TIMER_SIZE + offset,
            8,
            f"TIM{number}_{name}",
            f"timer {number}: {text}",
            "mmio",
        )
        for number in range(TIMERS)
        for offset, name, text in (
            (TIMER_CONFIG, "CONF", "configuration and capabilities"),
            (COMPARATOR, "COMP", "comparator"),
            (FSB_ROUTE, "FSB_ROUTE", "address and data of its message"),
        )
    ),
)
