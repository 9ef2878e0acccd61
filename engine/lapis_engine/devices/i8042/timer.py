"""What the controller does by itself: lines fall after a read, and bytes come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.i8042 import output

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.i8042.state import I8042State


def deadline(state: I8042State) -> int | None:
    """Return the ns at which a line falls or a byte is there, or None."""
    if state.settle_at is None or state.next_at is None:
        return state.next_at if state.settle_at is None else state.settle_at
    return min(state.settle_at, state.next_at)


def advance(state: I8042State, now: int) -> Signals:
    """Let lines fall first, so that a byte that comes then is a new edge."""
    signals: Signals = ()
    if state.settle_at is not None and state.settle_at <= now:
        signals += output.settle(state)
        signals += output.load(state) if state.answer is not None else ()
    if state.next_at is not None and state.next_at <= now:
        state.next_at = None
        signals += output.load(state)
    return signals
