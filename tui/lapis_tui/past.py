"""The events that a screen knows: those that have happened, and those ahead."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from lapis_engine.machine.log import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.events import Logged

SPARE = 8_192
"""Events above `KEPT` at which those that are forgotten go from memory: it takes a
while, and so is done seldom."""


class Past(Sequence["Logged"]):
    """What has happened, oldest first, up to `KEPT` events.

    It grows at its end until the machine goes back. Once it is full its length stays
    what it is, so that nothing is laid out anew for one event more.

    Who keeps something that was made from it looks at `generation`: while that stays,
    everything numbered below `next_seq` has stayed, too.
    """

    def __init__(self, events: Iterable[Logged] = ()) -> None:
        """Begin with `events`."""
        self._events: list[Logged] = []
        self._first = 0
        """How many at the beginning of the list are forgotten."""
        self.generation = 0
        """How often it was begun anew."""
        self.add(events)

    def add(self, events: Iterable[Logged]) -> None:
        """Append what has happened since; the oldest may go."""
        self._events.extend(events)
        self._first = max(len(self._events) - KEPT, 0)
        if self._first > SPARE:
            del self._events[: self._first]
            self._first = 0

    def begin(self, events: Iterable[Logged]) -> None:
        """Hold `events` instead: the machine is elsewhere."""
        self._events = []
        self.add(events)
        self.generation += 1

    def since(self, seq: int) -> list[Logged]:
        """Return those numbered `seq` and up."""
        return self._events[self._first + self.index_of(seq) :]

    def index_of(self, seq: int) -> int:
        """Return where event `seq` is, or would be."""
        return bisect_left(self._events, seq, lo=self._first, key=_seq) - self._first

    @property
    def next_seq(self) -> int:
        """The number of the event that comes next, as far as is known here."""
        return self._events[-1].seq + 1 if self._events else 0

    @overload
    def __getitem__(self, index: int) -> Logged: ...

    @overload
    def __getitem__(self, index: slice) -> list[Logged]: ...

    def __getitem__(self, index: int | slice) -> Logged | list[Logged]:
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(index)
            return self._events[index + self._first if index >= 0 else index]
        start, stop, step = index.indices(len(self))
        return [self._events[self._first + at] for at in range(start, stop, step)]

    def __len__(self) -> int:
        return len(self._events) - self._first


def _seq(logged: Logged) -> int:
    return logged.seq


def from_seq(events: Sequence[Logged], seq: int) -> Sequence[Logged]:
    """Return the events numbered `seq` and up, of some that ascend."""
    at = bisect_left(events, seq, key=_seq)
    return events[at:] if at else events
