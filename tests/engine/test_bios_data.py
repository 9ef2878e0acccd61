"""What a BIOS leaves beside its tables: vectors, data area, MP table, devices."""

import struct

import pytest
from rigs.bios_memory import BiosMemory

from lapis_engine.boot import flat
from lapis_engine.boot.request import BootRequest
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_plugins.builtin import pc


def test_every_vector_leads_to_code() -> None:
    memory = BiosMemory(1)
    for vector in range(256):
        offset, segment = memory.fields("HH", 4 * vector)
        assert segment == 0xF000
        assert offset >= 0xF800
        assert memory.read(16 * segment + offset, 1) != b"\0"


def test_what_nobody_serves_returns_at_once() -> None:
    memory = BiosMemory(1)
    served = {*range(0x08, 0x14), 0x15, 0x16, 0x18, 0x19, 0x1A, *range(0x70, 0x78)}
    for vector in set(range(256)) - served:
        offset, _ = memory.fields("HH", 4 * vector)
        assert memory.read(0xF0000 + offset, 1) == b"\xcf"  # IRET


def test_the_data_area_is_that_of_a_pc() -> None:
    """Offsets of the "BIOS Data Area" in IBM's reference."""
    memory = BiosMemory(1)
    assert memory.fields("4H", 0x400) == (0x3F8, 0x2F8, 0, 0)
    assert memory.fields("4H", 0x408) == (0, 0, 0, 0x9FC0)
    assert memory.fields("H", 0x413) == (639,)
    assert memory.fields("HH", 0x41A) == (0x1E, 0x1E)  # no key waits
    assert memory.fields("BHH", 0x449) == (3, 80, 0x1000)
    assert memory.fields("HBH", 0x460) == (0x0607, 0, 0x3D4)
    assert memory.fields("IB", 0x46C) == (0, 0)
    assert memory.fields("HH", 0x480) == (0x1E, 0x3E)
    assert memory.fields("BH", 0x484) == (24, 16)
    (segment,) = memory.fields("H", 0x40E)
    assert memory.fields("B", 16 * segment) == (1,)  # KiB
    assert memory.read(0xB8000, 4000) == b" \x07" * 2000


def test_a_processor_that_begins_anew_resets_the_machine() -> None:
    memory = BiosMemory(1)
    jump, offset, segment = memory.fields("BHH", 0xFFFF0)
    assert (jump, segment) == (0xEA, 0xF000)
    code = memory.read(16 * segment + offset, 6)
    assert code == bytes.fromhex("b006 baf90c ee")  # mov al,6; mov dx,0xcf9; out dx,al
    assert memory.fields("B", 0xFFFFE) == (0xFC,)


class MpTable:
    """The table as a kernel reads it."""

    def __init__(self, memory: BiosMemory) -> None:
        pointer = memory.find(b"_MP_", 0xF0000, 0x100000)
        assert sum(memory.read(pointer, 16)) % 256 == 0
        at, length, revision, *features = memory.fields("IBB1x5B", pointer + 4)
        assert (length, revision, features) == (1, 4, [0] * 5)
        signature, size, revision = memory.fields("4sHB", at)
        assert (signature, revision) == (b"PCMP", 4)
        assert sum(memory.read(at, size)) % 256 == 0
        (count, self.apic) = memory.fields("HI", at + 34)
        self.entries: list[tuple[int, ...]] = []
        self.buses: dict[int, bytes] = {}
        here = at + 44
        for _ in range(count):
            kind = memory.read(here, 1)[0]
            if kind == 1:
                _, number, name = memory.fields("BB6s", here)
                self.buses[number] = name
            else:
                layout = {0: "BBBBII8x", 2: "BBBBI", 3: "BBHBBBB", 4: "BBHBBBB"}[kind]
                self.entries.append(memory.fields(layout, here))
            here += 20 if kind == 0 else 8
        assert here == at + size

    def of(self, kind: int) -> list[tuple[int, ...]]:
        return [entry for entry in self.entries if entry[0] == kind]


@pytest.mark.parametrize("cpus", [1, 8, 255, 300, 1024])
def test_the_mp_table_has_the_processors(cpus: int) -> None:
    table = MpTable(BiosMemory(cpus))
    assert table.apic == 0xFEE00000
    found = table.of(0)
    assert [entry[1] for entry in found] == list(range(min(cpus, 255)))
    assert {entry[2] for entry in found} == {0x14}
    assert [entry[3] for entry in found] == [0b11] + [0b01] * (len(found) - 1)
    assert all(entry[5] & (1 << 9) for entry in found), "they have an APIC"


def test_the_mp_table_has_the_lines() -> None:
    table = MpTable(BiosMemory(2))
    assert table.buses == {0: b"PCI   ", 1: b"ISA   "}
    assert table.of(2) == [(2, 0, 0x11, 1, 0xFEC00000)]
    isa = {entry[4]: entry for entry in table.of(3) if entry[3] == 1}
    assert set(isa) == set(range(16)) - {2}
    for line, (_, kind, flags, _, _, ioapic, pin) in isa.items():
        assert (kind, flags, ioapic) == (0, 0, 0)
        assert pin == (line or 2)
    pci = {entry[4]: entry for entry in table.of(3) if entry[3] == 0}
    for slot in range(1, 32):
        for pin in range(4):
            _, kind, flags, _, _, ioapic, wire = pci.pop(slot << 2 | pin)
            assert (kind, flags, ioapic) == (0, 0b1111, 0)
            assert wire == (10, 10, 11, 11)[(slot - 1 + pin) % 4]
    assert pci == {}
    # ExtINT at LINT0 and NMI at LINT1 of everybody.
    local = [(entry[1], *entry[3:]) for entry in table.of(4)]
    assert local == [(3, 1, 0, 0xFF, 0), (1, 1, 0, 0xFF, 1)]


def machine(data: bytes) -> Machine:
    config = MachineConfig(cpus=1, memory=16 << 20, machine="pc", float_ports=True)
    request = BootRequest(config.memory, cpus=1, machine="pc")
    return Machine(config, flat.start(data, request), pc.devices(config))


def test_a_kernel_that_only_waits_is_interrupted_by_the_timer() -> None:
    it = machine(bytes.fromhex("fb f4 eb fd"))  # sti; again: hlt; jmp again
    it.run(10_000)
    ticks = struct.unpack("<I", it.vm.memory.read(0x46C, 4))[0]
    # 18.2 a second of virtual time.
    assert ticks > 10
    assert abs(it.now * 1_193_182 // 65_536 // 1_000_000_000 - ticks) <= 1


def test_the_pins_of_pci_go_where_the_tables_say() -> None:
    it = machine(b"\xeb\xfe")
    bus = it.vm.buses[0]
    assert bus.port_out(0xCF8, 4, 0x8000_0860)
    assert bus.port_in(0xCFC, 4) == 0x0B0B_0A0A
    levels = bus.port_in(0x4D1, 1)
    assert levels is not None
    assert levels & 0b1100 == 0b1100
