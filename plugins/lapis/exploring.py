"""Many schedules of one guest, and one reduced: `lapis explore` and `lapis shrink`."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Unpack

from lapis import options
from lapis_engine.errors import ConfigError
from lapis_plugins.host import discover
from lapis_plugins.workers import ExtensionsOf
from lapis_sessions import files
from lapis_sessions.exploring import exploration, pool, reduction, systematic
from lapis_sessions.exploring import jobs as asking
from lapis_sessions.exploring import view as views
from lapis_sessions.exploring.exploration import MemoryShelf
from lapis_sessions.exploring.goals import Goal, Missed
from lapis_sessions.exploring.jobs import DEFAULT_RUNS, DEFAULT_SEED, Asked
from lapis_sessions.exploring.shrinking import DEFAULT_TRIES, MARGIN
from lapis_sessions.exploring.view import Terms
from lapis_sessions.exploring.work import DEFAULT_LIMIT, explorer
from lapis_sessions.recording.play import named
from lapis_sessions.text.visible import printed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from lapis.options import MachineOptions
    from lapis_sessions.draft import Target
    from lapis_sessions.exploring.exploration import Enough
    from lapis_sessions.exploring.outcomes import Result
    from lapis_sessions.exploring.view import (
        CoverageView,
        ExploredView,
        OutcomeView,
        ShrunkView,
    )
    from lapis_sessions.exploring.work import Job
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.origin import SessionOptions
    from lapis_sessions.recording.play.named import Named


class Reducing(NamedTuple):
    """How a recording is reduced."""

    extensions: Extensions
    tries: int
    margin: int = MARGIN


@dataclass(frozen=True, slots=True)
class Exploration:
    """What many schedules of a guest came to."""

    guest: str
    cpus: int
    profile: str
    seed: int
    schedules: int
    """Runs that were asked for."""
    runs: int
    """Those that were done: the first so many."""
    condition: str
    """What was looked for, or nothing."""
    verb: str
    """How: until, never, always; nothing for nothing."""
    outcomes: tuple[OutcomeView, ...]
    """The distinct ones, in the order in which they were found."""
    found: OutcomeView | None
    """The first that came to the condition; with `always` the first that did not."""
    coverage: CoverageView | None
    """What was searched of all schedules, where `bound` was given."""
    _job: Job = field(repr=False)
    _recordings: Mapping[str, bytes] = field(repr=False)
    """By outcome, of runs that are not told by their number."""

    @property
    def complete(self) -> bool:
        """Whether all was run that was asked for, each schedule to its end."""
        if self.coverage is not None:
            return self.coverage.complete
        return self.runs == self.schedules

    @property
    def holds(self) -> bool:
        """Whether what was said of the schedules is so, as far as they were run.

        That is that the condition came about, never did, or did in every one of them.
        """
        return (self.found is None) == (self.verb != "until")

    @property
    def text(self) -> str:
        """The distinct outcomes in words, as `lapis explore` prints them."""
        lines = [f"{self.guest}, {self._which}: {len(self.outcomes)} outcomes"]
        mark = "as it should be" if self.verb == "always" else "looked for"
        for outcome in self.outcomes:
            lines += views.outcome_lines(outcome, mark)
        if self.coverage is not None:
            lines += views.coverage_lines(self.coverage)
        return printed("\n".join(lines))

    @property
    def _which(self) -> str:
        """Which schedules were run."""
        if self.coverage is not None:
            most = views.preemptions(self.coverage.bound)
            return f"{self.runs:,} schedules with at most {most}"
        return f"{self.runs:,} runs with seed {self.seed}"

    @property
    def where(self) -> str:
        """In which schedule something was found, in words; nothing if it was not."""
        if self.found is None:
            return ""
        if self.coverage is not None:
            most = views.preemptions(self.coverage.bound)
            return f"schedule {self.found.run} of those with at most {most}"
        return f"run {self.found.run} of {self.schedules:,} with seed {self.seed}"

    def recording(self, outcome: OutcomeView | None = None) -> bytes:
        """Do the run again that stands for an outcome, and return its recording.

        It is that of `found` unless said otherwise, or of the first.
        """
        wanted = outcome or self.found or self.outcomes[0]
        if self.coverage is not None:
            return self._recordings[wanted.outcome]
        return explorer(self._job).record(wanted.run)

    def save(
        self,
        path: str | PathLike[str],
        outcome: OutcomeView | None = None,
        *,
        force: bool = False,
    ) -> Path:
        """Write that recording to a file; raise `RecordingError` when it is there.

        `force` replaces it.
        """
        files.write(files.check(fspath(path), force=force), [self.recording(outcome)])
        return Path(path)

    def shrink(
        self, path: str | PathLike[str], *, tries: int = DEFAULT_TRIES
    ) -> ShrunkView:
        """Reduce the recording of `found` that `save` wrote to `path`, in its place.

        It stays as it was when nothing better was found: a schedule with few
        preemptions has little to lose. Raises `ConfigError` when nothing was found or
        it cannot be reduced, with the file as it was.
        """
        if self.found is None:
            raise ConfigError("nothing was found that could be shrunk")
        extensions = self._job.extensions()
        goal_of = Missed if self.verb == "always" else Goal
        goal = goal_of(extensions, self._job.until, self._job.lint)
        how = Reducing(extensions, tries, min(self._job.limit, MARGIN))
        target = files.check(fspath(path), force=True)
        return _reduced(named.find(fspath(path)), goal, how, target, in_place=True)


def explore(  # noqa: PLR0913 - as one says it
    guest: str | PathLike[str] = "",
    *,
    until: str = "",
    never: str = "",
    always: str = "",
    lint: str = "",
    schedules: int = DEFAULT_RUNS,
    seed: int = DEFAULT_SEED,
    limit: int = DEFAULT_LIMIT,
    ipis: str = "as-sent",
    answers: Iterable[str] = (),
    bound: int | None = None,
    jobs: int = 1,
    go_on: bool = False,
    plugins: Iterable[str | PathLike[str]] = (),
    **machine: Unpack[MachineOptions],
) -> Exploration:
    """Run a guest many times, each under another interleaving of its vCPUs.

    At most one of `until`, `never`, `always` and `lint` says what is looked for, and it
    ends when that is decided.

    Args:
        guest: As for `lapis.open`, and so are the options of the machine.
        until: A condition that some schedule is to come to.
        never: One that none may come to.
        always: One that each is to come to, before it ends or is cut off.
        lint: A lint that is to find something in some schedule.
        schedules: Runs at most.
        seed: The same seed makes the same runs.
        limit: Instructions of a run; each turn counts as one more.
        ipis: What is done to IPIs in every other run: as-sent, delay, drop or any.
        answers: Rules that answer requests, as `mmio 0xd0000000 = 0x1234`.
        bound: Run all schedules with at most so many preemptions, and not some at
            random: `schedules` and `seed` say nothing then, and IPIs are as sent.
        jobs: Processes. With more than one, who calls this is a module whose work is
            behind `if __name__ == "__main__"`, or a test.
        go_on: Do all runs even when it is decided.
        plugins: Python files of plug-ins, beside those that are installed.
        machine: Options of the machine.

    Raises `ConfigError` for what cannot be, `ExpressionError` for what is no condition,
    and as `lapis.open`.
    """
    verb, condition = _one(until=until, never=never, always=always, lint=lint)
    is_lint = verb == "lint"
    asked = Asked(
        schedules, seed, "" if is_lint else condition, condition if is_lint else "",
        limit, ipis, tuple(answers),
    )  # fmt: skip
    job = _job(asked, options.of(guest, machine), plugins)
    enough = exploration.never if go_on else ENOUGH.get(verb, exploration.met)
    if bound is not None and ipis != "as-sent":
        raise ConfigError(f"bound={bound} and ipis={ipis!r} exclude each other")
    kept = MemoryShelf()
    view = _explored(job, Terms(schedules), bound, jobs, enough, kept)
    return _exploration(job, view, verb, kept)


def shrink(  # noqa: PLR0913 - one argument each
    file: str | PathLike[str],
    *,
    until: str = "",
    always: str = "",
    lint: str = "",
    out: str | PathLike[str] | None = None,
    force: bool = False,
    tries: int = DEFAULT_TRIES,
    plugins: Iterable[str | PathLike[str]] = (),
) -> ShrunkView:
    """Reduce a recording to the fewest switches between vCPUs that still do.

    Args:
        file: The recording; `FILE@BRANCH` is a branch of it.
        until: What has to come about in the end.
        always: What must not have come about at the end, though it should.
        lint: A lint that has to find something.
        out: The new recording; `FILE-shrunk.lapis` beside it unless said.
        force: Replace it if it is there.
        tries: Runs at most.
        plugins: Python files of plug-ins, beside those that are installed.

    Raises `ConfigError` when it does not come to that, and `RecordingError`.
    """
    verb, _ = _one(until=until, always=always, lint=lint)
    if not verb:
        raise ConfigError("shrink needs until, always or lint")
    extensions = discover(files=[fspath(each) for each in plugins]).extensions
    goal = Missed(extensions, always) if always else Goal(extensions, until, lint)
    found = named.find(fspath(file))
    beside = Path(found.recording.name)
    beside = beside.with_name(f"{beside.stem}-shrunk{exploration.SUFFIX}")
    target = files.check(fspath(beside if out is None else out), force=force)
    return _reduced(found, goal, Reducing(extensions, tries), target)


def missed(result: Result) -> bool:
    """Tell whether a run never came to the condition."""
    return not result.outcome.met


ENOUGH: Final = {"always": missed, "": exploration.never}
"""When it is decided; else it is when the condition is met."""


def _one(**conditions: str) -> tuple[str, str]:
    """Return the name of the one that is given, and itself; raise `ConfigError`."""
    given = [name for name, text in conditions.items() if text]
    if len(given) > 1:
        known = " and ".join(f"{name}={conditions[name]!r}" for name in given[:2])
        raise ConfigError(f"{known} exclude each other")
    return (given[0], conditions[given[0]]) if given else ("", "")


def _job(
    asked: Asked,
    machine: SessionOptions,
    plugins: Iterable[str | PathLike[str]],
) -> Job:
    paths = tuple(fspath(each) for each in plugins)
    extensions = discover(files=paths).extensions
    return asking.job(asked, machine, extensions, ExtensionsOf(paths))


def _explored(
    job: Job, terms: Terms, bound: int | None, jobs: int, enough: Enough,
    kept: MemoryShelf,
) -> ExploredView:  # fmt: skip
    """Run some schedules at random, or all within a bound; `kept` has recordings."""
    coverage = None
    with pool.processes(jobs, bool) as workers:
        if bound is None:
            done = exploration.explore(job, terms.schedules, workers, enough=enough)
        else:
            done, coverage = systematic.explore(job, bound, workers, kept, enough)
    goal = Goal(job.extensions(), job.until, job.lint)
    return views.explored(job, goal, done, terms, broken_off=False, coverage=coverage)


def _exploration(
    job: Job, view: ExploredView, verb: str, kept: MemoryShelf
) -> Exploration:
    sought = verb != "always"
    found = next((o for o in view.outcomes if o.came_to.met is sought), None)
    return Exploration(
        view.guest, view.cpus, view.profile, job.seed, view.schedules, view.runs,
        view.until, verb, view.outcomes, found if verb else None, view.coverage, job,
        kept.recordings,
    )  # fmt: skip


def _reduced(
    found: Named, goal: Goal, how: Reducing, target: Target, *, in_place: bool = False
) -> ShrunkView:
    done = reduction.reduce(
        found, goal, how.extensions, tries=how.tries, margin=how.margin
    )
    if not in_place or done.shrunk.after < done.shrunk.before:
        files.write(target, [done.file])
    return views.shrunk(done, found, goal, target.path, otherwise="tries")
