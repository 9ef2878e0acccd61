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
    if state.received and state.ier & regs.ERBFI:
        if len(state.received) >= trigger(state):
            return regs.IIR_DATA
        if state.timed_out:
            return regs.IIR_TIMEOUT
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


def holds(state: UartState) -> tuple[LineChanged, ...]:
    """Return its line while it is up."""
    return (LineChanged(state.irq, asserted=True),) if state.line else ()


def trigger(state: UartState) -> int:
    """Return how many received bytes interrupt."""
    if not state.levels or not state.fcr & regs.FIFO_ENABLE:
        # As bhyve: one is enough, whatever level was written (`uart_intr_reason`).
        return 1
    return regs.TRIGGERS[regs.TRIGGER.get(state.fcr)]


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
