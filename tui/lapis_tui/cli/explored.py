"""`lapis explore` and `lapis shrink`: many interleavings, and one reduced."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from lapis_engine.errors import ConfigError
from lapis_sessions import files
from lapis_sessions.exploring import exploration, pool, reduction
from lapis_sessions.exploring import view as views
from lapis_sessions.exploring.exploration import Shelf
from lapis_sessions.exploring.goals import Goal
from lapis_sessions.exploring.plan import KINDS
from lapis_sessions.exploring.work import Job, explorer
from lapis_sessions.origin import SessionOptions
from lapis_sessions.platforms import origin_of
from lapis_sessions.recording.play import named
from lapis_tui import ending, output
from lapis_tui.cli import headless, plugged

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lapis_sessions.exploring.pool import Pool
    from lapis_sessions.extensions import Extensions

IPIS = {"any": KINDS, "as-sent": (), "delay": ("delay",), "drop": ("drop",)}
"""What may be done to IPIs, by what the user calls it."""
MOST_RUNS = 10_000_000


@dataclass(frozen=True, slots=True)
class ExtensionsOf:
    """Returns what the plug-ins offer that are found where this is called.

    Two of the same files are equal, in whichever process.
    """

    files: tuple[str, ...] = ()
    """Of plug-ins that are not installed."""

    def __call__(self) -> Extensions:
        """Load them."""
        return plugged.quiet(self.files)


extensions_here = ExtensionsOf()
"""Those that are installed."""


def explore(*, as_json: bool, **options: Any) -> int:
    """Do what `lapis explore` is told (`lapis_tui.cli.exploring` has its options)."""
    jobs = _jobs(options.pop("jobs"), options["dask"])
    own = {name: options.pop(name) for name in OWN}
    extensions = plugged.extensions()
    job = _job(SessionOptions(**options), own, extensions)
    shelf = Shelf(own["out"], force=own["force"])
    with ending.listening() as end:

        def stopped() -> bool:
            return end.asked

        begun = perf_counter()
        with _pool(own["dask"], jobs, stopped) as workers:
            found = exploration.explore(
                job, own["schedules"], workers, shelf, go_on=own["go_on"]
            )
        seconds = perf_counter() - begun
    view = views.explored(job, Goal(extensions, job.until, job.lint), found)
    output.result(view, views.explored_text, as_json=as_json)
    output.say(f"{found.runs / seconds:,.1f} runs a second", err=True)
    if end.asked:
        return end.status
    return headless.FAILED if view.until and found.met is None else headless.OK


OWN = (
    "schedules", "seed", "until", "lint", "go_on", "limit", "ipis", "out", "force",
    "dask", "answers",
)  # fmt: skip
"""Options of `explore` that do not describe the machine."""


def _jobs(jobs: int, dask: str) -> int:
    if jobs and dask:
        raise ConfigError(f"-j {jobs} and --dask {dask} exclude each other")
    return jobs or os.cpu_count() or 1


def _job(options: SessionOptions, own: dict[str, Any], extensions: Extensions) -> Job:
    """Return the job, once it is clear that it can be done; raise `LapisError`."""
    runs, limit = own["schedules"], own["limit"]
    if not 1 <= runs <= MOST_RUNS:
        raise ConfigError(f"{runs} schedules: from 1 to {MOST_RUNS}")
    if limit < 1:
        raise ConfigError(f"a limit of {limit} instructions: at least 1")
    goal = Goal(extensions, own["until"], own["lint"])
    kinds = tuple(IPIS[own["ipis"]])
    origin = origin_of(options, extensions)
    makes = ExtensionsOf(plugged.files())
    job = Job(
        origin, makes, own["seed"], kinds, limit, own["until"], own["lint"],
        tuple(own["answers"]),
    )  # fmt: skip
    goal.is_met(explorer(job).driver)  # or it could never be looked at
    return job


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
