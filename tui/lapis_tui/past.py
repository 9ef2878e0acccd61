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
"""Events above `KEPT` at which the oldest go, so that they seldom do."""


class Past(Sequence["Logged"]):
    """What has happened, oldest first; it grows at its end until the machine goes back.

    Who keeps something that was made from it looks at `generation`: while that stays,
    everything numbered below `next_seq` has stayed, too.
    """

    def __init__(self, events: Iterable[Logged] = ()) -> None:
        """Begin with `events`."""
        self._events: list[Logged] = list(events)
        self.generation = 0
        """How often it was begun anew."""

    def add(self, events: Iterable[Logged]) -> None:
        """Append what has happened since; the oldest may go."""
        self._events.extend(events)
        if len(self._events) > KEPT + SPARE:
            del self._events[:-KEPT]

    def begin(self, events: Iterable[Logged]) -> None:
        """Hold `events` instead: the machine is elsewhere."""
        self._events = list(events)
        self.generation += 1

    def since(self, seq: int) -> list[Logged]:
        """Return those numbered `seq` and up."""
        return self._events[self.index_of(seq) :]

    def index_of(self, seq: int) -> int:
        """Return where event `seq` is, or would be."""
        return bisect_left(self._events, seq, key=_seq)

    @property
    def next_seq(self) -> int:
        """The number of the event that comes next, as far as is known here."""
        return self._events[-1].seq + 1 if self._events else 0

    @overload
    def __getitem__(self, index: int) -> Logged: ...

    @overload
    def __getitem__(self, index: slice) -> list[Logged]: ...

    def __getitem__(self, index: int | slice) -> Logged | list[Logged]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)


def _seq(logged: Logged) -> int:
    return logged.seq


def from_seq(events: Sequence[Logged], seq: int) -> Sequence[Logged]:
    """Return the events numbered `seq` and up, of some that ascend."""
    at = bisect_left(events, seq, key=_seq)
    return events[at:] if at else events
