"""The server: a page, what it is made of, and a session for each websocket."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import textual_serve
from aiohttp import WSCloseCode, WSMsgType, web

from lapis_engine.errors import ConfigError
from lapis_sessions.text.visible import printed
from lapis_tui import output
from lapis_tui.browser import messages, page
from lapis_tui.browser.door import HOST, Caller, Door
from lapis_tui.browser.sizes import USUAL, Size
from lapis_tui.browser.visitor import GRACE, Visitor
from lapis_tui.ending import SIGNALS

if TYPE_CHECKING:
    from lapis_tui.ending import Ending

HEARTBEAT: Final = 15.0
"""Seconds between two signs of life that are asked of a page."""
PARTING: Final = 2.0
"""Seconds that a page has to take what is said to it last."""
WAIT: Final = GRACE + 1
"""Seconds that a visitor waits for a place: a page that is loaded anew leaves one."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Told = Callable[[str], None]

STATIC: Final = {"/xterm.css": "css/xterm.css", "/textual.js": "js/textual.js"}
"""What is served of textual-serve."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server has for its visitors."""

    title: str
    """Of the page."""
    arguments: Callable[[int], Sequence[str]]
    """Those of `lapis` for the nth visitor, counted from 1."""
    most: int
    """Visitors at a time."""


class Server:
    """The pages of one server and who is there."""

    def __init__(self, door: Door, offer: Offer, tell: Told = output.tell) -> None:
        """Let in by `door` who wants what is on `offer`; `tell` of them."""
        self._door, self._offer, self._tell = door, offer, tell
        self._places = asyncio.Semaphore(offer.most)
        self._there: set[Visitor] = set()
        self._visits: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._came = 0

    def application(self) -> web.Application:
        """Return it as aiohttp serves it."""
        made = web.Application(middlewares=[self._checked])
        made.on_response_prepare.append(_hardened)
        made.router.add_get("/", self._page)
        made.router.add_get("/page.css", _text(page.STYLE, "text/css"))
        made.router.add_get("/page.js", _text(page.SCRIPT, "text/javascript"))
        made.router.add_get("/ws", self._visit)
        for path, name in STATIC.items():
            made.router.add_get(path, _file(name))
        return made

    def kill(self) -> None:
        """Kill what runs for visitors, in haste."""
        for each in self._there:
            each.kill()

    async def end(self) -> None:
        """Have every session end, and wait for that.

        It comes before aiohttp's own end, after which nobody hears a page say goodbye.
        """
        self._ended.set()
        if self._visits:
            await asyncio.wait(self._visits, timeout=2 * GRACE)
        self.kill()  # nothing outlives it, whatever went wrong

    @web.middleware
    async def _checked(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        refusal = self._door.refusal(
            Caller(
                request.headers.getall("Host", []),
                request.headers.getall("Origin", []),
                request.query.get("token"),
                request.cookies.get(self._door.cookie),
                "Upgrade" in request.headers,
            )
        )
        if refusal is not None:
            return web.Response(status=refusal.status, text=f"{refusal.why}\n")
        return await handler(request)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        """Give the page; who comes with the token gets it as a cookie instead."""
        if "token" in request.query:
            answer = web.Response(status=303, headers={"Location": "/"})
            answer.set_cookie(
                self._door.cookie, self._door.token, httponly=True, samesite="Lax"
            )
            return answer
        answer = web.Response(
            text=page.html(self._offer.title, request.host), content_type="text/html"
        )
        answer.headers["Content-Security-Policy"] = page.policy(request.host)
        return answer

    async def _visit(self, request: web.Request) -> web.StreamResponse:
        """Hold a session for as long as its page is there."""
        line = web.WebSocketResponse(
            heartbeat=HEARTBEAT, max_msg_size=messages.MOST_BYTES, compress=False,
            timeout=PARTING,
        )  # fmt: skip
        if not line.can_prepare(request):
            return web.Response(status=426, text="this is for a websocket\n")
        await line.prepare(request)
        visit = asyncio.create_task(self._placed(line, _asked_size(request)))
        self._visits.add(visit)
        try:
            await visit
        finally:
            self._visits.discard(visit)
        return line

    async def _placed(self, line: web.WebSocketResponse, size: Size) -> None:
        """Hold a session once there is a place for it, or say that there is none."""
        try:
            await asyncio.wait_for(self._places.acquire(), WAIT)
        except TimeoutError:
            why = f"{self._offer.most} visitors are here, and no more are let in"
            await _part(line, f"{why} (--visitors)", WSCloseCode.TRY_AGAIN_LATER)
            return
        try:
            await self._session(line, size)
        finally:
            self._places.release()

    async def _session(self, line: web.WebSocketResponse, size: Size) -> None:
        self._came += 1
        name = f"visitor {self._came}"
        try:
            visitor = await Visitor.begin(self._offer.arguments(self._came), size)
        except OSError as error:
            why = f"no process can be started: {error.strerror}"
            await _part(line, why, WSCloseCode.INTERNAL_ERROR)
            return
        self._there.add(visitor)
        code = WSCloseCode.OK
        try:
            await _first_of(
                _show(visitor, line), _listen(visitor, line), self._ended.wait()
            )
        except messages.MessageError as error:
            self._tell(f"{name}: {error}")
            code = WSCloseCode.POLICY_VIOLATION
        finally:
            said = await visitor.end()
            self._there.discard(visitor)
        for sentence in said.splitlines():
            self._tell(f"{name}: {sentence.removeprefix('lapis: ')}")
        await _part(line, said, code)


async def _show(visitor: Visitor, line: web.WebSocketResponse) -> None:
    """Send the pictures of a visitor's process to his page."""
    with suppress(ConnectionError):
        async for picture in visitor.pictures():
            await line.send_bytes(picture)


async def _listen(visitor: Visitor, line: web.WebSocketResponse) -> None:
    """Do what his page says until it is gone; raises `MessageError`."""
    async for each in line:
        if each.type is not WSMsgType.TEXT:
            raise messages.MessageError("no message of a page: bytes")
        match messages.read(each.data):
            case messages.Keys(text):
                await visitor.type(text)
            case messages.Resize(messages.Extent(int(width), int(height))):
                await visitor.resize(Size.fit(width, height))
            case messages.Ping(text):
                with suppress(ConnectionError):
                    await line.send_json(["pong", text])
            case messages.Focus():
                await visitor.focus(has=True)
            case messages.Blur():
                await visitor.focus(has=False)
            case messages.Resize():
                pass  # a page that has no size yet


async def _first_of(*works: Awaitable[object]) -> None:
    """Wait until one of them is done, and leave the others."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
    for each in done:
        each.result()


async def _part(line: web.WebSocketResponse, text: str, code: WSCloseCode) -> None:
    """Show lines of ours in place of the picture, if the page is still there; close."""
    rows = "\r\n".join(printed(text).splitlines())
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(PARTING):
            if rows and not line.closed:
                await line.send_bytes(f"\x1b[?1049l\x1b[0m\r\n{rows}\r\n".encode())
            await line.close(code=code)


def _asked_size(request: web.Request) -> Size:
    try:
        columns, rows = (int(request.query[each]) for each in ("width", "height"))
    except (KeyError, ValueError):
        return USUAL
    return Size.fit(columns, rows)


def _file(name: str) -> Handler:
    """Return what serves a file of textual-serve."""
    path = str(files(textual_serve) / "static" / name)

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    return serve


def _text(text: str, kind: str) -> Handler:
    """Return what serves a text of ours."""

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=kind)

    return serve


async def _hardened(_request: web.Request, response: web.StreamResponse) -> None:
    """Say of each answer that nobody keeps it, frames it or guesses what it is."""
    response.headers.update(
        {
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "Server": "lapis",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
    )


def listening_on(port: int) -> socket.socket:
    """Return a socket that listens on the loopback; raises `ConfigError`."""
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen()
    except OSError as error:
        made.close()
        raise ConfigError(
            f"port {port} of {HOST}: {error.strerror}; --port 0 takes any that is free"
        ) from None
    return made


async def serve(
    made: socket.socket, offer: Offer, ending: Ending, welcome: Callable[[str], None]
) -> None:
    """Serve on a socket until `ending` is asked for; end all that runs then.

    `welcome` is called with the address, once there is somebody to answer.
    """
    door = Door(made.getsockname()[1])
    server = Server(door, offer)
    runner = web.AppRunner(
        server.application(), access_log=None, shutdown_timeout=PARTING
    )
    await runner.setup()
    site = web.SockSite(runner, made)
    await site.start()
    ending.last = server.kill
    asked = _signals(ending)
    try:
        welcome(door.address)
        await asked.wait()
    finally:
        await site.stop()
        await server.end()
        await runner.cleanup()


def _signals(ending: Ending) -> asyncio.Event:
    """Return what is set once `ending` is asked for, which signals do from now on."""
    asked = asyncio.Event()

    def ask(number: int) -> None:
        ending.handle(number, None)
        asked.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        if signal.getsignal(number) == ending.handle:  # else it is ignored
            loop.add_signal_handler(number, ask, number)
    if ending.asked:
        asked.set()
    return asked
