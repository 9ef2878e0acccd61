"""Pages of `lapis serve`: the server as a process, and a browser of a few lines.

The browser does what `textual.js` does: it takes the cookie, opens the websocket, and
shows what comes on a terminal of pyte.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import aiohttp
import pyte

from rigs.terminals import PATIENCE, TerminalScreen

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

ELSEWHERE = "http://evil.example"


class Served:
    """`lapis serve` with some arguments, on any port that is free."""

    def __init__(self, *arguments: str, state: Path, browser: str = "") -> None:
        """Start it; what it keeps goes below `state`. Return once it serves.

        `browser` is the command by which it opens one.
        """
        folders = {f"XDG_{each}_HOME": str(state) for each in ("STATE", "CONFIG")}
        self.it = subprocess.Popen(
            [sys.executable, "-m", "lapis_tui", "serve", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=state,
            env=os.environ | folders | {"LC_ALL": "C.UTF-8", "BROWSER": browser},
        )  # fmt: skip
        assert self.it.stdout is not None
        self.address = self.it.stdout.readline().strip()
        self.base, _, self.token = self.address.partition("/?token=")
        self.host = self.base.removeprefix("http://")
        self.cookie = f"lapis-{self.host.partition(':')[2]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, however it fares."""
        self.it.kill()
        self.it.communicate()

    @property
    def visitors(self) -> list[int]:
        """The processes that it has for its visitors."""
        children = f"/proc/{self.it.pid}/task/{self.it.pid}/children"
        return [int(each) for each in Path(children).read_text("ascii").split()]

    def ended_by(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the status, and what it has told."""
        self.it.send_signal(number)
        _, told = self.it.communicate(timeout=PATIENCE)
        return self.it.returncode, told

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Give what asks this server, without the token."""
        jar = aiohttp.CookieJar(unsafe=True)  # an address has cookies, too
        async with aiohttp.ClientSession(self.base, cookie_jar=jar) as session:
            yield session

    @asynccontextmanager
    async def page(self, columns: int = 100, rows: int = 30) -> AsyncIterator[Page]:
        """Open a page, as a browser that was given the address."""
        async with self.asking() as session:
            async with session.get("/", params={"token": self.token}) as answer:
                assert answer.status == 200
            headers = {"Origin": self.base}
            size = {"width": str(columns), "height": str(rows)}
            async with session.ws_connect("/ws", params=size, headers=headers) as line:
                yield Page(line, columns, rows)


class Page:
    """An open page."""

    def __init__(
        self, line: aiohttp.ClientWebSocketResponse, columns: int, rows: int
    ) -> None:
        """Show what comes by `line`."""
        self.line = line
        self.screen = TerminalScreen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.screen.display)

    async def say(self, *message: object) -> None:
        """Send a message, as textual.js does."""
        await self.line.send_str(json.dumps(message))

    async def type(self, keys: str) -> None:
        await self.say("stdin", keys)

    async def until(self, *texts: str) -> str:
        """Take what comes until all of `texts` are on the screen together."""
        return await self.until_so(lambda: all(each in self.text for each in texts))

    async def until_so(self, condition: Callable[[], bool]) -> str:
        """Take what comes until `condition` holds; fail if the session ends before."""
        while not condition():
            assert await self._take(), f"it has ended:\n{self.text}"
        return self.text

    async def ended(self) -> int | None:
        """Take what comes to the end of the session; return the code of its end."""
        while await self._take():
            pass
        return self.line.close_code

    async def _take(self) -> bool:
        message = await self.line.receive(PATIENCE)
        if message.type is aiohttp.WSMsgType.BINARY:
            self._stream.feed(message.data)
        return message.type in {aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT}

    def vanish(self) -> None:
        """Be gone as a browser that is killed: no farewell."""
        self.line.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def watched(process: int) -> int:
    """Return a descriptor that can be read once `process` has ended."""
    return os.pidfd_open(process)


def has_ended(watch: int) -> bool:
    """Wait for the end of a process that is watched; tell whether it came."""
    try:
        return bool(select.select([watch], [], [], PATIENCE)[0])
    finally:
        os.close(watch)


async def all_ended(*watches: int) -> bool:
    """Wait for the ends of several, while other things go on."""
    return all([await asyncio.to_thread(has_ended, each) for each in watches])
