"""Which of a serial port's interrupts is pending, and what that does to its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import LineChanged
from lapis_engine.devices.uart import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.uart.state import UartState


def identify(state: UartState) -> int:
    """Return IIR [3:0] (PC16550D "Interrupt Identification Register")."""
    if state.overrun and state.ier & regs.ELSI:
        return regs.IIR_LINE_STATUS
    # Not modelled: FIFO trigger levels and the time-out; one byte is enough.
    if state.received and state.ier & regs.ERBFI:
        return regs.IIR_DATA
    if state.transmitted and state.ier & regs.ETBEI:
        return regs.IIR_THRE
    if state.delta and state.ier & regs.EDSSI:
        return regs.IIR_MODEM
    return regs.IIR_NONE


def settle(state: UartState) -> Signals:
    """Bring the line to where it belongs."""
    # As bhyve: MCR OUT2 does not gate the interrupt (`uart_toggle_intr`).
    state.settle_at = None
    asserted = identify(state) != regs.IIR_NONE
    if asserted == state.line:
        return ()
    state.line = asserted
    return (LineChanged(state.irq, asserted),)


def receive(state: UartState, data: bytes) -> Signals:
    """Take bytes from outside; what does not fit is an overrun."""
    room = regs.FIFO_SIZE if state.fcr & regs.FIFO_ENABLE else 1
    state.overrun |= len(state.received) + len(data) > room
    state.received = (state.received + data)[:room]
    return settle(state)


def modem_lines(mcr: int) -> int:
    """Return MSR [7:4]: a connected peer, or in loopback our own outputs."""
    if not mcr & regs.LOOP:
        return regs.DCD | regs.DSR | regs.CTS
    pairs = (
        (regs.RTS, regs.CTS),
        (regs.DTR, regs.DSR),
        (regs.OUT1, regs.RI),
        (regs.OUT2, regs.DCD),
    )
    return sum(line for output, line in pairs if mcr & output)
