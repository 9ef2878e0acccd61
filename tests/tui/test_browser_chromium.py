"""`lapis serve` and reports in Chromium itself, driven by its DevTools protocol.

What the page of `serve` shows is drawn on a canvas: its text is read from the frames
that Chromium got, and that it is drawn from a picture of the page.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import aiohttp
import pyte
import pytest
from rigs.pages import Served, all_ended, watched
from rigs.session_files import ANSWERED, DEVICES
from rigs.terminals import PATIENCE, TerminalScreen

from lapis_sessions.recording.export import export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rigs.session_files import Taped

CHROMIUM = shutil.which("chromium")
FOREIGN = "evil.example"
"""A name that its owner has made resolve to the loopback."""
TROUBLE = {"Runtime.exceptionThrown", "Network.loadingFailed"}
HARMLESS = "WebGL"
"""A machine without a graphics card is warned of."""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed (Debian's package)"
)


class Tab:
    """The one tab of a Chromium."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        """Talk by `line`."""
        self._line = line
        self._asked = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._screen = TerminalScreen(200, 60)
        self._stream = pyte.ByteStream(self._screen)
        self.addresses: list[tuple[int, str]] = []
        """Each that was loaded, after its status."""
        self.trouble: list[str] = []

    @property
    def text(self) -> str:
        """What the page was sent to show."""
        return "\n".join(self._screen.display)

    async def do(self, method: str, **parameters: object) -> dict[str, Any]:
        """Have a method done; return its result."""
        self._asked += 1
        number = self._asked
        asked = {"id": number, "method": method, "params": parameters}
        await self._line.send_json(asked)
        await self.until(lambda: number in self._answers)
        found: dict[str, Any] = self._answers[number]["result"]
        return found

    async def key(self, key: str) -> None:
        """Press a key and let it go."""
        await self.do("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.do("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self) -> bytes:
        """Return a picture of the page."""
        shot = await self.do("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    async def value(self, expression: str) -> Any:
        """Return the value of an expression on the page."""
        found = await self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        return found["result"].get("value")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Take what Chromium tells until `condition` holds."""
        while not condition():
            message = json.loads((await self._line.receive(PATIENCE)).data)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._told(message["method"], message["params"])

    def _told(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.webSocketFrameReceived":
            frame = told["response"]
            if frame["opcode"] == 2:
                self._stream.feed(base64.b64decode(frame["payloadData"]))
        elif method == "Network.responseReceived":
            answer = told["response"]
            self.addresses.append((answer["status"], answer["url"]))
        elif method in TROUBLE:
            self.trouble.append(json.dumps(told))
        elif method == "Log.entryAdded" and HARMLESS not in told["entry"]["text"]:
            self.trouble.append(told["entry"]["text"])


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[str]:
    """Start a Chromium; return the address of its one tab's DevTools."""
    profile = tmp_path / "profile"
    with subprocess.Popen(
        [
            str(CHROMIUM), "--headless=new", "--no-sandbox",
            "--no-first-run", "--disable-dev-shm-usage",
            f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1",
            "--remote-debugging-port=0", "--window-size=1200,800",
            f"--user-data-dir={profile}", "about:blank",
        ],
        stderr=subprocess.PIPE, text=True,
    ) as it:  # fmt: skip
        assert it.stderr is not None
        for row in it.stderr:
            if row.startswith("DevTools listening on ws://"):
                break
        drain = subprocess.Popen(["cat"], stdin=it.stderr, stdout=subprocess.DEVNULL)
        yield row.split("ws://")[1].partition("/")[0]
        it.kill()
        drain.wait()


async def opened(session: aiohttp.ClientSession, chromium: str) -> Tab:
    """Return the tab, which tells of what it loads."""
    async with session.get(f"http://{chromium}/json") as answer:
        tabs = await answer.json()
    address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    tab = Tab(await session.ws_connect(address, max_msg_size=0))
    for each in ("Network", "Log", "Runtime", "Page"):
        await tab.do(f"{each}.enable")
    return tab


def test_a_step_in_chromium_moves_the_instruction_pointer(
    tmp_path: Path, chromium: str
) -> None:
    async def run(served: Served) -> None:
        async with aiohttp.ClientSession() as session:
            tab = await opened(session, chromium)
            await tab.do("Page.navigate", url=served.address)
            await tab.until(lambda: "eip 00000000" in tab.text)
            before = await tab.picture()
            await tab.key("s")
            await tab.until(lambda: "eip*00000001" in tab.text)
            while await tab.picture() == before:
                pass
            assert await tab.value("location.href") == f"{served.base}/"
            assert await tab.value("document.cookie") == ""  # no script reads it
            assert all(each.startswith(served.base) for _, each in tab.addresses)
            assert {status for status, _ in tab.addresses} == {200}
            assert not tab.trouble
            (process,) = served.visitors
            gone = watched(process)
            await tab.do("Page.navigate", url="about:blank")
            assert await all_ended(gone)

    with Served("ap-bringup", state=tmp_path) as served:
        asyncio.run(run(served))


def test_chromium_is_refused_with_a_wrong_token_and_under_a_foreign_name(
    tmp_path: Path, chromium: str
) -> None:
    async def run(served: Served) -> None:
        async with aiohttp.ClientSession() as session:
            tab = await opened(session, chromium)
            wrong = f"{served.base}/?token=wrong"
            await tab.do("Page.navigate", url=wrong)
            await tab.until(lambda: (403, wrong) in tab.addresses)
            assert not served.visitors
            port = served.host.partition(":")[2]
            foreign = f"http://{FOREIGN}:{port}/?token={served.token}"
            await tab.do("Page.navigate", url=foreign)
            await tab.until(lambda: (421, foreign) in tab.addresses)
            await tab.do("Page.navigate", url=served.address)
            await tab.until(lambda: "eip 00000000" in tab.text)
            await tab.do("Page.navigate", url="about:blank")

    with Served("ap-bringup", state=tmp_path) as served:
        asyncio.run(run(served))


# The report of a session, which is opened without a network.

MARKUP = "<script>document.title='taken'</script>"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
WIDEST = "document.documentElement.scrollWidth - innerWidth"


def test_a_report_opens_in_chromium_without_a_network(
    tmp_path: Path, chromium: str, taped: Taped
) -> None:
    path = tmp_path / "report.html"
    one = taped([*ANSWERED, f'annotate "{MARKUP}"'], cpus=4)
    path.write_bytes(b"".join(export.export(one, "html", DEVICES)))

    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            tab = await opened(session, chromium)
            await tab.do(
                "Network.emulateNetworkConditions", offline=True, latency=0,
                downloadThroughput=-1, uploadThroughput=-1,
            )  # fmt: skip
            blank = await tab.picture()
            await tab.do("Page.navigate", url=path.as_uri())
            await tab.until(lambda: bool(tab.addresses))
            while await tab.value("document.readyState") != "complete":
                pass
            assert await tab.value("document.title") == "ap-bringup - Lapis"
            assert await tab.value("document.querySelectorAll('svg rect').length") > 4
            assert await tab.value("document.querySelectorAll('td.halted').length") > 4
            assert MARKUP in await tab.value("document.body.innerText")
            assert await tab.value(WIDEST) <= 0
            colours = set()
            for scheme in ("light", "dark"):
                media = {"name": "prefers-color-scheme", "value": scheme}
                await tab.do("Emulation.setEmulatedMedia", features=[media])
                colours.add(await tab.value(BACKGROUND))
                assert await tab.picture() != blank
            assert colours == {"rgb(255, 255, 255)", "rgb(21, 24, 27)"}
            assert {address for _, address in tab.addresses} == {path.as_uri()}
            assert not tab.trouble

    asyncio.run(run())
