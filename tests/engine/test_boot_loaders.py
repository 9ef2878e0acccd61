"""Loaders: tiny images built by hand, and what the manuals say becomes of them."""

from __future__ import annotations

import struct

import pytest

from lapis_engine.boot import detect, elf, firmware, flat, tables
from lapis_engine.boot.image import (
    Blob,
    LongEntry,
    ProtectedEntry,
    RealEntry,
    ResetEntry,
)
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.errors import ImageError

MEMORY = 32 << 20
CODE = b"\xf4\xeb\xfd"  # hlt; jmp $-1

Symbols = tuple[tuple[str, int, int, int], ...]


def elf32(
    *,
    physical: int = 0x10_0000,
    virtual: int | None = None,
    entry: int | None = None,
    memory_size: int = len(CODE),
    file_size: int = len(CODE),
    code: bytes = CODE,
    kind: int = 2,
    machine: int = 3,
    count: int = 1,
) -> bytes:
    """Return an ELF32 of one segment, its bytes at offset 84."""
    virtual = physical if virtual is None else virtual
    entry = virtual if entry is None else entry
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = struct.pack(
        "<HHIIIIIHHHHHH", kind, machine, 1, entry, 52, 0, 0, 52, 32, count, 40, 0, 0
    )
    segment = struct.pack(
        "<8I", 1, 84, virtual, physical, file_size, memory_size, 5, 4096
    )
    return ident + header + segment + code


def elf64(*, physical: int = 0x10_0000, symbols: Symbols = ()) -> bytes:
    """Return an ELF64 of one segment, with a .symtab when there are symbols.

    Symbols are (name, value, st_info, st_shndx).
    """
    names, table = b"\0", bytes(24)
    for name, value, info, section in symbols:
        table += struct.pack("<IBBHQQ", len(names), info, 0, section, value, 0)
        names += name.encode() + b"\0"
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    code_at = 64 + 56
    table_at = code_at + len(CODE)
    names_at = table_at + len(table)
    sections_at = names_at + len(names) if symbols else 0
    count = 3 if symbols else 0
    header = struct.pack(
        "<HHIQQQIHHHHHH",
        *(2, 62, 1, physical, 64, sections_at, 0, 64, 56, 1, 64, count, 0),
    )
    size = len(CODE)
    segment = struct.pack(
        "<IIQQQQQQ", 1, 5, code_at, physical, physical, size, size, 4096
    )
    body = ident + header + segment + CODE
    if not symbols:
        return body
    symtab = struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, table_at, len(table), 2, 0, 8, 24)
    strtab = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    return body + table + names + bytes(64) + symtab + strtab


def blob_at(blobs: tuple[Blob, ...], gpa: int) -> bytes:
    (found,) = [blob.data for blob in blobs if blob.gpa == gpa]
    return found


def test_a_flat_binary_starts_at_its_first_byte_in_real_mode() -> None:
    plan = flat.load(CODE, memory_bytes=MEMORY)
    assert plan.blobs == (Blob(0x1_0000, CODE),)
    assert plan.entry == RealEntry(0x1000, 0)
    assert flat.load(CODE, 0x7C00, memory_bytes=MEMORY).entry == RealEntry(0x7C0, 0)


def test_flat_binaries_that_cannot_be() -> None:
    flat.load(bytes(512 << 10), memory_bytes=MEMORY)
    with pytest.raises(ImageError, match="524288 is the most"):
        flat.load(bytes((512 << 10) + 1), memory_bytes=MEMORY)
    with pytest.raises(ImageError, match="empty"):
        flat.load(b"", memory_bytes=MEMORY)
    with pytest.raises(ImageError, match="multiple of 16"):
        flat.load(CODE, 0x7C01, memory_bytes=MEMORY)
    with pytest.raises(ImageError, match="multiple of 16"):
        flat.load(CODE, 0x10_0000, memory_bytes=MEMORY)
    with pytest.raises(ImageError, match="only 0x10002 bytes"):
        flat.load(CODE, memory_bytes=0x1_0002)


def rom(size: int, vector: bytes = b"\xea\x5b\xe0\x00\xf0") -> bytes:
    body = bytes(i & 0xFF for i in range(size >> 12)).ljust(size - 16, b"\x11")
    return body + vector.ljust(16, b"\0")


@pytest.mark.parametrize("size", [128 << 10, 252 << 10, 260 << 10, 16 << 20])
def test_firmware_ends_at_4_gib_and_its_last_128_kib_at_1_mib(size: int) -> None:
    data = rom(size)
    plan = firmware.load(data)
    shadow, high = plan.blobs
    assert (shadow.gpa, shadow.rom) == (0xE_0000, False)
    assert shadow.data == data[-0x2_0000:]
    assert (high.gpa, high.end, high.rom) == (0x1_0000_0000 - size, 1 << 32, True)
    assert high.data == data
    assert plan.entry == ResetEntry()


@pytest.mark.parametrize("size", [4 << 10, 60 << 10, 64 << 10])
def test_small_firmware_is_shadowed_whole(size: int) -> None:
    shadow = firmware.load(rom(size)).blobs[0]
    assert (shadow.gpa, len(shadow.data)) == (0x10_0000 - size, size)


def test_a_bios_of_256_kib_is_below_1_mib_whole() -> None:
    data = rom(256 << 10)
    shadow = firmware.load(data).blobs[0]
    assert (shadow.gpa, shadow.data) == (0xC_0000, data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "has 0 bytes"),
        (rom(4 << 10)[:-2048], "has 2048 bytes"),
        (rom((128 << 10) + 1), "multiple of 4 KiB"),
        (rom((16 << 20) + (4 << 10)), "up to 16 MiB"),
        (bytes(128 << 10), "blank"),
        (b"\xff" * (128 << 10), "blank"),
    ],
)
def test_firmware_that_cannot_start_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        firmware.load(data)


@pytest.mark.parametrize("vector", [b"\xe9\x00\xff", b"\x90\x90\xe9", b"\xf4", b"\x0f"])
def test_a_reset_vector_may_hold_any_code(vector: bytes) -> None:
    assert firmware.load(rom(64 << 10, vector)).entry == ResetEntry()


def test_elf32_starts_in_protected_mode_with_the_loaders_gdt() -> None:
    plan = detect.detect(elf32(memory_size=0x2000), BootRequest(MEMORY))
    assert plan.name == "ELF32"
    assert blob_at(plan.blobs, 0x10_0000) == CODE.ljust(0x2000, b"\0")
    entry = plan.entry
    assert entry == ProtectedEntry(0x10_0000, 0, 0, 0x9_6000, 31, 0x08, 0x10)
    gdt = blob_at(plan.blobs, 0x9_6000)
    assert struct.unpack("<4Q", gdt) == (
        0,
        0x00CF9B000000FFFF,
        0x00CF93000000FFFF,
        0x00AF9B000000FFFF,
    )


def test_a_virtual_entry_point_is_translated_and_a_physical_one_kept() -> None:
    high = elf32(virtual=0xC010_0000, entry=0xC010_0001)
    assert elf.load(high, BootRequest(MEMORY)).entry == tables.protected_entry(
        0x10_0001
    )
    linux = elf32(virtual=0xC010_0000, entry=0x10_0002)
    assert elf.load(linux, BootRequest(MEMORY)).entry == tables.protected_entry(
        0x10_0002
    )


def test_elf64_starts_in_long_mode_on_identity_mapped_memory() -> None:
    plan = detect.detect(elf64(), BootRequest(MEMORY, "console=ttyS0"))
    entry = plan.entry
    assert isinstance(entry, LongEntry)
    assert (entry.rip, entry.cr3, entry.cs, entry.ds) == (0x10_0000, 0x9_0000, 24, 16)
    assert (entry.rsi, entry.rsp) == (MEMORY, 0x9_A000)
    assert blob_at(plan.blobs, entry.rdi) == b"console=ttyS0\0"
    assert plan.symbols == ()


def walk(paging: bytes, base: int, gva: int) -> int:
    """Translate by the manual: PML4, PDPT, PD with PS."""
    table = base
    for shift in (39, 30):
        at = table - base + 8 * (gva >> shift & 511)
        (entry,) = struct.unpack_from("<Q", paging, at)
        assert entry & 1
        table = entry & 0xF_FFFF_FFFF_F000
    at = table - base + 8 * (gva >> 21 & 511)
    (entry,) = struct.unpack_from("<Q", paging, at)
    assert entry & 0x83 == 0x83
    return int((entry & 0xF_FFFF_FFE0_0000) | (gva & 0x1F_FFFF))


@pytest.mark.parametrize(
    "gva", [0, 0x1F_FFFF, 0x20_0000, 0x3FFF_FFFF, 0x4000_0000, 0xFEE0_0000, 0xFFFF_FFFF]
)
def test_the_page_tables_map_4_gib_one_to_one(gva: int) -> None:
    blob = tables.identity_map()
    assert blob.gpa == 0x9_0000
    assert len(blob.data) == 6 * 4096
    assert walk(blob.data, 0x9_0000, gva) == gva
    assert struct.unpack_from("<Q", blob.data, 8)[0] == 0


def test_symbols_are_sorted_and_filtered() -> None:
    data = elf64(
        symbols=(
            ("main", 0x10_0010, 0x12, 1),
            ("start", 0x10_0000, 0x10, 1),
            ("label", 0x10_0010, 0x00, 1),
            ("gone", 0x10_0000, 0x12, 0),  # undefined
            ("file.c", 0, 0x04, 0xFFF1),  # STT_FILE
        )
    )
    expected = (("start", 0x10_0000), ("label", 0x10_0010), ("main", 0x10_0010))
    assert elf.load(data, BootRequest(MEMORY)).symbols == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x7fELF", "not an ELF"),
        (elf32()[:40], "ends before its file header"),
        (elf32()[:60], "ends before its program header 0"),
        (elf32(kind=3), "type 3"),
        (elf32(machine=62), "machine 62"),
        (elf32(machine=40), "for ARM, not for x86"),
        (elf32(count=257), "257 segments"),
        (elf32(count=0), "nothing to load"),
        (elf32(file_size=4, memory_size=3), "larger in the file"),
        (elf32(file_size=4, memory_size=4), "beyond the end of the file"),
        (elf32(physical=MEMORY - 2), "only 0x2000000 bytes"),
        (elf32(physical=0x9_9FFF), "covers the loader's tables"),
        (elf32(physical=0x8_FFFE), "covers the loader's tables"),
        (elf32(entry=0x10_0003), "in no loaded segment"),
        (elf32(entry=0x0F_FFFF), "in no loaded segment"),
        (elf32(memory_size=0x7FFF_FFFF), "needs"),
        (elf32()[:4] + b"\3" + elf32()[5:], "neither 32 nor 64"),
        (elf32()[:5] + b"\2" + elf32()[6:], "little-endian"),
    ],
)
def test_damaged_or_foreign_elf_files_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        elf.load(data, BootRequest(MEMORY))


def test_segments_may_touch_the_loaders_tables_but_not_each_other() -> None:
    assert elf.load(elf32(physical=0x9_A000), BootRequest(MEMORY)).blobs
    assert elf.load(elf32(physical=0x8_FFFD), BootRequest(MEMORY)).blobs
    one = elf32(count=2)
    header, segment = one[:52], one[52:84]
    # The second program header lies where the code was; both load from offset 84.
    second = struct.pack("<8I", 1, 84, 0, 0x10_0002, 3, 3, 5, 4096)
    with pytest.raises(ImageError, match="overlap at physical address 0x100002"):
        elf.load(header + segment + second, BootRequest(MEMORY))
    touching = struct.pack("<8I", 1, 84, 0, 0x10_0003, 3, 3, 5, 4096)
    assert len(elf.load(header + segment + touching, BootRequest(MEMORY)).blobs) == 3


def test_nothing_is_loaded_beyond_3_gib_or_without_room_for_the_tables() -> None:
    with pytest.raises(ImageError, match="only 0xc0000000 bytes of memory below 4 GiB"):
        elf.load(elf64(physical=0xBFFF_FFFE), BootRequest(8 << 30))
    with pytest.raises(ImageError, match="tables end at 0x9a000"):
        elf.load(elf32(), BootRequest(0x9_9FFF))


def test_limits_themselves_are_allowed() -> None:
    assert len(elf.load(elf32(physical=MEMORY - 3), BootRequest(MEMORY)).blobs) == 2
    assert len(elf.load(elf64(physical=0xBFFF_FFFD), BootRequest(8 << 30)).blobs) == 4
    unused = bytes(32 * 255)
    many = elf32(count=256, code=unused + CODE)
    assert len(elf.load(many, BootRequest(1 << 24)).blobs) == 2
    with pytest.raises(ImageError, match="only 0x9a000 bytes"):
        elf.load(elf32(), BootRequest(0x9_A000))


@pytest.mark.parametrize("append", ["x" * 4096, "a\0b"])
def test_command_lines_that_do_not_fit_are_refused(append: str) -> None:
    with pytest.raises(ImageError, match="command line"):
        elf.load(elf64(), BootRequest(MEMORY, append))


def test_a_damaged_symbol_table_is_refused() -> None:
    data = elf64(symbols=(("main", 1, 0x12, 1),))
    with pytest.raises(ImageError, match="section header 2"):
        elf.load(data[:-1], BootRequest(MEMORY))
    link = len(data) - 64 - 24  # sh_link of .symtab
    with pytest.raises(ImageError, match="not there"):
        elf.load(data[:link] + b"\3" + data[link + 1 :], BootRequest(MEMORY))
    offset = len(data) - 128 + 24 + 4
    with pytest.raises(ImageError, match="beyond the end of the file"):
        elf.load(data[:offset] + b"\1" + data[offset + 1 :], BootRequest(MEMORY))


def test_what_nobody_understands_is_flat_only_if_the_caller_says_so() -> None:
    with pytest.raises(ImageError, match="multiboot kernel, an ELF executable"):
        detect.detect(CODE, BootRequest(MEMORY))
    assert detect.detect(CODE, BootRequest(MEMORY), as_flat=True).name == "flat"


@pytest.mark.parametrize("data", [elf32(), elf64(), CODE])
def test_files_that_an_image_cannot_take_are_refused(data: bytes) -> None:
    for request, what in (
        (BootRequest(MEMORY, initrd=b"disk"), "takes no initrd"),
        (BootRequest(MEMORY, modules=(Module(b"file"),)), "takes no modules"),
    ):
        with pytest.raises(ImageError, match=what):
            detect.detect(data, request, as_flat=True)
