"""The pictures of the documentation, made from scripted sessions.

    python -m lapis_tui.bench.picture         # all, and the page that shows them
    python -m lapis_tui.bench.picture step    # pictures/step.svg below docs/pages alone

They are also what the tests hold the screens to: what changes a screen makes its
picture anew, and whoever reviews that sees it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lapis_tui import screenshot
from lapis_tui.app import LapisApp
from lapis_tui.bench.scenes import README, SCENES
from lapis_tui.worn import Worn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from textual.pilot import Pilot

    from lapis_tui.bench.scenes import Scene

PATIENCE: Final = 60
"""Seconds to wait for a picture before giving up."""
HEADING: Final = """# Pictures

Made by `python -m lapis_tui.bench.picture` from scripted sessions; the tests hold the
screens to them. On a screen of your own: `:screenshot FILE.svg`, or `.txt`, and
`:export svg FILE.svg [PANE]` for one pane.
"""
NAMED: Final[Mapping[str, str]] = {
    " ": "space", "-": "minus", "_": "underscore", ":": "colon", "/": "slash",
    ".": "full_stop",
}  # fmt: skip
"""Characters that Textual names as keys."""


class Still:
    """Tells when a screen stands still: all that was asked for is done and drawn."""

    def __init__(self, app: LapisApp, pilot: Pilot[None], news: asyncio.Event) -> None:
        """Watch `app`, of whose messages `news` tells."""
        self._app, self._pilot, self._news = app, pilot, news

    async def wait(self) -> None:
        """Wait for it."""
        async with asyncio.timeout(PATIENCE):
            while not self._app.idle:
                self._news.clear()
                await self._news.wait()
        await self._pilot.pause()

    async def press(self, step: str) -> None:
        """Press a key, or type a command."""
        keys = [step] if step[0] != ":" else [*step, "enter"]
        await self._pilot.press(*(NAMED.get(key, key) for key in keys))
        await self.wait()


async def shot(scene: Scene) -> str:
    """Return the picture of a scene."""
    news = asyncio.Event()
    app = LapisApp(scene.session(), worn=Worn(scene.theme, is_ascii=scene.is_ascii))
    async with app.run_test(
        size=scene.size, message_hook=lambda _message: news.set()
    ) as pilot:
        still = Still(app, pilot, news)
        await still.wait()
        for step in scene.keys:
            await still.press(step)
        return screenshot.drawn(app, screenshot.of_screen(app), scene.text)


def picture(scene: Scene) -> str:
    """Return the picture of a scene."""
    return asyncio.run(shot(scene))


def page() -> str:
    """Return the page that shows them all."""
    parts = (
        f"\n## {scene.name.capitalize()}\n\n{scene.text}\n\n"
        f"![{scene.name}](../pictures/{scene.name}.svg)\n"
        for scene in SCENES
    )
    return HEADING + "".join(parts)


def files(names: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield name below `docs/pages` and text of each file, or of `names` alone."""
    for scene in (*SCENES, README):
        if not names or scene.name in names:
            yield f"pictures/{scene.name}.svg", picture(scene)
    if not names:
        yield "screens/pictures.md", page()


def make(pages: Path, names: Sequence[str] = ()) -> None:
    """Write them."""
    for name, text in files(names):
        (pages / name).write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    make(Path("docs/pages"), sys.argv[1:])
