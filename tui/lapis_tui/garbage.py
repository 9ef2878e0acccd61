"""Python's collector of cycles, kept from stopping the screen.

A full collection looks at every object that there is: with 65,536 events, 0.13 s in
which no key does anything. What the program makes many of (events, pictures, lines) has
no cycles and goes without the collector. So what is there at the start is set aside,
young objects are looked at less often, and all of them only when nothing is going on.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

YOUNG: Final = 5_000
"""Objects more than went, at which the youngest are looked at; Python's is 700."""
MIDDLE: Final = 10
"""Such looks, at which those that outlived one are looked at as well."""
NEVER: Final = 1_000_000
"""The same for all of them: hours, and then it is time."""
EVERY_SECONDS: Final = 30.0
"""Between two full collections, at least."""
QUIET_SECONDS: Final = 2.0
"""Without a key and without work, after which nobody waits for anything."""


@contextmanager
def seldom() -> Iterator[None]:
    """Collect seldom for a while, and as before after it."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def starting() -> None:
    """Look at young objects seldom: a start makes many, and next to no garbage."""
    gc.set_threshold(YOUNG, MIDDLE)


class Rest:
    """Collects everything when nobody waits for anything, and not too often."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin with nothing to collect; `clock` tells seconds."""
        self._clock = clock
        self._busy = self._collected = clock()
        self._mark: object = None

    def look(self, mark: object, *, is_busy: bool) -> bool:
        """Collect, if something went on since the last time and now it is quiet.

        `mark` is another one when something has gone on between two looks. Tells
        whether all was collected.
        """
        now = self._clock()
        if is_busy or mark != self._mark:
            self._mark = mark
            self._busy = now
        if (
            self._busy <= self._collected
            or now - self._busy < QUIET_SECONDS
            or now - self._collected < EVERY_SECONDS
        ):
            return False
        gc.collect()
        self._collected = self._clock()
        return True
