"""The schedules of a search, one at a time: the same wherever they are run.

By default a vCPU goes on until it cannot: it halts, waits for SIPI or for an answer, or
spins (`looking`). After `PATIENCE` instructions without any of that another may go on
as well. None of these is a preemption, and each vCPU that could go on then is tried.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lapis_engine.machine.stop import Stop
from lapis_engine.replay.digest import Digester
from lapis_engine.vmm import clock, run_state
from lapis_sessions.exploring import plan as plans
from lapis_sessions.exploring.driving import ENDS
from lapis_sessions.exploring.forks import Gap, Searched, Tenure
from lapis_sessions.exploring.looking import Looking
from lapis_sessions.exploring.outcomes import outcome
from lapis_sessions.exploring.work import BrokenOffError, Explorer
from lapis_sessions.scope import scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_sessions.exploring.driving import Waypoint
    from lapis_sessions.exploring.forks import Fork, Spin
    from lapis_sessions.exploring.outcomes import Observed
    from lapis_sessions.exploring.work import Job

PATIENCE: Final = 10_000
"""Instructions after which another vCPU may go on."""
SPINNING: Final = "spinning"
"""Reason of a stop: all vCPUs that are awake spin, and no timer is armed."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where a schedule was left, to go on from there to where the next one is."""

    before: tuple[Tenure, ...]
    waypoint: Waypoint
    first: int
    """What the vCPU of the last tenure had retired when that began."""
    touched: Mapping[int, int]
    spinning: Mapping[int, Spin]

    def leads_to(self, before: tuple[Tenure, ...]) -> bool:
        """Tell whether another schedule is the same up to here."""
        if len(before) != len(self.before) or before[:-1] != self.before[:-1]:
            return False
        mine, other = self.before[-1], before[-1]
        return mine.vcpu == other.vcpu and mine.ran <= other.ran


class Searcher:
    """Runs schedules of one job, all on one machine."""

    def __init__(self, job: Job) -> None:
        """Build the machine; raises as `Explorer`."""
        self._explorer = Explorer(job)
        self.job, self.goal = job, self._explorer.goal
        self.driver = self._explorer.driver
        self._digester = Digester(self.driver.machine)
        self.early: Observed | None = None
        """The outcome of a machine that comes to its end before a second vCPU is awake.
        """
        self._window: Waypoint | None = None
        """Where one is."""
        self._looking: Looking | None = None
        self._kept: _Kept | None = None

    def _lead_in(self, stopped: Callable[[], bool]) -> Observed | None:
        """Run until a second vCPU is awake: there is one schedule until then."""
        driver, goal, limit = self.driver, self.goal, self.job.limit
        driver.begin([*goal.catches, *plans.EVENTS], self.job.answers)
        machine, stop = driver.machine, None
        while len(awake := driver.awake()) < 2:
            if goal.is_met(driver):
                return outcome(machine, None, met=True)
            if stopped():
                raise BrokenOffError
            if driver.spent >= limit:
                stop = Stop("budget", 0, 0, None, f"{limit} instructions")
            elif awake:
                stop = driver.turn(awake[0], min(plans.ALONE, limit - driver.spent))
                stop = stop if driver.is_over(stop) else None
            else:
                stop = driver.wake()
                stop = stop if stop.reason in ENDS | {"halted"} else None
            if stop is not None:
                return outcome(machine, stop, met=goal.is_met(driver, stop))
        machine.catches.remove()
        for name in goal.catches:
            machine.catches.add(name)
        return None

    def close(self) -> None:
        """Give the machine back."""
        if self._looking is not None:
            self._looking.rest()
        self.driver.session.release()

    def run(
        self,
        fork: Fork,
        shared: frozenset[int],
        stopped: Callable[[], bool] = bool,
    ) -> Searched:
        """Run the schedule of a fork; raise `BrokenOffError` if `stopped` says so."""
        if self._window is None:
            self.early = self._lead_in(stopped)
            self._window = self.driver.mark()
        if self.early is not None:
            return Searched(self.early, (), 1, (), (), {}, b"")
        before = fork.before
        kept, self._kept = self._kept, None
        if kept is not None and not kept.leads_to(before):
            kept = None
        self.driver.back(self._window if kept is None else kept.waypoint)
        if self._looking is None:
            self._looking = Looking(self.driver.machine)
        run = _Run(self, self._looking, fork, shared, stopped)
        run.lead_up(kept)
        if before and before[-1].spin is None:
            self._kept = run.keep()
        # However it came here: what a run may still spend follows from the fork alone.
        spent = sum(tenure.ran + 1 for tenure in before)
        self.driver.spent = self._window.spent + spent
        return run.done()

    def record(self, fork: Fork, shared: frozenset[int], text: str) -> bytes:
        """Run it again, and return its recording."""
        self._kept = None
        self.run(fork, shared)
        return self.driver.recording(text)

    def key(self, vcpu: int, looking: Looking) -> bytes:
        """Return what the rest of a schedule follows from, as a hash."""
        machine = self.driver.machine
        rest = (
            vcpu, sorted(looking.spinning.items()), scope.console(machine),
            scope.lints(machine), self.driver.answered,
        )  # fmt: skip
        text = f"{self._digester.digest()} {rest!r}"
        return blake2b(text.encode(), digest_size=16).digest()


class _Run:
    """One schedule."""

    def __init__(
        self,
        searcher: Searcher,
        looking: Looking,
        fork: Fork,
        shared: frozenset[int],
        stopped: Callable[[], bool],
    ) -> None:
        self._searcher, self._looking, self._fork = searcher, looking, fork
        self._driver, self._goal = searcher.driver, searcher.goal
        self._machine = self._driver.machine
        self._stopped = stopped
        looking.shared, looking.stops = shared, bool(searcher.goal.text)
        looking.begin()
        self._tenures: list[Tenure] = []
        self._places: list[Gap] = []
        self._choices: list[tuple[int, int]] = []
        first = self._machine.schedule.current
        self._vcpu = first if self._driver.is_awake(first) else self._driver.awake()[0]
        self._from = self._machine.vcpu(self._vcpu).retired
        self._patience = PATIENCE

    def lead_up(self, kept: _Kept | None) -> None:
        """Do what is before the fork, or what is not done of it yet."""
        before = self._fork.before
        if kept is None:
            for tenure in before:
                self._again(tenure)
            return
        self._tenures = list(before[:-1])
        self._looking.touched = dict(kept.touched)
        self._looking.spinning = dict(kept.spinning)
        self._again(before[-1], kept.first)

    def keep(self) -> _Kept:
        """Return where it is now, at the fork."""
        looking = self._looking
        waypoint, before = self._driver.mark(), self._fork.before
        touched, spinning = dict(looking.touched), dict(looking.spinning)
        return _Kept(before, waypoint, self._from, touched, spinning)

    def done(self) -> Searched:
        """Run its own part."""
        fork, looking = self._fork, self._looking
        others = [self._vcpu]
        if self._tenures:
            last = self._tenures[-1]
            others = self._able(last.vcpu, last.spin, is_cut=fork.cut is not None)
            if fork.nth >= len(others):
                return Searched(None, (), 0, (), (), {}, b"")
            self._go_on(others[fork.nth])
        else:
            looking.counts.add(self._from)  # an event of its own has just come
        key = self._searcher.key(self._vcpu, looking)
        stop = self._to_the_end()
        self._end_tenure(None)
        driver = self._driver
        met = stop is None or self._goal.is_met(driver, stop)
        found = outcome(self._machine, stop, met=met)
        vcpus = [it.vcpu for it in self._tenures]
        return Searched(
            found, tuple(self._tenures), len(others), tuple(self._places),
            tuple(self._choices), looking.touched, key,
            sum(vcpu.retired for vcpu in self._machine.vcpus),
            sum(one != other for one, other in pairwise(vcpus)),
        )  # fmt: skip

    # What is the same as in the schedule that it leaves.

    def _again(self, tenure: Tenure, first: int | None = None) -> None:
        """Do a tenure that was done before; it began at `first`, if not now."""
        driver, vcpu = self._driver, self._machine.vcpu(tenure.vcpu)
        self._go_on(tenure.vcpu)
        if first is not None:
            self._from = first
        end = self._from + tenure.ran
        if not tenure.ran and vcpu.run_state & run_state.PEND_INIT:
            driver.turn(tenure.vcpu, 1)  # of which it retires none
        while vcpu.retired < end:
            before = vcpu.retired
            if driver.is_awake(tenure.vcpu):
                driver.turn(tenure.vcpu, end - before)
            else:
                driver.wake()
            assert vcpu.retired > before, f"{tenure} is not what was done before"
        self._looking.judge()
        if tenure.spin is not None:
            self._looking.spinning[tenure.vcpu] = tenure.spin
            self._all_go_on()
        self._tenures.append(tenure)

    # What is its own.

    def _to_the_end(self) -> Stop | None:
        """Go on by default; return the stop at the end, or None at the goal."""
        driver, limit = self._driver, self._searcher.job.limit
        while True:
            if self._goal.is_met(driver):
                return None
            if self._stopped():
                raise BrokenOffError
            if driver.spent >= limit:
                return Stop("budget", 0, 0, None, f"{limit} instructions")
            count = min(self._patience, limit - driver.spent)
            stop = driver.turn(self._vcpu, count)
            self._patience -= stop.retired
            self._looking.judge()
            if driver.is_over(stop):
                return stop
            spin = self._looking.spins(self._vcpu)
            is_able = driver.is_awake(self._vcpu) and spin is None
            if is_able and self._patience > 0:
                continue
            if spin is not None:
                self._looking.spinning[self._vcpu] = spin
            end = self._hand_over(spin)
            if end is not None:
                return end

    def _hand_over(self, spin: Spin | None) -> Stop | None:
        """Let another vCPU go on; return the stop if none ever will."""
        driver = self._driver
        able = self._able(self._vcpu, spin)
        if able:
            self._end_tenure(spin)
            self._choices.append((len(self._tenures) - 1, len(able)))
            self._go_on(able[0])
            return None
        if self._all_spin():
            if clock.deadline(self._machine.vm) is None:
                return self._spinning()
            self._all_go_on()
            able = self._able(self._vcpu, spin)
        if able:
            self._end_tenure(spin)
            self._go_on(able[0])
        elif not driver.awake():
            return self._wake()
        self._patience = PATIENCE  # it goes on alone
        return None

    def _wake(self) -> Stop | None:
        """Let time pass until a vCPU wakes; return the stop if none ever will."""
        before = [vcpu.retired for vcpu in self._machine.vcpus]
        stop = self._driver.wake()
        if stop.reason in ENDS | {"halted"}:
            return stop
        woken = next(
            (v.id for v in self._machine.vcpus if v.retired != before[v.id]), stop.vcpu
        )
        if woken != self._vcpu:
            self._end_tenure(None, before[self._vcpu])
            self._go_on(woken)
            self._from = before[woken]
        self._patience = PATIENCE
        return None

    def _all_spin(self) -> bool:
        awake = self._driver.awake()
        return bool(awake) and all(it in self._looking.spinning for it in awake)

    def _all_go_on(self) -> None:
        """Let them spin on if all do: time has to pass for what a timer brings."""
        if self._all_spin():
            self._looking.spinning.clear()

    def _spinning(self) -> Stop:
        machine = self._machine
        where = [
            f"vCPU {it} at {machine.vcpu(it).regs.linear_rip:#x}"
            for it in self._driver.awake()
        ]
        text = f"what is awake spins for ever: {', '.join(where)}"
        return Stop(SPINNING, 0, self._vcpu, None, text)

    # Both.

    def _able(self, last: int, spin: Spin | None, *, is_cut: bool = False) -> list[int]:
        """Return who could go on after a vCPU, from the next number on.

        Who spins and shows it comes last, as a part of his round makes a difference;
        not after another such round, which makes none.
        """
        cpus, spinning = len(self._machine.vcpus), self._looking.spinning
        self._looking.alert()
        others = [(last + n) % cpus for n in range(1, cpus)]
        awake = [it for it in others if self._driver.is_awake(it)]
        able = [it for it in awake if it not in spinning]
        if (able or is_cut) and not (spin and spin.shows):
            able += [it for it in awake if it in spinning and spinning[it].shows]
        return able

    def _go_on(self, vcpu: int) -> None:
        """Begin a tenure."""
        self._looking.begin_tenure(vcpu)
        self._vcpu, self._patience = vcpu, PATIENCE
        self._from = self._machine.vcpu(vcpu).retired

    def _end_tenure(self, spin: Spin | None, end: int | None = None) -> None:
        """Take down what the present vCPU has done, and where it could be preempted."""
        number = len(self._tenures)
        end = self._machine.vcpu(self._vcpu).retired if end is None else end
        self._tenures.append(Tenure(self._vcpu, end - self._from, spin))
        self._places += [
            Gap(number, at - self._from)
            for at in sorted(self._looking.counts)
            if self._from < at < end or (at == self._from and not number)
        ]


_here = threading.local()


def searcher(job: Job) -> Searcher:
    """Return the searcher that this thread has for a job: machines are not shared."""
    found: Searcher | None = getattr(_here, "searcher", None)
    if found is None or found.job != job:
        if found is not None:
            found.close()
        found = _here.searcher = Searcher(job)
    return found
