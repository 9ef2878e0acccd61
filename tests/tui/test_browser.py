"""`lapis serve`: who is let in, what a visitor sees, and that he leaves nothing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import pytest
from rigs.pages import ELSEWHERE, Page, Served, all_ended, has_ended, watched

from lapis_sessions.recording.format import reader
from lapis_tui.browser import visitor
from lapis_tui.browser.sizes import Size
from lapis_tui.browser.visitor import Visitor
from lapis_tui.cli import running, serving
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator
    from pathlib import Path

BEGUN = "eip 00000000"
STEPPED = "eip*00000001"
"""`ap-bringup` begins with CLI, which is one byte."""
BROKEN = aiohttp.WSCloseCode.ABNORMAL_CLOSURE
FULL = "2 visitors are here, and no more are let in (--visitors)"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server for two visitors at a time."""
    state = tmp_path_factory.mktemp("state")
    with Served("ap-bringup", "--visitors", "2", state=state) as it:
        yield it


async def stepped(page: Page) -> None:
    """See a session from its first picture to a step that was made."""
    await page.until("stopped", BEGUN)
    await page.type("s")
    await page.until(STEPPED, "1 retired")


def test_a_step_on_a_page_moves_the_instruction_pointer(served: Served) -> None:
    async def run() -> None:
        async with served.page() as page, served.page() as other:
            await stepped(page)
            await other.until(
                "stopped", BEGUN, "main 0"
            )  # his own, where nothing was done
            gone = [watched(each) for each in served.visitors]
        assert len(gone) == 2
        assert await all_ended(*gone)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        ({}, None, 403),
        ({}, "", 403),
        ({}, "wrong", 403),
        ({}, "\N{SNOWMAN}\x00", 403),
        ({"Cookie": "{cookie}=wrong"}, None, 403),
        ({"Cookie": "{cookie}={token}"}, "wrong", 403),
        ({"Cookie": "lapis-1={token}"}, None, 403),
        ({"Host": "evil.example"}, "{token}", 421),
        ({"Host": "127.0.0.1.evil.example"}, "{token}", 421),
        ({"Host": "evil.example:80@127.0.0.1"}, "{token}", 421),
        ({"Host": "127.0.0.1\uff0eexample"}, "{token}", 421),
        ({"Host": ""}, "{token}", 421),
        ({"Host": "[::1]"}, "{token}", 421),
        ({"Origin": ELSEWHERE}, "{token}", 403),
        ({"Origin": "null"}, "{token}", 403),
        ({"Origin": "http://127.0.0.1:1"}, "{token}", 403),
        ({}, "{token}", 200),
        ({"Cookie": "{cookie}={token}"}, None, 200),
        ({"Host": "localhost:1234"}, "{token}", 200),
    ],
)
def test_who_is_let_in(
    served: Served, headers: dict[str, str], token: str | None, status: int
) -> None:
    def filled(text: str) -> str:
        return text.format(cookie=served.cookie, token=served.token)

    async def run() -> None:
        sent = {name: filled(value) for name, value in headers.items()}
        query = {} if token is None else {"token": filled(token)}
        async with (
            served.asking() as session,
            session.get("/", headers=sent, params=query, allow_redirects=False) as it,
        ):
            assert it.status == (303 if (status, token) == (200, "{token}") else status)
            if status != 200:
                assert it.content_type == "text/plain"
                assert served.token not in await it.text()
        for path in ("/page.css", "/textual.js", "/xterm.css", "/page.js", "/none"):
            async with (
                served.asking() as session,
                session.get(path, headers=sent, params=query) as it,
            ):
                found = 404 if (path, status) == ("/none", 200) else status
                assert it.status == found, path

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "{base}"}, 403),
        ({"Cookie": "{cookie}={token}"}, 403),
        ({"Cookie": "{cookie}={token}", "Origin": ELSEWHERE}, 403),
        ({"Cookie": "{cookie}={token}", "Origin": "http://localhost"}, 403),
        ({"Cookie": "{cookie}=wrong", "Origin": "{base}"}, 403),
        (
            {
                "Cookie": "{cookie}={token}",
                "Origin": ELSEWHERE,
                "Host": ELSEWHERE.removeprefix("http://"),
            },
            421,
        ),
    ],
)
def test_a_websocket_is_asked_the_same(
    served: Served, headers: dict[str, str], status: int
) -> None:
    async def run() -> None:
        sent = {
            name: value.format(
                base=served.base, cookie=served.cookie, token=served.token
            )
            for name, value in headers.items()
        }
        async with served.asking() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect("/ws", headers=sent)
            assert refused.value.status == status

    asyncio.run(run())


def test_two_hosts_in_one_request_are_none(served: Served) -> None:
    head = f"GET /?token={served.token} HTTP/1.1\r\nHost: {served.host}\r\n"
    with socket.create_connection(("127.0.0.1", int(served.host.split(":")[1]))) as it:
        it.sendall(f"{head}Host: evil.example\r\n\r\n".encode())
        assert re.match(rb"HTTP/1\.. 4\d\d ", it.recv(4096))


def test_the_page_is_all_from_here(served: Served) -> None:
    async def run() -> None:
        async with served.asking() as session:
            async with session.get(
                "/", params={"token": served.token}, allow_redirects=False
            ) as it:
                assert it.headers["Location"] == "/"
                cookie = it.headers["Set-Cookie"]
                assert cookie.startswith(f"{served.cookie}={served.token}; ")
                assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
            headers = {"Cookie": f"{served.cookie}={served.token}"}
            async with session.get("/", headers=headers) as it:
                text = await it.text()
                policy = it.headers["Content-Security-Policy"]
                assert (it.headers["X-Frame-Options"], it.headers["Server"]) == (
                    "DENY", "lapis",
                )  # fmt: skip
            assert served.token not in text
            wanted = re.findall(r'(?:src|href)="(/[^"]+|[^/"][^"]*)"', text)
            assert wanted == [
                "data:,",
                "/xterm.css",
                "/page.css",
                "/textual.js",
                "/page.js",
            ]
            assert f'"ws://{served.host}/ws"' in text
            assert f"connect-src ws://{served.host}/ws;" in policy
            assert policy.startswith("default-src 'none';")
            for path in wanted[1:]:
                async with session.get(path, headers=headers) as it:
                    assert it.status == 200, path
                    assert "://fonts." not in await it.text()

    asyncio.run(run())


@pytest.mark.parametrize(
    "message",
    [
        "", "null", "[]", "{}", "[1]", '["stdin"]', '["stdin", 5]', '["exec", "id"]',
        '["resize", {"width": "1", "height": 1}]', '["resize", {"width": 1e99}]',
        "[" * 100_000, '["stdin", "\\ud800"]', "\x00", b"", b"\x00" * 100,
        b"D\0\0\0\1s",
    ],
)  # fmt: skip
def test_what_no_page_says_ends_its_session_and_no_other(
    served: Served, message: str | bytes
) -> None:
    async def run() -> None:
        async with served.page() as page:
            if isinstance(message, bytes):
                await page.line.send_bytes(message)
            else:
                await page.line.send_str(message)
            assert await page.ended() == aiohttp.WSCloseCode.POLICY_VIOLATION

    asyncio.run(run())
    assert served.it.poll() is None


async def cut_off(served: Served, page: Page, sent: Awaitable[object]) -> int | None:
    """Send what the server does not read to its end; return the code of the end.

    Who closes with something unread resets the line, and the farewell, which was on its
    way, can be lost with it: then the code is that of a line that broke.
    """
    await page.until("stopped", BEGUN)
    gone = [watched(each) for each in served.visitors]
    with suppress(ConnectionError):
        await sent
    code = await page.ended()
    assert await all_ended(*gone)
    assert served.it.poll() is None
    return code


def test_a_message_that_is_too_long_is_not_kept(served: Served) -> None:
    async def run() -> None:
        async with served.page() as page:
            code = await cut_off(served, page, page.line.send_str("x" * (1 << 21)))
            assert code in {aiohttp.WSCloseCode.MESSAGE_TOO_BIG, BROKEN}

    asyncio.run(run())


def test_what_is_no_frame_ends_the_session(served: Served) -> None:
    async def run() -> None:
        async with served.page() as page:
            socket_ = page.line.get_extra_info("socket")
            loop = asyncio.get_running_loop()
            with socket.socket(fileno=os.dup(socket_.fileno())) as raw:
                raw.setblocking(False)
                sent = loop.sock_sendall(raw, bytes(range(255, 0, -1)) * 40)
                code = await cut_off(served, page, sent)
            assert code in {aiohttp.WSCloseCode.PROTOCOL_ERROR, BROKEN}

    asyncio.run(run())


def test_sizes_that_no_page_has_are_cut_or_ignored(served: Served) -> None:
    async def run() -> None:
        async with served.page() as page:
            await page.until("stopped", BEGUN)
            await page.say("resize", {"width": 10**30, "height": -1})
            await page.say("resize", {"width": None, "height": None})
            await page.type("\x1b[48;99999999;99999999;1;1t")
            await page.say("resize", {"width": 100, "height": 30})
            await page.type("s")
            await page.until(STEPPED)

    asyncio.run(run())


def test_a_visitor_who_vanishes_leaves_no_process(served: Served) -> None:
    async def run() -> None:
        async with served.page() as page:
            await page.until("stopped", BEGUN)
            (process,) = served.visitors
            gone = watched(process)
            page.vanish()
            assert await all_ended(gone)

    asyncio.run(run())


def test_who_quits_has_ended(served: Served) -> None:
    async def run() -> None:
        async with served.page() as page:
            await stepped(page)
            await page.type(":quit!\r")
            assert await page.ended() == aiohttp.WSCloseCode.OK

    asyncio.run(run())


def test_twenty_visitors_at_once_are_two_and_the_others_are_told(
    served: Served,
) -> None:
    async def visit(places: list[str], two: asyncio.Event) -> None:
        async with served.page() as page:
            await page.until_so(lambda: BEGUN in page.text or FULL in page.text)
            if FULL in page.text:
                assert await page.ended() == aiohttp.WSCloseCode.TRY_AGAIN_LATER
                places.append("told")
            else:
                places.append("in")
            assert len(served.visitors) <= 2
            if len(places) == 20:
                two.set()
            await two.wait()

    async def run() -> None:
        places: list[str] = []
        two = asyncio.Event()
        await asyncio.gather(*(visit(places, two) for _ in range(20)))
        assert sorted(places) == ["in"] * 2 + ["told"] * 18
        async with served.page() as page:  # a place is free again
            await page.until("stopped", BEGUN)

    asyncio.run(run())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_sessions_and_their_recordings_are_whole(
    tmp_path: Path, number: signal.Signals
) -> None:
    gone: list[int] = []

    async def run(served: Served) -> tuple[int, str]:
        async with served.page() as first:
            await stepped(first)
            async with served.page() as second:
                await stepped(second)
                gone.extend(watched(each) for each in served.visitors)
                return await asyncio.to_thread(served.ended_by, number)

    with Served("ap-bringup", "--record", "r.lapis", state=tmp_path) as served:
        status, told = asyncio.run(run(served))
    assert status == -number
    assert "Traceback" not in told
    assert len(gone) == 2
    assert all(has_ended(each) for each in gone)
    for name in ("r-1.lapis", "r-2.lapis"):
        assert reader.read(str(tmp_path / name)).state == "whole"


def test_a_server_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    async def run(served: Served) -> None:
        async with served.page() as page:
            await page.until("stopped", BEGUN)
            (process,) = served.visitors
            gone = watched(process)
            served.it.kill()
            assert await all_ended(gone)

    with Served("ap-bringup", state=tmp_path) as served:
        asyncio.run(run(served))


def test_what_the_session_refuses_is_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "r-1.lapis").write_bytes(b"mine")

    async def run(served: Served) -> None:
        async with served.page() as page:
            await page.until("r-1.lapis", "--force")
            await page.ended()

    with Served("ap-bringup", "--record", "r.lapis", state=tmp_path) as served:
        asyncio.run(run(served))
        _, told = served.ended_by(signal.SIGTERM)
    assert re.search(r"^lapis: visitor 1: .*r-1\.lapis", told, re.MULTILINE)
    assert (tmp_path / "r-1.lapis").read_bytes() == b"mine"


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "GRACE", 0.05)

    async def first(pictures: AsyncIterator[bytes]) -> bytes:
        async for each in pictures:
            return each
        return b""

    async def run() -> None:
        it = await Visitor.begin(["tui", "--", "ap-bringup"], Size(80, 25))
        assert await first(it.pictures())
        process = it._it
        process.send_signal(signal.SIGSTOP)
        await it.end()
        assert process.returncode == -signal.SIGKILL

    asyncio.run(run())


def test_a_browser_that_is_opened_finds_the_page(tmp_path: Path) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser.py"
    os.mkfifo(seen)
    browser.write_text(
        "import http.client, sys, urllib.parse\n"
        "at = urllib.parse.urlsplit(sys.argv[1])\n"
        "it = http.client.HTTPConnection(at.netloc)\n"
        "it.request('GET', f'{at.path}?{at.query}')\n"
        f"open({str(seen)!r}, 'w').write(str(it.getresponse().status))\n"
    )
    command = f"{sys.executable} {browser} %s"
    with Served("ap-bringup", "--open", state=tmp_path, browser=command):
        assert seen.read_text() == "303"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "--host '0.0.0.0': only 127.0.0.1 is served"),
        (["--host", "\x1b[31m"], "only 127.0.0.1 is served"),
        (["--port", "65536"], "--port 65536: 0 to 65535 is expected"),
        (["--port", "-1"], "--port -1: 0 to 65535 is expected"),
        (["--visitors", "0"], "--visitors 0: 1 to 64 is expected"),
        (["--visitors", "65"], "--visitors 65: 1 to 64 is expected"),
        (["no-such-guest"], "no-such-guest"),
        (["--cpus", "0"], "0 vCPUs"),
    ],
)
def test_what_cannot_be_served(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
    assert "\x1b" not in err


def test_a_port_that_is_taken_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "ap-bringup", "--port", str(port)]) == 2
    told = f"lapis: port {port} of 127.0.0.1: Address already in use; --port 0 takes"
    assert capsys.readouterr().err == f"{told} any that is free\n"


@pytest.mark.parametrize("missing", ["aiohttp", "textual_serve"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from lapis_tui.cli.main import main; sys.exit(main(['serve', 'ap-bringup']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"lapis: to serve pages takes {missing}, which is not installed: "
        "pip install 'lapis[serve]'\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["ap-bringup", "--cpus", "3", "--strict", "--memory=-x", "--theme", "light"],
        ["--no-ascii", "--module", "a b", "--module", "--c", "--", "-guest"],
        [
            "--ascii",
            "--append",
            "console=ttyS0 'x'",
            "--record",
            "d/r.lapis",
            "--force",
        ],
        ["--config", "own.toml", "--cpus", "4"],
        ["--plugin", "a.py", "--plugin", "b c.py", "--by-reference", "--seed", "0x10"],
    ],
)
def test_a_visitor_gets_what_the_server_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text("")
    given = serving.serve.make_context("serve", [*arguments])
    with given:
        passed = serving.passed_on(given)(7)
    assert passed[0] == "tui"
    got = running.tui.make_context("tui", passed[1:])
    own = {"port", "host", "visitors", "is_opened"}
    wanted = {name: each for name, each in given.params.items() if name not in own}
    wanted["record"] = wanted["record"].replace("r.lapis", "r-7.lapis")
    assert got.params == wanted
    assert got.meta == given.meta
