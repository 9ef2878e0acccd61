"""`lapis exec --console stdio`: a serial line on standard input and output.

What is typed becomes an act between two slices of a run. The host's clock decides when
that is, and never what it does: the recording holds where it was.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from lapis_engine.vmm import outside
from lapis_tui import output
from lapis_tui.cli import headless
from lapis_tui.guest_text import RESET, Filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.stop import Stop
    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending

PORT: Final = "com1"
END: Final = b"\x1d"
"""Ctrl-], which ends it where standard input is a terminal."""
ENTER: Final = b"\r"
LEAST: Final = 10_000
MOST: Final = 20_000_000
"""Instructions of a slice, which is to take about so many seconds."""
SECONDS: Final = 0.05
PATIENCE: Final = 0.2
"""Seconds between two looks for an end while nothing runs."""
AT_ONCE: Final = 1024
"""Bytes that are read at once; more is read when the guest has taken them."""


def perform(session: Session, ending: Ending) -> int:
    """Run the machine on this console till it stops; return the exit status."""
    with _keys() as keys:
        if keys.is_terminal:
            output.tell(f"{PORT} is on this terminal; Ctrl-] ends it")
        console = _Console(session, ending, keys)
        try:
            return console.run()
        finally:
            console.end()


class _Keys:
    """Standard input."""

    def __init__(self, number: int | None, *, is_terminal: bool) -> None:
        self._number = number
        self.is_terminal = is_terminal
        self.is_ended = number is None
        """Nothing more comes."""

    def read(self, seconds: float) -> bytes:
        """Return what was typed by now, or within `seconds`; it may be nothing."""
        if self._number is None or self.is_ended:
            return b""
        with suppress(OSError):
            ready, _, _ = select.select([self._number], [], [], seconds)
            if not ready:
                return b""
            data = os.read(self._number, AT_ONCE)
            if data:
                return data if self.is_terminal else data.replace(b"\n", ENTER)
        self.is_ended = True
        return b""


@contextmanager
def _keys() -> Iterator[_Keys]:
    """Give standard input; a terminal hands over each key as it is typed meanwhile."""
    try:
        number = sys.stdin.fileno() if sys.stdin is not None else None
    except (OSError, ValueError):
        number = None
    if number is None or not os.isatty(number):
        yield _Keys(number, is_terminal=False)
        return
    import termios  # noqa: PLC0415 - where there are terminals, this is

    before = termios.tcgetattr(number)
    raw = termios.tcgetattr(number)
    raw[0] &= ~(termios.ICRNL | termios.INLCR | termios.IXON)
    raw[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(number, termios.TCSADRAIN, raw)
    try:
        yield _Keys(number, is_terminal=True)
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


class _Console:
    """One run with its console."""

    def __init__(self, session: Session, ending: Ending, keys: _Keys) -> None:
        self._session, self._ending, self._keys = session, ending, keys
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        self._filter = Filter(is_terminal=is_terminal)
        self._is_terminal = is_terminal
        self._shown = 0
        """Bytes of the console that have been shown."""
        self._is_at_line = True
        self._slice = LEAST

    def run(self) -> int:
        """Go on till the machine stops, an end is typed, or one is asked for."""
        is_asleep = False
        while not self._ending.asked:
            if not self._type(PATIENCE if is_asleep else 0):
                return headless.OK
            if is_asleep and not self._waits():
                if self._keys.is_ended:
                    return headless.OK
                continue
            stop = self._run()
            self._show()
            is_asleep = stop.reason == "halted"
            if stop.reason != "budget" and not (is_asleep and not self._keys.is_ended):
                newline = "" if self._is_at_line else "\n"
                output.say(f"{newline}stopped ({stop.reason}): {stop.text}", err=True)
                return headless.OK
        return self._ending.status

    def end(self) -> None:
        """Show what is left, and leave the terminal as it was."""
        self._show()
        if self._is_terminal:
            output.guest(RESET)

    def _type(self, seconds: float) -> bool:
        """Type what has come, if the guest has room; tell whether to go on."""
        if self._waits() >= AT_ONCE:
            return True
        data = self._keys.read(seconds)
        is_end = self._keys.is_terminal and END in data
        if is_end:
            data = data[: data.index(END)]
        if data:
            self._session.machine.receive(PORT, data.decode("latin-1"))
        return not is_end

    def _waits(self) -> int:
        """Return how many bytes the guest has still to take."""
        return len(outside.ports(self._session.machine.vm)[PORT].waiting)

    def _run(self) -> Stop:
        """Run a slice, and choose the size of the next one."""
        begun = monotonic()
        stop = self._session.run(self._slice)
        took = monotonic() - begun
        if took < SECONDS / 2 and stop.reason == "budget":
            self._slice = min(self._slice * 2, MOST)
        elif took > SECONDS * 2:
            self._slice = max(self._slice // 2, LEAST)
        return stop

    def _show(self) -> None:
        text = self._session.machine.consoles.get(PORT, b"")
        new = bytes(text[self._shown :])
        self._shown = len(text)
        if new:
            shown = self._filter.feed(new)
            self._is_at_line = shown.endswith("\n")
            output.guest(shown)
