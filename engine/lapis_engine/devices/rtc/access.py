"""Guest accesses to the clock and its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.cmos import regs as cmos_regs
from lapis_engine.devices.cmos.calendar import UPDATE_NS
from lapis_engine.devices.rtc import clock, regs, timer
from lapis_engine.plain import Plain

if TYPE_CHECKING:
    from lapis_engine.devices.device import RegisterName, Signals
    from lapis_engine.devices.rtc.state import RtcState

PORTS = cmos_regs.PORTS


def read(state: RtcState, address: int, size: int, now: int) -> int:
    """Read the indexed cell, of which C changes by it; the index cannot be read."""
    return bytewise.read(_read, PORTS, state, address, size, now)


def plain(state: RtcState, address: int, size: int, now: int) -> Plain | None:
    """Return what the indexed cell goes on to be, but for C."""
    if size != 1:
        return None
    if address == cmos_regs.INDEX:
        return Plain(bytewise.FLOATING)
    value, until = _cell(state, now), None
    if state.index == cmos_regs.STATUS_C:
        return None
    if state.cells is None and state.index in regs.CLOCK:
        until = clock.turned(state, now)
    if state.cells is None and state.index == cmos_regs.STATUS_A:
        until = clock.turned(state, now)
        if not clock.is_updating(state, now):
            until -= UPDATE_NS
    return Plain(value, until=until)


def write(state: RtcState, address: int, size: int, value: int, now: int) -> Signals:
    """Choose a cell, or write it."""
    return bytewise.write(_write, PORTS, state, address, size, value, now)


def _read(state: RtcState, port: int, now: int) -> int:
    if port == cmos_regs.INDEX:
        return bytewise.FLOATING
    if state.index == cmos_regs.STATUS_C:
        return _read_flags(state, now)
    return _cell(state, now)


def _read_flags(state: RtcState, now: int) -> int:
    """Read C, which clears it."""
    clock.catch_up(state, now)
    value = state.flags | (regs.IRQF if timer.is_pending(state) else 0)
    state.flags = 0
    if state.line:
        state.settle_at = now + 1
    return value


def _cell(state: RtcState, now: int) -> int:
    """Return the indexed cell, but of C its memory."""
    if state.index in regs.CLOCK:
        return clock.cells(state, now)[regs.CLOCK.index(state.index)]
    match state.index:
        case cmos_regs.STATUS_A:
            uip = cmos_regs.UIP if clock.is_updating(state, now) else 0
            return state.status_a | uip
        case cmos_regs.STATUS_B:
            return state.status_b | state.enables
        case cmos_regs.STATUS_D:
            return cmos_regs.VRT
        case _:
            return state.ram[state.index]


def _write(state: RtcState, port: int, value: int, now: int) -> Signals:
    if port == cmos_regs.INDEX:
        state.index = cmos_regs.CELL.get(value)
        state.nmi_disabled = bool(value & cmos_regs.NMI_DISABLE)
        return ()
    signals = timer.advance(state, now)
    if state.index in regs.CLOCK:
        clock.put(state, regs.CLOCK.index(state.index), value, now)
    elif state.index == cmos_regs.STATUS_A:
        _write_a(state, value & ~cmos_regs.UIP, now)
    elif state.index == cmos_regs.STATUS_B:
        _write_b(state, value, now)
    elif state.index not in (cmos_regs.STATUS_C, cmos_regs.STATUS_D):
        at = state.index
        state.ram = state.ram[:at] + bytes((value,)) + state.ram[at + 1 :]
    return signals + timer.settle(state)


def _write_a(state: RtcState, value: int, now: int) -> None:
    """Take the rate and the time base; holding the divider has the clock stand."""
    turned = clock.turns(state)
    if regs.DIVIDER.get(value) >= regs.HELD:
        clock.stop(state, now)
    state.status_a = value
    if not turned and clock.turns(state):
        state.mark = now - regs.RELEASED_NS
    clock.run(state, now)


def _write_b(state: RtcState, value: int, now: int) -> None:
    """Take B: SET has the clock stand, and clears UIE as it rises.

    # Not modelled: daylight saving (DSE).
    """
    if value & regs.SET:
        clock.stop(state, now)
        value &= ~regs.UIE
    state.status_b = value & ~regs.ENABLES
    state.enables = value & regs.ENABLES
    clock.run(state, now)


def names(state: RtcState) -> tuple[RegisterName, ...]:
    """Return the name of the cell that is chosen."""
    return cmos_regs.names(state.index)
