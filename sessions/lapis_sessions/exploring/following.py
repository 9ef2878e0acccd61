"""Running a machine by a list of turns, and on from there to a goal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine import acts, replay
from lapis_sessions.exploring.driving import ENDS, Driver
from lapis_sessions.exploring.plan import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine import Stop
    from lapis_engine.replay import Entry
    from lapis_sessions.exploring.goals import Goal
    from lapis_sessions.exploring.plan import Step

PATIENCE: Final = 20_000
"""Instructions of a turn after the last one of the list, while others are awake."""
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
    goal, or after `limit` instructions and turns. `driver.steps` then holds what was
    done in fact.
    """
    driver.begin(goal.catches)
    acts_left = sum(not isinstance(step, Turn) for step in steps)
    for step in steps:
        if isinstance(step, Turn):
            stop = _turn(driver, step, goal, limit)
        else:
            acts_left -= 1
            driver.act(step)
            stop = None
        if goal.is_met(driver):
            return True
        if stop is not None and not (stop.reason == "exit" and acts_left):
            return goal.is_met(driver, stop)
        if driver.spent >= limit:
            return False
    return _go_on(driver, goal, limit)


def _turn(driver: Driver, turn: Turn, goal: Goal, limit: int) -> Stop | None:
    """Give a turn as far as it goes; return the stop that ends the run, if so."""
    count = min(turn.count, limit - driver.spent)
    if driver.machine.why_not_runnable(turn.vcpu):
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
        if stop.reason in {"halted", "exit"} or goal.is_met(driver):
            return None
    return None


def ends_of(driver: Driver, steps: Sequence[Step], goal: Goal) -> list[str]:
    """Do the steps, and return for each turn the instruction that it ends before."""
    driver.begin()
    found = []
    for step in steps:
        if isinstance(step, Turn):
            _turn(driver, step, goal, driver.spent + step.count)
            line = driver.machine.disassemble(step.vcpu, count=1)[0]
            found.append(f"{line.linear:#x} {line.mnemonic} {line.operands}".rstrip())
        else:
            driver.act(step)
            found.append("")
    return found


def _go_on(driver: Driver, goal: Goal, limit: int) -> bool:
    """Give long turns, the vCPU that had the last one first."""
    last = next((s.vcpu for s in reversed(driver.steps) if isinstance(s, Turn)), 0)
    cpus = len(driver.machine.vcpus)
    while driver.spent < limit:
        awake = driver.awake()
        if awake:
            last = min(awake, key=lambda vcpu: (vcpu - last) % cpus)
            stop = driver.turn(last, min(PATIENCE, limit - driver.spent))
            last = last if stop.reason == "catch" else last + 1
            is_over = driver.is_over(stop)
        else:
            stop = driver.wake()
            is_over = stop.reason in ENDS | {"halted"}
        if goal.is_met(driver):
            return True
        if is_over:
            return goal.is_met(driver, stop)
    return False
