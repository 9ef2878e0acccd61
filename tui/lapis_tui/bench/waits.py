"""`lapis bench tui`: how long a key waits for its picture, and Ctrl-C for the guest.

The guest sends IPIs without end, on eight vCPUs: tens of thousands of events a second,
and hardly an instruction that Python has no part in. It runs on the worker's thread, as
always, and the keys come at odd moments of the screen's beat.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

from textual.events import Key

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.app import LapisApp
from lapis_tui.bench.frames import CPUS, SIZE, STYLES, Bare, BareApp, bare_strips
from lapis_tui.bench.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App
    from textual.driver import Driver
    from textual.pilot import Pilot

KEYS = 60
PAUSES = 20
PATIENCE_SECONDS = 20.0
"""After which a key is lost."""
APART = 0.02, 0.12
"""Seconds between two keys, at random."""


@dataclass
class Waits:
    """Seconds from each key to the first picture that shows what it did."""

    keys: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    events: int = 0
    """How many the guest made meanwhile."""
    seconds: float = 0.0
    """How long that took."""


class Watched(LapisApp):
    """The debugger before a terminal that shows nothing."""

    CSS_PATH = STYLES

    def get_driver_class(self) -> type[Driver]:
        """Write into nothing."""
        return Sink


class BareKeys(BareApp):
    """The bare widget, which changes with each key."""

    pressed = 0
    """Keys that came."""

    def on_key(self) -> None:
        """Paint all of it anew."""
        self.pressed += 1
        self.query_one(Bare).refresh()


async def shown(
    app: App[None], key: str, condition: Callable[[], bool], sink: Sink
) -> float:
    """Press `key`; return the seconds until what is written comes after `condition`."""
    done = asyncio.Event()

    def heard(_data: str) -> None:
        if condition():
            done.set()

    sink.heard = heard
    begun = perf_counter()
    app.post_message(Key(key, key if len(key) == 1 else None))
    await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
    sink.heard = None
    return perf_counter() - begun


async def until(
    condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until `condition` holds, or raise `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def measured(keys: int, pauses: int) -> Waits:
    """Press `keys` while the guest runs, and break into it `pauses` times."""
    options = SessionOptions("ipi-ping", cpus=CPUS)
    app = Watched(open_session(options, discover().extensions))
    out, odd = Waits(), Random(1)
    async with app.run_test(headless=False, size=SIZE) as pilot:
        await until(lambda: app.view is not None and app.idle)
        await _run(app)
        begun, first = perf_counter(), _events(app)
        for _ in range(keys):
            await asyncio.sleep(odd.uniform(*APART))
            out.keys.append(await _turned(app, _sink(pilot)))
        out.seconds = perf_counter() - begun
        out.events = _events(app) - first
        for _ in range(pauses):
            await asyncio.sleep(odd.uniform(*APART))
            wait = await shown(app, "ctrl+c", lambda: not _running(app), _sink(pilot))
            out.pauses.append(wait)
            await until(lambda: app.idle)
            await _run(app)
    return out


async def of_bare(keys: int) -> list[float]:
    """Return the seconds from a key to the picture of the bare widget."""
    app, odd, out = BareKeys(bare_strips()), Random(1), []
    async with app.run_test(headless=False, size=SIZE) as pilot:
        await pilot.pause()
        for _ in range(keys):
            await asyncio.sleep(odd.uniform(*APART))
            app.pressed = 0
            out.append(await shown(app, "n", lambda: app.pressed > 0, _sink(pilot)))
    return out


async def _run(app: LapisApp) -> None:
    app.post_message(Key("c", "c"))
    await until(lambda: _running(app))


async def _turned(app: LapisApp, sink: Sink) -> float:
    view = app.view
    assert view is not None
    after = (view.selected + 1) % len(view.now.vcpus)
    return await shown(
        app, "n", lambda: app.view is not None and app.view.selected == after, sink
    )


def _sink(pilot: Pilot[None]) -> Sink:
    driver = pilot.app._driver  # noqa: SLF001 - Textual has no other name for it
    assert isinstance(driver, Sink)
    return driver


def _running(app: LapisApp) -> bool:
    return app.view is not None and app.view.running


def _events(app: LapisApp) -> int:
    return app.view.now.events_total if app.view is not None else 0
