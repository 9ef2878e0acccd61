"""Watchpoints on ports and MSRs: where they stop, what they tell, what they change.

The guest counts in BX, writes BL to the scratch register of a UART and reads it back,
and adds one to an MSR, for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs import both_cores, machines

from lapis_engine.cpu.registers import RBX
from lapis_engine.machine.watches import Watch
from lapis_engine.replay.digest import Digester

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine

LOOP = bytes.fromhex(
    "43 88d8 baff03 ee ec 66b9810000c0 0f32 6640 0f30 ebea"
)  # fmt: skip
"""inc bx; mov al, bl; mov dx, 0x3ff; out dx, al; in al, dx; mov ecx, 0xc0000081;
rdmsr; inc eax; wrmsr; jmp to the begin: ten instructions."""
ROUND = 10
SCRATCH, STAR = 0x3FF, 0xC000_0081
BEHIND_OUT, BEHIND_IN, BEHIND_RDMSR, BEHIND_WRMSR = 7, 8, 16, 20
OUTS = bytes.fromhex("be0006 b90500 baff03 fc f36e ebfe")
"""mov si, 0x600; mov cx, 5; mov dx, 0x3ff; cld; rep outsb; jmp to itself."""


@pytest.fixture(params=[True, False], ids=["blocks", "count"], autouse=True)
def _core(request: pytest.FixtureRequest) -> Iterator[None]:
    with both_cores.counting(by_blocks=request.param):
        yield


def watching(
    m: Machine, space: str, kind: str, first: int, size: int = 1, **more: Any
) -> Watch:
    number = m.points.take_number()
    watch = Watch(number, kind, first, ((first, size),), space, **more)
    m.watches.put([*m.watches.items, watch])
    return watch


@pytest.mark.parametrize(
    ("space", "kind", "first", "rips"),
    [
        ("port", "write", SCRATCH, [BEHIND_OUT] * 3),
        ("port", "read", SCRATCH, [BEHIND_IN] * 3),
        ("port", "access", SCRATCH, [BEHIND_OUT, BEHIND_IN, BEHIND_OUT]),
        ("msr", "write", STAR, [BEHIND_WRMSR] * 3),
        ("msr", "change", STAR, [BEHIND_WRMSR] * 3),
        ("msr", "read", STAR, [BEHIND_RDMSR] * 3),
        ("msr", "access", STAR, [BEHIND_RDMSR, BEHIND_WRMSR, BEHIND_RDMSR]),
    ],
)
def test_it_stops_behind_the_instruction(
    space: str, kind: str, first: int, rips: list[int]
) -> None:
    m = machines.machine(LOOP)
    m.run(500)  # by now the processor answers by itself what it can
    watch = watching(m, space, kind, first)
    found = []
    for _ in rips:
        stop = m.run(100)
        assert (stop.reason, stop.point) == ("watchpoint", watch.number)
        found.append(m.vcpu(0).regs.rip)
    assert found == rips
    assert watch.hits == 3


def test_the_values_are_told() -> None:
    m = machines.machine(LOOP)
    watching(m, "port", "access", SCRATCH)
    watching(m, "msr", "access", STAR)
    assert [m.run(100).text for _ in range(8)] == [
        "watch 1, access of port 0x3ff: 0x1 written",
        "watch 1, access of port 0x3ff: 0x1 read",
        "watch 2, access of MSR 0xc0000081: 0x0 read",
        "watch 2, access of MSR 0xc0000081: 0x0 -> 0x1",
        "watch 1, access of port 0x3ff: 0x2 written",
        "watch 1, access of port 0x3ff: 0x2 read",
        "watch 2, access of MSR 0xc0000081: 0x1 read",
        "watch 2, access of MSR 0xc0000081: 0x1 -> 0x2",
    ]


def test_what_is_written_as_it_was_is_no_change() -> None:
    same = bytes.fromhex("66b9810000c0 0f32 0f30 ebfa")  # rdmsr; wrmsr; again
    m = machines.machine(same)
    change = watching(m, "msr", "change", STAR)
    assert m.run(100).reason == "budget"
    assert change.hits == 0
    watching(m, "msr", "write", STAR)
    assert m.run(100).text == "watch 2, write of MSR 0xc0000081: 0x0 as before"


@pytest.mark.parametrize("space", ["port", "msr"])
def test_a_neighbour_is_not_touched_and_a_range_is(space: str) -> None:
    at = SCRATCH if space == "port" else STAR
    m = machines.machine(LOOP)
    watching(m, space, "access", at + 1)
    watching(m, space, "access", at - 2, 2)
    assert m.run(1000).reason == "budget"
    watching(m, space, "access", at - 2, 3)
    assert m.run(1000).point == 3


@pytest.mark.parametrize(
    ("space", "first"), [("port", SCRATCH), ("msr", STAR), ("port", 0)]
)
@pytest.mark.parametrize("kind", ["write", "read", "access"])
def test_a_watched_guest_comes_to_the_same(space: str, first: int, kind: str) -> None:
    """The oracle is a machine that nobody watches."""
    m, plain = machines.machine(LOOP, 2), machines.machine(LOOP, 2)
    watching(m, space, kind, first, when=lambda _vcpu: False)
    assert m.run(20_000) == plain.run(20_000)
    assert Digester(m).digest() == Digester(plain).digest()
    watching(m, space, kind, first)
    ran = 0
    while ran < 300:
        ran += m.run(300 - ran).retired
    plain.run(300)
    assert Digester(m).digest() == Digester(plain).digest()


def test_its_condition_is_asked_behind_the_instruction() -> None:
    m = machines.machine(LOOP)
    watch = watching(
        m, "port", "write", SCRATCH, when=lambda _vcpu: m.vcpu(0).regs.gpr[RBX] == 30
    )
    stop = m.run(10_000)
    assert (stop.retired, watch.hits) == (29 * ROUND + 4, 1)


def test_hits_are_let_by_and_one_is_gone_after_its_first() -> None:
    m = machines.machine(LOOP)
    watching(m, "port", "read", SCRATCH, skip=2, once=True)
    assert m.run(1000).text == "watch 1, read of port 0x3ff: 0x3 read"
    assert m.watches.items == []
    assert m.run(1000).reason == "budget"


def test_a_string_instruction_stops_after_each_element() -> None:
    m = machines.machine(OUTS)
    m.write_memory(0, 0x600, "0102030405")
    watching(m, "port", "write", SCRATCH)
    texts = [m.run(100).text for _ in range(5)]
    assert texts == [
        f"watch 1, write of port 0x3ff: {n:#x} written" for n in range(1, 6)
    ]
    assert m.run(100).reason == "budget"


def test_an_access_that_faults_is_none() -> None:
    m = machines.machine(bytes.fromhex("66b9efbead00 0f32 ebfe"))  # no such MSR
    watching(m, "msr", "access", 0xADBEEF)
    assert m.run(100).reason != "watchpoint"


def test_one_that_suspends_the_machine_is_told_of_too() -> None:
    """OUT to isa-debug-exit stops the machine for good; the watch says which it was."""
    m, plain = (machines.machine(bytes.fromhex("b007 e6f4 ebfe")) for _ in range(2))
    port = next(
        where.first
        for where, device in m.vm.ports.claims()
        if device.name == "isa-debug-exit"
    )
    assert port == 0xF4
    watching(m, "port", "write", port)
    stop = m.run(100)
    assert (stop.reason, stop.point) == ("watchpoint", 1)
    assert plain.run(100).reason == "suspended"
    assert plain.run(100).reason == m.run(100).reason == "suspended"
    assert Digester(m).digest() == Digester(plain).digest()


def test_those_of_the_apic_and_of_whom() -> None:
    """The guest sets bits 11 and 10 of IA32_APIC_BASE, and sends INIT by the ICR."""
    m = machines.guest("x2apic", 2)
    watching(m, "msr", "access", 0x1B, vcpu=1)
    watching(m, "msr", "change", 0x1B)
    watching(m, "msr", "access", 0x800, 0x100)
    assert [m.run(1000).text for _ in range(3)] == [
        "watch 2, change of MSR 0x1b: 0xfee00900 -> 0xfee00d00",
        "watch 3, access of MSR 0x802: 0x0 read",
        "watch 3, access of MSR 0x830: 0x0 -> 0xc4500",
    ]
    assert m.run(1000).reason == "halted"


def test_the_users_own_writes_stop_nothing() -> None:
    m = machines.machine(bytes.fromhex("40 ebfd"))
    watching(m, "msr", "write", STAR)
    m.write_msr(0, STAR, 5)
    assert m.run(100).reason == "budget"


def test_nothing_is_heard_when_none_is_left() -> None:
    m = machines.machine(LOOP)

    def heard() -> tuple[object, ...]:
        vm = m.vm
        return list(vm.buses), list(m.log.observers), vm.heard_ports, vm.on_msr

    before = heard()
    watching(m, "port", "write", SCRATCH)
    watching(m, "msr", "write", STAR)
    assert heard()[2:] == (((SCRATCH, 1),), m.vm.on_msr)
    assert m.vm.on_msr is not None
    m.watches.put(())
    assert heard() == before
