"""Guest accesses to CMOS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.cmos import calendar, regs

if TYPE_CHECKING:
    from lapis_engine.devices.cmos.state import CmosState
    from lapis_engine.devices.device import RegisterName, Signals


def read(state: CmosState, address: int, size: int, now: int) -> int:
    """Read the indexed cell; the index itself cannot be read."""
    return bytewise.read(_read, regs.PORTS, state, address, size, now)


def write(state: CmosState, address: int, size: int, value: int, now: int) -> Signals:
    """Choose a cell, or write it."""
    return bytewise.write(_write, regs.PORTS, state, address, size, value, now)


def _read(state: CmosState, port: int, now: int) -> int:
    if port == regs.INDEX:
        return bytewise.FLOATING
    if state.index in calendar.CELLS:
        return calendar.cell(state.index, state.status_b, now)
    match state.index:
        case regs.STATUS_A:
            uip = regs.UIP if calendar.updating(now) else 0
            return state.status_a | uip
        case regs.STATUS_B:
            return state.status_b
        case regs.STATUS_C:
            # Not modelled: alarm, periodic and update interrupts (IRQ 8).
            return 0
        case regs.STATUS_D:
            return regs.VRT
        case _:
            return state.ram[state.index]


def _write(state: CmosState, port: int, value: int, now: int) -> Signals:  # noqa: ARG001 - the shape that `bytewise` calls
    if port == regs.INDEX:
        state.index = regs.CELL.get(value)
        state.nmi_disabled = bool(value & regs.NMI_DISABLE)
    elif state.index in calendar.CELLS:
        # Not modelled: setting the clock; it follows virtual time.
        pass
    elif state.index == regs.STATUS_A:
        state.status_a = value & ~regs.UIP
    elif state.index == regs.STATUS_B:
        state.status_b = value
    elif state.index not in (regs.STATUS_C, regs.STATUS_D):
        at = state.index
        state.ram = state.ram[:at] + bytes((value,)) + state.ram[at + 1 :]
    return ()


def names(state: CmosState) -> tuple[RegisterName, ...]:
    """Return the name of the cell that is chosen."""
    return regs.names(state.index)
