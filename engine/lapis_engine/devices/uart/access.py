"""Guest accesses to a serial port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.device import Printed, Range
from lapis_engine.devices.uart import receiver, regs
from lapis_engine.devices.uart.priority import identify, modem_lines, settle
from lapis_engine.plain import Plain, PlainWrite

if TYPE_CHECKING:
    from lapis_engine.devices.device import RegisterName, Signals
    from lapis_engine.devices.uart.state import UartState


def read(state: UartState, address: int, size: int, now: int) -> int:
    """Read a register; RBR, IIR, LSR and MSR change by being read."""
    ports = (Range(state.base, regs.SIZE),)
    value = bytewise.read(_read, ports, state, address, size, now)
    if (identify(state) != regs.IIR_NONE) != state.line:
        state.settle_at = now + 1
    return value


def plain(state: UartState, address: int, size: int, _now: int) -> Plain | None:
    """Return the line status, when no error is in it that a read takes away."""
    is_settled = (identify(state) != regs.IIR_NONE) == state.line
    if address - state.base != regs.LSR or size != 1:
        return None
    if state.overrun or not is_settled:
        return None
    return Plain(_line_status(state))


def plain_write(
    state: UartState, address: int, size: int, _now: int
) -> PlainWrite | None:
    """Return what the transmitter takes while nothing waits for it to be empty."""
    if address - state.base != regs.RBR or size != 1 or state.lcr & regs.DLAB:
        return None
    if state.ier & regs.ETBEI or state.mcr & regs.LOOP or not state.transmitted:
        return None
    if state.waiting or (identify(state) != regs.IIR_NONE) != state.line:
        return None
    return PlainWrite(0, 0xFF, kept=0)


def write(state: UartState, address: int, size: int, value: int, now: int) -> Signals:
    """Write a register; the transmitter prints at once."""
    ports = (Range(state.base, regs.SIZE),)
    signals = bytewise.write(_write, ports, state, address, size, value, now)
    receiver.go_on(state, now)
    return signals


def _read(state: UartState, port: int, now: int) -> int:
    offset = port - state.base
    if offset <= regs.IER and state.lcr & regs.DLAB:
        return (state.divisor >> (8 * offset)) & 0xFF
    match offset:
        case regs.RBR:
            return receiver.take(state, now)
        case regs.IER:
            return state.ier
        case regs.IIR:
            return _identify(state)
        case regs.LCR:
            return state.lcr
        case regs.MCR:
            return state.mcr
        case regs.LSR:
            return _line_status(state)
        case regs.MSR:
            delta, state.delta = state.delta, 0
            return modem_lines(state.mcr) | delta
        case _:
            return state.scr


def _identify(state: UartState) -> int:
    pending = identify(state)
    if pending == regs.IIR_THRE:
        state.transmitted = False
    return pending | (regs.IIR_FIFO if state.fcr & regs.FIFO_ENABLE else 0)


def _line_status(state: UartState) -> int:
    status = regs.THRE | regs.TEMT
    if state.received:
        status |= regs.DR
    if state.overrun:
        status |= regs.OE
    state.overrun = False
    return status


def _write(state: UartState, port: int, value: int, now: int) -> Signals:
    offset = port - state.base
    if offset <= regs.IER and state.lcr & regs.DLAB:
        shift = 8 * offset
        state.divisor = (state.divisor & ~(0xFF << shift)) | (value << shift)
        return ()
    match offset:
        case regs.RBR:
            return _transmit(state, value, now)
        case regs.IER:
            rose = value & ~state.ier & regs.ETBEI
            state.transmitted = bool(rose) or state.transmitted
            state.ier = value & regs.IER_WRITABLE
        case regs.IIR:
            _control_fifo(state, value)
            receiver.watch(state, now)
        case regs.LCR:
            state.lcr = value
        case regs.MCR:
            _control_modem(state, value)
        case regs.SCR:
            state.scr = value
        case _:
            pass  # LSR and MSR: only a factory test writes them
    return settle(state)


def _transmit(state: UartState, value: int, now: int) -> Signals:
    """Send a byte: THRE falls and, the transmitter being fast, rises again."""
    state.transmitted = False
    low = settle(state)
    state.transmitted = True
    data = bytes((value,))
    if state.mcr & regs.LOOP:
        return (*low, *receiver.receive(state, data, now))
    return (*low, Printed(state.port, data), *settle(state))


def _control_fifo(state: UartState, value: int) -> None:
    toggled = (value ^ state.fcr) & regs.FIFO_ENABLE
    if toggled or value & regs.FIFO_CLEAR_RECEIVER:
        receiver.clear(state)
    kept = regs.FIFO_ENABLE | (regs.TRIGGER if state.levels else 0)
    state.fcr = value & kept


def _control_modem(state: UartState, value: int) -> None:
    before = modem_lines(state.mcr)
    state.mcr = value & regs.MCR_WRITABLE
    after = modem_lines(state.mcr)
    changed = (before ^ after) >> 4
    if not before & regs.RI:
        changed &= ~regs.TERI
    state.delta |= changed


def names(state: UartState) -> tuple[RegisterName, ...]:
    """Return the names that DLAB gives, while it is set."""
    return regs.latch_names(state.base) if state.lcr & regs.DLAB else ()
