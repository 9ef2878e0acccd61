"""How long a search may take: the option `--budget`, and the clock it goes by.

The clock decides how much of a search is done and never what it comes to: what is there
when the time is up is the beginning of what would have come.
"""

from __future__ import annotations

import math
from time import monotonic
from typing import Any, Final

import click

from lapis_sessions.text import numerals

MOST: Final = 10_000_000.0
"""Seconds, some 115 days."""


class Seconds(click.ParamType[float]):
    """A time of the wall clock: a decimal number of seconds."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it; it is more than nothing, and no more than `MOST`."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= MOST:
            shown = numerals.shown(str(value))
            rule = f"more than 0 and at most {MOST:,.0f}"
            self.fail(f"{shown} is not a number of seconds, {rule}.", param, ctx)
        return seconds


OPTION = click.option(
    "--budget",
    type=Seconds(),
    default=None,
    metavar="SECONDS",
    help="End after so much time, with what was found.",
)


class Budget:
    """A budget that is being used up, from when this is made."""

    def __init__(self, seconds: float | None) -> None:
        """Begin; it lasts for ever when there are no `seconds`."""
        self._end = math.inf if seconds is None else monotonic() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether the time is up."""
        return monotonic() >= self._end
