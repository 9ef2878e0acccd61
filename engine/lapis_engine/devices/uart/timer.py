"""What a serial port does by itself: bytes arrive, and its line follows a read.

Reads answer a value and cannot signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.uart import receiver
from lapis_engine.devices.uart.priority import settle

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.uart.state import UartState


def deadline(state: UartState) -> int | None:
    """Return the ns at which something comes due, or None.

    The line moves 1 ns after the read that caused it.
    """
    times = (state.settle_at, state.timeout_at, receiver.arrival(state))
    return min((at for at in times if at is not None), default=None)


def advance(state: UartState, now: int) -> Signals:
    """Move the line when it is due, then receive: what comes then is a new edge."""
    signals: Signals = ()
    if state.settle_at is not None and now >= state.settle_at:
        signals = settle(state)
    return signals + receiver.arrive(state, now)
