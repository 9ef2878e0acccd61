"""Symbols by address: sorted arrays that are searched by halves.

A kernel has 150,000 of them, and a pane asks for some dozens on each stop.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REACH: Final = 0x1000
"""Bytes that a symbol without a size is taken to have at most."""
INSIDE: Final = 16
"""How many symbols may begin and end within another one, before the address that is
looked for, for that other one to be found still."""
TOP: Final = (1 << 64) - 1


class Symbol(NamedTuple):
    """A name and what it stands for."""

    name: str
    at: int
    """Linear address, or a number that is none for one that is apart."""
    size: int = 0
    """Bytes, 0 where nobody says."""


class Table:
    """The symbols of one source. It never changes."""

    def __init__(
        self,
        symbols: Iterable[Symbol],
        apart: Iterable[Symbol] = (),
        reach: int = REACH,
    ) -> None:
        """Take `symbols`, and those that are `apart`: numbers that name no place.

        `reach` is the most bytes of a symbol without a size, which ends before the next
        one anyway. Of several at one address the one that has a size, and the fewest
        underscores before it, gives the address its name.
        """
        self.symbols: Sequence[Symbol] = sorted(symbols, key=_rank)
        """All that have a place, ascending by address."""
        self.apart: Sequence[Symbol] = sorted(apart, key=_rank)
        """Numbers that have a name, as offsets in a processor's own area."""
        self._starts, self._ends = array("Q"), array("Q")
        self._names: list[str] = []
        self._index(reach)

    def _index(self, reach: int) -> None:
        """Make one entry for each address; the last symbol ends after `REACH` bytes."""
        starts, ends, names = self._starts, self._ends, self._names
        for name, at, size in self.symbols:
            if starts and starts[-1] == at:
                if size:
                    ends[-1] = max(ends[-1], min(at + size, TOP))
                continue
            if starts and not ends[-1]:
                ends[-1] = min(at, starts[-1] + reach)
            starts.append(at)
            ends.append(min(at + size, TOP) if size else 0)
            names.append(name)
        if starts and not ends[-1]:
            ends[-1] = min(starts[-1] + REACH, TOP)

    def __len__(self) -> int:
        """Return how many symbols there are."""
        return len(self.symbols) + len(self.apart)

    @property
    def starts(self) -> Sequence[int]:
        """The addresses that have names, ascending."""
        return self._starts

    def exact(self, at: int) -> str | None:
        """Return the name of an address itself."""
        i = bisect_left(self._starts, at)
        found = i < len(self._starts) and self._starts[i] == at
        return self._names[i] if found else None

    def find(self, at: int) -> tuple[str, int] | None:
        """Return the symbol that holds an address, and where it begins."""
        ends = self._ends
        i = bisect_right(self._starts, at) - 1
        last = max(i - INSIDE, -1)
        while i > last:
            if at < ends[i]:
                return self._names[i], self._starts[i]
            i -= 1
        return None

    @cached_property
    def by_name(self) -> Mapping[str, int]:
        """What each name stands for; of several of one name the lowest place."""
        found: dict[str, int] = {}
        for name, at, _ in (*self.symbols, *self.apart):
            found.setdefault(name, at)
        return found

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.by_name)

    def starting(self, prefix: str, most: int) -> list[str]:
        """Return the first `most` names that begin with `prefix`, by alphabet."""
        names = self._sorted
        first = bisect_left(names, prefix)
        found = []
        for name in names[first : first + most]:
            if not name.startswith(prefix):
                break
            found.append(name)
        return found


def _rank(symbol: Symbol) -> tuple[int, bool, int]:
    name = symbol.name
    return symbol.at, not symbol.size, len(name) - len(name.lstrip("_"))
