"""The clock against time: updates, the alarm, the periodic interrupt.

Source: MC146818A datasheet "Update Cycle", "Interrupts". Nothing happens but what
somebody asks for: what has set a flag since the last look is computed from the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.cmos.calendar import UPDATE_NS
from lapis_engine.devices.rtc import calendar, regs
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.rtc.state import RtcState


def turns(state: RtcState) -> bool:
    """Tell whether the divider chain turns."""
    return regs.DIVIDER.get(state.status_a) < regs.HELD


def cells(state: RtcState, now: int) -> bytes:
    """Return the cells of the clock at `now`."""
    if state.cells is not None:
        return state.cells
    second = state.second + _seconds(state, now)
    return calendar.cells(second, state.weekday, state.status_b)


def is_updating(state: RtcState, now: int) -> bool:
    """Tell whether UIP is set; the cells move when it falls."""
    if state.cells is not None:
        return False
    return (now - state.mark) % NS >= NS - UPDATE_NS


def turned(state: RtcState, now: int) -> int:
    """Return the ns at which the cells move next, of a clock that runs."""
    return state.mark + (_seconds(state, now) + 1) * NS


def stop(state: RtcState, now: int) -> None:
    """Let the clock stand, if it runs."""
    state.cells = cells(state, now)


def run(state: RtcState, now: int) -> None:
    """Let the clock run on from its cells, if nothing holds it any more."""
    if state.cells is None or state.status_b & regs.SET or not turns(state):
        return
    state.second, state.weekday = calendar.moment(state.cells, state.status_b)
    state.mark += _seconds(state, now) * NS
    state.cells = None


def put(state: RtcState, which: int, value: int, now: int) -> None:
    """Write cell number `which` of `regs.CLOCK`."""
    clock = cells(state, now)
    state.cells = clock[:which] + bytes((value,)) + clock[which + 1 :]
    run(state, now)


def catch_up(state: RtcState, now: int) -> None:
    """Set the flags of what has happened by `now`."""
    for flag in (regs.PF, regs.AF, regs.UF):
        if not state.flags & flag:
            at = following(state, flag)
            if at is not None and at <= now:
                state.flags |= flag
    state.seen = now


def following(state: RtcState, flag: int) -> int | None:
    """Return the ns after `seen` at which something next sets `flag`, or None."""
    if flag == regs.PF:
        return _next_period(state)
    if state.cells is not None:
        return None
    if flag == regs.UF:
        return turned(state, state.seen)
    second = state.second + _seconds(state, state.seen)
    at = _next_alarm(state, second)
    return None if at is None else state.mark + (at - state.second) * NS


def _seconds(state: RtcState, now: int) -> int:
    return (now - state.mark) // NS


def _next_period(state: RtcState) -> int | None:
    period = regs.RATES[regs.RATE.get(state.status_a)]
    if period is None or not turns(state):
        return None
    tick = (state.seen - state.mark) * regs.HZ // NS
    tick = (tick // period + 1) * period
    return state.mark + -(-tick * NS // regs.HZ)


def _next_alarm(state: RtcState, second: int) -> int | None:
    """Return the first second after `second` that the alarm's cells match."""
    form = state.status_b
    alarm = [state.ram[cell] for cell in regs.ALARM]
    seconds = _matching(alarm[0], [calendar.written(n, form) for n in range(60)])
    minutes = _matching(alarm[1], [calendar.written(n, form) for n in range(60)])
    hours = _matching(alarm[2], [calendar.written_hour(n, form) for n in range(24)])
    if not (seconds and minutes and hours):
        return None
    at = second + 1
    while True:  # at most 24 hours, 60 minutes and 60 seconds are passed over
        if at // 3600 % 24 not in hours:
            at += 3600 - at % 3600
        elif at // 60 % 60 not in minutes:
            at += 60 - at % 60
        elif at % 60 not in seconds:
            at += 1
        else:
            return at


def _matching(cell: int, shown: list[int]) -> set[int]:
    """Return the numbers that a cell of the alarm matches, of those that are shown."""
    return {n for n, value in enumerate(shown) if cell in (value, cell | regs.ANY)}
