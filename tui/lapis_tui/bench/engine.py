"""`lapis bench`: how close the layers above stay to the processor underneath.

Machines are noisy, so each figure is the best of several rounds, and each is taken
beside something else in the same process, which it names: plain Unicorn without hooks,
a call of it by ctypes, or less of the same work. Nothing here is a test.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from lapis_engine.boot.detect import LOADERS
from lapis_engine.lints.catalog import LINTS
from lapis_engine.profiles.catalog import PROFILES
from lapis_engine.vmm import exits
from lapis_engine.vmm.entry import DEFAULT, FulfillMmio
from lapis_engine.vmm.run import run
from lapis_plugins.host import discover
from lapis_sessions.exploring.work import DEFAULT_LIMIT, Explorer, Job
from lapis_sessions.extensions import Extensions
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.platforms import origin_of
from lapis_sessions.registry import Registry
from lapis_sessions.text.visible import json_text
from lapis_tui import built, output
from lapis_tui.bench import guests, loops, recordings, stops
from lapis_tui.bench.bare import (
    HOLE_CALLS,
    MEMORY_LOOP,
    PAIRS_OF_HOLES,
    STEP_CALLS,
    PlainUnicorn,
)
from lapis_tui.bench.figure import compared, line, where
from lapis_tui.bench.timing import best, rate

if TYPE_CHECKING:
    from lapis_tui.bench.figure import Figure

STEPS = 20_000
HOLES = 10_000
"""Calls by ctypes in a round."""
ANSWERS = 5_000
REP_ITERATIONS = 100_000
SCHEDULES = 50
IPI_INSTRUCTIONS, IPI_ROUNDS = 5_000, 50
"""Of `ipi-ping`, which retires 11 of them for each IPI."""
BARE: Final = Extensions(
    lambda _: (), Registry([]), LINTS, profiles=PROFILES, loaders=LOADERS
)
"""No device and no command: the engine by itself."""


def _least(python: int, compiled: int) -> int:
    """Return the target of the build that runs."""
    return compiled if built.is_compiled() else python


def steps(raw: PlainUnicorn) -> Figure:
    """Single steps through `Machine.step`."""
    machine = guests.real_mode(MEMORY_LOOP)

    def work() -> None:
        for _ in range(STEPS):
            machine.step(0, 1)

    ours, theirs = best(work, STEPS), best(lambda: raw.steps(STEPS), STEPS)
    least = _least(250_000, 400_000)
    return compared("single steps", "steps/s", ours, theirs, STEP_CALLS, least)


def ipis(raw: PlainUnicorn) -> Figure:
    """IPIs from one vCPU to the other: accepted, delivered, handled and ended."""
    machine = open_session(SessionOptions("ipi-ping"), BARE).machine
    place = dict(machine.plan.symbols)["count"]

    def handled() -> int:
        return int.from_bytes(machine.read_physical(place, 4), "little")

    def once() -> float:
        before = handled()
        runs = rate(lambda: guests.run(machine, IPI_INSTRUCTIONS), 1)
        return (handled() - before) * runs

    ours = max(once() for _ in range(IPI_ROUNDS))
    theirs = _holes(raw) / 2
    least = _least(13_000, 30_000)
    return compared("IPIs end to end", "IPIs/s", ours, theirs, PAIRS_OF_HOLES, least)


def _holes(raw: PlainUnicorn) -> float:
    return best(lambda: raw.holes(HOLES), HOLES)


def answers(raw: PlainUnicorn) -> Figure:
    """A load that nobody serves: request, answer, retired, by `vmm.run` alone."""
    vm = guests.protected_mode(guests.DEVICE_READ).vm
    vcpu = vm.vcpus[0]
    out = run(vm, vcpu, DEFAULT, 1000).exit

    def work() -> None:
        nonlocal out
        for _ in range(ANSWERS):
            assert isinstance(out, exits.Mmio), out
            answer = FulfillMmio(out.gpa, out.bytes, out.read, 0x1234_5678)
            out = run(vm, vcpu, answer, 100).exit

    ours, theirs = best(work, ANSWERS), _holes(raw)
    least = _least(15_000, 90_000)
    return compared("requests answered", "answers/s", ours, theirs, HOLE_CALLS, least)


def rep_moves(raw: PlainUnicorn) -> Figure:
    """REP MOVSB of 4 KiB into the APIC's page."""
    machine = guests.protected_mode(guests.REP_MOVSB)
    machine.run(100)
    ours = best(lambda: guests.run(machine, REP_ITERATIONS), REP_ITERATIONS)
    name, unit = "REP MOVSB to the APIC", "iterations/s"
    return compared(name, unit, ours, _holes(raw), HOLE_CALLS, 100_000)


def _extensions() -> Extensions:
    return discover().extensions


def schedules(_raw: PlainUnicorn) -> Figure:
    """Interleavings of `ap-bringup` explored by one process, IPIs as sent."""
    origin = origin_of(SessionOptions("ap-bringup"), BARE)
    explorer = Explorer(Job(origin, _extensions, seed=1, kinds=()))
    driver = explorer.driver

    def explore() -> None:
        for number in range(SCHEDULES):
            explorer.run(number)

    def repeat() -> None:
        for _ in range(SCHEDULES):
            driver.begin()
            stop = driver.machine.run(DEFAULT_LIMIT)
            assert stop.reason == "exit", stop

    ours, theirs = best(explore, SCHEDULES), best(repeat, SCHEDULES)
    beside = "the same machine, put back and run in its own schedule"
    return compared("schedules explored", "runs/s", ours, theirs, beside, 500)


MEASURES: Final = (
    *loops.MEASURES, steps, loops.apic_reads, ipis, answers, rep_moves, schedules,
)  # fmt: skip


def main(*, as_json: bool) -> bool:
    """Measure and print everything; tell whether every target is met."""
    raw, here = PlainUnicorn(), where()
    figures = [measure(raw) for measure in MEASURES]
    figures += [*stops.figures(), *recordings.figures(raw)]
    if as_json:
        rows = [asdict(figure) | asdict(here) for figure in figures]
        output.say(json_text(rows, indent=2))
    else:
        output.say("\n".join([str(here), *map(line, figures)]))
    return all(figure.met for figure in figures)
