"""PCI configuration ports with an empty bus behind them, and the reset port 0xCF9.

The address register reads back, so that a guest finds configuration mechanism 1, and
then finds no device.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.pci import access, regs
from lapis_engine.devices.pci.state import PciState


def device() -> Device:
    """Return the ports 0xCF8 to 0xCFF."""
    return Device("pci", PciState(), access, regs.PORTS, reset=PciState())
