"""Registers of the MC146818 beside those that `cmos.regs` declares.

Source: Motorola MC146818A datasheet "Register A" to "Register D".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.cmos.regs import (
    CENTURY,
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    EQUIPMENT_FPU,
    HOURS,
    MINUTES,
    MONTH,
    SECONDS,
    STATUS_B_RESET,
    YEAR,
)

CLOCK: Final = (
    SECONDS, MINUTES, HOURS, DAY_OF_WEEK, DAY_OF_MONTH, MONTH, YEAR, CENTURY,
)  # fmt: skip
"""The cells of the clock, in the order in which `calendar` has them."""
ALARM: Final = (0x01, 0x03, 0x05)
"""Seconds, minutes and hours of the alarm, which are memory."""
ANY: Final = 0xC0
"""An alarm cell of this or more matches whatever it is."""

DIVIDER: Final = bits(6, 4)
"""A: time base, or `HELD`."""
HELD: Final = 3
"""DIVIDER: from this value on the divider chain is held in reset.
# Not modelled: the faster time bases; a PC has the crystal of 32.768 kHz."""
RATE: Final = bits(3, 0)
"""A: rate of the periodic interrupt; 0 is none."""
HZ: Final = 32_768
"""The time base."""
RATES: Final = (None, 128, 256, *(1 << rate - 1 for rate in range(3, 16)))
"""Periods of the time base between two periodic interrupts, by RATE."""

SET: Final = bit(7)
"""B: the clock stands, so that it can be set."""
PIE: Final = bit(6)
"""B: periodic interrupts."""
AIE: Final = bit(5)
"""B: alarm interrupts."""
UIE: Final = bit(4)
"""B: update-ended interrupts."""
SQWE: Final = bit(3)
"""B: the square wave is on its pin, which leads nowhere."""
ENABLES: Final = PIE | AIE | UIE | SQWE
"""B: what the RESET pin clears."""
FORM_RESET: Final = STATUS_B_RESET

IRQF: Final = bit(7)
"""C: the interrupt line is up."""
PF: Final = bit(6)
AF: Final = bit(5)
UF: Final = bit(4)
"""C: what has happened since it was read, in the places of PIE, AIE and UIE."""

RELEASED_NS: Final = 500_000_000
"""The first update comes half a second after the divider is let go ("Divider
Control")."""

IRQ: Final = 8

POINTING_DEVICE: Final = bit(2)
"""EQUIPMENT: there is a PS/2 mouse."""
EQUIPMENT_VALUE: Final = EQUIPMENT_FPU | POINTING_DEVICE
"""No diskettes, and a display adapter with its own BIOS: [5:4] are 0."""
