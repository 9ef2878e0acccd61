"""`lapis explore` and `lapis shrink`: many interleavings, and one reduced."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from lapis_engine.errors import ConfigError
from lapis_plugins.workers import ExtensionsOf
from lapis_sessions import files
from lapis_sessions.exploring import exploration, jobs, pool, reduction
from lapis_sessions.exploring import view as views
from lapis_sessions.exploring.exploration import Shelf
from lapis_sessions.exploring.goals import Goal
from lapis_sessions.exploring.jobs import Asked
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.play import named
from lapis_tui import ending, output
from lapis_tui.cli import headless, plugged

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lapis_sessions.exploring.pool import Pool


def explore(*, as_json: bool, **options: Any) -> int:
    """Do what `lapis explore` is told (`lapis_tui.cli.exploring` has its options)."""
    width = _width(options.pop("jobs"), options["dask"])
    own = {name: options.pop(name) for name in OWN}
    enough = exploration.never if own["go_on"] else exploration.met
    asked = Asked(**{name: options.pop(name) for name in ASKED})
    extensions = plugged.extensions()
    makes = ExtensionsOf(plugged.files(), plugged.tell)
    job = jobs.job(asked, SessionOptions(**options), extensions, makes)
    shelf = Shelf(own["out"], force=own["force"])
    with ending.listening() as end:

        def stopped() -> bool:
            return end.asked

        begun = perf_counter()
        with _pool(own["dask"], width, stopped) as workers:
            found = exploration.explore(job, asked.schedules, workers, shelf, enough)
        seconds = perf_counter() - begun
    view = views.explored(job, Goal(extensions, job.until, job.lint), found)
    output.result(view, views.explored_text, as_json=as_json)
    output.say(f"{found.runs / seconds:,.1f} runs a second", err=True)
    if end.asked:
        return end.status
    return headless.FAILED if view.until and found.met is None else headless.OK


ASKED = tuple(field.name for field in fields(Asked))
OWN = ("go_on", "out", "force", "dask")
"""Options of `explore` that, as those of `ASKED`, do not describe the machine."""


def _width(wanted: int, dask: str) -> int:
    if wanted and dask:
        raise ConfigError(f"-j {wanted} and --dask {dask} exclude each other")
    return wanted or os.cpu_count() or 1


def _pool(
    dask: str, jobs: int, stopped: Callable[[], bool]
) -> AbstractContextManager[Pool]:
    return pool.dask(dask, stopped) if dask else pool.processes(jobs, stopped)


def shrink(
    *,
    file: str,
    until: str,
    lint: str,
    out: str,
    force: bool,
    tries: int,
    as_json: bool,
) -> int:
    """Do what `lapis shrink` is told (`lapis_tui.cli.exploring` has its options)."""
    extensions = plugged.extensions()
    goal = Goal(extensions, until, lint)
    if not goal.text:
        raise click.UsageError("shrink needs --until EXPR or --lint NAME")
    if tries < 0:
        raise ConfigError(f"{tries} tries: at least 0")
    found = named.find(file)
    target = out or _beside(found.recording.name)
    place = files.check(target, force=force)
    with ending.listening() as end:
        done = reduction.reduce(
            found, goal, extensions, tries=tries, stopped=lambda: end.asked
        )
    files.write(place, [done.file])
    view = views.shrunk(done, found, goal, target)
    output.result(view, views.shrunk_text, as_json=as_json)
    return end.status if end.asked else headless.OK


def _beside(file: str) -> str:
    path = Path(file)
    return str(path.with_name(f"{path.stem}-shrunk{exploration.SUFFIX}"))
