"""What is at an address, by descriptors, gates and tables that are built by hand.

Formats are those of SDM Vol. 3A "Segment Descriptors", "IDT Descriptors", "64-Bit IDT
Gates" and the paging formats; the bytes are worked out from its figures.
"""

from __future__ import annotations

import pytest
from conformance.rig import Rig
from rigs import machines

from lapis_engine.cpu.registers import Segment
from lapis_engine.why import addresses

GDT, IDT, TOP, SECOND, THIRD, FOURTH = (
    0x5000, 0x6000, 0x10_0000, 0x10_1000, 0x10_2000, 0x10_3000,
)  # fmt: skip
PE, PG, PSE, PAE = 1, 1 << 31, 1 << 4, 1 << 5


def said(rig: Rig, at: int, *, physical: bool = False) -> list[str]:
    found = addresses.address(rig.machine, 0, at, physical=physical)
    return [f"{each.rule}: {each.text}" for each in found.reasons]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0x00CF_9B00_0000_FFFF,
         "32-bit code, readable, DPL 0, base 0x0, limit 0xffffffff"),
        (0x00AF_FB00_0000_FFFF,
         "64-bit code, readable, DPL 3, base 0x0, limit 0xffffffff"),
        (0x1200_9612_3456_0FFF,
         "data, writable, expand-down, DPL 0, base 0x12123456, limit 0xfff"),
        (0x0000_9C00_0000_0001,
         "16-bit code, execute-only, conforming, DPL 0, base 0x0, limit 0x1"),
        (0x0000_8B00_5000_0067, "TSS, busy, DPL 0, base 0x5000, limit 0x67"),
        (0x0000_0900_5000_0067, "TSS, DPL 0, base 0x5000, limit 0x67, not present"),
        (0x0000_8000_0000_0000, "reserved type 0x0, DPL 0, base 0x0, limit 0x0"),
        (0x1234_EC00_0008_5678, "call gate to 0x0008:0x12345678, DPL 3"),
    ],
)  # fmt: skip
def test_a_descriptor_is_put_into_words(raw: int, text: str) -> None:
    rig = Rig(wide=False)
    rig.vm.memory.write(GDT, bytes(8) + raw.to_bytes(8, "little"))
    rig.vcpu(0).regs.gdtr = Segment(0, GDT, 15, 0)
    for within in (0, 7):
        at = GDT + 8 + within
        assert said(rig, at) == [
            f"descriptor: selector 0x0008, entry 1 of the GDT: {text}"
        ]
    assert said(rig, GDT + 16) == []
    [null, pointer] = said(rig, GDT)
    assert null.endswith("the null descriptor")
    assert pointer == "pointer: GDTR: this address"


def test_a_system_descriptor_of_long_mode_has_two_halves() -> None:
    rig = Rig()
    low, upper = 0x0000_8B00_5000_0067, 0xFFFF_8000
    for index, raw in enumerate((0, low, upper, 0x00CF_9300_0000_FFFF)):
        rig.vm.memory.write(GDT + 8 * index, raw.to_bytes(8, "little"))
    rig.vcpu(0).regs.gdtr = Segment(0, GDT, 31, 0)
    text = "TSS, busy, DPL 0, base 0xffff800000005000, limit 0x67"
    for at in (GDT + 8, GDT + 23):
        assert said(rig, at) == [
            f"descriptor: selector 0x0008, entry 1 of the GDT: {text}"
        ]
    [data] = said(rig, GDT + 24)
    assert "entry 3 of the GDT: data, writable" in data


def test_gates_of_each_mode() -> None:
    wide = Rig()
    gate = bytes.fromhex("7856 1000 038e 3412 f0debc9a 00000000")
    wide.vm.memory.write(IDT + 16 * 0x31, gate)
    wide.vcpu(0).regs.idtr = Segment(0, IDT, 0xFFF, 0)
    text = "interrupt gate to 0x0010:0x9abcdef012345678, IST 3, DPL 0"
    assert said(wide, IDT + 0x318) == [f"gate: vector 0x31: {text}"]
    assert said(wide, IDT + 0x300) == [
        "gate: vector 0x30: no gate (type 0x0), not present"
    ]
    narrow = Rig(wide=False)
    narrow.vm.memory.write(IDT + 8 * 0x80, bytes.fromhex("7856 0800 00ef 3412"))
    narrow.vcpu(0).regs.idtr = Segment(0, IDT, 0x7FF, 0)
    text = "trap gate to 0x0008:0x12345678, DPL 3"
    assert said(narrow, IDT + 0x404) == [f"gate: vector 0x80: {text}"]
    real = machines.machine(b"\xf4")
    real.write_memory(0, 4 * 0x10, "5312 00f0")
    found = addresses.address(real, 0, 0x41, physical=False)
    assert [each.text for each in found.reasons] == ["vector 0x10: f000:1253"]


def test_an_entry_is_found_in_every_table_of_every_mode() -> None:
    rig = Rig()
    regs = rig.vcpu(0).regs
    for at, value in (
        (TOP + 8 * 256, SECOND | 3), (SECOND + 8, THIRD | 3), (THIRD + 16, FOURTH | 3),
        (FOURTH + 24, 0x7003),
    ):  # fmt: skip
        rig.vm.memory.write(at, value.to_bytes(8, "little"))
    regs.cr3 = TOP
    for at, text in (
        (TOP + 8 * 256, ("PML4E 256 of the page tables of vCPU 0, for linear "
         "0xffff800000000000 and on: table 0x101000, P RW")),
        (SECOND + 8, ("PDPTE 1 of the page tables of vCPU 0, for linear "
         "0xffff800040000000 and on: table 0x102000, P RW")),
        (THIRD + 23, ("PDE 2 of the page tables of vCPU 0, for linear "
         "0xffff800040400000 and on: table 0x103000, P RW")),
        (FOURTH + 24, ("PTE 3 of the page tables of vCPU 0, for linear "
         "0xffff800040403000 and on: page 0x7000, P RW")),
        (FOURTH + 32, ("PTE 4 of the page tables of vCPU 0, for linear "
         "0xffff800040404000 and on: not present")),
    ):  # fmt: skip
        assert said(rig, at, physical=True) == [f"page-entry: {text}"], hex(at)
    assert said(rig, 0x20_0000, physical=True) == []


@pytest.mark.parametrize(
    ("cr4", "size", "root", "second", "text"),
    [
        (PSE, 4, 3, 5, "PTE 5 of the page tables of vCPU 0, for linear 0xc05000"),
        (PAE, 8, 3, 5, "PDE 5 of the page tables of vCPU 0, for linear 0xc0a00000"),
    ],
)
def test_an_entry_of_short_tables(
    cr4: int, size: int, root: int, second: int, text: str
) -> None:
    rig = Rig(wide=False)
    regs = rig.vcpu(0).regs
    entry = (SECOND | (7 if size == 4 else 1)).to_bytes(size, "little")
    rig.vm.memory.write(TOP + size * root, entry)
    regs.cr3, regs.cr4, regs.cr0 = TOP, cr4, PE | PG
    [found] = said(rig, SECOND + size * second, physical=True)
    assert found == f"page-entry: {text} and on: not present"
    [found] = said(rig, TOP + size * root, physical=True)
    assert f"{'PDE' if size == 4 else 'PDPTE'} 3 of" in found


def test_looking_for_an_entry_ends() -> None:
    """Tables that map themselves are as large as can be."""
    rig = Rig()
    entry = (TOP | 3).to_bytes(8, "little")
    rig.vm.memory.write(TOP, entry * 512)
    rig.vcpu(0).regs.cr3 = TOP
    assert said(rig, 0x20_0000, physical=True) == []


def test_a_register_of_the_apic_has_its_name_and_value() -> None:
    rig = Rig()
    rig.vcpu(0).apic.tpr = 0x52
    [found] = said(rig, 0xFEE0_0082)
    assert found.startswith(
        "apic-register: TPR of the APIC of vCPU 0, offset 0x80: 0x52"
    )
    [found] = said(rig, 0xFEE0_0000)
    assert found == "apic-register: offset 0x0 of the local APIC: no register"


def test_an_address_that_comes_to_nothing_says_so() -> None:
    rig = Rig()
    for at, text in (
        (1 << 47, "linear 0x800000000000 is mapped to nothing"),
        (5 << 30, "linear 0x140000000 is mapped to nothing"),
        (0xC000_0000, "linear 0xc0000000 is physical 0xc0000000, which nobody serves"),
        ((1 << 64) - 1, "linear 0xffffffffffffffff is mapped to nothing"),
    ):
        assert addresses.address(rig.machine, 0, at, physical=False).text == text
    for at in ((1 << 64) - 1, 1 << 52):
        text = f"physical {at:#x}, which nobody serves"
        assert addresses.address(rig.machine, 0, at, physical=True).text == text
