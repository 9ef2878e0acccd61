"""The picture of the TUI in the README: the embedded guest at a point worth a look.

    python -m lapis_tui.bench.picture docs/lapis.svg

The application processor is inside its interrupt handler, with the same vector waiting
again; the bootstrap processor reads a device register that only the user can answer.
"""

from __future__ import annotations

import asyncio
import re
import sys
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.app import LapisApp
from lapis_tui.messages import Done, Seen

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from lapis_sessions.session import Session

SCENE = (
    "break send_ipi", "run", "delete",
    "ipi fixed 0x31 --to 1 --from 0",
    "vcpu 1", "step 3",  # the handler, up to its count
    "ipi fixed 0x31 --to 1 --from 0", "step 2",  # out, and in again
    "break ipi_handler",
    "ipi fixed 0x52 --to 1 --from 0",
    "vcpu 0", "sched only 0",
)  # fmt: skip
"""Commands up to the last one, which `c` does on the screen."""
BLANK = "&#160;"
PATIENCE = 30
"""Seconds to wait for a picture before giving up."""
_TEXT = re.compile(
    r'(?P<head><text [^>]*?)x="(?P<x>[\d.]+)"(?P<mid>[^>]*?)'
    r'textLength="(?P<length>[\d.]+)"(?P<tail>[^>]*)>(?P<text>[^<]+)</text>'
)


def scene() -> Session:
    """Return the embedded guest on two vCPUs, one command before the picture."""
    session = open_session(SessionOptions(cpus=2), discover().extensions)
    for line in SCENE:
        outcome = session.execute(line)
        assert outcome.ok, outcome.text
    return session


def make_picture(path: Path, size: tuple[int, int] = (140, 44)) -> None:
    """Write the picture as SVG."""
    path.write_text(compact(asyncio.run(_shot(size))), "utf-8")


class Still:
    """Tells when the screen shows what a command has brought."""

    def __init__(self) -> None:
        """Wait for the first picture."""
        self._shown = asyncio.Event()
        self._done = True

    def watch(self, message: object) -> None:
        """Look at a message on its way: a picture counts once its command is done."""
        if isinstance(message, Done):
            self._done = True
        elif isinstance(message, Seen) and not message.running and self._done:
            self._shown.set()

    async def after(self, pilot: Pilot[None], *keys: str) -> None:
        """Press `keys`, which give a command, and wait until its picture is drawn."""
        if keys:
            self._shown.clear()
            self._done = False
            await pilot.press(*keys)
        async with asyncio.timeout(PATIENCE):
            await self._shown.wait()
        await pilot.pause()


async def _shot(size: tuple[int, int]) -> str:
    still = Still()
    app = LapisApp(scene())
    async with app.run_test(size=size, message_hook=still.watch) as pilot:
        await still.after(pilot)
        await still.after(pilot, "c")
        explain = [*":explain", "space", *"icr", "space", *"0xC4500", "enter"]
        await still.after(pilot, *explain)
        await pilot.press("escape")  # the sheet of its result, which stays below
        await pilot.pause()
        return app.export_screenshot(title="lapis ap-bringup")


def compact(svg: str) -> str:
    """Begin no text with blanks: some viewers drop them and shift the rest."""
    return _TEXT.sub(_without_lead, svg)


def _without_lead(found: re.Match[str]) -> str:
    text = found["text"]
    rest = text
    while rest.startswith(BLANK):
        rest = rest.removeprefix(BLANK)
    lead = (len(text) - len(rest)) // len(BLANK)
    if not lead:
        return found[0]
    length = float(found["length"])
    step = length / len(unescape(text)) * lead
    x = float(found["x"]) + step
    return (
        f'{found["head"]}x="{x:.1f}"{found["mid"]}textLength="{length - step:.1f}"'
        f"{found['tail']}>{rest}</text>"
    )


if __name__ == "__main__":
    make_picture(Path(sys.argv[1]))
