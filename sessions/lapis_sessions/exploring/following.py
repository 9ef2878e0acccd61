"""Running a machine by a list of turns, and on from there to a goal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.machine import acts
from lapis_engine.machine.stop import Stop
from lapis_engine.replay import entries as replay
from lapis_engine.vmm import run_state
from lapis_sessions.exploring.driving import ENDS, Driver
from lapis_sessions.exploring.plan import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.entries import Entry
    from lapis_sessions.exploring.goals import Goal
    from lapis_sessions.exploring.plan import Step

PATIENCE: Final = 20_000
"""Instructions of a turn after the last one of the list, while others are awake."""
PENDING: Final = run_state.PEND_INIT | run_state.PEND_SIPI
ANSWERS: Final = frozenset({"answer", "answer_fault", "answer_by_device", "discard"})
"""Acts that belong to a request, whenever that comes."""
SCHEDULING: Final = frozenset({"set_quantum", "set_schedule"})
"""Acts that say nothing where every turn is given by hand."""


def steps_of(driver: Driver, entries: Sequence[Entry]) -> list[Step]:
    """Do again what was recorded, and return it as turns and other acts.

    Raises `DivergedError`.
    """
    driver.begin()
    machine = driver.machine
    machine.on_act = None
    with driver.listening():
        for entry in entries:
            if entry.moves:
                replay.perform(machine, entry)
                continue
            if entry.act.verb not in SCHEDULING:
                driver.steps.append(entry.act)
            acts.perform(machine, entry.act)
    return list(driver.steps)


def follow(driver: Driver, steps: Sequence[Step], goal: Goal, limit: int) -> bool:
    """Do the steps, and then go on until the goal is met; tell whether it is.

    A turn of a vCPU that cannot run is left out, and so is all that comes after the
    goal, or after `limit` instructions and turns. What answered a vCPU's requests
    answers them in the same order, at once. `driver.steps` then holds what was done in
    fact. The limit is an end that a goal may speak of, but not of a run that only kept
    a vCPU waiting: each has had a turn after the steps.
    """
    driver.begin(goal.catches)
    answers = Answers(driver, steps)
    for step in answers.others:
        stop = None
        if isinstance(step, Turn):
            stop = _turn(driver, step, goal, limit, answers)
        else:
            driver.act(step)
        if goal.is_met(driver):
            return True
        if stop is not None and not answers.give():
            return goal.is_met(driver, stop)
        if driver.spent >= limit:
            return False
    return _go_on(driver, goal, limit, answers)


class Answers:
    """What was done about the requests of each vCPU, in order."""

    def __init__(self, driver: Driver, steps: Sequence[Step]) -> None:
        """Take the answers out of a list of steps; `others` are what is left."""
        self._driver = driver
        self._ahead: dict[int, list[Act]] = {}
        self.others: list[Step] = []
        for step in steps:
            if isinstance(step, Turn) or step.verb not in ANSWERS:
                self.others.append(step)
            else:
                self._ahead.setdefault(step.args["number"], []).append(step)

    def give(self) -> bool:
        """Answer what waits, as far as there are answers; tell whether there were."""
        given = False
        for request in self._driver.machine.pending():
            ahead = self._ahead.get(request.vcpu)
            if ahead:
                self._driver.act(ahead.pop(0))
                given = True
        return given


def _turn(
    driver: Driver, turn: Turn, goal: Goal, limit: int, answers: Answers
) -> Stop | None:
    """Give a turn as far as it goes; return the stop that ends the run, if so."""
    count = min(turn.count, limit - driver.spent)
    state = driver.machine.vcpu(turn.vcpu).run_state
    if not turn.count and state & PENDING == run_state.PEND_INIT:
        count = 1  # of which it retires none
    if not driver.is_awake(turn.vcpu):
        if driver.awake():
            return None
        stop = driver.wake(turn.vcpu)
        count -= stop.retired
        if stop.reason in ENDS:
            return stop
        if stop.reason == "halted":
            return None
    while count > 0:
        stop = driver.turn(turn.vcpu, count)
        count -= max(stop.retired, 1)
        if driver.is_over(stop):
            return stop
        if stop.reason == "exit" and answers.give():
            continue
        if stop.reason in {"halted", "exit"} or goal.is_met(driver):
            return None
    return None


def ends_of(driver: Driver, steps: Sequence[Step], goal: Goal) -> list[str]:
    """Do the steps, and return for each turn the instruction that it ends before."""
    driver.begin()
    answers = Answers(driver, steps)
    found = []
    for step in steps:
        text = ""
        if isinstance(step, Turn):
            _turn(driver, step, goal, driver.spent + step.count, answers)
            text = _at(driver.machine, step.vcpu)
        elif step.verb not in ANSWERS:
            driver.act(step)
        found.append(text)
    return found


def _at(machine: Machine, number: int) -> str:
    """Return the instruction that a vCPU is at; a bare address where there is none."""
    for line in machine.disassemble(number, count=1):
        return f"{line.linear:#x} {line.mnemonic} {line.operands}".rstrip()
    return f"{machine.vcpu(number).regs.linear_rip:#x}"


def _go_on(driver: Driver, goal: Goal, limit: int, answers: Answers) -> bool:
    """Give long turns, the vCPU that had the last one first."""
    last = next((s.vcpu for s in reversed(driver.steps) if isinstance(s, Turn)), 0)
    cpus = len(driver.machine.vcpus)
    patience, turns = PATIENCE, 0
    if goal.at_limit:  # few turns, and as many whatever went before
        patience = max((limit - driver.spent) // (2 * cpus), 1)
    while driver.spent < limit:
        turns += 1
        awake = driver.awake()
        if awake:
            last = min(awake, key=lambda vcpu: (vcpu - last) % cpus)
            stop = driver.turn(last, min(patience, limit - driver.spent))
            last = last if stop.reason == "catch" else last + 1
            is_over = driver.is_over(stop)
        else:
            stop = driver.wake()
            is_over = stop.reason in ENDS | {"halted"}
        if goal.is_met(driver):
            return True
        if is_over and not answers.give():
            return goal.is_met(driver, stop)
        answers.give()
    if turns <= cpus:
        return False
    return goal.is_met(driver, Stop("budget", 0, 0, None, f"{limit} instructions"))
