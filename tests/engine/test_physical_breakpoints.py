"""Breakpoints by physical address: hit by every linear address that leads there.

The guest is `tests/guests/aliases.asm`: it calls TARGET by two addresses, by turns, and
a DECOY that lies at the same place of another page.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from rigs import both_cores, machines

from lapis_engine.cpu.registers import RBX, RDX
from lapis_engine.replay.digest import Digester

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine

TARGET, DECOY, ALIAS = 0x11123, 0x12123, 0x400000


@pytest.fixture(params=[True, False], ids=["blocks", "count"], autouse=True)
def _core(request: pytest.FixtureRequest) -> Iterator[None]:
    with both_cores.counting(by_blocks=request.param):
        yield


def aliases() -> Machine:
    return machines.guest("aliases")


@pytest.mark.parametrize("warm", [0, 20_000])
def test_it_is_hit_by_every_linear_address(warm: int) -> None:
    """EBX says how often it was called; the two callers come by turns."""
    m = aliases()
    m.run(warm)
    regs = m.vcpu(0).regs
    before = regs.gpr[RBX]
    point = m.points.add(TARGET, physical=True)
    found = []
    for calls in range(6):
        stop = m.run(30_000)
        assert (stop.reason, stop.point) == ("breakpoint", point.number)
        assert regs.gpr[RBX] == before + calls
        found.append(regs.rip)
    assert set(found) == {TARGET, TARGET + ALIAS}
    assert all(one != other for one, other in pairwise(found))
    assert point.hits == 6


def test_a_linear_one_is_hit_by_its_own_address_alone() -> None:
    m = aliases()
    m.points.add(TARGET)
    for _ in range(3):
        assert m.run(30_000).reason == "breakpoint"
        assert m.vcpu(0).regs.rip == TARGET


def test_what_lies_at_the_same_place_of_another_page_is_not() -> None:
    m = aliases()
    m.points.add(DECOY, physical=True)
    assert m.run(30_000).reason == "breakpoint"
    regs = m.vcpu(0).regs
    assert (regs.rip, regs.gpr[RBX], regs.gpr[RDX]) == (DECOY, 1, 0)


@pytest.mark.parametrize("at", [TARGET, DECOY, 0x11124, 0x10000, 0x13123])
def test_a_guest_that_is_watched_for_it_comes_to_the_same(at: int) -> None:
    m, plain = aliases(), aliases()
    m.points.add(at, physical=True, when=lambda _vcpu: False)
    assert m.run(25_000) == plain.run(25_000)
    assert Digester(m).digest() == Digester(plain).digest()
    m.points.put(())
    m.points.add(at, physical=True)
    ran = 0
    while ran < 500:
        ran += m.run(500 - ran).retired
    plain.run(500)
    assert Digester(m).digest() == Digester(plain).digest()


def test_a_halt_is_stopped_before_too() -> None:
    m = machines.machine(bytes.fromhex("fb 40 f4 ebfc"))  # sti; inc ax; hlt
    m.points.add(machines.BASE + 2, physical=True)
    stop = m.run(100)
    assert (stop.reason, stop.retired, m.vcpu(0).regs.rip) == ("breakpoint", 2, 2)
    m.run(100)
    assert m.vcpu_state(0) == "halted"


def test_stepping_goes_past_it_and_meets_it_again() -> None:
    m = aliases()
    m.points.add(TARGET, physical=True)
    m.run(30_000)
    regs = m.vcpu(0).regs
    assert m.step(0, 1).reason == "budget"
    assert regs.rip in {TARGET + 1, TARGET + ALIAS + 1}
    assert m.step(0, 100).reason == "breakpoint"
    assert regs.rip in {TARGET, TARGET + ALIAS}
