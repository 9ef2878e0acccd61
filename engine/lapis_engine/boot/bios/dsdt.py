r"""What the differentiated system description table says: PCI, ISA and power off.

The root bridge is PNP0A03 with its windows and the wiring of its interrupt pins; the
ISA bridge has the devices of a PC that nobody can find by asking them. ``\_S5`` is the
sleep type of power off.

Source: ACPI Specification 6.4 "_PRT (PCI Routing Table)", "_CRS (Current Resource
Settings)" and "\_Sx (System States)".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.boot.bios import resources
from lapis_engine.boot.bios.aml import (
    buffer,
    device,
    eisa_id,
    integer,
    name,
    package,
    scope,
)

POWER_OFF: Final = 0
"""SLP_TYP of S5 in the PIIX4."""
PIRQS: Final = (10, 10, 11, 11)
"""ISA line of each PIRQ, and so the input of the IOAPIC."""
SLOTS: Final = 32
PINS: Final = 4
ISA_SLOT: Final = 1
ALL_FUNCTIONS: Final = 0xFFFF

CONFIGURATION_PORT: Final = 0xCF8
"""First of the bridge's own eight ports."""
VIDEO: Final = (0xA_0000, 0xB_FFFF)
WINDOW: Final = (0xC000_0000, 0xFEBF_FFFF)
"""Memory for devices, up to the IOAPIC: RAM below 4 GiB ends before it."""


def body() -> bytes:
    """Return the table behind its header."""
    sleep = package(*(integer(value) for value in (POWER_OFF, POWER_OFF, 0, 0)))
    return name("\\_S5", sleep) + scope("\\_SB", _root_bridge())


def _root_bridge() -> bytes:
    return device(
        "PCI0",
        name("_HID", eisa_id("PNP0A03")),
        name("_UID", integer(0)),
        name("_CRS", buffer(_windows())),
        name("_PRT", _routes()),
        _isa(),
    )


def _windows() -> bytes:
    return resources.template(
        resources.buses(0, 0xFF),
        resources.ports(CONFIGURATION_PORT, 8),
        resources.port_window(0, CONFIGURATION_PORT - 1),
        resources.port_window(CONFIGURATION_PORT + 8, 0xFFFF),
        resources.memory_window(*VIDEO),
        resources.memory_window(*WINDOW),
    )


def _routes() -> bytes:
    """Return which line each pin of each slot has, as the board is wired."""
    return package(
        *(
            package(
                integer(slot << 16 | ALL_FUNCTIONS),
                integer(pin),
                integer(0),  # no link device: the next number is an interrupt
                integer(line(slot, pin)),
            )
            for slot in range(1, SLOTS)
            for pin in range(PINS)
        )
    )


def line(slot: int, pin: int) -> int:
    """Return the line of pin 0 to 3 of a slot, by the PIRQ that it is."""
    return PIRQS[(slot - ISA_SLOT + pin) % PINS]


def _isa() -> bytes:
    return device(
        "ISA",
        name("_ADR", integer(ISA_SLOT << 16)),
        _device("RTC", "PNP0B00", resources.ports(0x70, 8), resources.irq(8)),
        _device(
            "KBD",
            "PNP0303",
            resources.ports(0x60, 1),
            resources.ports(0x64, 1),
            resources.irq(1),
        ),
        _device("MOU", "PNP0F13", resources.irq(12)),
        _device("COM1", "PNP0501", resources.ports(0x3F8, 8), resources.irq(4), uid=1),
        _device("COM2", "PNP0501", resources.ports(0x2F8, 8), resources.irq(3), uid=2),
    )


def _device(text: str, kind: str, *items: bytes, uid: int = 0) -> bytes:
    return device(
        text,
        name("_HID", eisa_id(kind)),
        name("_UID", integer(uid)),
        name("_CRS", buffer(resources.template(*items))),
    )
