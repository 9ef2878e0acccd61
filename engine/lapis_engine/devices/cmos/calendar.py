"""The clock's cells as a function of virtual time.

Nothing here is state: time 0 is Saturday, 2000-01-01 00:00:00, whatever the host's
clock says.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from lapis_engine.devices.cmos import regs
from lapis_engine.units import NS

UPDATE_NS: Final = 244_000 + 1_984_000
"""UIP rises 244 us before an update, which takes 1984 us (MC146818A "Update Cycle")."""

EPOCH_DAY: Final = dt.date(2000, 1, 1).toordinal()
CYCLE_DAYS: Final = 146_097
"""Days of 400 years, after which the calendar repeats."""

CELLS: Final = frozenset(
    (
        regs.SECONDS,
        regs.MINUTES,
        regs.HOURS,
        regs.DAY_OF_WEEK,
        regs.DAY_OF_MONTH,
        regs.MONTH,
        regs.YEAR,
        regs.CENTURY,
    )
)
"""The cells that `cell` answers."""


def updating(now: int) -> bool:
    """Tell whether UIP is set: the cells move at the end of the update."""
    return now % NS >= NS - UPDATE_NS


def cell(number: int, status_b: int, now: int) -> int:
    """Return the clock's cell `number` at `now` ns, in the form that B asks for."""
    minutes, second = divmod(now // NS, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    date = dt.date.fromordinal(EPOCH_DAY + days % CYCLE_DAYS)
    match number:
        case regs.SECONDS:
            return _form(second, status_b)
        case regs.MINUTES:
            return _form(minute, status_b)
        case regs.HOURS:
            return _hours(hour, status_b)
        case regs.DAY_OF_WEEK:
            return date.isoweekday() % 7 + 1
        case regs.DAY_OF_MONTH:
            return _form(date.day, status_b)
        case regs.MONTH:
            return _form(date.month, status_b)
        case regs.YEAR:
            return _form(date.year % 100, status_b)
        case _:
            return _form(date.year // 100, status_b)


def _form(value: int, status_b: int) -> int:
    """Return `value`, below 100, as binary or BCD."""
    return value if status_b & regs.DM else value // 10 << 4 | value % 10


def _hours(hour: int, status_b: int) -> int:
    if status_b & regs.HOURS_24:
        return _form(hour, status_b)
    half = regs.PM if hour >= 12 else 0
    return _form((hour + 11) % 12 + 1, status_b) | half
