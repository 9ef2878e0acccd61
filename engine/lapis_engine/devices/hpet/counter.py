"""The main counter and the comparators as functions of time.

Source: IA-PC HPET Specification 1.0a "Timer Operation". A comparator looks at each new
count: what it is set to at this very count, it meets when the counter comes by again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.hpet import regs
from lapis_engine.units import MASK32, MASK64

if TYPE_CHECKING:
    from lapis_engine.devices.hpet.state import ComparatorState, HpetState


def elapsed(state: HpetState, now: int) -> int:
    """Return the ticks from `state.at` to `now`; none while the counter is halted."""
    if not state.config & regs.ENABLE:
        return 0
    return max(now - state.at, 0) // regs.TICK


def count(state: HpetState, now: int) -> int:
    """Return the main counter, 64 bits."""
    return (state.count + elapsed(state, now)) & MASK64


def mask(timer: ComparatorState) -> int:
    """Return the bits of the counter that a timer compares."""
    return MASK32 if timer.config & regs.IS_32 else MASK64


def distance(timer: ComparatorState, start: int) -> int:
    """Return the ticks from count `start` to the next match, at least 1."""
    return ((timer.comparator - start - 1) & mask(timer)) + 1


def accumulated(timer: ComparatorState, start: int, ticks: int) -> int:
    """Return the comparator `ticks` after count `start`.

    With each match a periodic timer's grows by the value last written to it.
    """
    first = distance(timer, start)
    if not timer.config & regs.PERIODIC or ticks < first:
        return timer.comparator
    width = mask(timer)
    period = timer.period & width
    matches = 1 + ((ticks - first) // period if period else 0)
    return (timer.comparator + matches * period) & width


def catch_up(state: HpetState, now: int) -> tuple[int, ...]:
    """Move counter and comparators to `now`; return the timers that met a match.

    One that met several is there once.
    """
    ticks = elapsed(state, now)
    if not ticks:
        return ()
    met: list[int] = []
    for number, timer in enumerate(state.timers):
        if distance(timer, state.count) <= ticks:
            met.append(number)
            timer.comparator = accumulated(timer, state.count, ticks)
    state.count = (state.count + ticks) & MASK64
    state.at += ticks * regs.TICK
    return tuple(met)
