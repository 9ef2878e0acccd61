"""Descriptor tables, TSS, mappings and MTRRs that are built by hand, and hostile ones.

Formats are those of SDM Vol. 3A "Segment Descriptors", "IDT Descriptors", "64-Bit Mode
IDT", "Task-State Segment (TSS)", "TSS in 64-bit Mode", "I/O Permission Bit Map", the
paging formats, and "Memory Type Range Registers (MTRRs)".
"""

from __future__ import annotations

import struct

import pytest
from conformance.rig import Rig
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import machines

from lapis_engine.cpu.registers import Segment
from lapis_engine.why import mappings as mapped
from lapis_engine.why import pages
from lapis_engine.why.msrs import msrs
from lapis_engine.why.mtrr import mtrr
from lapis_engine.why.pages import PageAccess
from lapis_engine.why.tables import TableAnswer, gdt, idt, ldt
from lapis_engine.why.tss import tss

AT, TOP, SECOND, THIRD, FOURTH = 0x5000, 0x10_0000, 0x10_1000, 0x10_2000, 0x10_3000
PRESENT_TSS = 0x8B00
CODE = 0x00CF_9B00_0000_FFFF
CODE_TEXT = "32-bit code, readable, DPL 0, base 0x0, limit 0xffffffff"


def rows(found: TableAnswer) -> list[tuple[int, str]]:
    return [(each.number, each.text) for each in found.entries]


def test_a_gdt_is_read_as_far_as_its_limit() -> None:
    rig = Rig(wide=False)
    table = (0, CODE, 0, 0x1234_EC00_0008_5678, CODE)
    rig.vm.memory.write(AT, struct.pack("<5Q", *table))
    rig.vcpu(0).regs.gdtr = Segment(0, AT, 0x26, 0)  # one byte short of the fifth
    found = gdt(rig.machine, 0)
    assert rows(found) == [
        (8, CODE_TEXT), (0x18, "call gate to 0x0008:0x12345678, DPL 3"),
    ]  # fmt: skip
    assert (found.zeros, found.holes) == (2, 0)
    assert [each.linear for each in found.entries] == [AT + 8, AT + 0x18]


def test_a_null_descriptor_that_is_used_is_shown_as_such() -> None:
    rig = Rig(wide=False)
    rig.vm.memory.write(AT, struct.pack("<Q", CODE))
    rig.vcpu(0).regs.gdtr = Segment(0, AT, 7, 0)
    assert rows(gdt(rig.machine, 0)) == [(0, f"the null descriptor ({CODE_TEXT})")]


def test_an_ldt_has_selectors_with_ti_set_and_may_be_none() -> None:
    rig = Rig(wide=False)
    rig.vm.memory.write(AT, struct.pack("<2Q", CODE, CODE))
    rig.vcpu(0).regs.ldtr = Segment(0x28, AT, 15, 0x8200)
    assert rows(ldt(rig.machine, 0)) == [(4, CODE_TEXT), (12, CODE_TEXT)]
    rig.vcpu(0).regs.ldtr = Segment(0, AT, 15, 0x8200)
    found = ldt(rig.machine, 0)
    assert (found.entries, found.text) == ((), "LDTR is 0x0000: there is no LDT")


def test_a_system_descriptor_of_long_mode_is_one_entry() -> None:
    rig = Rig()
    table = (0, 0x0000_8B00_5000_0067, 0xFFFF_8000, CODE)
    rig.vm.memory.write(AT, struct.pack("<4Q", *table))
    rig.vcpu(0).regs.gdtr = Segment(0, AT, 31, 0)
    assert rows(gdt(rig.machine, 0)) == [
        (8, "TSS, busy, DPL 0, base 0xffff800000005000, limit 0x67"),
        (0x18, CODE_TEXT),
    ]


def test_gates_of_each_mode() -> None:
    wide = Rig()
    gate = bytes.fromhex("7856 1000 038e 3412 f0debc9a 00000000")
    wide.vm.memory.write(AT + 16 * 0x31, gate)
    wide.vcpu(0).regs.idtr = Segment(0, AT, 0xFFF, 0)
    found = idt(wide.machine, 0)
    assert (found.table, found.size, found.zeros) == ("IDT", 16, 255)
    assert rows(found) == [
        (0x31, "interrupt gate to 0x0010:0x9abcdef012345678, IST 3, DPL 0")
    ]
    narrow = Rig(wide=False)
    narrow.vm.memory.write(AT + 8 * 0x80, bytes.fromhex("7856 0800 00ef 3412"))
    narrow.vcpu(0).regs.idtr = Segment(0, AT, 0xFFFF, 0)
    found = idt(narrow.machine, 0)
    assert (found.size, found.zeros) == (8, 255)  # of 8192 there are 256 vectors
    assert rows(found) == [(0x80, "trap gate to 0x0008:0x12345678, DPL 3")]
    real = machines.machine(b"\xf4")
    real.write_memory(0, 4 * 0x10, "5312 00f0")
    found = idt(real, 0)
    assert (found.table, rows(found)) == ("IVT", [(0x10, "f000:1253")])


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("base", [0xFFFF_F000, 0xFFFF_FFFC, 0xD000_0000, 0x7FFF_FFFF])
def test_tables_that_lead_nowhere_are_told_of(base: int, *, wide: bool) -> None:
    rig = Rig(wide=wide)
    regs = rig.vcpu(0).regs
    regs.gdtr = regs.idtr = Segment(0, base, 0xFFFF, 0)
    regs.ldtr = Segment(8, base, 0xFFFF_FFFF, 0x8200)
    before = machines.fingerprint(rig.machine)
    for found in (gdt(rig.machine, 0), ldt(rig.machine, 0)):
        assert found.holes > 0
        taken = sum(2 if each.raw >> 64 else 1 for each in found.entries)
        assert found.holes + found.zeros + taken <= 8192
    assert idt(rig.machine, 0).holes > 0
    assert machines.fingerprint(rig.machine) == before


def test_a_tss_of_64_bits() -> None:
    rig = Rig()
    data = bytearray(0x68 + 8)
    for n in range(3):
        struct.pack_into("<Q", data, 4 + 8 * n, 0x1000 + n)
    for n in range(7):
        struct.pack_into("<Q", data, 0x24 + 8 * n, 0xFFFF_8000_0000_0000 + n)
    struct.pack_into("<H", data, 0x66, 0x68)
    data[0x68:] = b"\xff\xfe\x7f\xff\x00\xff\xff\xff"
    rig.vm.memory.write(AT, bytes(data))
    rig.vcpu(0).regs.tr = Segment(0x40, AT, 0x6F, PRESENT_TSS)
    found = tss(rig.machine, 0)
    values = {each.name: each.value for each in found.fields}
    assert (found.form, values["RSP2"], values["IST1"], values["IST7"]) == (
        "64-bit", 0x1002, 0xFFFF_8000_0000_0000, 0xFFFF_8000_0000_0006,
    )  # fmt: skip
    assert values["I/O map base"] == 0x68
    assert found.ports == ((8, 8), (0x17, 0x17), (0x20, 0x27))


def test_a_tss_of_32_bits_and_one_that_is_cut_short() -> None:
    rig = Rig(wide=False)
    data = bytearray(range(0x68))
    struct.pack_into("<H", data, 0x66, 0xFFFF)
    rig.vm.memory.write(AT, bytes(data))
    regs = rig.vcpu(0).regs
    regs.tr = Segment(0x40, AT, 0x67, PRESENT_TSS)
    values = {each.name: each.value for each in tss(rig.machine, 0).fields}
    assert (values["link"], values["ESP0"], values["SS2"]) == (
        0x100,
        0x07060504,
        0x1918,
    )
    assert (values["EIP"], values["EDI"], values["LDT"], values["T"]) == (
        0x23222120, 0x47464544, 0x6160, 0x6564,
    )  # fmt: skip
    regs.tr = Segment(0x40, AT, 0x20, PRESENT_TSS)
    values = {each.name: each.value for each in tss(rig.machine, 0).fields}
    assert (values["CR3"], values["EIP"], values["T"]) == (0x1F1E1D1C, None, None)
    regs.tr = Segment(0x40, AT, 0x2B, 0x8300)
    found = tss(rig.machine, 0)
    values = {each.name: each.value for each in found.fields}
    assert (found.form, values["IP"], values["LDT"]) == ("16-bit", 0x0F0E, 0x2B2A)
    regs.tr = Segment(0, AT, 0x67, PRESENT_TSS)
    assert tss(rig.machine, 0).fields == ()


def entries(rig: Rig, *pairs: tuple[int, int]) -> None:
    for at, value in pairs:
        rig.vm.memory.write(at, value.to_bytes(8, "little"))


def test_runs_are_joined_where_both_sides_and_the_rights_go_on() -> None:
    rig = Rig()
    entries(
        rig, (TOP + 8 * 256, SECOND | 7), (SECOND, THIRD | 7), (THIRD, FOURTH | 7),
        (FOURTH, 0x7000 | 7), (FOURTH + 8, 0x8000 | 7), (FOURTH + 16, 0x9000 | 5),
        (FOURTH + 24, 0xB000 | 5), (THIRD + 8, 0x40_0000 | 0x83),
    )  # fmt: skip
    rig.vcpu(0).regs.cr3 = TOP
    found = mapped.mappings(rig.machine, 0)
    base = 0xFFFF_8000_0000_0000
    assert [
        (r.first - base, r.last - base, r.physical, r.rights.write, r.rights.user)
        for r in found.runs
    ] == [
        (0, 0x1FFF, 0x7000, True, True),
        (0x2000, 0x2FFF, 0x9000, False, True),
        (0x3000, 0x3FFF, 0xB000, False, True),
        (0x20_0000, 0x3F_FFFF, 0x40_0000, True, False),
    ]
    assert (found.tables, found.complete) == (4, True)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(0, (1 << 64) - 1)),
        max_size=24,
    ),
    st.booleans(),
)
def test_a_page_is_in_a_run_just_if_a_walk_comes_to_it(
    made: list[tuple[int, int, int]],
    wide: bool,
) -> None:
    rig = Rig()
    tables = (TOP, SECOND, THIRD, FOURTH)
    low = 0xFFF if wide else 0x1F
    for table, index, raw in made:
        entry = tables[raw >> 60 & 3] | raw & low | raw & (3 << 62)
        entries(rig, (tables[table] + 8 * index, entry))
    rig.vcpu(0).regs.cr3 = TOP
    found = mapped.mappings(rig.machine, 0)
    assert found.complete
    for n in range(8 * 8 * 8 * 8):
        parts = [n >> 3 * k & 7 for k in range(4)]
        linear = sum(part << 12 + 9 * k for k, part in enumerate(parts))
        walk = pages.page(rig.machine, 0, linear, PageAccess())
        mine = [run for run in found.runs if run.first <= linear <= run.last]
        assert len(mine) == (walk.physical is not None)
        for run in mine:
            assert run.physical + linear - run.first == walk.physical
            assert run.rights == walk.rights


def test_tables_that_lead_to_themselves_end() -> None:
    rig = Rig()
    entries(rig, *((TOP + 8 * n, TOP | 3) for n in range(512)))
    rig.vcpu(0).regs.cr3 = TOP
    found = mapped.mappings(rig.machine, 0)
    assert not found.complete
    assert found.text.endswith("; there is more: that is as much as is looked at")
    off = machines.machine(b"\xf4")
    assert mapped.mappings(off, 0).text.startswith("paging is off")


def test_mtrrs_are_ranges() -> None:
    m = machines.machine(b"\xf4")
    for msr, value in (
        (0x250, 0x0606_0606_0606_0606), (0x258, 0x0606_0606_0606_0606),
        (0x200, 0xC000_0000), (0x201, 0xFF_C000_0800),
        (0x202, 0x1_0000_0006), (0x203, 0xFF_0000_0000), (0x2FF, 0xC06),
    ):  # fmt: skip
        m.write_msr(0, msr, value)
    found = mtrr(m, 0)
    assert [(r.name, r.first, r.last, r.type, r.active) for r in found.ranges] == [
        ("fixed", 0, 0x9_FFFF, "WB", True), ("fixed", 0xA_0000, 0xF_FFFF, "UC", True),
        ("variable 0", 0xC000_0000, 0xFFFF_FFFF, "UC", True),
    ]  # fmt: skip
    assert found.text == "MTRRs are on, fixed ranges on, default type WB"
    m.write_msr(0, 0x2FF, 0x6)
    assert not any(each.active for each in mtrr(m, 0).ranges)


def test_msrs_are_what_rdmsr_returns() -> None:
    m = machines.machine(b"\xf4")
    m.write_msr(0, 0xC000_0082, 0xFFFF_8000_1234_5678)
    found = {each.number: (each.name, each.value) for each in msrs(m, 0)}
    assert found[0xC000_0082] == ("IA32_LSTAR", 0xFFFF_8000_1234_5678)
    assert found[0x1B] == ("IA32_APIC_BASE", 0xFEE0_0900)
    assert found[0x277][1] == 0x0007_0406_0007_0406
