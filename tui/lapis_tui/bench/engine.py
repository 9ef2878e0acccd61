"""`lapis bench`: how close the layers above stay to the processor underneath.

Machines are noisy, so each figure is the best of several rounds, and each is taken
beside its ceiling in the same process. Nothing here is a test.
"""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING

from lapis_engine.boot import flat
from lapis_engine.boot.detect import LOADERS
from lapis_engine.lints.catalog import LINTS
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.profiles.catalog import PROFILES
from lapis_engine.vmm import exits
from lapis_engine.vmm.entry import DEFAULT, FulfillMmio
from lapis_engine.vmm.run import run
from lapis_plugins.host import discover
from lapis_sessions.exploring.work import DEFAULT_LIMIT, Explorer, Job
from lapis_sessions.extensions import Extensions
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions, origin_of
from lapis_sessions.registry import Registry
from lapis_sessions.text.visible import json_text
from lapis_tui import output
from lapis_tui.bench import recordings
from lapis_tui.bench.ceiling import APIC_READ, MEMORY_LOOP, RawProcessor
from lapis_tui.bench.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
LOOP = 20_000_000
STEPS = 20_000
READS = 10_000
ANSWERS = 5_000
REP_ITERATIONS = 100_000
SCHEDULES = 50
IPI_INSTRUCTIONS, IPI_ROUNDS = 5_000, 50
"""Of `ipi-ping`, which retires 11 of them for each IPI."""
BASE = 0x1_0000
APIC_LOOP = bytes.fromhex(
    # cli; lgdt [cs:0x20]; mov eax, 1; mov cr0, eax; jmp dword 8:0x10040
    "fa 2e0f01162000 66b801000000 0f22c0 66ea4000010008 00".replace(" ", "")
).ljust(0x20, b"\x90")
GDT = bytes.fromhex("0000000000000000 ffff0000009bcf00 ffff00000093cf00")
FLAT_DATA = bytes.fromhex("66b81000 8ed8")
"""`mov ax, 16; mov ds, ax`."""
DEVICE_READ = bytes.fromhex("a1000000d0 ebf9")
"""`mov eax, [0xd0000000]; jmp $-5`: an address that nobody serves."""
REP_MOVSB = bytes.fromhex("8ec0 be00000200 bf0000e0fe b900100000 f3a4 ebed")
"""`mov es, ax`, then for ever 4 KiB from 0x20000 to the APIC's page."""


def _best(work: Callable[[], object], amount: int) -> float:
    """Return the best rate of `ROUNDS` rounds, a second."""
    best = 0.0
    for _ in range(ROUNDS):
        start = perf_counter()
        work()
        best = max(best, amount / (perf_counter() - start))
    return best


def _machine(code: bytes, cpus: int = 1) -> Machine:
    plan = flat.load(code, memory_bytes=16 << 20)
    return Machine(MachineConfig(cpus=cpus, memory=16 << 20), plan, [])


def _flat_guest(work: bytes) -> bytes:
    """Machine code that goes to flat protected mode and then does `work`."""
    pointer = (0x17).to_bytes(2, "little") + (BASE + 0x28).to_bytes(4, "little")
    code = APIC_LOOP + pointer.ljust(8, b"\0") + GDT
    return code[:0x40].ljust(0x40, b"\x90") + FLAT_DATA + work


def _run(machine: Machine, count: int) -> None:
    stop = machine.run(count)
    assert stop.reason == "budget", stop  # or the rate would be of something else


def loop(raw: RawProcessor) -> Figure:
    """Counted execution of a memory loop, against the same loop on the processor."""
    machine = _machine(MEMORY_LOOP)
    ours = _best(lambda: _run(machine, LOOP), LOOP)
    ceiling = _best(lambda: raw.loop(LOOP), LOOP)
    ratio = ours / ceiling
    return Figure(
        "counted memory loop", ours, "instructions/s", ceiling, ratio,
        "ratio >= 0.85", ratio >= 0.85,
    )  # fmt: skip


def steps(raw: RawProcessor) -> Figure:
    """Single steps through `Machine.step`."""
    machine = _machine(MEMORY_LOOP)

    def work() -> None:
        for _ in range(STEPS):
            machine.step(0, 1)

    ours = _best(work, STEPS)
    ceiling = _best(lambda: raw.steps(STEPS), STEPS)
    return Figure(
        "single steps", ours, "steps/s", ceiling, ours / ceiling,
        ">= 30000/s", ours >= 30_000,
    )  # fmt: skip


def apic_reads(raw: RawProcessor) -> Figure:
    """Reads of the APIC ID register by MMIO, served in the engine."""
    machine = _machine(_flat_guest(APIC_READ))
    machine.run(100)
    ours = _best(lambda: _run(machine, 2 * READS), READS)
    ceiling = _best(lambda: raw.holes(READS), READS)
    return Figure(
        "APIC reads by MMIO", ours, "reads/s", ceiling, ours / ceiling,
        ">= 30000/s", ours >= 30_000,
    )  # fmt: skip


BARE = Extensions(lambda _: (), Registry([]), LINTS, profiles=PROFILES, loaders=LOADERS)
"""No device and no command: the engine by itself."""


def _extensions() -> Extensions:
    return discover().extensions


def ipis(raw: RawProcessor) -> Figure:
    """IPIs from one vCPU to the other: accepted, delivered, handled and ended.

    The ceiling counts the two accesses of an APIC that each needs, ICR and EOI.
    """
    machine = open_session(SessionOptions("ipi-ping"), BARE).machine
    where = dict(machine.plan.symbols)["count"]

    def handled() -> int:
        return int.from_bytes(machine.read_physical(where, 4), "little")

    best = 0.0
    for _ in range(IPI_ROUNDS):
        before, start = handled(), perf_counter()
        _run(machine, IPI_INSTRUCTIONS)
        best = max(best, (handled() - before) / (perf_counter() - start))
    ceiling = _best(lambda: raw.holes(READS), READS) / 2
    return Figure(
        "IPIs end to end", best, "IPIs/s", ceiling, best / ceiling,
        ">= 8000/s", best >= 8_000,
    )  # fmt: skip


def answers(raw: RawProcessor) -> Figure:
    """A load that nobody serves: request, answer, retired, by `vmm.run` alone."""
    vm = _machine(_flat_guest(DEVICE_READ)).vm
    vcpu = vm.vcpus[0]
    out = run(vm, vcpu, DEFAULT, 1000).exit

    def work() -> None:
        nonlocal out
        for _ in range(ANSWERS):
            assert isinstance(out, exits.Mmio), out
            answer = FulfillMmio(out.gpa, out.bytes, out.read, 0x1234_5678)
            out = run(vm, vcpu, answer, 100).exit

    ours = _best(work, ANSWERS)
    ceiling = _best(lambda: raw.holes(READS), READS)
    return Figure(
        "requests answered", ours, "answers/s", ceiling, ours / ceiling,
        ">= 15000/s", ours >= 15_000,
    )  # fmt: skip


def rep_moves(raw: RawProcessor) -> Figure:
    """REP MOVSB of 4 KiB into the APIC's page; the ceiling is a hole each."""
    machine = _machine(_flat_guest(REP_MOVSB))
    machine.run(100)
    ours = _best(lambda: _run(machine, REP_ITERATIONS), REP_ITERATIONS)
    ceiling = _best(lambda: raw.holes(READS), READS)
    return Figure(
        "REP MOVSB to the APIC", ours, "iterations/s", ceiling, ours / ceiling,
        ">= 100000/s", ours >= 100_000,
    )  # fmt: skip


def schedules(_raw: RawProcessor) -> Figure:
    """Interleavings of `ap-bringup` explored by one process, IPIs as sent.

    The ceiling is the same machine, put back and run in its own schedule.
    """
    origin = origin_of(SessionOptions("ap-bringup"), PROFILES)
    explorer = Explorer(Job(origin, _extensions, seed=1, kinds=()))
    driver = explorer.driver

    def explore() -> None:
        for number in range(SCHEDULES):
            explorer.run(number)

    def run() -> None:
        for _ in range(SCHEDULES):
            driver.begin()
            stop = driver.machine.run(DEFAULT_LIMIT)
            assert stop.reason == "exit", stop

    ours, ceiling = _best(explore, SCHEDULES), _best(run, SCHEDULES)
    return Figure(
        "schedules explored", ours, "runs/s", ceiling, ours / ceiling,
        "reported", met=True,
    )  # fmt: skip


MEASURES = (loop, steps, apic_reads, ipis, answers, rep_moves, schedules)


def main(*, as_json: bool) -> bool:
    """Measure and print everything; tell whether every target is met."""
    raw = RawProcessor()
    figures = [measure(raw) for measure in MEASURES]
    figures += recordings.figures(raw)
    if as_json:
        output.say(json_text([asdict(figure) for figure in figures], indent=2))
    else:
        for f in figures:
            verdict = "met" if f.met else "MISSED"
            output.say(
                f"{f.name:22} {f.value:14,.0f} {f.unit:15} ceiling {f.ceiling:14,.0f}"
                f"  ratio {f.ratio:5.2f}  {f.target} {verdict}"
            )
    return all(figure.met for figure in figures)
