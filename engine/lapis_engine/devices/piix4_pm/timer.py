"""The power management timer: virtual time in ticks, and what its overflow does.

Source: ACPI Specification 6.4 "Power Management Timer". The status is set whenever the
highest bit changes, whether anybody wants to be told or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.piix4_pm import events, regs
from lapis_engine.devices.pmtimer import HZ
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.piix4_pm.state import Piix4PmState


def count(now: int) -> int:
    """Return the ticks since time 0, which the timer shows 24 bits of."""
    return now * HZ // NS


def status(state: Piix4PmState, now: int) -> int:
    """Return PMSTS as it is at `now` ns."""
    changed = count(now) >> regs.HALF > state.halves
    return state.status | (regs.TIMER_OVERFLOW if changed else 0)


def next_change(now: int) -> int:
    """Return the ns at which the highest bit changes next."""
    ticks = (count(now) >> regs.HALF) + 1 << regs.HALF
    return -(-ticks * NS // HZ)


def deadline(state: Piix4PmState) -> int | None:
    """Return when the overflow becomes an interrupt, if it is to."""
    wanted = state.enable & regs.TIMER_OVERFLOW and state.control & regs.SCI_ENABLE
    if not wanted or state.status & regs.TIMER_OVERFLOW:
        return None
    ticks = state.halves + 1 << regs.HALF
    return -(-ticks * NS // HZ)


def advance(state: Piix4PmState, now: int) -> Signals:
    """Take note of an overflow that has come by `now`."""
    state.status = status(state, now)
    state.halves = count(now) >> regs.HALF
    return events.settle(state)
