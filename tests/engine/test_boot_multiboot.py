"""Multiboot 1 kernels, by the specification version 0.6.96."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import mutated_images

from lapis_engine.boot import detect, multiboot
from lapis_engine.boot.image import BootPlan, ProtectedEntry
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = 8 << 20
CODE = b"\xf4\xeb\xfd"


def header(flags: int, *addresses: int) -> bytes:
    checksum = -(0x1BADB002 + flags) & 0xFFFF_FFFF
    return struct.pack(
        f"<{3 + len(addresses)}I", 0x1BADB002, flags, checksum, *addresses
    )


def by_addresses(
    *,
    flags: int = 0x1_0000,
    pad: int = 4,
    at: int = 0x10_0004,
    load: int = 0x10_0000,
    load_end: int = 0,
    bss_end: int = 0,
    entry: int = 0x10_0024,
) -> bytes:
    """Return a flat kernel: `pad` bytes, a header of 32, then the code."""
    head = header(flags, at, load, load_end, bss_end, entry)
    return bytes(pad) + head + CODE


def with_elf32(flags: int = 0) -> bytes:
    """Return an ELF32 whose only segment starts with a multiboot header."""
    body = header(flags) + CODE
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    start = 0x10_000C
    file = (2, 3, 1, start, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    size = len(body)
    segment = (1, 84, 0x10_0000, 0x10_0000, size, size, 5, 4096)
    return (
        ident
        + struct.pack("<HHIIIIIHHHHHH", *file)
        + struct.pack("<8I", *segment)
        + body
    )


def plan_of(data: bytes, append: str = "") -> BootPlan:
    return detect.detect(data, BootRequest(MEMORY, append))


def memory(plan: BootPlan, gpa: int, size: int) -> bytes:
    """Read loaded memory."""
    (found,) = [
        blob.data[gpa - blob.gpa :][:size]
        for blob in plan.blobs
        if blob.gpa <= gpa < blob.end
    ]
    return found


def words(plan: BootPlan, gpa: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}I", memory(plan, gpa, 4 * count))


def test_a_kernel_by_addresses_is_loaded_and_entered() -> None:
    data = by_addresses(bss_end=0x10_1000)
    plan = plan_of(data)
    assert plan.name == "multiboot"
    assert memory(plan, 0x10_0000, 0x2000) == data.ljust(0x1000, b"\0")
    entry = plan.entry
    assert isinstance(entry, ProtectedEntry)
    assert (entry.eip, entry.eax, entry.ebx) == (0x10_0024, 0x2BADB002, 0x9_7000)
    assert (entry.gdt_base, entry.gdt_limit) == (0x9_6000, 31)
    assert (entry.cs, entry.ds) == (0x08, 0x10)


def test_load_end_cuts_and_bytes_before_load_addr_are_skipped() -> None:
    plan = plan_of(by_addresses(at=0x10_0000, load_end=0x10_0022, entry=0x10_0020))
    assert (
        memory(plan, 0x10_0000, 99)
        == by_addresses(at=0x10_0000, load_end=0x10_0022, entry=0x10_0020)[4:38]
    )


def test_an_address_header_may_end_the_file_and_hold_the_entry() -> None:
    found = multiboot.find(header(0x1_0000, 1, 2, 3, 4, 5))
    assert found is not None
    assert found.addresses == (1, 2, 3, 4, 5)
    entry = plan_of(by_addresses(entry=0x10_0000)).entry
    assert isinstance(entry, ProtectedEntry)
    assert entry.eip == 0x10_0000


def test_an_elf32_kernel_keeps_its_segments_and_symbols() -> None:
    plan = plan_of(with_elf32())
    assert plan.name == "multiboot"
    entry = plan.entry
    assert isinstance(entry, ProtectedEntry)
    assert (entry.eip, entry.eax) == (0x10_000C, 0x2BADB002)
    assert memory(plan, 0x10_000C, 3) == CODE


def test_the_information_says_memory_command_line_map_and_name() -> None:
    plan = plan_of(with_elf32(flags=0x3), "smp=2")
    info = words(plan, 0x9_7000, 17)
    flags, lower, upper, _, cmdline, mods_count, _ = info[:7]
    assert flags == 0x24D
    assert (lower, upper) == (639, 7168)
    assert memory(plan, cmdline, 99) == b"kernel smp=2\0"
    assert mods_count == 0
    map_length, map_at = info[11:13]
    assert list(struct.iter_unpack("<IQQI", memory(plan, map_at, map_length))) == [
        (20, 0, 0x9_FC00, 1),
        (20, 0x9_FC00, 0x400, 2),
        (20, 0xF_0000, 0x1_0000, 2),
        (20, 0x10_0000, 0x70_0000, 1),
    ]
    assert memory(plan, info[16], 6) == b"Lapis\0"


def test_the_map_goes_on_above_4_gib_and_upper_memory_does_not() -> None:
    plan = detect.detect(with_elf32(), BootRequest(5 << 30))
    info = words(plan, 0x9_7000, 17)
    assert info[2] == (3 << 20) - 1024
    map_length, map_at = info[11:13]
    entries = list(struct.iter_unpack("<IQQI", memory(plan, map_at, map_length)))
    assert entries[-2:] == [
        (20, 0x10_0000, 0xBFF0_0000, 1),
        (20, 0x1_0000_0000, 0x8000_0000, 1),
    ]


def test_modules_follow_the_kernel_by_pages_with_their_names_and_arguments() -> None:
    modules = (Module(b"a" * 4097, "x=1 y", "one"), Module(b"bb", "", "two"))
    plan = detect.detect(by_addresses(), BootRequest(MEMORY, modules=modules))
    info = words(plan, 0x9_7000, 7)
    assert info[0] & 0x8
    assert info[5] == 2
    first, second = words(plan, info[6], 4), words(plan, info[6] + 16, 4)
    assert (first[0] % 4096, second[0] % 4096) == (0, 0)
    assert first[0] >= 0x10_1000
    assert first[1] - first[0] == 4097
    assert second[0] - first[0] == 8192
    assert memory(plan, first[0], 4097) == b"a" * 4097
    assert memory(plan, second[0], second[1] - second[0]) == b"bb"
    assert memory(plan, first[2], 10) == b"one x=1 y\0"
    assert memory(plan, second[2], 4) == b"two\0"
    assert (first[3], second[3]) == (0, 0)


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ((Module(bytes(7 << 20)),), "module 0 has 7340032 bytes and does not fit"),
        ((Module(b"a"), Module(bytes(7 << 20))), "module 1 has .* end of memory below"),
        ((Module(b"a", "x" * (7 << 20)),), "what the modules are told has"),
        ((Module(b"a", "x\0y"),), "module 0 is told has a NUL"),
    ],
)
def test_modules_that_do_not_fit_are_refused(
    modules: tuple[Module, ...], why: str
) -> None:
    with pytest.raises(ImageError, match=why):
        detect.detect(by_addresses(), BootRequest(MEMORY, modules=modules))


def test_an_initrd_is_for_linux() -> None:
    with pytest.raises(ImageError, match="takes no initrd"):
        detect.detect(by_addresses(), BootRequest(MEMORY, initrd=b"i"))


def test_a_kernel_is_told_where_its_symbols_are() -> None:
    """The section headers of the file, whose symbol and string tables are loaded."""
    body = header(0) + CODE
    names = b"\0start\0"
    table = bytes(16) + struct.pack("<IIIBBH", 1, 0x10_000C, 0, 2, 0, 1)
    table_at = 84 + len(body)
    names_at = table_at + len(table)
    sections_at = names_at + len(names)
    sections = bytes(40)
    sections += struct.pack("<10I", 0, 1, 6, 0x10_0000, 84, len(body), 0, 0, 4, 0)
    sections += struct.pack("<10I", 0, 2, 0, 0, table_at, len(table), 3, 0, 4, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    file = (2, 3, 1, 0x10_000C, 52, sections_at, 0, 52, 32, 1, 40, 4, 3)
    size = len(body)
    segment = (1, 84, 0x10_0000, 0x10_0000, size, size, 5, 4096)
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    head = struct.pack("<HHIIIIIHHHHHH", *file) + struct.pack("<8I", *segment)
    plan = plan_of(ident + head + body + table + names + sections)
    info = words(plan, 0x9_7000, 11)
    assert info[0] & 0x30 == 0x20
    number, entry_size, at, with_names = info[7:11]
    assert (number, entry_size, with_names) == (4, 40, 3)
    found = [words(plan, at + 40 * i, 10) for i in range(4)]
    assert [each[3] for each in found[:2]] == [0, 0x10_0000]
    assert memory(plan, found[2][3], found[2][5]) == table
    assert memory(plan, found[3][3], found[3][5]) == names


def test_the_header_is_found_up_to_8_kib_and_only_when_aligned() -> None:
    last = bytes(8192 - 12) + header(0)
    found = multiboot.find(last)
    assert found is not None
    assert found.offset == 8180
    assert multiboot.find(bytes(8192 - 8) + header(0)) is None
    assert multiboot.find(bytes(2) + header(0)) is None
    assert multiboot.find(header(0)[:8] + b"\1\0\0\0") is None
    twice = header(0)[:8] + bytes(4) + header(0)
    second = multiboot.find(twice)
    assert second is not None
    assert second.offset == 12


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (with_elf32(flags=0x4), "requires a video mode"),
        (with_elf32(flags=0x8), "requires features 0x8"),
        (with_elf32(flags=0x8000), "requires features 0x8000"),
        (header(0), "gives no addresses"),
        (header(0x1_0000), "ends within its multiboot header"),
        (by_addresses(load=0x10_0005), "load address is not in the file"),
        (by_addresses(at=0x10_0005), "load address is not in the file"),
        (by_addresses(load_end=0x10_0028), "load end is not in the file"),
        (by_addresses(load_end=0x10_0000), "load end is not in the file"),
        (by_addresses(entry=0x10_0027), "entry 0x100027 is not in it"),
        (by_addresses(bss_end=0xFFFF_FFFF), "larger than 512 MiB"),
        (by_addresses(bss_end=0x80_0001), "only 0x800000 bytes"),
    ],
)
def test_kernels_that_cannot_be_started_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        plan_of(data)


def test_optional_flags_are_nobodys_business() -> None:
    assert plan_of(with_elf32(flags=0x7FFE_0003)).name == "multiboot"


SEEDS = (with_elf32(0x3), by_addresses(bss_end=0x10_1000), with_elf32(0)[:84] + CODE)


@given(
    seed=st.sampled_from(SEEDS),
    changes=mutated_images.changes(130),
    cut=mutated_images.cuts(130),
    sizes=mutated_images.MODULES,
)
@settings(max_examples=400, deadline=None)
def test_a_mutated_image_starts_or_is_refused_and_stays_in_memory(
    seed: bytes, changes: list[tuple[int, bytes]], cut: int | None, sizes: list[int]
) -> None:
    mutated_images.check(seed, changes, cut, sizes, MEMORY)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_noise_behind_a_valid_magic_is_refused_or_loaded(noise: bytes) -> None:
    for prefix in (b"\x7fELF\x01\x01\x01", b"\x7fELF\x02\x01\x01", header(0x1_0000)):
        with contextlib.suppress(ImageError):
            assert detect.detect(prefix + noise, BootRequest(MEMORY)).blobs


ASSEMBLY = """
bits 32
section .text
global _start
align 4
head: dd 0x1BADB002, 0x3, -(0x1BADB002 + 0x3)
_start: hlt
        jmp _start
"""


@pytest.mark.skipif(
    not (shutil.which("nasm") and shutil.which("ld")),
    reason="needs nasm and ld to build a kernel",
)
def test_an_assembled_and_linked_kernel_is_understood(tmp_path: Path) -> None:
    source, object_file = tmp_path / "k.asm", tmp_path / "k.o"
    kernel = tmp_path / "k.elf"
    source.write_text(ASSEMBLY)
    commands = (
        ["nasm", "-f", "elf32", "-o", str(object_file), str(source)],
        [
            "ld",
            "-m",
            "elf_i386",
            "-Ttext=0x200000",
            "-o",
            str(kernel),
            str(object_file),
        ],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    plan = plan_of(kernel.read_bytes())
    entry = plan.entry
    assert isinstance(entry, ProtectedEntry)
    assert entry.eip == 0x20_000C
    assert ("_start", 0x20_000C) in plan.symbols
    assert memory(plan, 0x20_000C, 3) == CODE


ADDRESSED = """
bits 32
org 0x100000
head: dd 0x1BADB002, 0x10000, -(0x1BADB002 + 0x10000)
      dd head, 0x100000, 0, 0x102000, start
start: hlt
       jmp start
"""


@pytest.mark.skipif(not shutil.which("nasm"), reason="needs nasm to build a kernel")
def test_an_assembled_kernel_by_addresses_is_understood(tmp_path: Path) -> None:
    source, kernel = tmp_path / "k.asm", tmp_path / "k.bin"
    source.write_text(ADDRESSED)
    command = ["nasm", "-f", "bin", "-o", str(kernel), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    plan = plan_of(kernel.read_bytes())
    entry = plan.entry
    assert isinstance(entry, ProtectedEntry)
    assert entry.eip == 0x10_0020
    assert memory(plan, 0x10_0020, 0x2000) == CODE.ljust(0x1FE0, b"\0")
