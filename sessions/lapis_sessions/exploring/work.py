"""The runs of an exploration by number: the same wherever they are done."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_engine.machine.stop import Stop
from lapis_sessions.exploring import plan as plans
from lapis_sessions.exploring.driving import ENDS, Driver, switches
from lapis_sessions.exploring.goals import Goal
from lapis_sessions.exploring.outcomes import Result, outcome
from lapis_sessions.exploring.plan import Turn
from lapis_sessions.opening import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from lapis_sessions.exploring.outcomes import Observed
    from lapis_sessions.exploring.plan import Plan
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.origin import Origin

DEFAULT_LIMIT: Final = 1_000_000
"""Instructions of a run, a turn counting as one more."""


class BrokenOffError(Exception):
    """Somebody wants no more of the work."""


def versions() -> str:
    """Return what the outcome of a run depends on besides the job."""
    return f"lapis {version('lapis')}, unicorn {version('unicorn')}"


@dataclass(frozen=True, slots=True)
class Job:
    """What all runs of an exploration share."""

    origin: Origin
    extensions: Callable[[], Extensions]
    """Something to call that any process can import; equal jobs have equal ones."""
    seed: int
    kinds: tuple[str, ...]
    """What may be done to IPIs."""
    limit: int = DEFAULT_LIMIT
    until: str = ""
    lint: str = ""
    answers: tuple[str, ...] = ()
    """Rules that answer requests."""
    versions: str = field(default_factory=versions)
    """Of who gives the job: another version might come to something else."""


class Explorer:
    """Does the runs of one job, all on one machine."""

    def __init__(self, job: Job) -> None:
        """Build the machine; raises as `build`, `Goal` and `Driver.begin`.

        Raises `ConfigError` for a job of another version.
        """
        if job.versions != versions():
            raise ConfigError(
                f"the runs are for {job.versions}, and a worker has {versions()}"
            )
        self.job = job
        extensions = job.extensions()
        self.goal = Goal(extensions, job.until, job.lint)
        self.driver = Driver(build(job.origin, extensions))
        self.driver.begin(answers=job.answers)

    def run(self, number: int, stopped: Callable[[], bool] = bool) -> Result:
        """Do one run; raise `BrokenOffError` as soon as `stopped` says so."""
        plan = plans.draw(self.job.seed, number, self.job.kinds)
        found = self._play(plan, stopped)
        driver = self.driver
        turns = sum(isinstance(step, Turn) for step in driver.steps)
        return Result(
            number,
            plan.seed,
            found,
            tuple(each.text for each in plan.disturbances),
            turns,
            switches(driver.steps),
            sum(vcpu.retired for vcpu in driver.machine.vcpus),
        )

    def _play(self, plan: Plan, stopped: Callable[[], bool]) -> Observed:
        driver, goal, limit = self.driver, self.goal, self.job.limit
        driver.begin([*goal.catches, *plans.EVENTS], self.job.answers)
        for disturbance in plan.disturbances:
            driver.act(disturbance.act)
        turns = Turns(plan)
        while True:
            if goal.is_met(driver):
                return outcome(driver.machine, None, met=True)
            if stopped():
                raise BrokenOffError
            stop: Stop | None
            if driver.spent >= limit:
                stop = Stop("budget", 0, 0, None, f"{limit} instructions")
            else:
                stop = turns.next(driver, limit - driver.spent)
            if stop is not None:
                met = goal.is_met(driver, stop)
                return outcome(driver.machine, stop, met=met)

    def record(self, number: int) -> bytes:
        """Do one run again, and return its recording."""
        result = self.run(number)
        driver, job = self.driver, self.job
        text = (
            f"explored with seed {job.seed}, run {number}: {result.outcome.stop}"
            f"{' as looked for' if result.outcome.met else ''} after "
            f"{result.switches} switches, "
            f"{', '.join(result.disturbances) or 'IPIs left alone'}"
        )
        return driver.recording(text)


class Turns:
    """Gives turns as a plan has them drawn."""

    def __init__(self, plan: Plan) -> None:
        """Begin."""
        self._plan = plan
        self._chance: Random = plan.turns()
        self._current = -1
        self._left = 0
        """Instructions that are left of a turn that an event cut."""
        self._nervous = 0
        """Short turns that are still to come."""

    def next(self, driver: Driver, limit: int) -> Stop | None:
        """Give the next turn, of at most `limit`; return what ends the run, if so."""
        awake = driver.awake()
        if not awake:
            self._left = 0
            stop = driver.wake()
            return stop if stop.reason in ENDS | {"halted"} else None
        count = min(self._choose(awake), limit)
        stop = driver.turn(self._current, count)
        self._left = 0
        if stop.reason == "catch":
            if self._plan.at_ipis:
                self._nervous = plans.NERVOUS
            elif len(awake) > 1:
                self._left = count - stop.retired
        return stop if driver.is_over(stop) else None

    def _choose(self, awake: list[int]) -> int:
        """Choose a vCPU, another than before if there is one, and for how long."""
        if self._left and self._current in awake:
            return self._left
        others = [vcpu for vcpu in awake if vcpu != self._current] or awake
        self._current = self._chance.choice(others)
        if len(awake) == 1:
            return plans.ALONE
        longest = self._plan.longest
        if self._nervous:
            self._nervous -= 1
            longest = min(longest, plans.SHORT)
        top = float(longest.bit_length())
        return min(plans.logarithmic(self._chance, 0.0, top), longest)


_here = threading.local()


def explorer(job: Job) -> Explorer:
    """Return the explorer that this thread has for a job: machines are not shared."""
    found: Explorer | None = getattr(_here, "explorer", None)
    if found is None or found.job != job:
        if found is not None:
            found.driver.session.release()
        found = _here.explorer = Explorer(job)
    return found
