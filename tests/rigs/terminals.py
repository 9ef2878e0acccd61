"""The program in a terminal of its own: a pty, and a model of what it shows.

The model is pyte, a package of Python: nothing of the system is needed, and what has
come is read until it shows what is waited for, so that no time is slept away. tmux is
for looking by hand: it is not there everywhere, and it can only be asked what it shows
now and then.

What is on the screen is waited for as a whole, for a frame may be drawn by half.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

PATIENCE = 240.0
"""Seconds after which a test gives up waiting: a busy and slow machine needs few."""
OF_ANOTHER = {"COLUMNS", "LINES"}
"""Of the environment: what some runners of tests say of their own terminal."""
ENTER, TAB, ESCAPE = "\r", "\t", "\x1b[27u"
"""Escape as a terminal sends it that tells it from the beginning of other keys."""
CTRL_C = "\x03"


class TerminalScreen(pyte.Screen):
    """What a terminal shows, and what it was told to be called."""

    answer: Callable[[str], None] | None = None
    """Takes what the terminal answers, as where its cursor is."""

    def write_process_input(self, data: str) -> None:
        """Answer, where somebody listens."""
        if self.answer is not None:
            self.answer(data)

    def select_graphic_rendition(self, *attrs: int, **kwargs: object) -> None:
        """Take colours; what is private is no colour, as XTMODKEYS."""
        if not kwargs:
            super().select_graphic_rendition(*attrs)


class ProgramInTerminal:
    """`lapis` in a terminal of so many columns and rows, and its keyboard."""

    def __init__(
        self,
        *arguments: str,
        size: tuple[int, int],
        state: Path,
        program: tuple[str, ...] = ("-m", "lapis_tui"),
        environ: Mapping[str, str] = MappingProxyType({}),
        answers: bool = False,
    ) -> None:
        """Start it; what it keeps goes below the folder `state`.

        `environ` goes before what the terminal is else: UTF-8, and true colour. One
        that `answers` tells where its cursor is when it is asked.
        """
        self.arguments = arguments
        self.screen = TerminalScreen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        """All that was written to the terminal."""
        self._master, self._slave = os.openpty()
        if answers:
            self.screen.answer = self.keys
        self.resize(size)
        folders = {f"XDG_{each}_HOME": str(state) for each in ("STATE", "CONFIG")}
        told = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "COLORTERM": "truecolor"}
        inherited = {k: v for k, v in os.environ.items() if k not in OF_ANOTHER}
        self._it = subprocess.Popen(
            ["setsid", "-c", sys.executable, *program, *arguments],
            stdin=self._slave, stdout=self._slave, stderr=self._slave,
            env=inherited | folders | told | dict(environ), cwd=state,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, however it fares."""
        self._it.kill()
        self._it.wait()
        os.close(self._slave)
        os.close(self._master)

    @property
    def rows(self) -> list[str]:
        """What stands on the screen, top to bottom."""
        return [row.rstrip() for row in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def resize(self, size: tuple[int, int]) -> None:
        """Give the terminal other columns and rows; the system tells the program."""
        columns, rows = size
        self.screen.resize(lines=rows, columns=columns)
        termios.tcsetwinsize(self._slave, (rows, columns))

    def keys(self, *keys: str) -> None:
        """Type all of it at once."""
        burst = "".join(keys).encode()
        while burst:
            burst = burst[os.write(self._master, burst) :]

    def until(self, *texts: str) -> str:
        """Read until all of `texts` are on the screen together; return it."""
        return self.until_so(lambda: all(each in self.text for each in texts), texts)

    def until_so(self, condition: Callable[[], bool], what: object = "") -> str:
        """Read until `condition` holds; fail with the screen if it never does."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if not self._read(deadline - time.monotonic()) and not condition():
                state = "it has ended" if self.has_ended else "it still runs"
                msg = f"waited for {what!r}, {state}:\n{self.text}"
                raise AssertionError(msg)
        return self.text

    @property
    def has_ended(self) -> bool:
        return self._it.poll() is not None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._it.send_signal(number)

    def _read(self, patience: float) -> bool:
        """Take what comes; tell whether anything did, or may."""
        wait = min(max(patience, 0), 0.1)
        if select.select([self._master], [], [], wait)[0]:
            data = os.read(self._master, 1 << 16)
            self.raw += data
            self._stream.feed(data)
            return True
        return patience > 0 and not self.has_ended

    def ended(self) -> int:
        """Read until it has ended; return its status."""
        self.until_so(lambda: self.has_ended, "its end")
        while select.select([self._master], [], [], 0)[0]:
            self._read(0)
        return self._it.wait()
