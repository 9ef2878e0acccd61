"""All schedules with at most so many preemptions, one after the other.

Iterative context bounding (Musuvathi and Qadeer, "Iterative Context Bounding for
Systematic Testing of Multithreaded Programs"): first those without a preemption, then
those with one, and so on. Which memory is shared is learnt from the runs: when more is
found to be at the end of a round, another one begins that knows it, and what counts is
the last, which finds no more.

A schedule that comes to a state that was come to before, with the same vCPU going on
and no fewer preemptions left, is run to its end, but none is searched that leaves it:
they were all searched from there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_sessions.exploring import forks
from lapis_sessions.exploring.exploration import Enough, Shelf, met
from lapis_sessions.exploring.forks import Fork
from lapis_sessions.exploring.outcomes import Outcomes, Result
from lapis_sessions.exploring.searching import searcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_sessions.exploring.forks import Searched
    from lapis_sessions.exploring.pool import Pool
    from lapis_sessions.exploring.work import Job

MOST: Final = 16
"""Preemptions that may be asked for."""
CUT: Final = "budget"
"""Reason of the stop of a schedule that was not run to its end."""


@dataclass(slots=True)
class Coverage:
    """What was searched, and what was not."""

    bound: int
    """Preemptions at most."""
    rounds: int = 0
    """How often it was begun anew, as more memory was found to be shared."""
    shared: int = 0
    """Bytes that are shared."""
    places: int = 0
    """Where a preemption may come, over all schedules that were run."""
    idle: int = 0
    """Those of them, so far, at which no other vCPU could go on."""
    done: list[int] = field(default_factory=list)
    """Schedules that were run, by their number of preemptions."""
    left: list[int] = field(default_factory=list)
    """Those known that were not run."""
    known: int = 0
    """Schedules that came to a state that was known: what leaves them was left out."""
    cut: int = 0
    """Schedules that were not run to their end."""
    total: int = 0
    """Runs of all rounds."""

    @property
    def complete(self) -> bool:
        """Whether there is no other schedule with so few preemptions."""
        return not any(self.left) and not self.cut


@dataclass(slots=True)
class Search:
    """A search of one job."""

    job: Job
    pool: Pool
    coverage: Coverage
    enough: Enough = met
    shared: frozenset[int] = frozenset()
    outcomes: Outcomes = field(default_factory=Outcomes)
    kept: dict[int, Fork] = field(default_factory=dict)
    """The forks of the schedules that will be recorded, by number."""
    _queues: list[deque[Fork]] = field(default_factory=list)
    _states: set[bytes] = field(default_factory=set)
    _touched: dict[int, int] = field(default_factory=dict)
    _is_enough: bool = False

    def run(self) -> None:
        """Search until all is searched, or it is enough, or nobody wants more."""
        while not self._is_over and self._round():
            pass
        self.pool.forget()
        self.coverage.left = [len(queue) for queue in self._queues]

    @property
    def _is_over(self) -> bool:
        return self._is_enough or self.pool.stopped()

    def _round(self) -> bool:
        """Search all with what is known to be shared; tell whether more is."""
        coverage = self.coverage
        levels = coverage.bound + 1
        self.outcomes, self.kept = Outcomes(), {}
        self._states, self._touched = set(), {}
        self._queues = [deque() for _ in range(levels)]
        self._queues[0].append(Fork())
        coverage.rounds += 1
        coverage.places = coverage.idle = coverage.known = coverage.cut = 0
        coverage.done = [0] * levels
        for queue in self._queues:
            while queue and not self._is_over:
                self._wave(queue)
            if self._is_over:
                return False
            found = forks.shared(self._touched) | self.shared
            if found != self.shared:
                self.shared, coverage.shared = found, len(found)
                return True
        return False

    def _wave(self, queue: deque[Fork]) -> None:
        """Run the schedules that are in a queue now."""
        wave = list(queue)
        for searched in self.pool.each(search, (self.job, self.shared), wave):
            fork = queue.popleft()
            self.coverage.total += searched.outcome is not None
            self._take_in(fork, searched)
            if self._is_enough:
                break

    def _take_in(self, fork: Fork, searched: Searched) -> None:
        coverage = self.coverage
        if searched.outcome is None:
            coverage.idle += 1
            return
        number = self.outcomes.runs
        result = Result(
            number, 0, searched.outcome, (), len(searched.tenures),
            searched.switches, searched.retired,
        )  # fmt: skip
        if self.outcomes.add(result) is not None:
            self.kept[number] = fork
        self._is_enough = self.enough(result)
        coverage.done[fork.preemptions] += 1
        coverage.cut += searched.outcome.stop == CUT
        for at, who in searched.touched.items():
            self._touched[at] = self._touched.get(at, 0) | who
        self._fork_out(fork, searched)

    def _fork_out(self, fork: Fork, searched: Searched) -> None:
        """Queue the schedules that leave this one."""
        queue = self._queues[fork.preemptions]
        queue.extend(forks.beside(fork, searched))
        if searched.key in self._states:
            self.coverage.known += 1
            return
        self._states.add(searched.key)
        queue.extend(forks.aside(fork, searched))
        if fork.preemptions < self.coverage.bound:
            self.coverage.places += len(searched.places)
            self._queues[fork.preemptions + 1].extend(forks.onward(fork, searched))


def explore(
    job: Job, bound: int, pool: Pool, shelf: Shelf | None = None, enough: Enough = met
) -> tuple[Outcomes, Coverage]:
    """Run all schedules with at most `bound` preemptions, or as many as it takes.

    Args:
        job: What they share; its seed and what it does to IPIs say nothing here.
        bound: Preemptions at most.
        pool: Who runs them. When it is told to stop, what was found is kept.
        shelf: Where recordings of the outcomes go, if they are kept.
        enough: Tells after each schedule whether that is all.

    Raises:
        ConfigError: The bound is none.
    """
    check(bound)
    search_ = Search(job, pool, Coverage(bound), enough)
    search_.run()
    outcomes = search_.outcomes
    if shelf is not None:
        for group in outcomes.groups.values():
            fork = search_.kept[group.best.number]
            wanted = job, search_.shared
            shelf.want(group, pool.submit(recorded, wanted, fork, group.best))
        shelf.put(outcomes, pool, wait=True)
    return outcomes, search_.coverage


def check(bound: int) -> None:
    """Raise `ConfigError` for what is no bound."""
    if not 0 <= bound <= MOST:
        raise ConfigError(f"a bound of {bound} preemptions: from 0 to {MOST}")


def search(
    wanted: tuple[Job, frozenset[int]],
    each: Sequence[Fork],
    stopped: Callable[[], bool],
) -> list[Searched]:
    """Run some schedules; raise `BrokenOffError` when no more is wanted."""
    job, shared = wanted
    mine = searcher(job)
    return [mine.run(fork, shared, stopped) for fork in each]


def recorded(wanted: tuple[Job, frozenset[int]], fork: Fork, result: Result) -> bytes:
    """Run a schedule again, and return its recording."""
    job, shared = wanted
    how = "as looked for " if result.outcome.met else ""
    many = f"{fork.preemptions} preemption{'' if fork.preemptions == 1 else 's'}"
    text = (
        f"schedule {result.number}, with {many}: "
        f"{result.outcome.stop} {how}after {result.switches} switches"
    )
    return searcher(job).record(fork, shared, text)
