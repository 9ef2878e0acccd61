"""What accesses take on the virtual clock, as the guest's own counter tells it.

The oracle is arithmetic: an instruction takes 1 ns, and an access so many more.
Costs are primes, so that no sum of some is a sum of others.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rigs.machines import BASE, GUESTS, fingerprint, machine

from lapis_engine.cpu.core import Core
from lapis_engine.cpu.registers import ES, FS, GS, Segment
from lapis_engine.errors import ConfigError
from lapis_engine.events import TimerFired
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.vmm import build
from lapis_engine.vmm.costs import FREE, SETS, Costs

PORT, MMIO, TSC, ID, MSR = 1009, 211, 29, 101, 53
DEAR = Costs(PORT, MMIO, TSC, ID, MSR)
FOUND = BASE + 0x1000

MEASURED: list[tuple[str, int, int]] = [
    ("nothing", 0, 0),
    ("RDTSCP", 1, TSC),
    ("XOR, CPUID", 2, ID),
    ("MOV, RDMSR", 2, MSR),
    ("IN of a device", 1, PORT),
    ("OUT of a device", 1, PORT),
    ("IN of the user's", 1, PORT),
    ("OUT of the user's", 1, PORT),
    ("an APIC read", 1, MMIO),
    ("an APIC write", 1, MMIO),
    ("ADD to the APIC", 1, 2 * MMIO),
    ("PUSH of the APIC's", 1, MMIO),
    ("a read of the user's", 1, MMIO),
    ("INC of the user's", 1, 2 * MMIO),
    ("memory", 1, 0),
    ("MOV, REP INSB of 5", 6, 5 * PORT),
    ("MOV, REP OUTSB of 3, the user's", 4, 3 * PORT),
    ("MOV, XOR, REP STOSD of 4", 6, 4 * MMIO),
    ("REP INSB of none", 1, 0),
    ("MOV, RDMSR of the x2APIC", 2, MSR),
    ("MOV, XOR, XOR, WRMSR of the x2APIC", 4, MSR),
]
"""What is between two RDTSC: instructions, and ns that their accesses take."""


def costly(costs: Costs = DEAR, code: bytes | None = None, **options: Any) -> Machine:
    """A machine with costs; FS is the APIC's page, GS is nobody's, and ES is all."""
    code = (GUESTS / "costs.bin").read_bytes() if code is None else code
    m = machine(code, costs=costs, **options)
    regs = m.vcpus[0].regs
    for index, base in ((FS, 0xFEE0_0000), (GS, 0xD000_0000), (ES, 0)):
        regs.set_segment(index, Segment(0, base, 0xFFFF_FFFF, 0x9300))
    m.vcpus[0].apic.svr = 0x1FF
    return m


def answered(m: Machine, go_on: Callable[[Machine], object]) -> Machine:
    """Run `m` to its HLT, and answer what it asks with 0x42."""
    for _ in range(2000):
        if m.vcpus[0].halted:
            return m
        if m.pending():
            m.answer(0, 0x42)
        else:
            go_on(m)
    raise AssertionError("it has not come to its HLT")


def differences(m: Machine) -> list[int]:
    count = len(MEASURED)
    return list(struct.unpack(f"<{count}I", m.read_physical(FOUND, 4 * count)))


WAYS: dict[str, Callable[[Machine], object]] = {
    "whole": lambda m: m.run(100_000),
    "in sevens": lambda m: m.run(7),
    "in pieces of one": lambda m: m.run(1),
    "step by step": lambda m: m.step(0),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_access_takes_what_was_said(way: str) -> None:
    m = answered(costly(), WAYS[way])
    expected = [2 + TSC + count + ns for _, count, ns in MEASURED]
    found = differences(m)
    names = [name for name, _, _ in MEASURED]
    assert dict(zip(names, found, strict=True)) == dict(
        zip(names, expected, strict=True)
    )


def test_without_costs_there_are_only_instructions() -> None:
    m = answered(costly(FREE), WAYS["whole"])
    assert differences(m) == [2 + count for _, count, _ in MEASURED]
    assert m.now == m.vcpus[0].retired


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("core", ["blocks", "count"])
def test_neither_cuts_nor_the_way_of_counting_show(
    core: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fingerprint(answered(costly(), WAYS["whole"]))
    if core == "count":
        monkeypatch.setattr(build, "open_core", lambda: Core(None))
    assert fingerprint(answered(costly(), WAYS[way])) == whole


@pytest.mark.parametrize("kind", ["port", "mmio", "rdtsc", "cpuid", "msr"])
def test_each_kind_is_paid_for_itself(kind: str) -> None:
    """What one kind takes is what is left of all when the others are taken away."""
    base = answered(costly(FREE), WAYS["whole"]).now
    one = answered(costly(Costs(**{kind: getattr(DEAR, kind)})), WAYS["whole"]).now
    without = answered(costly(replace(DEAR, **{kind: 0})), WAYS["whole"]).now
    assert one - base == answered(costly(), WAYS["whole"]).now - without > 0


def test_a_device_that_answers_costs_what_the_user_does() -> None:
    m = costly()
    m.trap("port", 0x61)
    m.trap("mmio", 0xFEE0_0000, 0x1000)
    m.trap("msr", 0x1B)
    for _ in range(200):
        if m.vcpus[0].halted:
            break
        stop = m.run(100_000)
        if m.pending():
            kind = m.pending()[0]
            own = kind.address in {0x61, 0x1B} or kind.address >> 12 == 0xFEE00
            m.answer_by_device(0) if own else m.answer(0, 0x42)
    assert m.vcpus[0].halted, stop
    assert differences(m) == differences(answered(costly(), WAYS["whole"]))


# What was not done, or not by the guest.


def test_who_discards_pays_nothing_and_who_answers_pays_once() -> None:
    m = costly(code=bytes.fromhex("ba 34 12 ec f4"))  # MOV DX, 0x1234; IN; HLT
    m.run(100)
    for _ in range(3):
        assert (m.now, len(m.pending())) == (1, 1)
        m.discard(0)
        m.run(100)
    m.answer(0, 1)
    assert m.now == 2 + PORT


def test_a_read_that_is_done_is_paid_though_the_rest_is_discarded() -> None:
    """Of an instruction that waits, what has been made is paid for, and once."""
    m = costly(code=bytes.fromhex("65 fe 06 05 00 f4"))  # INC byte [GS:5]; HLT
    m.run(100)
    assert m.now == 0
    m.answer(0, 7)
    assert m.now == MMIO
    assert [each.read for each in m.pending()] == [False]
    m.discard(0)
    assert m.now == MMIO
    m.run(100)
    for _ in range(2):
        m.answer(0, 7)
    assert m.now == 3 * MMIO + 1


def test_an_access_that_faults_costs_nothing() -> None:
    m = costly(code=bytes.fromhex("66 b9 ff ff ff 3f 0f 32"))  # RDMSR of nothing
    m.run(2)
    assert m.now == m.vcpus[0].retired == 2


def test_the_user_takes_no_time() -> None:
    m = costly()
    m.touch(0, 0xFEE0_0030, 4, physical=True)
    m.kernemu_write(0, 0xFEE0_0080, 4, 0x10)
    assert m.now == 0


# Time.


def test_the_counter_runs_at_its_own_frequency() -> None:
    """At 2.5 GHz the difference of two counts is that of two times, each rounded."""
    m = answered(costly(tsc_hz=2_500_000_000), WAYS["whole"])
    slow = differences(answered(costly(), WAYS["whole"]))
    for ticks, ns in zip(differences(m), slow, strict=True):
        assert abs(ticks - ns * 5 / 2) < 1


OUT_80 = bytes.fromhex("e6 61")


def timed(ns: int, deadlines: tuple[int, int], way: str) -> list[tuple[int, int]]:
    """Two APIC timers come due in one access of `ns`: (ns, vCPU) of each firing."""
    m = machine(OUT_80 + bytes.fromhex("90 90 f4"), 2, costs=Costs(port=ns))
    for vcpu, due in zip(m.vcpus, deadlines, strict=True):
        vcpu.apic.svr, vcpu.apic.lvt_timer = 0x1FF, 0x40 + vcpu.id
        vcpu.apic.timer_initial, vcpu.apic.timer_deadline = 1, due
    for _ in range(3):
        if way == "whole":
            m.run(3)
        else:
            m.step(0)
    return [
        (each.at, each.event.vcpu)
        for each in m.log.last(1000)
        if isinstance(each.event, TimerFired)
    ]


@pytest.mark.parametrize("way", ["whole", "step by step"])
@pytest.mark.parametrize(
    ("deadlines", "order"),
    [
        ((300, 700), [(300, 0), (700, 1)]),
        ((700, 300), [(300, 1), (700, 0)]),
        ((1, 1001), [(1, 0), (1001, 1)]),
        ((1002, 500), [(500, 1), (1002, 0)]),
    ],
)
def test_timers_fire_in_the_order_of_their_deadlines(
    way: str, deadlines: tuple[int, int], order: list[tuple[int, int]]
) -> None:
    assert timed(1000, deadlines, way) == order


def test_a_timer_faster_than_an_access_ends() -> None:
    m = costly(Costs(port=1_000_000), OUT_80 + b"\xf4")
    apic = m.vcpus[0].apic
    apic.lvt_timer, apic.timer_initial, apic.timer_divide = 0x2_0040, 1, 0xB
    apic.timer_deadline = 5
    m.run(1)
    assert m.now == 1_000_001
    assert apic.timer_deadline is not None
    assert apic.timer_deadline > m.now


# What can be said.


@pytest.mark.parametrize("kind", ["port", "mmio", "rdtsc", "cpuid", "msr"])
@pytest.mark.parametrize("value", [-1, 1_000_001, 1 << 70])
def test_a_cost_has_limits(kind: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"^cost of {kind} {value}: 0 to 1000000 ns"):
        MachineConfig(costs=Costs(**{kind: value})).check()


def test_the_sets_have_names_and_are_within_the_limits() -> None:
    assert list(SETS) == ["none", "pc", "firmware", "board"]
    for costs in SETS.values():
        costs.check()
    assert SETS["none"].some() == {}


# The same again and again, which the processor may answer by itself.

ROUNDS = 25
EACH = {"rdtsc": 1, "cpuid": 1, "msr": 1, "port": 2, "mmio": 2}
"""What `POLLING` does in each round, and how often."""
POLLING = bytes.fromhex(
    "bd1900"  # MOV BP, ROUNDS
    "0f31"  # RDTSC
    "6631c0 6631c9 0fa2"  # XOR EAX and ECX, CPUID
    "66b91b000000 0f32"  # MOV ECX, 0x1B; RDMSR
    "e461 e460"  # IN of a device, and of nobody
    "6664a13000 6664a12000"  # the APIC's version and ID
    "4d 75dd f4"  # DEC BP; JNZ; HLT
)


def polling(costs: Costs, period: int, core: str) -> Machine:
    """The guest with a timer of the APIC that fires all the while, unheard."""
    patch = pytest.MonkeyPatch()
    if core == "count":
        patch.setattr(build, "open_core", lambda: Core(None))
    m = costly(costs, POLLING)
    patch.undo()
    m.vm.float_ports = True
    apic = m.vcpus[0].apic
    apic.lvt_timer, apic.timer_initial, apic.timer_divide = 0x2_0040, period, 0xB
    apic.timer_deadline = 17
    return m


@pytest.mark.parametrize("period", [3, 400, 100_000])
@pytest.mark.parametrize("costs", [DEAR, Costs(mmio=5), Costs(rdtsc=1_000_000), FREE])
def test_accesses_in_a_loop_take_what_they_take_once(costs: Costs, period: int) -> None:
    whole = polling(costs, period, "blocks")
    whole.run(10_000)
    assert whole.vcpus[0].halted
    each = sum(times * getattr(costs, kind) for kind, times in EACH.items())
    assert whole.now == whole.vcpus[0].retired + ROUNDS * each
    for core, step in (("count", 10_000), ("blocks", 1), ("count", 7)):
        cut = polling(costs, period, core)
        while not cut.vcpus[0].halted:
            cut.run(step)
        assert fingerprint(cut) == fingerprint(whole), (core, step)
