"""Shrinking a file: from one recording to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_sessions.exploring.driving import Driver
from lapis_sessions.exploring.following import ends_of, steps_of
from lapis_sessions.exploring.shrinking import DEFAULT_TRIES, MARGIN, Shrinker
from lapis_sessions.recording.play.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.exploring.goals import Goal
    from lapis_sessions.exploring.shrinking import Shrunk
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.play.named import Named


@dataclass(frozen=True, slots=True)
class Reduction:
    """A recording that was made smaller."""

    shrunk: Shrunk
    ends: tuple[str, ...]
    """For each step the instruction that its vCPU stands before; nothing for acts."""
    file: bytes
    """The new recording."""


def reduce(
    named: Named,
    goal: Goal,
    extensions: Extensions,
    *,
    tries: int = DEFAULT_TRIES,
    stopped: Callable[[], bool] = bool,
    margin: int = MARGIN,
) -> Reduction:
    """Shrink a branch of a recording to what still comes to the goal.

    `tries`, `stopped` and `margin` are as for a `Shrinker`.

    Raises `ConfigError` when it does not come to it, `RecordingError` when the machine
    cannot be built again, and `DivergedError` when it does not replay.
    """
    driver = Driver(rebuild(named.recording.header, extensions))
    steps = steps_of(driver, named.branch.entries(driver.at))
    shrunk = Shrinker(driver, goal, tries, stopped, margin).shrink(steps)
    text = (
        f"shrunk from {named.text}: {goal.text} with {shrunk.after[0]} switches "
        f"instead of {shrunk.before[0]}"
    )
    file = driver.recording(text)
    return Reduction(shrunk, tuple(ends_of(driver, shrunk.steps, goal)), file)
