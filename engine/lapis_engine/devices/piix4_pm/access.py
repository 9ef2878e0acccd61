"""Guest accesses to the ports, of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.piix4_pm import events, regs, timer
from lapis_engine.devices.piix4_pm.header import block
from lapis_engine.devices.pmtimer import HZ
from lapis_engine.plain import Plain
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.device import Range, RegisterName, Signals
    from lapis_engine.devices.piix4_pm.state import Piix4PmState


def _ports(state: Piix4PmState) -> tuple[Range, ...]:
    where = block(state.config)
    return regs.PORTS if where is None else (where, *regs.PORTS)


def read(state: Piix4PmState, address: int, size: int, now: int) -> int:
    """Read registers, which changes none of them."""
    return bytewise.read(_read, _ports(state), state, address, size, now)


def write(
    state: Piix4PmState, address: int, size: int, value: int, now: int
) -> Signals:
    """Write registers, the lowest first."""
    signals = timer.advance(state, now)
    signals += bytewise.write(_write, _ports(state), state, address, size, value, now)
    return signals + events.settle(state)


def _read(state: Piix4PmState, port: int, now: int) -> int:
    """Return a byte."""
    if port == regs.APMC:
        return state.command
    if port == regs.APMS:
        return state.apm_status
    if port in regs.PORTS[1]:
        return _byte(state.gpe_enable, port - regs.GPE_ENABLE)
    where = block(state.config)
    return 0 if where is None else _block(state, port - where.first, now)


def _block(state: Piix4PmState, offset: int, now: int) -> int:
    """Return a byte of the block."""
    if offset in range(regs.TIMER, regs.TIMER + 4):
        return _byte(timer.count(now) & regs.WIDTH, offset - regs.TIMER)
    match offset & ~1:
        case regs.STATUS:
            return _byte(timer.status(state, now), offset & 1)
        case regs.ENABLE:
            return _byte(state.enable, offset & 1)
        case regs.CONTROL:
            return _byte(state.control, offset & 1)
        case regs.GP_ENABLE:
            return _byte(state.gp_enable, offset & 1)
        case _:
            # Not modelled: clocks, monitors, general purpose pins.
            return 0


def _byte(word: int, number: int) -> int:
    """Return a byte of a register; below it there is none."""
    return word >> 8 * number & 0xFF if number >= 0 else 0


def _put(word: int, number: int, value: int, writable: int) -> int:
    """Return a register with the bits of a byte stored that can be."""
    mask = writable & 0xFF << 8 * number
    return word & ~mask | value << 8 * number & mask


def _write(state: Piix4PmState, port: int, value: int, now: int) -> Signals:  # noqa: ARG001 - the shape that `bytewise` calls
    if port == regs.APMC:
        events.command(state, value)
    elif port == regs.APMS:
        state.apm_status = value
    elif port in regs.PORTS[1]:
        if port >= regs.GPE_ENABLE:
            number = port - regs.GPE_ENABLE
            state.gpe_enable = _put(state.gpe_enable, number, value, 0xFFFF)
    else:
        where = block(state.config)
        if where is not None:
            return _write_block(state, port - where.first, value)
    return ()


def _write_block(state: Piix4PmState, offset: int, value: int) -> Signals:
    number = offset & 1
    match offset & ~1:
        case regs.STATUS:
            state.status &= ~(value << 8 * number)
        case regs.ENABLE:
            state.enable = _put(state.enable, number, value, regs.EVENTS)
        case regs.CONTROL:
            state.control = _put(state.control, number, value, regs.CONTROL_KEPT)
            if number and value << 8 & regs.SLEEP:
                return events.sleep(state, regs.SLEEP_TYPE.get(state.control))
        case regs.GP_ENABLE:
            state.gp_enable = _put(state.gp_enable, number, value, regs.GP_EVENTS)
        case _:
            pass
    return ()


def plain(state: Piix4PmState, address: int, size: int, now: int) -> Plain | None:
    """Return the timer as it goes on, for a read of all of it; else what stands."""
    where = block(state.config)
    at = None if where is None else address - where.first
    if at == regs.TIMER and size == 4:
        return Plain(0, 0, HZ, NS, mask=int(regs.WIDTH))
    if at is not None and at + size > regs.TIMER and at < regs.TIMER + 4:
        return None
    return Plain(read(state, address, size, now), until=timer.next_change(now))


def names(state: Piix4PmState) -> tuple[RegisterName, ...]:
    """Return the names of the block, where it has been placed."""
    where = block(state.config)
    return () if where is None else regs.names(where.first)
