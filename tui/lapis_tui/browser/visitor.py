"""A visitor's process: the debugger, with pipes in place of a terminal.

Packets go both ways, a letter, four bytes of length and as much of data: `D` is what a
terminal takes and sends, `M` an object of JSON. The process begins with a line of its
own, before which it is none of these. To close its input is to hang up.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from lapis_tui.browser import DRIVER
from lapis_tui.ending import HANG_UP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lapis_tui.browser.sizes import Size

BEGUN: Final = b"__GANGLION__\n"
"""With this line Textual's driver begins."""
GRACE: Final = 5.0
"""Seconds to close a recording in; then the process is killed."""
MOST_TOLD: Final = 4096
"""Bytes of what it says on standard error that are kept, the first ones."""
DATA: Final = b"D"
META: Final = b"M"


def environment(size: Size) -> dict[str, str]:
    """Return the environment of a process whose terminal is a page."""
    found = dict(os.environ)
    found.setdefault("LAPIS_ASCII", "0")  # a page takes UTF-8, whatever the locale is
    return found | {
        "TEXTUAL_DRIVER": DRIVER,
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLUMNS": str(size.columns),
        "ROWS": str(size.rows),
    }


class Visitor:
    """One process and what goes to and from it."""

    def __init__(self, process: Process) -> None:
        """Take a process that has just begun."""
        self._it = process
        assert process.stdin is not None  # three pipes were asked for
        assert process.stdout is not None
        assert process.stderr is not None
        self._keys, self._picture = process.stdin, process.stdout
        self._said = asyncio.create_task(_first(process.stderr))

    @classmethod
    async def begin(cls, arguments: Sequence[str], size: Size) -> Self:
        """Start `lapis` with these arguments; raises `OSError`.

        It is in a session of its own: what Ctrl-C does to the server is not done to it.
        """
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "lapis_tui", *arguments,
                stdin=PIPE, stdout=PIPE, stderr=PIPE,
                env=environment(size), start_new_session=True,
            )
        )  # fmt: skip

    async def pictures(self) -> AsyncIterator[bytes]:
        """Yield what a terminal is to take, until the process has no more."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._picture.readline() not in {BEGUN, b""}:
                pass
            while True:
                head = await self._picture.readexactly(5)
                data = await self._picture.readexactly(int.from_bytes(head[1:], "big"))
                if head[:1] == DATA:
                    yield data

    async def type(self, text: str) -> None:
        """Have it take what was typed."""
        await self._send(DATA, text.encode("utf-8", "replace"))

    async def resize(self, size: Size) -> None:
        """Tell it how large the terminal is."""
        await self._tell("resize", width=size.columns, height=size.rows)

    async def focus(self, *, has: bool) -> None:
        """Tell it whether the page has the keyboard."""
        await self._tell("focus" if has else "blur")

    async def _tell(self, kind: str, **values: int) -> None:
        await self._send(META, json.dumps({"type": kind, **values}).encode())

    async def _send(self, kind: bytes, data: bytes) -> None:
        with suppress(ConnectionError):  # it has ended, and `pictures` does
            self._keys.write(kind + len(data).to_bytes(4, "big") + data)
            await self._keys.drain()

    async def end(self) -> str:
        """Hang up, wait, and kill it if it does not end; return what it has told."""
        self._keys.close()
        with suppress(ProcessLookupError):  # as long as it begins, this ends it at once
            self._it.send_signal(HANG_UP)
        rest = asyncio.create_task(_drop(self._picture))  # else it may wait for us
        try:
            await asyncio.wait_for(self._it.wait(), GRACE)
        except TimeoutError:
            self.kill()
            await self._it.wait()
        finally:
            rest.cancel()
        said = await self._said
        return said.decode("utf-8", "replace").rstrip()

    def kill(self) -> None:
        """Kill it, and what it may have started."""
        if self._it.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._it.pid, signal.SIGKILL)


async def _first(stream: asyncio.StreamReader) -> bytes:
    """Return the first of what comes, and read the rest as well."""
    found = b""
    while data := await stream.read(MOST_TOLD):
        found += data[: MOST_TOLD - len(found)]
    return found


async def _drop(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass
