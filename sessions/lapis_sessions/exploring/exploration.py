"""An exploration as a whole: runs, their outcomes, and a recording of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lapis_sessions import files
from lapis_sessions.errors import SessionError
from lapis_sessions.exploring.outcomes import Group, Outcomes, Result

if TYPE_CHECKING:
    from concurrent.futures import Future

    from lapis_sessions.exploring.pool import Pool
    from lapis_sessions.exploring.work import Job

SUFFIX = ".lapis"


class Shelf:
    """The folder of the recordings, one for each outcome."""

    def __init__(self, folder: str, *, force: bool) -> None:
        """Begin in a folder without recordings, or in any with `force`.

        Raises `SessionError` when it has some, or cannot be made.
        """
        self._folder = Path(folder)
        self._coming: dict[str, Future[bytes]] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            has_some = any(self._folder.glob(f"*{SUFFIX}"))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not the name of a folder"
            raise SessionError(f"folder {folder!r} cannot be used: {why}") from None
        if has_some and not force:
            raise SessionError(
                f"folder {folder!r} holds recordings already; --force adds to them and "
                f"replaces those of the same outcome, --out names another folder"
            )

    def want(self, group: Group, coming: Future[bytes]) -> None:
        """Put a recording there as soon as it comes, in place of an earlier one."""
        self._coming[group.outcome.digest] = coming
        name = f"{group.outcome.stop}-{group.outcome.digest}{SUFFIX}"
        group.file = str(self._folder / name)

    def put(self, outcomes: Outcomes, pool: Pool, *, wait: bool = False) -> None:
        """Write those that have come, or all.

        Raises `RecordingError`, or `WorkError` when one never comes.
        """
        for digest, coming in list(self._coming.items()):
            if wait or coming.done():
                file = outcomes.groups[digest].file
                files.write(file, [pool.result_of(coming)], force=True)
                del self._coming[digest]


class MemoryShelf(Shelf):
    """A shelf in memory."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.recordings: dict[str, bytes] = {}
        """By the digest of the outcome."""
        self._coming: dict[str, Future[bytes]] = {}

    def want(self, group: Group, coming: Future[bytes]) -> None:
        """Keep a recording as soon as it comes, in place of an earlier one."""
        self._coming[group.outcome.digest] = coming

    def put(self, outcomes: Outcomes, pool: Pool, *, wait: bool = False) -> None:  # noqa: ARG002 - as for any shelf
        """Take in those that have come, or all; raise `WorkError` if one never does."""
        for digest, coming in list(self._coming.items()):
            if wait or coming.done():
                self.recordings[digest] = pool.result_of(coming)
                del self._coming[digest]


Enough = Callable[[Result], bool]
"""Tells after a run whether no more are wanted."""


def met(result: Result) -> bool:
    """Tell whether a run came to what is looked for."""
    return result.outcome.met


def never(_: Result) -> bool:
    """Do all runs, whatever they come to."""
    return False


def explore(
    job: Job,
    runs: int,
    pool: Pool,
    shelf: Shelf | None = None,
    enough: Enough = met,
) -> Outcomes:
    """Do `runs` runs, or as many as it takes; keep recordings.

    Args:
        job: What they share.
        runs: How many at most.
        pool: Who does them. When it is told to stop, what was found is kept.
        shelf: Where their recordings go, if they are kept.
        enough: Tells after each run whether that is all; once the goal is met, unless
            said otherwise.
    """
    outcomes = Outcomes()
    for result in pool.results(job, runs):
        group = outcomes.add(result)
        if shelf is not None:
            if group is not None:
                shelf.want(group, pool.record(job, group.best.number))
            shelf.put(outcomes, pool)
        if enough(result):
            break
    pool.forget()
    if shelf is not None:
        shelf.put(outcomes, pool, wait=True)
    return outcomes
