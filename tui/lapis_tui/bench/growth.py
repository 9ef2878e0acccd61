"""`lapis bench tui`: whether memory stays flat however many events there are.

Checkpoints of the history are left aside: they have a limit of their own, and come to
it in their own time (`lapis_sessions.timeline.keeper`).
"""

from __future__ import annotations

import gc
from dataclasses import dataclass

from lapis_engine.machine.log import KEPT
from lapis_plugins.host import discover
from lapis_sessions import footprint
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_tui.bench.frames import CPUS, SIZE
from lapis_tui.bench.waits import Watched, until
from lapis_tui.past import SPARE

EVENTS = 1_000_000
WARM = 2 * (KEPT + SPARE)
"""Events until all that is kept is full, on both sides."""
SECONDS = 600.0
"""The longest that it may take."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What the process took, in bytes, but for checkpoints."""

    events: int
    """Between the two looks."""
    before: int
    """When everything that is kept was full."""
    after: int


async def measured(events: int, warm: int) -> Growth:
    """Run a guest in the debugger for so many events."""
    gc.collect()  # whatever was measured before
    options = SessionOptions("ipi-ping", cpus=CPUS)
    session = open_session(options, discover().extensions)
    app = Watched(session)
    async with app.run_test(headless=False, size=SIZE) as pilot:

        def total() -> int:
            return app.view.now.events_total if app.view is not None else 0

        def taken() -> int:
            return footprint.resident() - session.timeline.keeper.held

        await until(lambda: app.view is not None and app.idle)
        await pilot.press("c")
        await until(lambda: total() >= warm, SECONDS)
        first, before = total(), taken()
        await until(lambda: total() >= first + events, SECONDS)
        return Growth(total() - first, before, taken())
