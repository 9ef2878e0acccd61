"""The receiver: what comes from the host's end of the line, at the line's speed.

The host's end keeps what it has to send until the guest has made room, as if the line
had flow control: typing overruns nothing. In loopback mode the line is cut.
Source: PC16550D "FIFO Interrupt Mode Operation".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.uart import regs
from lapis_engine.devices.uart.priority import settle, trigger
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.uart.state import UartState


def queue(state: UartState, data: bytes, now: int) -> Signals:
    """Have the host's end of the line send `data` after what it has still to send.

    For who types on the machine's console. The first byte of an idle line is here one
    character's time after `now`, ns; there is no limit to how many wait.
    """
    if data and not state.waiting:
        state.next_at = now + character(state)
    state.waiting += data
    return ()


def receive(state: UartState, data: bytes, now: int = 0) -> Signals:
    """Take bytes at `now`, ns; what does not fit is an overrun."""
    room = _size(state)
    state.overrun |= len(state.received) + len(data) > room
    state.received = (state.received + data)[:room]
    watch(state, now)
    return settle(state)


def arrive(state: UartState, now: int) -> Signals:
    """Receive what is here by `now` and has room, and let the time-out come."""
    signals: Signals = ()
    due = arrival(state)
    while due is not None and due <= now:
        first, state.waiting = state.waiting[:1], state.waiting[1:]
        signals += receive(state, first, due)
        state.next_at = due + character(state)
        due = arrival(state)
    if state.timeout_at is not None and state.timeout_at <= now:
        state.timed_out, state.timeout_at = True, None
        signals += settle(state)
    return signals


def arrival(state: UartState) -> int | None:
    """Return the ns at which the next byte is received, or None."""
    if not state.waiting or state.mcr & regs.LOOP:
        return None
    return state.next_at if len(state.received) < _size(state) else None


def take(state: UartState, now: int) -> int:
    """Give the guest the oldest byte; 0 when there is none."""
    first, state.received = state.received[:1], state.received[1:]
    state.timed_out = False
    watch(state, now)
    go_on(state, now)
    return first[0] if first else 0


def clear(state: UartState) -> None:
    """Empty the receive FIFO."""
    state.received = b""
    state.timed_out, state.timeout_at = False, None


def go_on(state: UartState, now: int) -> None:
    """Send a byte that had to wait: there may be room for it from `now` on."""
    if state.waiting and state.next_at <= now:
        state.next_at = now + 1


def character(state: UartState) -> int:
    """Return the ns that a character takes on the line."""
    lcr = state.lcr
    bits = 1 + 5 + regs.WORD.get(lcr) + (2 if lcr & regs.STOP else 1)
    bits += 1 if lcr & regs.PARITY else 0
    # Not modelled: a divisor of 0 stops the line; here it is as fast as it gets.
    return bits * 16 * (state.divisor or 1) * NS // regs.HZ


def _size(state: UartState) -> int:
    return regs.FIFO_SIZE if state.fcr & regs.FIFO_ENABLE else 1


def watch(state: UartState, now: int) -> None:
    """Let the time-out begin anew, if what is in the FIFO is below its trigger.

    To be called when that, or the trigger, has changed.
    """
    state.timeout_at = None
    if state.received and len(state.received) < trigger(state) and not state.timed_out:
        state.timeout_at = now + regs.TIMEOUT * character(state)
