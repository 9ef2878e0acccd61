"""Folding a stream of events: what repeats at once is told once, and counted.

A guest that waits for a timer repeats the same handful of events for ever; unfolded
they push what matters out of any window.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.events import TimerArmed
from lapis_engine.machine.log import KEPT

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from lapis_engine.events import Event, Logged

LONGEST = 16
"""Events in the longest group that is recognised."""
MOST = KEPT
"""Rows that are left when older ones are forgotten."""


@dataclass(slots=True)
class Folded:
    """An event, the first of `times` equal ones."""

    logged: Logged
    key: Hashable
    times: int = 1


@dataclass(frozen=True, slots=True)
class FoldedGroup:
    """Rows in a row that were folded together."""

    first: int
    """Number of the first row; so `end`, of the one behind them."""
    end: int
    last: int
    """Number of the last event that is in them."""


class Folds:
    """A stream of events, folded as it comes; groups of it may be opened again."""

    def __init__(self) -> None:
        """Begin with none."""
        self.rows: list[Folded] = []
        self.next_seq = 0
        """Number of the event that is to be taken next, at least."""
        self._firsts: list[Logged] = []
        """The events of the rows, for those who want no more."""
        self._groups: list[FoldedGroup] = []
        self._open: set[int] = set()
        """Number of the first event of each group that is open."""

    def take(self, events: Iterable[Logged]) -> None:
        """Take events, oldest first."""
        for logged in events:
            self.rows.append(Folded(logged, _key(logged.event)))
            self._firsts.append(logged)
            length = _repetition(self.rows)
            if length:
                self._join(length, logged.seq)
            self.next_seq = logged.seq + 1
        if len(self.rows) > 2 * MOST:
            self._forget(len(self.rows) - MOST)

    def _join(self, length: int, seq: int) -> None:
        """Fold the last rows into as many before them."""
        for first, again in zip(
            self.rows[-2 * length : -length], self.rows[-length:], strict=True
        ):
            first.times += again.times
        del self.rows[-length:], self._firsts[-length:]
        end = len(self.rows)
        first_row = end - length
        while self._groups and self._groups[-1].end > first_row:
            group = self._groups.pop()
            if group.first < end:
                was = self._firsts[group.first].seq
                first_row = min(first_row, group.first)
                if was in self._open:
                    self._open.discard(was)
                    self._open.add(self._firsts[first_row].seq)
        self._groups.append(FoldedGroup(first_row, end, seq))

    def _forget(self, count: int) -> None:
        """Forget the first rows."""
        self._open = {n for n in self._open if n >= self._firsts[count].seq}
        del self.rows[:count], self._firsts[:count]
        self._groups = [
            FoldedGroup(group.first - count, group.end - count, group.last)
            for group in self._groups
            if group.first >= count
        ]

    def shown(self, events: Sequence[Logged]) -> Sequence[Logged]:
        """Return the event of each row, and all of those that are in open groups.

        `events` are those that were taken, to find the latter in.
        """
        out: list[Logged] = []
        at = 0
        for group in self._groups if self._open else ():
            begin = self._firsts[group.first].seq
            if begin in self._open:
                out += self._firsts[at : group.first]
                left = bisect_left(events, begin, key=_seq)
                right = bisect_left(events, group.last + 1, key=_seq)
                out += events[left:right]
                at = group.end
        return out + self._firsts[at:] if at else self._firsts

    def times(self, seq: int) -> int:
        """Return how often the row of event `seq` happened; 1 where it is open."""
        index = bisect_left(self._firsts, seq, key=_seq)
        is_row = index < len(self._firsts) and self._firsts[index].seq == seq
        if not is_row or self.is_open(seq):
            return 1
        return self.rows[index].times

    def is_open(self, seq: int) -> bool:
        """Tell whether event `seq` is in a group that is open."""
        group = self._group(seq)
        return group is not None and self._firsts[group.first].seq in self._open

    def toggle(self, seq: int) -> bool:
        """Open the group that event `seq` is in, or close it; tell if there is one."""
        group = self._group(seq)
        if group is not None:
            self._open ^= {self._firsts[group.first].seq}
        return group is not None

    def begin_of(self, seq: int) -> int:
        """Return the number of the first event of the group that `seq` is in, or it."""
        group = self._group(seq)
        return seq if group is None else self._firsts[group.first].seq

    def _group(self, seq: int) -> FoldedGroup | None:
        """Return the group that event `seq` is in."""
        at = bisect_left(self._groups, seq, key=lambda group: group.last)
        if at == len(self._groups):
            return None
        group = self._groups[at]
        return group if self._firsts[group.first].seq <= seq else None


def fold(events: Iterable[Logged]) -> list[Folded]:
    """Return the events with repetitions of up to `LONGEST` events folded."""
    folds = Folds()
    folds.take(events)
    return folds.rows


def _seq(logged: Logged) -> int:
    return logged.seq


def _key(event: Event) -> Hashable:
    """Return what makes two events alike: everything but a moment in time."""
    if isinstance(event, TimerArmed):
        return event.kind, event.vcpu, event.deadline is None
    return event


def _repetition(rows: list[Folded]) -> int:
    """Return how many rows at the end repeat those before them, or 0."""
    last = rows[-1].key
    for length in range(1, min(LONGEST, len(rows) // 2) + 1):
        if rows[-1 - length].key == last and all(
            rows[-n].key == rows[-n - length].key for n in range(2, length + 1)
        ):
            return length
    return 0
