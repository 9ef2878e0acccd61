"""Lets INTR follow a poll: a read answers a value and cannot signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.pic.priority import settle

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pic.state import PicState


def deadline(state: PicState) -> int | None:
    """Return the ns at which INTR moves, 1 ns after the poll that caused it."""
    return state.settle_at


def advance(state: PicState, now: int) -> Signals:
    """Move INTR when it is due."""
    if state.settle_at is None or now < state.settle_at:
        return ()
    return settle(state)
