"""The terminal that the debugger is on, which may go away at any moment."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

LEFT: Final = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # the mouse
    b"\x1b[?2004l\x1b[?1004l\x1b[?2048l\x1b[?7h\x1b[<u"  # paste, focus, size, keys
    b"\x1b[?1049l\x1b[?25h"  # the alternate screen, the cursor
)
"""What undoes all that Textual asks of a terminal."""


class Surviving:
    """A stream on which nothing fails: who writes to a terminal has a thread for it."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream` while it is there."""
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or do not."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, or do not."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def fileno(self) -> int:
        """Return the number of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Say that it is a terminal, as it was one."""
        return True


class Terminal(LinuxDriver):
    """Textual's terminal, which can be closed without harm."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin as Textual's does."""
        super().__init__(*args, **kwargs)
        self._file: Any = Surviving(self._file)

    def run_input_thread(self) -> None:
        """Read keys until there is nobody to type them."""
        with suppress(OSError):  # `is_gone` tells
            super().run_input_thread()

    @property
    def is_gone(self) -> bool:
        """Whether it was closed."""
        poll = select.poll()
        poll.register(self.fileno, 0)
        gone = select.POLLHUP | select.POLLERR | select.POLLNVAL
        return any(event & gone for _, event in poll.poll(0))


def restorer() -> Callable[[], None]:
    """Return what puts the terminal back to how it is now, in haste."""
    import termios  # noqa: PLC0415 - where `Terminal` is, this is

    number = sys.__stdin__.fileno() if sys.__stdin__ else 0
    try:
        before = termios.tcgetattr(number)
    except (termios.error, OSError):
        return lambda: None

    def restore() -> None:
        with suppress(termios.error, OSError):
            os.write(2, LEFT)
            termios.tcsetattr(number, termios.TCSANOW, before)

    return restore
