"""`lapis explore` and `lapis shrink`: many interleavings, and one reduced."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lapis_engine.errors import ConfigError
from lapis_plugins.workers import ExtensionsOf
from lapis_sessions import files
from lapis_sessions.exploring import exploration, jobs, pool, reduction, systematic
from lapis_sessions.exploring import view as views
from lapis_sessions.exploring.exploration import Shelf
from lapis_sessions.exploring.goals import Goal
from lapis_sessions.exploring.jobs import Asked
from lapis_sessions.exploring.view import Terms
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.play import named
from lapis_tui import ending, output
from lapis_tui.cli import headless, plugged
from lapis_tui.cli.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lapis_sessions.exploring.pool import Pool
    from lapis_sessions.exploring.view import ExploredView, ShrinkEnd


def explore(*, as_json: bool, **options: Any) -> int:
    """Do what `lapis explore` is told (`lapis_tui.cli.exploring` has its options)."""
    width = _width(options.pop("jobs"), options["dask"])
    own = {name: options.pop(name) for name in OWN}
    bound = own["bound"]
    if bound is not None:
        _only_bound(bound)
        options["ipis"] = "as-sent"
    is_bad = _turn_round(options)
    asked = Asked(**{name: options.pop(name) for name in ASKED})
    terms = Terms(asked.schedules, own["budget"], is_bad, own["go_on"])
    enough = exploration.never if terms.go_on else exploration.met
    extensions = plugged.extensions()
    makes = ExtensionsOf(plugged.files(), plugged.tell)
    job = jobs.job(asked, SessionOptions(**options), extensions, makes)
    shelf = Shelf(own["out"], force=own["force"])
    with ending.listening() as end:
        begun, budget = perf_counter(), Budget(terms.budget)

        def stopped() -> bool:
            return end.asked or budget.is_spent

        coverage = None
        with _pool(own["dask"], width, stopped) as workers:
            if bound is None:
                runs = asked.schedules
                found = exploration.explore(job, runs, workers, shelf, enough)
            else:
                found, coverage = systematic.explore(job, bound, workers, shelf, enough)
        seconds = perf_counter() - begun
    runs = found.runs
    if coverage is not None:
        runs = coverage.total
        terms = replace(terms, schedules=found.runs + sum(coverage.left))
    goal = Goal(extensions, job.until, job.lint)
    view = views.explored(
        job, goal, found, terms, broken_off=end.asked, coverage=coverage
    )
    output.result(view, views.explored_text, as_json=as_json)
    output.say(f"{runs / seconds:,.1f} runs a second", err=True)
    return end.status if end.asked else _status(view)


ASKED = tuple(field.name for field in fields(Asked))
OWN = ("go_on", "out", "force", "dask", "budget", "bound")
"""Options of `explore` that, as those of `ASKED`, do not describe the machine."""
GOALS = ("until", "lint", "never", "never_lint")
"""Options that say what is looked for."""


RANDOM = ("schedules", "seed", "ipis")
"""Options of an exploration at random."""


def _only_bound(bound: int) -> None:
    """Raise `ConfigError` for what is no bound, or is given beside one in vain."""
    systematic.check(bound)
    context = click.get_current_context()
    for name in RANDOM:
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        value = context.params[name]
        if is_given and value != "as-sent":
            raise ConfigError(
                f"--bound {bound} and --{name} {value} exclude each other: all "
                f"schedules are run, with IPIs as sent"
            )


def _turn_round(options: dict[str, Any]) -> bool:
    """Make what must never come about what is looked for; tell whether it is that.

    Raises `ConfigError` for more than one of `GOALS`.
    """
    given = [name for name in GOALS if options[name]]
    if len(given) > 1:
        texts = (f"--{name.replace('_', '-')} {options[name]!r}" for name in given[:2])
        raise ConfigError(f"{' and '.join(texts)} exclude each other")
    never, never_lint = options.pop("never"), options.pop("never_lint")
    options["until"] = options["until"] or never
    options["lint"] = options["lint"] or never_lint
    return bool(never or never_lint)


def _status(view: ExploredView) -> int:
    """Return the exit status of an exploration that was not broken off."""
    if not view.until:
        return headless.OK
    if not view.never:
        return headless.FAILED if view.found is None else headless.OK
    if view.found is not None:
        return headless.FAILED
    is_whole = view.runs == view.schedules
    if view.coverage is not None:
        is_whole = view.coverage.complete
    return headless.OK if is_whole else headless.UNDECIDED


def _width(wanted: int, dask: str) -> int:
    if wanted and dask:
        raise ConfigError(f"-j {wanted} and --dask {dask} exclude each other")
    return wanted or os.cpu_count() or 1


def _pool(
    dask: str, jobs: int, stopped: Callable[[], bool]
) -> AbstractContextManager[Pool]:
    return pool.dask(dask, stopped) if dask else pool.processes(jobs, stopped)


def shrink(  # noqa: PLR0913 - one argument per option
    *,
    file: str,
    until: str,
    lint: str,
    out: str,
    force: bool,
    tries: int,
    budget: float | None,
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
        clock = Budget(budget)

        def stopped() -> bool:
            return end.asked or clock.is_spent

        done = reduction.reduce(found, goal, extensions, tries=tries, stopped=stopped)
    files.write(place, [done.file])
    is_used_up = done.shrunk.tries >= tries
    why: ShrinkEnd = "tries" if is_used_up else "signal" if end.asked else "budget"
    view = views.shrunk(done, found, goal, target, otherwise=why)
    output.result(view, views.shrunk_text, as_json=as_json)
    return end.status if end.asked else headless.OK


def _beside(file: str) -> str:
    path = Path(file)
    return str(path.with_name(f"{path.stem}-shrunk{exploration.SUFFIX}"))
