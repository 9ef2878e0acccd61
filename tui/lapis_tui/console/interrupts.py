"""Ctrl-C and the signals that end a console.

Ctrl-C breaks into what runs, and drops the line that is typed. What asks for an end
does so as everywhere (`lapis_tui.ending`), and wakes who waits for a line.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from lapis_tui.ending import SIGNALS, EndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from lapis_tui.ending import Ending


MOST: Final = 5
"""Who presses Ctrl-C so often at one line, and nothing happens, wants to leave."""


class Interrupts:
    """What a signal means at the moment."""

    def __init__(self, ending: Ending) -> None:
        """Ask `ending` for the end."""
        self.ending = ending
        self.is_waiting = False
        """A line is waited for."""
        self.wake: Callable[[], None] | None = None
        """Has who waits for a line raise `EndedError`, where an exception will not."""
        self._presses = 0
        """Of Ctrl-C, since the line was entered that is done."""

    @property
    def broken(self) -> bool:
        """Whether what is done is to be broken off."""
        return self._presses > 0 or self.ending.asked

    def begin(self) -> None:
        """Begin with a line that was not broken into yet."""
        self._presses = 0

    def break_in(self, number: int, frame: FrameType | None) -> None:
        """Take Ctrl-C."""
        if self.is_waiting:
            raise KeyboardInterrupt
        self._presses += 1
        if self._presses == MOST:
            self._end(number, frame)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.ending.handle(number, frame)
        if not self.is_waiting:
            return
        if self.wake is not None:
            self.wake()
        else:
            raise EndedError(self.ending)

    @contextmanager
    def listening(self, *, is_terminal: bool) -> Iterator[None]:
        """Take signals, and on a terminal Ctrl-C as a break, for a while."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in before.items():
            if handler not in {signal.SIG_IGN, None}:
                breaks = is_terminal and number == signal.SIGINT
                signal.signal(number, self.break_in if breaks else self._end)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for a line; raise `EndedError` if an end was asked for before."""
        self.is_waiting = True
        try:
            if self.ending.asked:  # looked at once a signal would raise it
                raise EndedError(self.ending)
            yield
        finally:
            self.is_waiting = False
