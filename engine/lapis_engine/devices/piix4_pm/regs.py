"""Registers of power management.

Sources: Intel 82371AB PIIX4 "Power Management I/O Space Registers"; ACPI Specification
6.4 "PM1 Event Grouping" and "PM1 Control Grouping".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName

FUNCTION: Final = 3
"""Of the slot of the ISA bridge."""
SCI: Final = 9
"""ISA line of the system control interrupt."""

# Configuration space.

PMBA: Final = 0x40
"""Base of the block of ports; [0] says that these are ports."""
PMBA_BASE: Final = bits(15, 6)
PMREGMISC: Final = 0x80
PMIOSE: Final = bit(0)
"""PMREGMISC: the block is there."""
DEVACTB: Final = 0x58
APMC_ENABLE: Final = bit(25)
"""DEVACTB: a write to APMC is an SMI."""

# The block of ports.

BLOCK: Final = 64
"""Bytes of it."""
STATUS: Final = 0x00
"""PMSTS, 16 bits; a 1 written clears."""
ENABLE: Final = 0x02
"""PMEN, 16 bits."""
CONTROL: Final = 0x04
"""PMCNTRL, 16 bits."""
TIMER: Final = 0x08
"""PMTMR, 32 bits, read-only."""
GP_ENABLE: Final = 0x0E
"""GPEN, 16 bits."""

GP_EVENTS: Final = bits(11, 8) | bit(0)
"""GPEN: lid, ring, GPI, USB and thermal."""

TIMER_OVERFLOW: Final = bit(0)
"""PMSTS and PMEN: bit 23 of the timer has changed."""
GLOBAL: Final = bit(5)
"""PMSTS and PMEN: firmware has released the global lock."""
POWER_BUTTON: Final = bit(8)
"""PMSTS and PMEN: the button was pressed."""
ALARM: Final = bit(10)
"""PMSTS and PMEN: the alarm of the RTC."""
RESUMED: Final = bit(15)
"""PMSTS: it has woken from a sleep (ACPI's WAK_STS)."""
EVENTS: Final = TIMER_OVERFLOW | GLOBAL | POWER_BUTTON | ALARM
"""What PMEN has a bit for."""

SCI_ENABLE: Final = bit(0)
"""PMCNTRL: events are interrupts: ACPI mode."""
BUS_MASTER_RELOAD: Final = bit(1)
"""PMCNTRL: a bus master wakes the processor from C3."""
SLEEP_TYPE: Final = bits(12, 10)
SLEEP: Final = bit(13)
"""PMCNTRL: go to sleep; reads as 0."""
CONTROL_KEPT: Final = SCI_ENABLE | BUS_MASTER_RELOAD | SLEEP_TYPE
"""The bits of PMCNTRL that are stored."""

SOFT_OFF: Final = 0
"""SLEEP_TYPE: S5."""
TO_DISK: Final = 2
"""SLEEP_TYPE: S4, as QEMU has it; in the PIIX4 another S1."""
WORKING: Final = 5
"""SLEEP_TYPE: S0."""

WIDTH: Final = bits(23, 0)
HALF: Final = 23
"""The bit of the timer whose changes are told of."""

# Fixed ports.

APMC: Final = 0xB2
"""Advanced power management control: a command to firmware."""
APMS: Final = 0xB3
"""Advanced power management status: kept for whom it may concern."""
ACPI_ON: Final = 0xF1
"""APMC: go to ACPI mode, as the FADT says."""
ACPI_OFF: Final = 0xF0
GPE: Final = 0xAFE0
"""GPE0 block as QEMU has it, with two bytes of status and two of enable."""
GPE_ENABLE: Final = 0xAFE2
PORTS: Final = (Range(APMC, 2), Range(GPE, 4))

NAMES: Final = (
    RegisterName(APMC, 1, "APMC", "APM control: a command to firmware"),
    RegisterName(APMS, 1, "APMS", "APM status"),
    RegisterName(GPE, 2, "GPE0_STS", "general purpose events that came"),
    RegisterName(GPE_ENABLE, 2, "GPE0_EN", "general purpose events that interrupt"),
)


def names(base: int) -> tuple[RegisterName, ...]:
    """Return the names of the block of ports at `base`."""
    return (
        RegisterName(base + STATUS, 2, "PMSTS", "events that came; 1 clears"),
        RegisterName(base + ENABLE, 2, "PMEN", "events that interrupt"),
        RegisterName(base + CONTROL, 2, "PMCNTRL", "ACPI mode and sleep"),
        RegisterName(base + TIMER, 4, "PMTMR", "ACPI power management timer"),
        RegisterName(base + GP_ENABLE, 2, "GPEN", "general purpose events"),
    )
