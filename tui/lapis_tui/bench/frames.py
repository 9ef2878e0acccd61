"""`lapis bench tui`: what a frame costs, of each layout and of a bare widget.

A frame is what the screen's thread does from a picture of the worker's to the bytes for
the terminal. Time is this thread's on a processor: what the machine does beside it, and
waiting for the next beat of the screen, are not in it.
"""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.app import App
from textual.strip import Strip
from textual.widget import Widget

from lapis_engine.machine.log import KEPT
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import snapshot
from lapis_sessions.views.wanted import Wanted
from lapis_tui.app import LapisApp
from lapis_tui.bench.sink import Sink
from lapis_tui.messages import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.driver import Driver

    from lapis_sessions.session import Session
    from lapis_tui.layouts import Layout
    from lapis_tui.screens.main import MainScreen

STYLES = str(Path(inspect.getfile(LapisApp)).with_name("app.tcss"))
"""Those of the debugger, for Textual looks beside the class."""
SIZE = 200, 60
CPUS = 8
EVENTS = KEPT
"""Events before the first frame."""
STEP = 1000
"""Instructions between two frames, of a guest that sends IPIs without end: 9 events for
ten of them."""
FRAMES = 40
PATIENCE_SECONDS = 10.0
"""After which a frame does not come at all."""
WARM = 5
"""Frames before the first that counts."""


@dataclass(frozen=True, slots=True)
class Frames:
    """What the frames of one layout took."""

    name: str
    times: tuple[float, ...]
    """Seconds of each, of this thread on a processor."""
    bare: float
    """Seconds of a bare widget that paints all cells of the last one; the median."""


class Pictures:
    """A machine with many events, and its pictures one after the other."""

    def __init__(self, events: int) -> None:
        """Run the guest until there are so many events."""
        extensions = discover().extensions
        self.session: Session = open_session(
            SessionOptions("ipi-ping", cpus=CPUS), extensions
        )
        while self.session.machine.log.next_seq < events:
            self.session.run(STEP)
        self._seen = 0

    def next(self, wanted: Wanted) -> Seen:
        """Run a step; return the picture, with all events in the first one."""
        self.session.run(STEP)
        log, timeline = self.session.machine.log, self.session.timeline
        is_first = not self._seen
        news = tuple(log.last(KEPT) if is_first else log.since(self._seen))
        self._seen = log.next_seq
        picture = snapshot.take(self.session, wanted)
        ahead = timeline.ahead() if is_first else None
        return Seen(picture, news, running=True, anew=is_first, ahead=ahead)

    def begin(self) -> None:
        """Have the next picture be a first one."""
        self._seen = 0


class Fed(LapisApp):
    """The debugger before a terminal that shows nothing, and without its worker."""

    CSS_PATH = STYLES
    wanted = Wanted()
    """What the next picture is to hold."""

    def get_driver_class(self) -> type[Driver]:
        """Write into nothing."""
        return Sink

    def on_main_screen_ready(self, message: MainScreen.Ready | None = None) -> None:
        """Let nobody send pictures but who measures."""
        if message is not None:
            message.prevent_default()

    def on_main_screen_looked(self, message: MainScreen.Looked) -> None:
        """Have them hold what is in view."""
        message.prevent_default()
        self.wanted = message.wanted


class Bare(Widget):
    """A widget of ready strips: the least that a frame of so many cells takes."""

    DEFAULT_CSS = "Bare { width: 1fr; height: 1fr; }"

    def __init__(self, strips: Sequence[Strip]) -> None:
        """Paint `strips`, top to bottom."""
        super().__init__()
        self._strips = strips

    def render_line(self, y: int) -> Strip:
        """Return a row that is painted already."""
        return self._strips[y]


class BareApp(App[None]):
    """Nothing but the bare widget."""

    def __init__(self, strips: Sequence[Strip]) -> None:
        """Paint `strips`."""
        super().__init__()
        self.bare = Bare(strips)

    def compose(self) -> Iterator[Widget]:
        """Have the one widget."""
        yield self.bare

    def get_driver_class(self) -> type[Driver]:
        """Write into nothing."""
        return Sink


def bare_strips() -> list[Strip]:
    """Return a screen full of text."""
    columns, rows = SIZE
    text = "0123456789" * (columns // 10)
    return [Strip([Segment(text)], columns)] * rows


async def painted(app: App[None]) -> None:
    """Wait until what was asked for is written; raise `TimeoutError` if never."""
    done = asyncio.Event()
    app.screen.call_after_refresh(done.set)
    await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)


async def of_layout(layout: Layout, pictures: Pictures, frames: int) -> Frames:
    """Measure the frames of a layout."""
    app = Fed(pictures.session)
    pictures.begin()
    times = []
    async with app.run_test(headless=False, size=SIZE) as pilot:
        app.main.see(pictures.next(Wanted()))
        app.main.show_layout(layout)
        await pilot.pause()
        for _ in range(frames + WARM):
            seen = pictures.next(app.wanted)
            begun = thread_time()
            app.main.see(seen)
            await painted(app)
            times.append(thread_time() - begun)
        strips = app.main._compositor.render_strips()  # noqa: SLF001 - as painted
    return Frames(layout.name, tuple(times[WARM:]), await of_bare(strips, frames))


async def of_bare(strips: Sequence[Strip], frames: int) -> float:
    """Return the median of the seconds that painting `strips` takes."""
    app = BareApp(strips)
    times = []
    async with app.run_test(headless=False, size=SIZE) as pilot:
        await pilot.pause()
        for _ in range(frames + WARM):
            begun = thread_time()
            app.bare.refresh()
            await painted(app)
            times.append(thread_time() - begun)
    return sorted(times[WARM:])[frames // 2]
