"""Reducing what was recorded to the fewest switches that still come to a goal.

Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
Input") over turns: turns are taken out, in ever smaller pieces, and what is then left
undone is done at the end, in long turns. Turns of a vCPU are put together, too, which
keeps what each vCPU does and only moves it (Jalbert and Sen, "A Trace Simplification
Technique for Effective Debugging of Concurrent Programs"). Every try is a run from the
beginning, and one is an improvement if it meets the goal with fewer switches, or with
as many and fewer acts, turns or instructions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_sessions.exploring.driving import switches
from lapis_sessions.exploring.following import follow
from lapis_sessions.exploring.plan import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lapis_sessions.exploring.driving import Driver
    from lapis_sessions.exploring.goals import Goal
    from lapis_sessions.exploring.plan import Step

DEFAULT_TRIES: Final = 2_000
MARGIN: Final = 100_000
"""Instructions that a try may take longer than twice what was recorded."""
Score = tuple[int, int, int, int]
"""Switches, other acts, turns, instructions: less is better."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What became of a schedule."""

    before: Score
    after: Score
    steps: tuple[Step, ...]
    tries: int
    complete: bool
    """Whether nothing more could be taken away; else the tries were used up."""


class EnoughError(Exception):
    """The tries are used up, or somebody wants no more."""


class Shrinker:
    """Shrinks one schedule."""

    def __init__(
        self,
        driver: Driver,
        goal: Goal,
        tries: int = DEFAULT_TRIES,
        stopped: Callable[[], bool] = bool,
        margin: int = MARGIN,
    ) -> None:
        """Use at most `tries` runs, and none after `stopped` says so.

        A try may take `margin` instructions longer than twice what was recorded.
        """
        self._driver = driver
        self._goal = goal
        self._most = tries
        self._stopped = stopped
        self._margin = margin
        self._limit = 0
        self._seen: set[str] = set()
        self._best: list[Step] = []
        self.tries = 0

    def shrink(self, steps: Sequence[Step]) -> Shrunk:
        """Return the best schedule found; the driver has then just run it.

        Raises `ConfigError` when `steps` do not come to the goal.
        """
        ran = sum(step.count for step in steps if isinstance(step, Turn))
        self._limit = 2 * ran + len(steps) + self._margin
        if not self._follow(steps):
            raise ConfigError(
                f"{self._goal.text!r} never holds in this recording, nor if it went on"
            )
        # What comes after the goal counts as little as what follows from going on.
        before = score(list(steps))
        self._best = list(self._driver.steps)
        complete = True
        try:
            self._shorten()
            while self._pass():
                pass
        except EnoughError:
            complete = False
        self._follow(self._best)
        after = tuple(self._driver.steps)
        return Shrunk(before, score(after), after, self.tries, complete)

    def _follow(self, steps: Sequence[Step]) -> bool:
        return follow(self._driver, steps, self._goal, self._limit)

    # The passes.

    def _shorten(self) -> None:
        """Find how few of the first turns it takes."""
        steps, length = self._best, 0
        while length < len(steps):
            if self._try([*steps[:length], *_acts(steps[length:])]):
                return
            length = max(2 * length, 1)

    def _pass(self) -> bool:
        """Try everything once more; tell whether anything was better."""
        before = score(self._best)
        size = max(len(self._best) // 2, 1)
        while size:
            self._greedily(partial(_without, size))
            size //= 2
        self._greedily(_put_together)
        self._greedily(_halved)
        return score(self._best) < before

    def _greedily(self, changes: Callable[[list[Step]], Iterator[list[Step]]]) -> None:
        """Try one change after the other, beginning anew with each better schedule."""
        improved = True
        while improved:
            improved = any(self._try(steps) for steps in changes(self._best))

    def _try(self, steps: Sequence[Step]) -> bool:
        """Run a schedule; make it the best if it is better."""
        joined = _joined(steps)
        key = repr(joined)
        if key in self._seen:
            return False
        self._seen.add(key)
        if self.tries >= self._most or self._stopped():
            raise EnoughError
        self.tries += 1
        if not self._follow(joined):
            return False
        if score(self._driver.steps) >= score(self._best):
            return False
        self._best = list(self._driver.steps)
        return True


def score(steps: Sequence[Step]) -> Score:
    """Return how simple a schedule is."""
    turns = [step.count for step in steps if isinstance(step, Turn)]
    return switches(steps), len(steps) - len(turns), len(turns), sum(turns)


def _acts(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if not isinstance(step, Turn)]


def _joined(steps: Sequence[Step]) -> list[Step]:
    """Put neighbouring turns of a vCPU together."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if isinstance(step, Turn) and isinstance(last, Turn) and step.vcpu == last.vcpu:
            found[-1] = Turn(step.vcpu, last.count + step.count)
        else:
            found.append(step)
    return found


def _without(size: int, steps: list[Step]) -> Iterator[list[Step]]:
    """Take out pieces of so many steps."""
    for at in range(0, len(steps), size):
        yield steps[:at] + steps[at + size :]


def _put_together(steps: list[Step]) -> Iterator[list[Step]]:
    """Do a turn together with the vCPU's next one: there, or here."""
    for at, step in enumerate(steps):
        if not isinstance(step, Turn):
            continue
        for later in range(at + 1, len(steps)):
            other = steps[later]
            if isinstance(other, Turn) and other.vcpu == step.vcpu:
                both: list[Step] = [Turn(step.vcpu, step.count + other.count)]
                between, rest = steps[at + 1 : later], steps[later + 1 :]
                yield steps[:at] + both + between + rest
                yield steps[:at] + between + both + rest
                break


def _halved(steps: list[Step]) -> Iterator[list[Step]]:
    """Take half of a turn off, a quarter, and so on to one instruction."""
    for at, step in enumerate(steps):
        less = step.count // 2 if isinstance(step, Turn) else 0
        while less and isinstance(step, Turn):
            yield [*steps[:at], Turn(step.vcpu, step.count - less), *steps[at + 1 :]]
            less //= 2
