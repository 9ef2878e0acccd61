"""Lets the interrupt line follow a read: reads answer a value and cannot signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.uart.priority import settle

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.uart.state import UartState


def deadline(state: UartState) -> int | None:
    """Return the ns at which the line moves, 1 ns after the read that caused it."""
    return state.settle_at


def advance(state: UartState, now: int) -> Signals:
    """Move the line when it is due."""
    if state.settle_at is None or now < state.settle_at:
        return ()
    return settle(state)
