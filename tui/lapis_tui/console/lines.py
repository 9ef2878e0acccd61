"""Lines of standard input; a signal that comes just before the wait for one ends it.

Python calls a handler of a signal between two of its instructions; one that comes right
before a read waits for as long as that read does. So input is waited for together with
what the system writes when a signal comes (`signal.set_wakeup_fd`), and handlers have
been called by the time that anything is read.
"""

from __future__ import annotations

import codecs
import os
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 64 * 1024
"""Letters of a line; what comes after them is the next one."""
AT_ONCE: Final = 1 << 16
"""Bytes of a read."""


class Lines(Protocol):
    """Where lines come from."""

    def next(self) -> str:
        """Return the next one with its newline, "" when there are no more.

        Raises `UnicodeDecodeError`, and what a handler of a signal does.
        """


class StreamLines:
    """Those of `sys.stdin`, where nothing can be waited for beside it."""

    def next(self) -> str:
        """Return the next one."""
        return sys.stdin.readline(LONGEST) if sys.stdin is not None else ""


class DescriptorLines:
    """Those of a file descriptor."""

    def __init__(self, number: int, woken: int, encoding: str, errors: str) -> None:
        """Read `number`, and look at `woken`, where a byte comes with each signal."""
        self._number, self._woken = number, woken
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._text = ""
        self._is_ended = False

    def next(self) -> str:
        """Return the next one."""
        while not self._has_line() and not self._is_ended:
            self._read()
        end = self._text.find("\n", 0, LONGEST) + 1 or LONGEST
        line, self._text = self._text[:end], self._text[end:]
        self._is_ended = self._is_ended and bool(self._text)  # Ctrl-D ends once
        return line

    def _has_line(self) -> bool:
        return len(self._text) >= LONGEST or "\n" in self._text

    def _read(self) -> None:
        ready, _, _ = select.select([self._number, self._woken], [], [])
        if self._woken in ready:
            os.read(self._woken, AT_ONCE)
        if self._number in ready:
            data = os.read(self._number, AT_ONCE)
            self._is_ended = not data
            self._text += self._decoder.decode(data, final=not data)


@contextmanager
def standard() -> Iterator[Lines]:
    """Give those of standard input, for a while; for the main thread."""
    try:
        number = sys.stdin.fileno()
        select.select([number], [], [], 0)
    except (AttributeError, OSError, ValueError):  # none, a text, or not on this system
        yield StreamLines()
        return
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield DescriptorLines(
            number, read, sys.stdin.encoding, sys.stdin.errors or "strict"
        )
    finally:
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)
