"""The APIC timer: one-shot and periodic, against virtual time.

SDM Vol. 3A "APIC Timer". The count itself is never stored: it follows from the
deadline. # Not modelled: TSC-deadline mode, which CPUID does not offer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import (
    LVT_MASKED,
    LVT_TIMER_MODE,
    LVT_VECTOR,
    TIMER_PERIODIC,
)
from lapis_engine.events import Event, TimerArmed, TimerFired

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles import Profile

NS = 1_000_000_000
DIVISORS = (2, 4, 8, 16, 32, 64, 128, 1)
"""By divide configuration bits 3, 1, 0."""


def divisor(state: ApicState) -> int:
    """Return what the input clock is divided by."""
    raw = state.timer_divide
    return DIVISORS[(raw >> 1 & 4) | (raw & 3)]


def _period(state: ApicState, count: int, profile: Profile) -> int:
    """Return the ns that `count` ticks take, rounded up."""
    return -(-count * divisor(state) * NS // profile.apic_timer_hz)


def write_initial(
    state: ApicState, value: int, now: int, profile: Profile
) -> TimerArmed:
    """Write the initial count: start anew at `now`, or stop with 0."""
    state.timer_initial = value & 0xFFFF_FFFF
    state.timer_deadline = (
        now + _period(state, state.timer_initial, profile) if value else None
    )
    return TimerArmed(state.vcpu, state.timer_deadline)


def restart(state: ApicState, now: int, profile: Profile) -> tuple[TimerArmed, ...]:
    """Start a periodic timer anew, as bhyve does when SVR switches the APIC on."""
    if LVT_TIMER_MODE.get(state.lvt_timer) != TIMER_PERIODIC or not state.timer_initial:
        return ()
    return (write_initial(state, state.timer_initial, now, profile),)


def current_count(state: ApicState, now: int, profile: Profile) -> int:
    """Return the current count: ticks to the deadline, at most the initial count."""
    if state.timer_deadline is None:
        return 0
    left = max(state.timer_deadline - now, 0)
    ticks = -(-left * profile.apic_timer_hz // (NS * divisor(state)))
    return min(ticks, state.timer_initial)


def deadline(state: ApicState) -> int | None:
    """Return the ns at which the timer next fires, or None."""
    return state.timer_deadline


def expire(state: ApicState, now: int, profile: Profile) -> tuple[Event, ...]:
    """Fire the timer; a periodic one starts again.

    One-shot or periodic is judged now. A period that was missed is lost, not stacked
    (`vlapic_callout_handler`).
    """
    due = state.timer_deadline
    assert due is not None, "the timer is not armed"
    state.timer_deadline = None
    if LVT_TIMER_MODE.get(state.lvt_timer) == TIMER_PERIODIC and state.timer_initial:
        period = _period(state, state.timer_initial, profile)
        state.timer_deadline = due + period if due + period > now else now + period
    vector = state.lvt_timer & LVT_VECTOR
    masked = bool(state.lvt_timer & LVT_MASKED)
    fired = TimerFired(state.vcpu, vector, masked)
    if masked or not apic_state.is_enabled(state):
        return (fired,)
    level = False
    return (fired, priority.accept(state, vector, level, "timer"))
