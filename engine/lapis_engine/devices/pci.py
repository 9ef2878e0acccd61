"""PCI configuration ports with an empty bus behind them, and the reset port 0xCF9.

The address register reads back, so that a guest finds configuration mechanism 1, and
then finds no device.

Sources: PCI Local Bus 3.0 "Configuration Mechanism #1"; Intel 82371AB PIIX4 "RC: Reset
Control Register".
"""
# ruff: noqa: ARG002 - the signatures are those of `Access`

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import (
    Device,
    Range,
    RegisterName,
    ResetRequested,
)

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

CONFIG_ADDRESS: Final = 0xCF8
"""Configuration address, 32-bit accesses only."""
RESET_CONTROL: Final = 0xCF9
"""Reset control, 8-bit accesses only; it hides under CONFIG_ADDRESS."""
CONFIG_DATA: Final = 0xCFC
"""Configuration data window, 0xCFC to 0xCFF, any size."""

PORTS: Final = (Range(CONFIG_ADDRESS, 8),)
NAMES: Final = (
    RegisterName(RESET_CONTROL, 1, "RC", "reset control"),
    RegisterName(CONFIG_ADDRESS, 4, "CONFADD", "configuration address"),
    RegisterName(CONFIG_DATA, 4, "CONFDATA", "configuration data"),
)

ENABLE: Final = bit(31)
"""CONFIG_ADDRESS: the data window makes configuration cycles."""
BUS: Final = bits(23, 16)
"""CONFIG_ADDRESS: bus number."""
DEVICE: Final = bits(15, 11)
"""CONFIG_ADDRESS: device number."""
FUNCTION: Final = bits(10, 8)
"""CONFIG_ADDRESS: function number."""
REGISTER: Final = bits(7, 2)
"""CONFIG_ADDRESS: register number, in dwords."""
CONFIG_ADDRESS_WRITABLE: Final = ENABLE | BUS | DEVICE | FUNCTION | REGISTER

RST_CPU: Final = bit(2)
"""RC: setting it resets."""
SYS_RST: Final = bit(1)
"""RC: the reset is hard, not just INIT."""


@dataclass(slots=True)
class PciState:
    """What the ports remember."""

    config_address: int = 0
    """CONFIG_ADDRESS, 32 bits."""
    reset_control: int = 0
    """RC without RST_CPU, which never reads back as 1."""


class PciAccess:
    """Guest accesses to the configuration ports and the reset port."""

    def read(self, state: PciState, address: int, size: int, now: int) -> int:
        """Read the address or RC; everything else is an empty bus, all ones."""
        if address == CONFIG_ADDRESS and size == 4:
            return state.config_address
        if address == RESET_CONTROL and size == 1:
            return state.reset_control
        # Not modelled: PCI devices; every configuration read is a master abort.
        return (1 << (8 * size)) - 1

    def write(
        self, state: PciState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Write the address or RC; configuration writes reach nobody."""
        if address == CONFIG_ADDRESS and size == 4:
            state.config_address = value & CONFIG_ADDRESS_WRITABLE
        elif address == RESET_CONTROL and size == 1:
            state.reset_control = value & SYS_RST
            if value & RST_CPU:
                kind = "hard" if value & SYS_RST else "soft"
                why = f"port 0xcf9 = {value & 0xFF:#04x}, {kind} reset"
                return (ResetRequested(why),)
        return ()


def device() -> Device:
    """Return the ports 0xCF8 to 0xCFF."""
    return Device("pci", PciState(), PciAccess(), PORTS, registers=NAMES)
