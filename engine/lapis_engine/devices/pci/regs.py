"""Registers of the PCI host bridge's ports.

Sources: PCI Local Bus 3.0 "Configuration Mechanism #1"; Intel 82371AB PIIX4 "RC: Reset
Control Register".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range

CONFIG_ADDRESS: Final = 0xCF8
"""Configuration address, 32-bit accesses only."""

RESET_CONTROL: Final = 0xCF9
"""Reset control, 8-bit accesses only; it hides under CONFIG_ADDRESS."""

CONFIG_DATA: Final = 0xCFC
"""Configuration data window, 0xCFC to 0xCFF, any size."""

PORTS: Final = (Range(CONFIG_ADDRESS, 8),)

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
