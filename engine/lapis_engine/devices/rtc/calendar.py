"""The cells of the clock as a date, and back.

The calendar is the Gregorian one, over all centuries. The chip itself takes every
fourth year for a leap year and has no century cell, which a PC's firmware keeps.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from lapis_engine.devices.cmos import regs
from lapis_engine.devices.cmos.calendar import CYCLE_DAYS, EPOCH_DAY

DAY: Final = 86_400
"""Seconds."""
EPOCH_YEAR: Final = 2000
"""Of `EPOCH_DAY`, a Saturday."""
CYCLE_YEARS: Final = 400
"""After which the calendar repeats."""
HALF: Final = 12
"""Hours."""


def cells(second: int, weekday: int, form: int) -> bytes:
    """Return the eight cells of the clock, `second` s after 2000-01-01 00:00.

    Args:
        second: May be negative.
        weekday: Days by which the day of the week is ahead.
        form: B, of which DM and 24/12 count.
    """
    days, of_day = divmod(second, DAY)
    cycles, day = divmod(days, CYCLE_DAYS)
    date = dt.date.fromordinal(EPOCH_DAY + day)
    year = (date.year + cycles * CYCLE_YEARS) % 10_000
    minutes, seconds = divmod(of_day, 60)
    hour, minute = divmod(minutes, 60)
    return bytes(
        (
            written(seconds, form),
            written(minute, form),
            written_hour(hour, form),
            (days + 6 + weekday) % 7 + 1,
            written(date.day, form),
            written(date.month, form),
            written(year % 100, form),
            written(year // 100, form),
        )
    )


def moment(clock: bytes, form: int) -> tuple[int, int]:
    """Return the (second, weekday) that `cells` shows as `clock`.

    Cells that no clock shows count on: 61 s are a minute and 1 s.
    """
    seconds, minute, _, of_week, day, month, year, century = (
        _read(cell, form) for cell in clock
    )
    month -= 1
    year = century * 100 + year + month // 12 - EPOCH_YEAR
    cycles, year = divmod(year, CYCLE_YEARS)
    first = dt.date(EPOCH_YEAR + year, month % 12 + 1, 1).toordinal() - EPOCH_DAY
    days = cycles * CYCLE_DAYS + first + day - 1
    time = (_read_hour(clock[2], form) * 60 + minute) * 60 + seconds
    second = days * DAY + time
    return second, (of_week - 1 - (second // DAY + 6)) % 7


def written(value: int, form: int) -> int:
    """Return `value`, below 100, as binary or BCD."""
    return value if form & regs.DM else value // 10 << 4 | value % 10


def written_hour(hour: int, form: int) -> int:
    """Return an hour of the day as B asks for it."""
    if form & regs.HOURS_24:
        return written(hour, form)
    half = regs.PM if hour >= HALF else 0
    return written((hour + HALF - 1) % HALF + 1, form) | half


def _read(cell: int, form: int) -> int:
    return cell if form & regs.DM else (cell >> 4) * 10 + (cell & 0xF)


def _read_hour(cell: int, form: int) -> int:
    if form & regs.HOURS_24:
        return _read(cell, form)
    return _read(cell & ~regs.PM, form) % HALF + (HALF if cell & regs.PM else 0)
