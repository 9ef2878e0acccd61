"""From what is asked of an exploration to its job, once it is clear that it can be."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_sessions.exploring.goals import Goal
from lapis_sessions.exploring.plan import KINDS
from lapis_sessions.exploring.work import DEFAULT_LIMIT, Job, explorer
from lapis_sessions.platforms import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.origin import SessionOptions

IPIS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"any": KINDS, "as-sent": (), "delay": ("delay",), "drop": ("drop",)}
)
"""What may be done to IPIs, by what the user calls it."""
DEFAULT_RUNS: Final = 1000
DEFAULT_SEED: Final = 1
MOST_RUNS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants of an exploration, beside the machine."""

    schedules: int = DEFAULT_RUNS
    """Runs at most."""
    seed: int = DEFAULT_SEED
    until: str = ""
    """What is looked for; nothing for nothing."""
    lint: str = ""
    limit: int = DEFAULT_LIMIT
    """Instructions of a run, a turn counting as one more."""
    ipis: str = "any"
    """What is done to IPIs, as `IPIS` names it."""
    answers: tuple[str, ...] = ()
    """Rules that answer requests."""

    def check(self) -> None:
        """Raise `ConfigError` for what no exploration can be."""
        if not 1 <= self.schedules <= MOST_RUNS:
            raise ConfigError(f"{self.schedules} schedules: from 1 to {MOST_RUNS}")
        if self.limit < 1:
            raise ConfigError(f"a limit of {self.limit} instructions: at least 1")
        if self.ipis not in IPIS:
            known = ", ".join(IPIS)
            raise ConfigError(f"IPIs {self.ipis!r}: one of {known} is expected")


def job(
    asked: Asked,
    options: SessionOptions,
    extensions: Extensions,
    makes: Callable[[], Extensions],
) -> Job:
    """Return the job, once it is clear that it can be done; raise `LapisError`.

    Args:
        asked: What is wanted.
        options: The machine.
        extensions: What the plug-ins offer here.
        makes: Returns the same in any process (`Job.extensions`).
    """
    asked.check()
    goal = Goal(extensions, asked.until, asked.lint)
    origin = origin_of(options, extensions)
    found = Job(
        origin, makes, asked.seed, IPIS[asked.ipis], asked.limit, asked.until,
        asked.lint, asked.answers,
    )  # fmt: skip
    goal.is_met(explorer(found).driver)  # or it could never be looked at
    return found
