"""`lapis bench tui`: how long the program takes to begin, each time in a new process.

Beside each stands the least of its kind: a process that imports click, and a Textual
application of one widget on the same terminal. Bytecode is there, as it is wherever
the program has run once.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 5
SIZE = 200, 60
PATIENCE_SECONDS = 30.0
"""After which nothing is painted at all."""
ENOUGH = 1 << 16
"""Bytes that are read at once."""
HELP = ("-m", "lapis_tui", "--help")
BARE_HELP = ("-c", "import click; click.echo('Commands')")
TUI = ("-m", "lapis_tui", "ap-bringup")
MARK = b"vCPU 0"
"""What is on the first picture of a machine, and nowhere before."""
BARE_TUI = (
    "-c",
    """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static('vCPU 0')
Bare().run()
""",
)


def _environment() -> dict[str, str]:
    """Let Python keep its bytecode, if it was told not to."""
    kept = dict(os.environ)
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


class Start(NamedTuple):
    """What a start took, in seconds."""

    wall: float
    processor: float
    """That of the new process: what others do on this machine is not in it."""


def helped(arguments: Sequence[str] = HELP) -> Start:
    """Return what a process takes that prints something and ends."""
    begun = perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, env=_environment()
    )
    took = _ended(process)
    return Start(perf_counter() - begun, took)


def painted(arguments: Sequence[str] = TUI) -> Start:
    """Return what it takes until `MARK` is on a terminal; raise `TimeoutError`."""
    master, slave = os.openpty()
    columns, rows = SIZE
    termios.tcsetwinsize(slave, (rows, columns))
    with TemporaryDirectory() as folder:
        told = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        told |= {f"XDG_{each}_HOME": folder for each in ("STATE", "CONFIG")}
        begun = perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=_environment() | told,
            start_new_session=True,
        )  # fmt: skip
        try:
            seen = _seen(master, begun) - begun
        finally:
            process.kill()
            took = _ended(process)
            os.close(slave)
            os.close(master)
    return Start(seen, took)


def _ended(process: subprocess.Popen[bytes]) -> float:
    """Wait for its end; return its seconds on a processor."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def _seen(terminal: int, begun: float) -> float:
    """Return when `MARK` came."""
    text = b""
    while (left := begun + PATIENCE_SECONDS - perf_counter()) > 0:
        if select.select([terminal], [], [], left)[0]:
            text = text[-len(MARK) :] + os.read(terminal, ENOUGH)
            if MARK in text:
                return perf_counter()
    raise TimeoutError(f"{MARK!r} is not on the terminal")


def median(times: Sequence[float]) -> float:
    """Return the one in the middle."""
    return sorted(times)[len(times) // 2]
