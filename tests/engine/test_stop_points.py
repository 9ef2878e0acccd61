"""Breakpoints and watchpoints: whom they stop, where, and that no guest notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs import machines
from rigs.counting import COUNT

from lapis_engine.cpu.registers import RAX, RSP
from lapis_engine.errors import EngineError
from lapis_engine.machine.watches import KINDS, Watch
from lapis_engine.replay.digest import Digester

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

INC, STORE, LOAD, JUMP = 0, 1, 5, 8
PUSHES = bytes.fromhex("bc0006 fb cd40 ebfc")
"""mov sp, 0x600; sti; int 0x40; jmp to that."""


def counting() -> Machine:
    return machines.machine(COUNT)


def at(m: Machine) -> int:
    return m.vcpu(0).regs.rip


def test_one_stops_before_its_instruction_and_counts() -> None:
    m = counting()
    point = m.points.add(machines.BASE + STORE)
    for expected in range(3):
        stop = m.run(100)
        assert (stop.reason, stop.point, at(m)) == ("breakpoint", point.number, STORE)
        assert point.hits == expected + 1


def test_a_condition_is_asked_with_the_vcpu_and_changes_nothing() -> None:
    m, plain = counting(), counting()
    asked = []

    def when(vcpu: int) -> bool:
        asked.append(vcpu)
        return m.vcpu(0).regs.gpr[RAX] == 50

    m.points.add(machines.BASE + STORE, when=when)
    stop = m.run(10_000)
    assert (stop.reason, m.vcpu(0).regs.gpr[RAX], at(m)) == ("breakpoint", 50, STORE)
    assert asked == [0] * 50
    plain.run(stop.retired)
    assert Digester(m).digest() == Digester(plain).digest()


def test_one_that_never_holds_is_as_none() -> None:
    m, plain = counting(), counting()
    m.points.add(machines.BASE + STORE, when=lambda _vcpu: False)
    assert m.run(5000) == plain.run(5000)
    assert Digester(m).digest() == Digester(plain).digest()


@pytest.mark.parametrize("move", ["run", "step"])
def test_hits_are_let_by_and_one_is_gone_after_its_first(move: str) -> None:
    m = counting()
    skipped = m.points.add(machines.BASE + STORE, skip=4)
    once = m.points.add(machines.BASE + LOAD, once=True)

    def go() -> Any:
        return m.run(1000) if move == "run" else m.step(0, 1000)

    assert (go().point, at(m)) == (once.number, LOAD)
    stop = go()
    assert (stop.point, skipped.hits, m.vcpu(0).regs.gpr[RAX]) == (1, 5, 5)
    assert [point.number for point in m.points.items] == [skipped.number]


def test_one_of_another_vcpu_stops_nobody() -> None:
    m = counting()
    m.points.add(machines.BASE + STORE, vcpu=1)
    assert m.run(100).reason == "budget"


def test_one_that_is_off_stops_nobody() -> None:
    m = counting()
    point = m.points.add(machines.BASE + STORE)
    m.points.enable(point.number, on=False)
    assert m.run(100).reason == "budget"
    m.points.enable(point.number, on=True)
    assert m.run(100).point == point.number
    m.points.remove(point.number)
    assert m.run(100).reason == "budget"
    with pytest.raises(EngineError, match="no breakpoint 1; there are: none"):
        m.points.remove(point.number)


def watching(
    m: Machine, kind: str, gpa: int = 0x500, size: int = 2, **more: Any
) -> Watch:
    watch = Watch(m.points.take_number(), kind, gpa, ((gpa, size),), **more)
    m.watches.put([*m.watches.items, watch])
    return watch


@pytest.mark.parametrize(
    ("kind", "rips"),
    [
        ("write", [LOAD, LOAD, LOAD]),
        ("change", [LOAD, LOAD, LOAD]),
        ("read", [LOAD, JUMP, LOAD]),  # inc reads what it writes
        ("access", [LOAD, JUMP, LOAD]),
    ],
)
def test_it_stops_behind_the_instruction(kind: str, rips: list[int]) -> None:
    m = counting()
    watch = watching(m, kind)
    found = []
    for _ in rips:
        stop = m.run(100)
        assert (stop.reason, stop.point) == ("watchpoint", watch.number)
        found.append(at(m))
    assert found == rips
    assert set(KINDS) == {"write", "change", "read", "access"}


@pytest.mark.parametrize(
    ("code", "back", "words"),
    [
        ("bc0006 0e 6a08 cb 90 90 ebfe", 8, (0x5FC, 0x5FE)),
        ("bc0006 660e 666a0b 66cb 90 90 ebfe", 11, (0x5F8, 0x5FC)),
    ],
)
def test_a_far_return_in_real_mode_goes_where_it_returns_to(
    code: str, back: int, words: tuple[int, int]
) -> None:
    """mov sp, 0x600; push cs; push back; retf; nop; back: nop; jmp to itself."""
    for address in (*words, words[1] + 1, words[0] - 1, 0x500):
        m = machines.machine(bytes.fromhex(code))
        watching(m, "read", address, 1)
        stop = m.run(4)
        assert (stop.reason == "watchpoint") == (address >= words[0])
        assert (stop.retired, at(m), m.vcpu(0).regs.gpr[RSP]) == (4, back, 0x600)


def test_old_and_new_value_are_told() -> None:
    m = counting()
    watching(m, "write")
    assert m.run(100).text == "watch 1, write of 2 bytes at 0x500: 0x0 -> 0x1"
    assert m.run(100).text == "watch 1, write of 2 bytes at 0x500: 0x1 -> 0x2"


def test_a_write_of_what_is_there_is_no_change() -> None:
    m = machines.machine(bytes.fromhex("a30005 40 40 ebf9"))  # mov [0x500], ax; inc ...
    watching(m, "change")
    stop = m.run(100)
    assert (stop.text[-10:], stop.retired) == ("0x0 -> 0x2", 5)
    one = machines.machine(bytes.fromhex("a30005 ebfb"))
    watching(one, "change")
    assert one.run(100).reason == "budget"
    writes = machines.machine(bytes.fromhex("a30005 ebfb"))
    watching(writes, "write")
    assert writes.run(100).text.endswith("0x0 as before")


def test_a_neighbour_is_not_touched() -> None:
    m = counting()
    watching(m, "access", 0x502)
    watching(m, "access", 0x4FF, 1)
    assert m.run(1000).reason == "budget"


def test_its_condition_is_asked_behind_the_instruction() -> None:
    m, plain = counting(), counting()
    watch = watching(
        m, "write", when=lambda _vcpu: m.read_physical(0x500, 1) == b"\x14"
    )
    stop = m.run(10_000)
    assert (stop.reason, m.read_physical(0x500, 2), watch.hits) == (
        "watchpoint", b"\x14\x00", 1,
    )  # fmt: skip
    plain.run(stop.retired)
    assert Digester(m).digest() == Digester(plain).digest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_watched_guest_comes_to_the_same(kind: str) -> None:
    m, plain = counting(), counting()
    watching(m, kind, when=lambda _vcpu: False)
    assert m.run(3000) == plain.run(3000)
    assert Digester(m).digest() == Digester(plain).digest()


def test_what_the_engine_stores_when_it_delivers_counts() -> None:
    """INT 40H pushes FLAGS, CS and IP at 0x5FA to 0x5FF."""
    m = machines.machine(PUSHES)
    m.write_memory(0, 0x100, "04000010", physical=True)
    watch = watching(m, "write", 0x5FA, 2)
    stop = m.run(100)
    assert (stop.reason, stop.point) == ("watchpoint", watch.number)
    assert m.read_physical(0x5FA, 2) == b"\x06\x00"


def test_a_write_of_the_users_own_stops_nothing_later() -> None:
    m = machines.machine(bytes.fromhex("40 ebfd"))
    watching(m, "write")
    m.write_memory(0, 0x500, "ffff")
    assert m.run(100).reason == "budget"
