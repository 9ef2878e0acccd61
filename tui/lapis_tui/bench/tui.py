"""`lapis bench tui`: whether the screen keeps up, beside the least that it could take.

Absolute times are those of this machine at this moment: a busy one has worse. Each is
therefore taken beside something bare in the same process, or for starts in a process
like it.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from lapis_engine.units import MIB
from lapis_sessions.text.visible import json_text
from lapis_tui import output
from lapis_tui.bench import frames, growth, starts, waits
from lapis_tui.bench.figure import Figure, line, where
from lapis_tui.garbage import seldom
from lapis_tui.layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_FRAME_MS = 8.0
MOST_KEY_MS = 50.0
MOST_HELP_SECONDS = 0.3
MOST_PAINT_SECONDS = 1.0
MOST_GROWTH = 1.1
"""Memory after a million events, of what it is when all that is kept is full."""
BARE_WIDGET = "a bare widget that paints as many cells"
BARE_KEY = "the same key on a bare widget, no guest"


def _most(
    name: str, unit: str, ours: float, ceiling: float, beside: str, most: float = 0.0
) -> Figure:
    """Return the figure of a time; `most` is its target, 0 if it is only reported."""
    target = f"<= {most:g} {unit}" if most else "reported"
    met = not most or ours <= most
    return Figure(name, ours, unit, ceiling, ours / ceiling, target, met, beside)


def nearly_worst(times: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return sorted(times)[(len(times) * 95 - 1) // 100]


async def _frames() -> list[Figure]:
    pictures = frames.Pictures(frames.EVENTS)
    out = []
    for layout in LAYOUTS:
        found = await frames.of_layout(layout, pictures, frames.FRAMES)
        times = [each * 1e3 for each in found.times]
        name, bare = f"frame, {found.name}", found.bare * 1e3
        middle, worst = starts.median(times), nearly_worst(times)
        out += [
            _most(name, "ms", middle, bare, BARE_WIDGET, MOST_FRAME_MS),
            _most(f"{name}, p95", "ms", worst, bare, BARE_WIDGET),
        ]
    return out


async def _waits() -> list[Figure]:
    found = await waits.measured(waits.KEYS, waits.PAUSES)
    bare = nearly_worst(await waits.of_bare(waits.KEYS)) * 1e3
    key, pause = nearly_worst(found.keys) * 1e3, nearly_worst(found.pauses) * 1e3
    return [
        _most("key to screen, p95", "ms", key, bare, BARE_KEY, MOST_KEY_MS),
        _most("pause, p95", "ms", pause, bare, BARE_KEY, MOST_KEY_MS),
    ]


async def _growth() -> list[Figure]:
    found = await growth.measured(growth.EVENTS, growth.WARM)
    after, before = found.after / MIB, found.before / MIB
    met = after / before <= MOST_GROWTH
    name = f"memory after {found.events:,} events"
    return [
        Figure(
            name, after, "MiB", before, after / before, f"ratio <= {MOST_GROWTH}", met,
            "when all that is kept was full",
        )
    ]  # fmt: skip


def _starts() -> list[Figure]:
    """Take the best of some rounds, turn by turn."""
    kinds = (
        partial(starts.helped, starts.HELP), partial(starts.helped, starts.BARE_HELP),
        partial(starts.painted, starts.TUI), partial(starts.painted, starts.BARE_TUI),
    )  # fmt: skip
    for kind in kinds:
        kind()  # writes bytecode
    rounds = [[kind() for kind in kinds] for _ in range(starts.ROUNDS)]
    help_, bare_help, paint, bare_paint = (
        starts.Start(*map(min, zip(*times, strict=True)))
        for times in zip(*rounds, strict=True)
    )
    bare = "that of a bare application"
    return [
        *_start("--help", help_, bare_help, "importing click", MOST_HELP_SECONDS),
        *_start("first paint", paint, bare_paint, bare, MOST_PAINT_SECONDS),
    ]


def _start(
    name: str, ours: starts.Start, bare: starts.Start, beside: str, most: float
) -> list[Figure]:
    processor = f"{name}, processor"
    return [
        _most(name, "s", ours.wall, bare.wall, beside, most),
        _most(processor, "s", ours.processor, bare.processor, beside, most),
    ]


def figures() -> list[Figure]:
    """Measure all of it, as the program runs: with garbage collected seldom."""
    out = _starts()
    with seldom():
        for measure in (_frames, _waits, _growth):
            out += asyncio.run(measure())
    return out


def main(*, as_json: bool) -> bool:
    """Measure and print everything; tell whether every target is met."""
    here, found = where(), figures()
    if as_json:
        rows = [asdict(figure) | asdict(here) for figure in found]
        output.say(json_text(rows, indent=2))
    else:
        output.say("\n".join([str(here), *map(line, found)]))
    return all(figure.met for figure in found)
