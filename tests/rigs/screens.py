"""What the tests of the TUI share: sessions, views, and an application to drive."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import snapshot
from lapis_sessions.views.wanted import Wanted
from lapis_tui.app import LapisApp
from lapis_tui.view import View, after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.pilot import Pilot

    from lapis_sessions.session import Session
    from lapis_sessions.views.snapshot import Snapshot
    from lapis_tui.kept import Kept
    from lapis_tui.worn import Worn

GUESTS = Path(__file__).parents[1] / "guests"
PATIENCE = 30
"""Seconds after which a test gives up waiting."""
EVERYTHING = Wanted(requests=True)
"""What all panes show."""
NAMES = {" ": "space", "-": "minus", "_": "underscore"}
"""Characters that Textual names as keys."""


def bringup(cpus: int = 2) -> Session:
    """Return the embedded guest, nothing run."""
    return open_session(SessionOptions(cpus=cpus), discover().extensions)


def spin() -> Session:
    """Return a guest without end."""
    options = SessionOptions(guest=str(GUESTS / "spin.bin"), cpus=1)
    return open_session(options, discover().extensions)


def picture(session: Session) -> Snapshot:
    """Return the picture with what all panes show."""
    return snapshot.take(session, replace(EVERYTHING, why=session.selected))


def look(session: Session, *lines: str) -> View:
    """Perform commands and return what the panes are given after the last."""
    view = after(None, picture(session), running=False)
    for line in lines:
        outcome = session.execute(line)
        assert outcome.ok, outcome.text
        view = after(view, picture(session), running=False)
    return view


class Driver:
    """An application in front of a session, and hands on its keys."""

    def __init__(self, app: LapisApp, pilot: Pilot[None], news: asyncio.Event) -> None:
        self.app, self.pilot, self.news = app, pilot, news

    @property
    def view(self) -> View:
        assert self.app.view is not None
        return self.app.view

    @property
    def rows(self) -> list[str]:
        """What stands on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(s.text for s in strip).rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    async def press(self, *keys: str) -> None:
        """Press keys and wait until what they asked for is done and drawn."""
        await self.pilot.press(*keys)
        await self.until(lambda: self.app.idle)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.pilot.press(*(NAMES.get(char, char) for char in text))

    async def command(self, line: str) -> None:
        await self.pilot.press(":")
        await self.type(line)
        await self.press("enter")

    async def go(self, name: str) -> None:
        """Give a pane the focus, wherever it is."""
        self.app.main.go(name)
        await self.press()

    def key(self, key: str) -> None:
        """Press a key while the guest runs: a pilot waits for an idle processor."""
        self.app.simulate_key(key)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait, message by message, until `condition` holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert self.app._exception is None, self.app._exception
                self.news.clear()
                # A message is noticed before it is handled: look again soon.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.news.wait(), 0.02)


def drive(
    session: Session,
    play: Callable[[Driver], Awaitable[None]],
    size: tuple[int, int] = (120, 40),
    kept: Kept | None = None,
    worn: Worn | None = None,
) -> None:
    """Run `play` on an application of `size`, from its first picture on.

    What the user makes of the screen goes into `kept`, or nowhere.
    """

    async def run() -> None:
        news = asyncio.Event()
        app = LapisApp(session, kept=kept, worn=worn)
        async with app.run_test(
            size=size, message_hook=lambda _message: news.set()
        ) as pilot:
            driver = Driver(app, pilot, news)
            await driver.until(lambda: app.view is not None)
            await pilot.pause()
            await play(driver)

    asyncio.run(run())
