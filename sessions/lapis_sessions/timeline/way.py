"""How far the machine has come on its way to another point, for who waits for it."""

from __future__ import annotations

from typing import NamedTuple


class Way(NamedTuple):
    """How far the machine has come on its way to another point, in instructions.

    A way may go back and forth over the past, so how much of it is done is counted by
    itself: with the time that this took whoever has a clock tells the time that is left
    (`left / done` of it).
    """

    at: int
    begin: int
    end: int | None
    """Where it goes, or None while that is looked for."""
    done: int
    """Instructions that were done again on the way."""
    whole: int
    """How many there are in all, at most: what is looked for may be found before."""

    @property
    def left(self) -> int:
        """Instructions that are yet to be done again, at most."""
        return max(self.whole - self.done, 0)

    @property
    def percent(self) -> int:
        """How much of the way is done."""
        return min(100 * self.done // max(self.whole, 1), 100)


class Course:
    """A way that is being gone: one stretch after the other."""

    def __init__(self, begin: int, end: int | None, whole: int) -> None:
        """Begin; the fields are as in `Way`."""
        self._begin, self._end = begin, end
        self._whole, self._before, self._from = whole, 0, begin

    def stretch(self, at: int) -> None:
        """Begin a stretch at an instruction count."""
        self._from = at

    def over(self, at: int) -> None:
        """End the stretch."""
        self._before, self._from = self._done(at), at

    def expect(self, more: int) -> None:
        """Say that the rest of it is so many instructions, from between stretches."""
        self._whole = self._before + more

    def way(self, at: int) -> Way:
        """Return how far it has come."""
        done = min(self._done(at), self._whole)
        return Way(at, self._begin, self._end, done, self._whole)

    def _done(self, at: int) -> int:
        return self._before + max(at - self._from, 0)
