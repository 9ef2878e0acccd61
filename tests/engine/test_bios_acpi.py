"""The tables of ACPI that a PC without firmware has, by a reader of our own.

Numbers are of the ACPI Specification 6.4 and of the machine: a PIIX4 with its ports at
0x600, an IOAPIC, an HPET.
"""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from rigs import aml_reader
from rigs.bios_memory import BiosMemory

from lapis_engine.boot.bios import aml
from lapis_engine.errors import ImageError

CPUS = (1, 8, 254, 255, 256, 300, 1024)


def root(memory: BiosMemory) -> dict[bytes, int]:
    """The tables that root pointer, RSDT and XSDT lead to, all of it checked."""
    rsdp = memory.find(b"RSD PTR ", 0xE0000, 0x100000)
    assert rsdp == memory.left.rsdp
    assert sum(memory.read(rsdp, 20)) % 256 == 0
    assert sum(memory.read(rsdp, 36)) % 256 == 0
    revision, rsdt, length, xsdt = memory.fields("BIIQ", rsdp + 15)
    assert (revision, length) == (2, 36)
    short, long = table(memory, rsdt, b"RSDT"), table(memory, xsdt, b"XSDT")
    found = [at for (at,) in struct.iter_unpack("<I", short)]
    assert found == [at for (at,) in struct.iter_unpack("<Q", long)]
    return {memory.read(at, 4): at for at in found}


def table(memory: BiosMemory, gpa: int, signature: bytes) -> bytes:
    """The bytes behind a table's header, which is checked."""
    assert 0xE0000 <= gpa < 0x100000
    name, length = memory.fields("4sI", gpa)
    assert name == signature
    data = memory.read(gpa, length)
    assert sum(data) % 256 == 0
    assert all(len(data[a:b].strip()) for a, b in ((10, 16), (16, 24), (28, 32)))
    return data[36:]


def dsdt(memory: BiosMemory) -> bytes:
    (at,) = memory.fields("I", root(memory)[b"FACP"] + 40)
    return table(memory, at, b"DSDT")


@pytest.mark.parametrize("cpus", CPUS)
def test_the_root_leads_to_every_table(cpus: int) -> None:
    memory = BiosMemory(cpus)
    found = root(memory)
    assert set(found) == {b"FACP", b"APIC", b"HPET"}
    for signature, gpa in found.items():
        table(memory, gpa, signature)


@pytest.mark.parametrize("cpus", CPUS)
def test_every_processor_has_one_entry(cpus: int) -> None:
    memory = BiosMemory(cpus)
    body = table(memory, root(memory)[b"APIC"], b"APIC")
    assert struct.unpack_from("<II", body) == (0xFEE00000, 1)
    entries = []
    at = 8
    while at < len(body):
        kind, length = body[at : at + 2]
        entries.append((kind, body[at + 2 : at + length]))
        at += length
    assert at == len(body)
    small = [struct.unpack("<BBI", data) for kind, data in entries if kind == 0]
    large = [struct.unpack("<HIII", data) for kind, data in entries if kind == 9]
    assert small == [(n, n, 1) for n in range(min(cpus, 255))]
    assert large == [(0, n, 1, n) for n in range(255, cpus)]
    rest = [entry for entry in entries if entry[0] not in (0, 9)]
    assert rest[:4] == [
        (1, struct.pack("<BBII", 0, 0, 0xFEC00000, 0)),
        (2, struct.pack("<BBIH", 0, 0, 2, 0)),  # the 8254 is at input 2
        (2, struct.pack("<BBIH", 0, 9, 9, 0b1101)),  # level, active high
        (4, struct.pack("<BHB", 0xFF, 0, 1)),  # every LINT1 is NMI
    ]
    everybody = [(10, struct.pack("<HIB3x", 0, 0xFFFFFFFF, 1))]
    assert rest[4:] == (everybody if cpus > 255 else [])


def test_the_fixed_table_names_the_ports_of_power_management() -> None:
    memory = BiosMemory(2)
    fadt = root(memory)[b"FACP"]
    length, revision = memory.fields("IB", fadt + 4)
    assert (length, revision) == (244, 3)
    assert memory.fields("HI", fadt + 46) == (9, 0)  # SCI_INT; no SMI_CMD
    assert memory.fields("6I", fadt + 56) == (0x600, 0, 0x604, 0, 0, 0x608)
    assert memory.fields("5B", fadt + 88) == (4, 2, 0, 4, 4)
    latency2, latency3 = memory.fields("HH", fadt + 96)
    assert latency2 > 100  # no C2
    assert latency3 > 1000  # no C3
    assert memory.fields("BH", fadt + 108) == (0x32, 0b11)
    (flags,) = memory.fields("I", fadt + 112)
    assert flags & 1 << 0  # WBINVD
    assert not flags & 1 << 4  # the power button is a fixed event
    assert flags & 1 << 5  # there is no sleep button
    assert not flags & 1 << 8  # the timer has 24 bits
    assert flags & 1 << 10  # there is a reset register
    assert not flags & 1 << 20  # the hardware is not reduced
    assert memory.fields("BBBBQB", fadt + 116) == (1, 8, 0, 1, 0xCF9, 6)
    (facs, at) = memory.fields("II", fadt + 36)
    assert facs % 64 == 0
    assert memory.fields("4sI", facs) == (b"FACS", 64)
    assert memory.fields("QQ", fadt + 132) == (facs, at)


def test_the_64_bit_addresses_are_those_of_32_bits() -> None:
    memory = BiosMemory(2)
    fadt = root(memory)[b"FACP"]
    for old, length, new in (
        (56, 88, 148),
        (60, 88, 160),
        (64, 89, 172),
        (68, 89, 184),
        (72, 90, 196),
        (76, 91, 208),
        (80, 92, 220),
        (84, 93, 232),
    ):
        (port,) = memory.fields("I", fadt + old)
        (size,) = memory.fields("B", fadt + length)
        space, bits, offset, _, address = memory.fields("BBBBQ", fadt + new)
        wanted = (1, 8 * size, 0, port) if port else (0, 0, 0, 0)
        assert (space, bits, offset, address) == wanted


def test_the_timer_table_is_of_the_timers_that_are_there() -> None:
    memory = BiosMemory(2)
    body = table(memory, root(memory)[b"HPET"], b"HPET")
    block, space, _, _, _, address, number, _, _ = struct.unpack("<IBBBBQBHB", body)
    # The low half of its capabilities: Intel's, 3 timers of 64 bits, legacy route.
    assert block == 0x8086 << 16 | 1 << 15 | 1 << 13 | 2 << 8 | 1
    assert (space, address, number) == (0, 0xFED00000, 0)


def test_power_off_is_the_sleep_type_that_the_chip_turns_off_by() -> None:
    assert aml_reader.read(dsdt(BiosMemory(1)))["\\_S5_"][0] == 0


def test_the_root_bridge_hands_on_what_is_not_memory() -> None:
    bridge = aml_reader.read(dsdt(BiosMemory(1)))["\\_SB_"]["PCI0"]
    assert aml_reader.hardware_id(bridge["_HID"]) == "PNP0A03"
    assert aml_reader.resources(bridge["_CRS"]) == [
        ("buses", 0, 0xFF),
        ("io", 0xCF8, 0xCFF),
        ("ports", 0, 0xCF7),
        ("ports", 0xD00, 0xFFFF),
        ("memory", 0xA0000, 0xBFFFF),
        ("memory", 3 << 30, 0xFEC00000 - 1),
    ]


def test_each_pin_of_each_slot_has_its_line() -> None:
    bridge = aml_reader.read(dsdt(BiosMemory(1)))["\\_SB_"]["PCI0"]
    found = {}
    for address, pin, source, line in bridge["_PRT"]:
        assert address & 0xFFFF == 0xFFFF
        assert source == 0
        found[address >> 16, pin] = line
    assert len(found) == len(bridge["_PRT"]) == 31 * 4
    # PIRQ A of slot 1 is its INTA#, and each slot is one further on.
    assert [found[1, pin] for pin in range(4)] == [10, 10, 11, 11]
    assert [found[2, pin] for pin in range(4)] == [10, 11, 11, 10]
    assert [found[3, pin] for pin in range(4)] == [11, 11, 10, 10]
    assert [found[4, pin] for pin in range(4)] == [11, 10, 10, 11]
    for slot in range(5, 32):
        assert [found[slot, pin] for pin in range(4)] == [
            found[slot - 4, pin] for pin in range(4)
        ]


def test_the_devices_of_a_pc_are_told_of() -> None:
    isa = aml_reader.read(dsdt(BiosMemory(1)))["\\_SB_"]["PCI0"]["ISA_"]
    assert isa["_ADR"] == 1 << 16
    found = {
        (aml_reader.hardware_id(device["_HID"]), device["_UID"]): (
            aml_reader.resources(device["_CRS"])
        )
        for name, device in isa.items()
        if name != "_ADR"
    }
    assert found == {
        ("PNP0B00", 0): [("io", 0x70, 0x77), ("irq", 8, 8)],
        ("PNP0303", 0): [("io", 0x60, 0x60), ("io", 0x64, 0x64), ("irq", 1, 1)],
        ("PNP0F13", 0): [("irq", 12, 12)],
        ("PNP0501", 1): [("io", 0x3F8, 0x3FF), ("irq", 4, 4)],
        ("PNP0501", 2): [("io", 0x2F8, 0x2FF), ("irq", 3, 3)],
    }


@pytest.mark.parametrize("size", [0, 61, 62, 63, 64, 4092, 4093, 4094, 70_000])
def test_a_length_counts_itself(size: int) -> None:
    reader = aml_reader.Aml(aml.measured(bytes(size)))
    assert reader.end_of_package() == len(reader.data)
    assert len(reader.data) - reader.at == size


@pytest.mark.parametrize(
    "value", [0, 1, 2, 255, 256, 65535, 65536, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1]
)
def test_a_number_is_read_back(value: int) -> None:
    reader = aml_reader.Aml(aml.integer(value))
    assert reader.value() == value
    assert reader.at == len(reader.data)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("\\", "\\"),
        ("PCI0", "PCI0"),
        ("\\_SB", "\\_SB_"),
        ("^ISA", "^ISA_"),
        ("\\_SB.PCI0", "\\_SB_.PCI0"),
        ("\\_SB.PCI0.ISA", "\\_SB_.PCI0.ISA_"),
    ],
)
def test_a_name_is_read_back(text: str, read: str) -> None:
    assert aml_reader.Aml(aml.path(text)).name() == read


def test_more_processors_than_the_tables_hold_are_refused() -> None:
    with pytest.raises(ImageError, match="processors"):
        BiosMemory(5000)


@pytest.mark.skipif(shutil.which("iasl") is None, reason="iasl is not installed")
@pytest.mark.parametrize("signature", [b"FACP", b"APIC", b"HPET", b"DSDT"])
def test_the_acpi_compiler_reads_them(signature: bytes, tmp_path: Path) -> None:
    memory = BiosMemory(300)
    places = root(memory)
    (places[b"DSDT"],) = memory.fields("I", places[b"FACP"] + 40)
    gpa = places[signature]
    name = signature.decode().lower()
    binary = tmp_path / f"{name}.dat"
    binary.write_bytes(memory.read(gpa, memory.fields("I", gpa + 4)[0]))
    for command in (["iasl", "-d", binary.name], ["iasl", f"{name}.dsl"]):
        ran = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        told = ran.stdout + ran.stderr
        assert ran.returncode == 0, told
        assert "ncorrect" not in (tmp_path / f"{name}.dsl").read_text()  # checksum
        assert not [line for line in told.splitlines() if line.startswith("Error")]
    if signature == b"DSDT":
        assert "0 Errors, 0 Warnings" in told
