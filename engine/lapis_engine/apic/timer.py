"""The APIC timer: one-shot, periodic and TSC-deadline, against virtual time.

SDM Vol. 3A "APIC Timer", "TSC-Deadline Mode". The count itself is never stored: it
follows from the deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import lvt
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import (
    LVT_MASKED,
    LVT_TIMER_MODE,
    LVT_VECTOR,
    TIMER_PERIODIC,
    TIMER_TSC_DEADLINE,
)
from lapis_engine.events import TimerArmed, TimerFired
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.apic.outcome import Outcome
    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile

DIVISORS: Final = (2, 4, 8, 16, 32, 64, 128, 1)
"""By divide configuration bits 3, 1, 0."""


def divisor(state: ApicState) -> int:
    """Return what the input clock is divided by."""
    raw = state.timer_divide
    return DIVISORS[(raw >> 1 & 4) | (raw & 3)]


def _period(state: ApicState, count: int, profile: Profile) -> int:
    """Return the ns that `count` ticks take, rounded up."""
    return -(-count * divisor(state) * NS // profile.apic_timer_hz)


def is_tsc_deadline(state: ApicState, profile: Profile) -> bool:
    """Tell whether LVT TIMER is in TSC-deadline mode."""
    mode = LVT_TIMER_MODE.get(state.lvt_timer)
    return profile.tsc_deadline and mode == TIMER_TSC_DEADLINE


def write_initial(
    state: ApicState, value: int, now: int, profile: Profile
) -> tuple[TimerArmed, ...]:
    """Write the initial count: start anew at `now`, or stop with 0.

    In TSC-deadline mode the write is ignored.
    """
    if is_tsc_deadline(state, profile):
        return ()
    state.timer_initial = value & 0xFFFF_FFFF
    state.timer_deadline = (
        now + _period(state, state.timer_initial, profile) if value else None
    )
    return (TimerArmed(state.vcpu, state.timer_deadline),)


def write_divide(
    state: ApicState, value: int, now: int, profile: Profile
) -> tuple[TimerArmed, ...]:
    """Write the divide configuration; what is left of a running count goes on in it."""
    before = divisor(state)
    state.timer_divide = value
    running = state.timer_deadline is not None and not is_tsc_deadline(state, profile)
    after = divisor(state)
    if not running or after == before or not profile.divide_moves_deadline:
        return ()
    assert state.timer_deadline is not None
    left = max(state.timer_deadline - now, 0)
    state.timer_deadline = now - (-left * after // before)
    return (TimerArmed(state.vcpu, state.timer_deadline),)


def write_lvt(state: ApicState, value: int, profile: Profile) -> tuple[TimerArmed, ...]:
    """Write LVT TIMER; a change into or out of TSC-deadline mode disarms the timer."""
    before = is_tsc_deadline(state, profile)
    state.lvt_timer = value
    if is_tsc_deadline(state, profile) == before:
        return ()
    return stop(state)


def write_tsc_deadline(
    state: ApicState, value: int, at: int, profile: Profile
) -> tuple[TimerArmed, ...]:
    """Write IA32_TSC_DEADLINE: the timer fires at `at` ns, or with 0 is disarmed.

    Outside TSC-deadline mode the write is ignored.
    """
    if not is_tsc_deadline(state, profile):
        return ()
    if not value:
        return stop(state)
    state.tsc_deadline, state.timer_deadline = value, at
    return (TimerArmed(state.vcpu, at),)


def stop(state: ApicState) -> tuple[TimerArmed, ...]:
    """Disarm the timer."""
    armed, state.timer_deadline = state.timer_deadline, None
    state.tsc_deadline = 0
    return () if armed is None else (TimerArmed(state.vcpu, None),)


def restart(state: ApicState, now: int, profile: Profile) -> tuple[TimerArmed, ...]:
    """Start a periodic timer anew, as bhyve does when SVR switches the APIC on."""
    if LVT_TIMER_MODE.get(state.lvt_timer) != TIMER_PERIODIC or not state.timer_initial:
        return ()
    return write_initial(state, state.timer_initial, now, profile)


def current_count(state: ApicState, now: int, profile: Profile) -> int:
    """Return the current count: ticks to the deadline, at most the initial count.

    In TSC-deadline mode it reads 0.
    """
    if state.timer_deadline is None or is_tsc_deadline(state, profile):
        return 0
    left = max(state.timer_deadline - now, 0)
    ticks = -(-left * profile.apic_timer_hz // (NS * divisor(state)))
    return min(ticks, state.timer_initial)


def deadline(state: ApicState) -> int | None:
    """Return the ns at which the timer next fires, or None."""
    return state.timer_deadline


def _next(due: int, period: int, now: int, profile: Profile) -> int:
    """Return when a periodic timer that fires at `now`, due at `due`, fires again."""
    if profile.timer_keeps_phase:
        return due + ((now - due) // period + 1) * period
    return due + period if due + period > now else now + period


def expire(state: ApicState, now: int, profile: Profile) -> Outcome:
    """Fire the timer; a periodic one starts again.

    One-shot or periodic is judged now. A period that was missed is lost, not stacked
    (`vlapic_callout_handler`); profile switch timer_keeps_phase says when the next is.
    """
    due = state.timer_deadline
    assert due is not None, "the timer is not armed"
    state.timer_deadline, state.tsc_deadline = None, 0
    if LVT_TIMER_MODE.get(state.lvt_timer) == TIMER_PERIODIC and state.timer_initial:
        period = _period(state, state.timer_initial, profile)
        state.timer_deadline = _next(due, period, now, profile)
    vector = state.lvt_timer & LVT_VECTOR
    masked = bool(state.lvt_timer & LVT_MASKED)
    fired = TimerFired(state.vcpu, vector, masked)
    if masked or not apic_state.hears(state, profile):
        return (fired,)
    return (fired, *lvt.fixed(state, "lvt_timer", profile))
