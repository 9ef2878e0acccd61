"""Memory that the user writes: seen by every processor at once, or refused whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
from conformance.rig import CODE, Rig
from hypothesis import given
from hypothesis import strategies as st
from rigs import machines

from lapis_engine.cpu.registers import RAX
from lapis_engine.errors import EngineError, UnmappedError
from lapis_engine.replay import capture
from lapis_engine.units import PAGE

INC_LOOP = bytes.fromhex("40 ebfd")
"""inc ax; jmp to it, in real mode."""
DEC_AX = "48"
LOAD_LOOP = bytes.fromhex("488b042500004000 ebf6")
"""mov rax, [0x400000]; jmp to it."""
DIRECTORY = 0x9_2000
"""The first page directory of 2 MiB pages (`boot.tables`)."""
RAM_END = 16 << 20


@pytest.mark.parametrize("physical", [False, True])
def test_code_that_is_written_is_what_runs_next(physical: bool) -> None:
    m = machines.machine(INC_LOOP)
    m.run(400)
    assert m.vcpu(0).regs.gpr[RAX] == 200
    m.write_memory(0, machines.BASE, DEC_AX, physical=physical)
    m.run(100)
    assert m.vcpu(0).regs.gpr[RAX] == 150
    m.write_memory(0, machines.BASE, "40")
    m.step(0, 20)
    assert m.vcpu(0).regs.gpr[RAX] == 160


def loads() -> Rig:
    """A guest that goes on loading from 0x400000, with something else at 0x600000."""
    rig = Rig()
    memory = rig.machine.vm.memory
    memory.write(CODE, LOAD_LOOP)
    memory.write(0x40_0000, b"\xaa")
    memory.write(0x60_0000, b"\xbb")
    rig.vcpu(0).regs.rip = CODE
    return rig


def test_a_page_table_that_is_written_holds_from_the_next_instruction_on() -> None:
    rig = loads()
    rig.machine.run(50)
    assert rig.vcpu(0).regs.gpr[RAX] == 0xAA
    entry = (0x60_0000 | 0x83).to_bytes(8, "little")
    rig.machine.write_memory(0, DIRECTORY + 2 * 8, entry.hex())
    rig.machine.step(0, 2)
    assert rig.vcpu(0).regs.gpr[RAX] == 0xBB


def test_it_makes_no_difference_whether_the_machine_was_put_back_before_it() -> None:
    entry = (0x60_0000 | 0x83).to_bytes(8, "little").hex()

    def after(*, put_back: bool) -> tuple[object, ...]:
        rig = loads()
        rig.machine.run(50)
        if put_back:
            capture.put(rig.machine, capture.take(rig.machine))
        rig.machine.write_memory(0, DIRECTORY + 2 * 8, entry, physical=True)
        rig.machine.run(7)
        return machines.fingerprint(rig.machine)

    assert after(put_back=False) == after(put_back=True)


def test_neither_rights_nor_an_accessed_bit_come_into_it() -> None:
    rig = Rig()
    at = DIRECTORY + 2 * 8
    rig.vm.memory.write(at, (0x40_0000 | 0x81).to_bytes(8, "little"))  # read-only
    rig.machine.write_memory(0, 0x40_0010, "0123456789ab")
    assert rig.vm.memory.read(0x40_0010, 6).hex() == "0123456789ab"
    assert rig.vm.memory.read(at, 8) == (0x40_0000 | 0x81).to_bytes(8, "little")


def test_bytes_across_pages_go_where_each_page_is() -> None:
    rig = Rig()
    for index, page in ((2, 0x60_0000), (3, 0x40_0000)):
        entry = (page | 0x83).to_bytes(8, "little")
        rig.vm.memory.write(DIRECTORY + index * 8, entry)
    rig.machine.write_memory(0, 0x60_0000 - 2, "01020304")
    assert rig.vm.memory.read(0x80_0000 - 2, 2) == b"\1\2"
    assert rig.vm.memory.read(0x40_0000, 2) == b"\3\4"


REFUSED = [
    (0xFEE0_0000, "00", "0xfee00000 is no memory: it is served by local APIC"),
    (0xFEC0_0000, "00", "0xfec00000 is no memory: it is served by ioapic"),
    (RAM_END, "00", "1 bytes at 0x1000000: neither memory nor a device of the engine"),
    (RAM_END - 1, "0000", "1 bytes at 0x1000000: neither memory nor a device"),
    (1 << 47, "00", "1 bytes at 0x800000000000: the address is not canonical"),
    ((1 << 47) - 1, "0000", "1 bytes at 0x800000000000: the address is not canonical"),
    ((1 << 64) - 1, "0000", "2 bytes at 0xffffffffffffffff are not within 0 to 0xff"),
    (5 << 30, "00", "1 bytes at 0x140000000: not mapped by its page tables"),
    (0x500, "", "0 bytes to write: 1 to 4096 at once"),
    (0x500, "00" * 4097, "4097 bytes to write: 1 to 4096 at once"),
    (0x500, "0", "'0' are no bytes: two hex digits each"),
    (0x500, "\x1b[2J" * 20, r"'\x1b[2J"),
]


@pytest.mark.parametrize(("at", "data", "text"), REFUSED)
def test_what_is_not_ram_is_refused_in_a_sentence(
    at: int, data: str, text: str
) -> None:
    rig = Rig()
    before = machines.fingerprint(rig.machine)
    with pytest.raises(EngineError) as refused:
        rig.machine.write_memory(0, at, data)
    assert str(refused.value).startswith(text)
    assert machines.fingerprint(rig.machine) == before


def test_rom_is_refused_and_what_is_before_it_stays() -> None:
    rig = Rig()
    rig.vm.memory.add(0x200_0000, PAGE, "RAM")
    rig.vm.memory.add(0x200_1000, PAGE, "ROM", rom=True)
    with pytest.raises(EngineError, match="0x2001000 is in ROM, which is read-only"):
        rig.machine.write_memory(0, 0x200_0FFF, "0102")
    assert rig.vm.memory.read(0x200_0FFF, 2) == b"\0\0"


def test_the_last_byte_of_all_is_within() -> None:
    rig = Rig()
    tables = 0x10_0000, 0x10_1000, 0x10_2000, 0x10_3000, 0x7000
    for table, behind in pairwise(tables):
        rig.vm.memory.write(table + 8 * 511, (behind | 3).to_bytes(8, "little"))
    rig.vcpu(0).regs.cr3 = tables[0]
    rig.machine.write_memory(0, (1 << 64) - 2, "abcd")
    assert rig.vm.memory.read(0x7FFE, 2) == b"\xab\xcd"


def test_without_paging_a_linear_address_has_32_bits() -> None:
    m = machines.machine(INC_LOOP)
    with pytest.raises(EngineError, match="are not within 0 to 0xffffffff"):
        m.write_memory(0, 1 << 32, "00")
    for physical in (False, True):
        with pytest.raises(EngineError, match="bytes at -0x5 are not within"):
            m.write_memory(0, -5, "00", physical=physical)
    with pytest.raises(UnmappedError):
        m.write_memory(0, 1 << 32, "00", physical=True)


@given(at=st.integers(0, 0x1100), data=st.binary(min_size=1, max_size=4096))
def test_what_is_written_is_what_is_there_and_nothing_else(
    at: int, data: bytes
) -> None:
    rig = Rig()
    before = rig.vm.memory.read(0, 0x4000)
    rig.machine.write_memory(0, at, data.hex())
    after = before[:at] + data + before[at + len(data) :]
    assert rig.vm.memory.read(0, 0x4000) == after
