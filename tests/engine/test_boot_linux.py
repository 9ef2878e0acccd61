"""Linux kernels, by "The Linux/x86 Boot Protocol"."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.machines import GUESTS

from lapis_engine.boot import detect
from lapis_engine.boot.image import LongEntry, ProtectedEntry
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.errors import ImageError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.vmm import exits
from lapis_plugins.builtin import pc

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_engine.boot.image import BootPlan

MEMORY = 64 << 20
MIB = 1 << 20
KERNEL = bytes(0x200) + b"\xf4\xeb\xfd"
SETUP = 5 * 512


def image(
    version: int = 0x20F,
    *,
    kernel: bytes = KERNEL,
    sectors: int = 4,
    flags: int = 1,
    long: int = 1,
    relocatable: int = 1,
    alignment: int = 2 * MIB,
    preferred: int = 16 * MIB,
    init_size: int = 8 * MIB,
    ramdisk_max: int = 0x7FFF_FFFF,
    line: int = 2047,
    payload: tuple[int, int] = (0x200, 3),
    paragraphs: int | None = None,
) -> bytes:
    """Return a kernel whose setup header says so."""
    setup = bytearray((sectors or 4) * 512 + 512)

    def put(at: int, form: str, *values: int) -> None:
        struct.pack_into("<" + form, setup, at, *values)

    put(0x1F1, "B", sectors)
    put(0x1F4, "I", -(-len(kernel) // 16) if paragraphs is None else paragraphs)
    put(0x1FE, "H", 0xAA55)
    put(0x200, "BB", 0xEB, 0x66)
    setup[0x202:0x206] = b"HdrS"
    put(0x206, "H", version)
    put(0x211, "B", flags)
    put(0x22C, "I", ramdisk_max)
    put(0x230, "IBBH", alignment, relocatable, 21, long)
    put(0x238, "I", line)
    put(0x248, "II", *payload)
    put(0x258, "QI", preferred, init_size)
    return bytes(setup) + kernel


def planned(
    data: bytes, memory: int = MEMORY, append: str = "", **more: Any
) -> BootPlan:
    return detect.detect(data, BootRequest(memory, append, machine="pc", **more))


def at(plan: BootPlan, gpa: int) -> bytes:
    (found,) = [
        blob.data[gpa - blob.gpa :] for blob in plan.blobs if blob.gpa <= gpa < blob.end
    ]
    return found


def number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little")


def e820(page: bytes) -> list[tuple[int, int, int]]:
    return [
        struct.unpack_from("<QQI", page, 0x2D0 + 20 * i) for i in range(page[0x1E8])
    ]


def test_a_64_bit_kernel_starts_at_its_long_entry_with_the_zero_page() -> None:
    plan = planned(image(), append="console=ttyS0")
    entry = plan.entry
    assert isinstance(entry, LongEntry)
    assert entry.rip == 16 * MIB + 0x200
    assert (entry.cs, entry.ds) == (0x10, 0x18)
    gdt = struct.unpack("<4Q", at(plan, entry.gdt_base)[:32])
    assert gdt[2:] == (0x00AF9B000000FFFF, 0x00CF93000000FFFF)
    assert at(plan, 16 * MIB) == KERNEL
    page = at(plan, entry.rsi)
    assert page[0x1FC:0x210] == image()[0x1FC:0x210]
    assert number(page, 0x1FA, 2) == 0xFFFF
    assert (number(page, 0x210, 1), page[0x211] & 1) == (0xFF, 1)
    assert at(plan, number(page, 0x228, 4)) == b"console=ttyS0\0"
    assert (number(page, 0x218, 4), number(page, 0x21C, 4)) == (0, 0)
    assert at(plan, number(page, 0x70, 8))[:8] == b"RSD PTR "
    assert (page[6], page[7], page[14], page[15]) == (3, 80, 25, 1)


def test_the_zero_page_ends_where_the_header_does() -> None:
    data = bytearray(image())
    data[0x201] = 0x40
    data[0x242] = 0xAA  # behind the header, but in its sector
    page = at(planned(bytes(data)), 0x9_7000)
    assert page[0x242] == 0
    data[0x201] = 0xFF
    data[0x290:0x300] = b"\xbb" * 0x70
    assert at(planned(bytes(data)), 0x9_7000)[0x290:0x2D0] == bytes(0x40)


def test_a_32_bit_kernel_has_its_zero_page_in_esi() -> None:
    plan = planned(image(long=0))
    entry = plan.entry
    assert isinstance(entry, ProtectedEntry)
    assert (entry.eip, entry.esi, entry.ebx) == (16 * MIB, 0x9_7000, 0)
    assert (entry.cs, entry.ds) == (0x10, 0x18)
    gdt = struct.unpack("<4Q", at(plan, entry.gdt_base)[:32])
    assert gdt[2:] == (0x00CF9B000000FFFF, 0x00CF93000000FFFF)


@pytest.mark.parametrize("version", [0x202, 0x204, 0x209])
def test_an_old_kernel_is_at_1_mib(version: int) -> None:
    entry = planned(image(version, preferred=0x123, init_size=0xFFFF_FFFF)).entry
    assert isinstance(entry, ProtectedEntry)
    assert entry.eip == MIB


def test_setup_sectors_of_0_mean_4() -> None:
    assert at(planned(image(sectors=0)), 16 * MIB) == KERNEL


def test_the_memory_map() -> None:
    page = at(planned(image(), 5 << 30), 0x9_7000)
    assert e820(page) == [
        (0, 0x9_FC00, 1),
        (0x9_FC00, 0x400, 2),
        (0xF_0000, 0x1_0000, 2),
        (MIB, (3 << 30) - MIB, 1),
        (4 << 30, 2 << 30, 1),
    ]
    assert number(page, 0x1E0, 4) == (3 << 20) - 1024
    assert e820(at(planned(image()), 0x9_7000))[-1] == (MIB, MEMORY - MIB, 1)


@pytest.mark.parametrize(
    ("version", "most", "memory", "expected"),
    [
        (0x20F, 0x7FFF_FFFF, MEMORY, MEMORY - 0x2000),
        (0x20F, 0x2FF_FFFF, MEMORY, 0x300_0000 - 0x2000),
        (0x20F, 0x2FF_EFFF, MEMORY, 0x300_0000 - 0x3000),
        (0x20F, 0xFFFF_FFFF, 8 << 30, (3 << 30) - 0x2000),
        (0x202, 0, 2 << 30, 0x3800_0000 - 0x2000),
    ],
)
def test_the_initrd_is_as_high_as_the_kernel_finds_it(
    version: int, most: int, memory: int, expected: int
) -> None:
    disk = b"\x5a" * 0x1001
    plan = planned(image(version, ramdisk_max=most), memory, initrd=disk)
    page = at(plan, 0x9_7000)
    assert (number(page, 0x218, 4), number(page, 0x21C, 4)) == (expected, 0x1001)
    assert at(plan, expected) == disk


def test_a_kernel_that_can_be_moved_is_where_there_is_memory() -> None:
    def where(**said: Any) -> int:
        entry = planned(image(long=0, **said)).entry
        assert isinstance(entry, ProtectedEntry)
        return entry.eip

    assert where(init_size=49 * MIB) == 2 * MIB
    assert where(preferred=0x1000) == 2 * MIB
    assert where(preferred=0) == MIB
    assert where(init_size=48 * MIB) == 16 * MIB
    assert where(init_size=48 * MIB + 1, alignment=4 * MIB) == 4 * MIB


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (image(0x201), "boot protocol 2.01"),
        (image(flags=0), "zImage"),
        (image()[:0x204], "not understood"),
        (image()[:0x206], "ends within its header"),
        (image()[:0x267], "ends within its header"),
        (image()[:-1], "cut off: it has 3074 bytes of at least 3075"),
        (image(paragraphs=34), "cut off: it has 3075 bytes of at least 3089"),
        (image(paragraphs=0xFFFF_FFFF), "cut off"),
        (image(payload=(0x200, 0xFFFF_FFFF)), "cut off"),
        (image(alignment=3 * MIB), "an alignment of 0x300000"),
        (image(alignment=0), "an alignment of 0x0"),
        (image(init_size=0xFFFF_FFFF), "needs 0x200000 to 0x1001fffff"),
        (image(init_size=63 * MIB), "only 0x4000000 bytes"),
        (image(relocatable=0, init_size=49 * MIB), "only 0x4000000 bytes"),
        (image(relocatable=0, preferred=0x1000), "below 1 MiB"),
        (image(relocatable=0, preferred=2**64 - 1), "needs 0xffffffffffffffff to"),
    ],
)
def test_kernels_that_cannot_be_started_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        planned(data)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ImageError, match="initrd of 41943041 bytes does not fit"):
        planned(image(), initrd=bytes(40 * MIB + 1))
    assert planned(image(), initrd=bytes(40 * MIB)).blobs
    with pytest.raises(
        ImageError, match="line has 8 bytes and this Linux kernel takes 7"
    ):
        planned(image(line=7), append="12345678")
    assert planned(image(line=7), append="1234567").blobs
    with pytest.raises(ImageError, match="takes 255"):
        planned(image(0x205), append="x" * 256)
    with pytest.raises(ImageError, match="takes no modules"):
        planned(image(), modules=(Module(b"x"),))


@given(
    changes=st.lists(
        st.tuples(
            st.one_of(st.integers(0x1F1, 0x270), st.integers(0, SETUP + 0x210)),
            st.one_of(
                st.binary(min_size=1, max_size=1),
                st.sampled_from((0, 1, MIB, 2**31 - 1, 2**32 - 1, 2**64 - 1)).map(
                    lambda w: w.to_bytes(8, "little")
                ),
            ),
        ),
        max_size=6,
    ),
    cut=st.one_of(st.none(), st.integers(0, SETUP + 0x210)),
    disk=st.sampled_from((None, b"", b"x" * 5000)),
    memory=st.sampled_from((MIB, 2 * MIB, MEMORY, 5 << 30)),
)
@settings(max_examples=400, deadline=None)
def test_a_mutated_image_starts_or_is_refused_and_stays_in_memory(
    changes: list[tuple[int, bytes]], cut: int | None, disk: bytes | None, memory: int
) -> None:
    data = bytearray(image())
    for where, value in changes:
        data[where : where + len(value)] = value
    try:
        plan = planned(bytes(data[:cut]), memory, initrd=disk)
    except ImageError:
        return
    blobs = sorted((it for it in plan.blobs if it.data), key=lambda blob: blob.gpa)
    assert all(blob.end <= min(memory, 3 << 30) for blob in blobs)
    assert all(a.end <= b.gpa for a, b in itertools.pairwise(blobs))


GUEST = (GUESTS / "linux.bin").read_bytes()


@pytest.mark.parametrize(("long", "expected"), [(1, 0x64), (0, 0x32)])
@pytest.mark.parametrize("memory", [8 * MIB, MEMORY, (3 << 30) + MIB])
def test_a_kernel_finds_what_it_was_given(
    long: int, expected: int, memory: int
) -> None:
    data = bytearray(GUEST)
    data[0x236] = long
    request = BootRequest(
        memory, "quiet smp=2", cpus=2, machine="pc", initrd=b"disk" + bytes(9000)
    )
    plan = detect.detect(bytes(data), request)
    config = MachineConfig(cpus=2, memory=memory, machine="pc", float_ports=True)
    machine = Machine(config, plan, pc.devices(config))
    stop = machine.run(100_000)
    assert isinstance(stop.exit, exits.SuspendedExit)
    first, second, *map_ = bytes(machine.consoles["com1"]).decode().splitlines()
    assert first == f"{expected:08x} quiet smp=2"
    at, size, *words = (int(word, 16) for word in second.split())
    assert (at, size) == (min(memory, 2 << 30) - 0x3000, 9004)
    found = [word.to_bytes(4, "little") for word in words]
    assert found == [b"disk", b"RSD "]
    rows = [[int(word, 16) for word in line.split()] for line in map_]
    ranges = [(r[0] | r[1] << 32, r[2] | r[3] << 32, r[4]) for r in rows]
    assert ranges == [
        (0, 0x9_FC00, 1),
        (0x9_FC00, 0x400, 2),
        (0xF_0000, 0x1_0000, 2),
        (MIB, min(memory, 3 << 30) - MIB, 1),
        *([(4 << 30, MIB, 1)] if memory > 3 << 30 else []),
    ]


@pytest.mark.skipif(not shutil.which("nasm"), reason="needs nasm")
def test_the_kernel_is_what_nasm_makes_of_its_source(tmp_path: Path) -> None:
    out = tmp_path / "linux.bin"
    source = GUESTS / "linux.asm"
    subprocess.run(["nasm", "-f", "bin", "-o", str(out), str(source)], check=True)
    assert out.read_bytes() == GUEST
