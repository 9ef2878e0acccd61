"""Guest accesses to the PCI configuration ports and the reset port."""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import ResetRequested
from lapis_engine.devices.pci import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pci.state import PciState


def read(state: PciState, address: int, size: int, now: int) -> int:
    """Read the address or RC; everything else is an empty bus, all ones."""
    if address == regs.CONFIG_ADDRESS and size == 4:
        return state.config_address
    if address == regs.RESET_CONTROL and size == 1:
        return state.reset_control
    # Not modelled: PCI devices; every configuration read is a master abort.
    return (1 << (8 * size)) - 1


def write(state: PciState, address: int, size: int, value: int, now: int) -> Signals:
    """Write the address or RC; configuration writes reach nobody."""
    if address == regs.CONFIG_ADDRESS and size == 4:
        state.config_address = value & regs.CONFIG_ADDRESS_WRITABLE
    elif address == regs.RESET_CONTROL and size == 1:
        state.reset_control = value & regs.SYS_RST
        if value & regs.RST_CPU:
            kind = "hard" if value & regs.SYS_RST else "soft"
            return (ResetRequested(f"port 0xcf9 = {value & 0xFF:#04x}, {kind} reset"),)
    return ()
