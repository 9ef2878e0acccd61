"""When the next comparator meets its match, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.devices.hpet import counter, lines, regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.hpet.state import HpetState

NEVER: Final = 1 << 60
"""ns, 36 years: no run gets there, and what is later still is no deadline."""


def deadline(state: HpetState) -> int | None:
    """Return the ns of the next match that anybody could notice, or None."""
    if not state.config & regs.ENABLE:
        return None
    found: int | None = None
    for number, timer in enumerate(state.timers):
        if not _is_noticed(state, number):
            continue
        at = state.at + counter.distance(timer, state.count) * regs.TICK
        if at < NEVER and (found is None or at < found):
            found = at
    return found


def _is_noticed(state: HpetState, number: int) -> bool:
    """Tell whether a match of a timer shows, but for a comparator that moves on."""
    config = state.timers[number].config
    if config & regs.LEVEL and not state.status >> number & 1:
        return True
    if not config & regs.INTERRUPTS:
        return False
    return not config & regs.LEVEL or bool(config & regs.FSB)


def advance(state: HpetState, now: int) -> Signals:
    """Let every timer fire that has met its match by `now`."""
    signals: Signals = ()
    for number in counter.catch_up(state, now):
        signals += lines.fire(state, number)
    return signals
