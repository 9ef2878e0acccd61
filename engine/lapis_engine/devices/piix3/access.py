"""Guest accesses to the reset control register.

Source: Intel 82371FB/82371SB "RC: Reset Control Register".
"""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import ResetRequested
from lapis_engine.devices.pci import RST_CPU, SYS_RST

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.piix3.state import Piix3State


def read(state: Piix3State, address: int, size: int, now: int) -> int:
    """Read RC with an IN of one byte; it is not in the way of others."""
    return state.reset_control if size == 1 else (1 << 8 * size) - 1


def write(state: Piix3State, address: int, size: int, value: int, now: int) -> Signals:
    """Write RC with an OUT of one byte; drop others."""
    if size != 1:
        return ()
    state.reset_control = value & SYS_RST
    if not value & RST_CPU:
        return ()
    kind = "hard" if value & SYS_RST else "soft"
    return (ResetRequested(f"port 0xcf9 = {value & 0xFF:#04x}, {kind} reset"),)
