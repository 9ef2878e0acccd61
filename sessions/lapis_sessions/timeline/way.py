"""How far a machine has come on its way to another point, for who waits for it."""

from __future__ import annotations

from typing import NamedTuple


class Way(NamedTuple):
    """How far the machine has come on its way to another point, in instructions."""

    at: int
    begin: int
    end: int | None
    """Where it goes, or None while that is looked for."""

    @property
    def percent(self) -> int | None:
        """How much of the way is done, or None where that is not known."""
        if self.end is None:
            return None
        return min(100 * (self.at - self.begin) // max(self.end - self.begin, 1), 100)
