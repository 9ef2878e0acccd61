"""The stream of events, bounded, each with its place and time."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from lapis_engine.events import Event, Logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KEPT: Final = 65_536
"""Events kept; older ones are forgotten, their numbers are not used again."""


Observers = dict[type, "tuple[Callable[[Logged], None], ...]"]
"""Who is to be told which events."""


def both(first: Observers, second: Observers) -> Observers:
    """Return them together; of one event those of `first` are told first."""
    kinds = {**first, **second}
    return {kind: first.get(kind, ()) + second.get(kind, ()) for kind in kinds}


class EventLog:
    """The last events of a machine."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """Start empty; `clock` gives the ns of virtual time."""
        self._clock = clock
        self._events: deque[Logged] = deque(maxlen=KEPT)
        self.next_seq = 0
        """Number of the next event."""
        self.observers: list[Callable[[Logged], None]] = []
        """Each is told every event, after it was appended, in this order."""
        self.observers_of: dict[type, tuple[Callable[[Logged], None], ...]] = {}
        """Those who want events of one kind only. They are told last: what they note of
        an event comes after it for everybody."""

    def note(self, *events: Event) -> None:
        """Append events that have just happened."""
        now = self._clock()
        for event in events:
            logged = Logged(self.next_seq, now, event)
            self._events.append(logged)
            self.next_seq += 1
            for observe in self.observers:
                observe(logged)
            for observe in self.observers_of.get(type(event), ()):
                observe(logged)

    def restore(self, events: Iterable[Logged], next_seq: int) -> None:
        """Hold `events`, and number the next one `next_seq`; nobody is told."""
        self._events.clear()
        self._events.extend(events)
        self.next_seq = next_seq

    @property
    def first_seq(self) -> int:
        """Number of the oldest event that is kept, or that of the next one."""
        return self.next_seq - len(self._events)

    def last(self, count: int) -> list[Logged]:
        """Return the last `count` events, oldest first."""
        return self.between(self.next_seq - count, self.next_seq)

    def between(self, begin: int, end: int) -> list[Logged]:
        """Return the kept events numbered `begin` and up, and below `end`."""
        begin, end = max(begin, self.first_seq), min(end, self.next_seq)
        if end <= begin:
            return []
        # A deque is walked from its near end: the last few of many are soon found.
        if end - self.first_seq <= self.next_seq - begin:
            first = begin - self.first_seq
            return list(islice(self._events, first, first + end - begin))
        skipped = self.next_seq - end
        found = list(islice(reversed(self._events), skipped, skipped + end - begin))
        found.reverse()
        return found

    def since(self, seq: int) -> list[Logged]:
        """Return the kept events numbered `seq` and up."""
        return self.last(self.next_seq - seq) if seq < self.next_seq else []
