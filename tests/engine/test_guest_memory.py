"""Memory as a vCPU sees it, looked at without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu.paging import Linear
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.cpu.paging import Leaf

NOP = b"\x90"
LONGEST = 15


def count_walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the linear addresses whose page tables are walked from now on."""
    walked: list[int] = []
    walk = Linear._walk

    def counted(self: Linear, linear: int, *, touch: bool) -> Leaf | int:
        walked.append(linear)
        return walk(self, linear, touch=touch)

    monkeypatch.setattr(Linear, "_walk", counted)
    return walked


@pytest.mark.patches
def test_a_disassembly_walks_the_page_tables_once_a_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Rig().machine
    assert machine.vcpus[0].regs.paging
    start = CODE + PAGE - 20 * LONGEST
    machine.vm.memory.write(start, NOP * PAGE)
    walked = count_walks(monkeypatch)
    lines = machine.disassemble(0, start, 40)
    assert [line.linear for line in lines] == list(range(start, start + 40))
    assert walked == [start, CODE + PAGE]


@pytest.mark.patches
def test_memory_is_read_with_a_walk_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Rig().machine
    machine.vm.memory.write(CODE, bytes(range(256)) * 48)
    walked = count_walks(monkeypatch)
    data = machine.read_memory(0, CODE + 3, 2 * PAGE)
    assert data == (bytes(range(256)) * 48)[3 : 3 + 2 * PAGE]
    assert walked == [CODE + 3, CODE + PAGE, CODE + 2 * PAGE]


def test_a_disassembly_ends_where_memory_does() -> None:
    machine = Rig().machine
    (ram,) = machine.vm.memory.regions
    machine.vm.memory.write(ram.end - 3, NOP * 3)
    lines = machine.disassemble(0, ram.end - 3, 8)
    assert [line.linear - ram.end for line in lines] == [-3, -2, -1]


def test_looking_sets_no_accessed_bit() -> None:
    machine = Rig().machine
    before = machine.read_physical(0, PAGE * 16)
    machine.disassemble(0, CODE, 40)
    machine.read_memory(0, CODE, PAGE)
    assert machine.read_physical(0, PAGE * 16) == before
