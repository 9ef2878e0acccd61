"""Folding a stream of events: what repeats at once is told once, and counted.

A guest that waits for a timer repeats the same handful of events for ever; unfolded
they push what matters out of any window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.events import TimerArmed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from lapis_engine.events import Event, Logged

LONGEST = 16
"""Events in the longest group that is recognised."""


@dataclass(slots=True)
class Folded:
    """An event, the first of `times` equal ones."""

    logged: Logged
    key: Hashable
    times: int = 1


def fold(events: Iterable[Logged]) -> list[Folded]:
    """Return the events with repetitions of up to `LONGEST` events folded."""
    rows: list[Folded] = []
    for logged in events:
        rows.append(Folded(logged, _key(logged.event)))
        length = _repetition(rows)
        if length:
            for first, again in zip(
                rows[-2 * length : -length], rows[-length:], strict=True
            ):
                first.times += again.times
            del rows[-length:]
    return rows


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
