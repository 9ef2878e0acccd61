"""Multiboot 2 kernels, by the specification version 2.0."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import mutated_images

from lapis_engine.boot import detect
from lapis_engine.boot.image import BootPlan, ProtectedEntry
from lapis_engine.boot.multiboot2 import header as wants
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.errors import ImageError

MEMORY = 8 << 20
CODE = b"\xf4\xeb\xfd"


def tag(kind: int, *words: int, flags: int = 0) -> bytes:
    size = 8 + 4 * len(words)
    head = struct.pack(f"<HHI{len(words)}I", kind, flags, size, *words)
    return head + bytes(-size % 8)


def header(*tags: bytes, architecture: int = 0) -> bytes:
    body = b"".join(tags) + tag(0)
    size = 16 + len(body)
    checksum = -(0xE85250D6 + architecture + size) & 0xFFFF_FFFF
    return struct.pack("<4I", 0xE85250D6, architecture, size, checksum) + body


def by_addresses(*tags: bytes, load: int = 0x10_0000, bss_end: int = 0) -> bytes:
    """A flat kernel that begins with its header; its entry is the header itself."""
    places = tag(2, load, load, 0, bss_end)
    return header(places, tag(3, load), *tags) + CODE


def elf(*tags: bytes, at: int = 0x20_0000, virtual: int | None = None) -> bytes:
    """An ELF64 whose only segment starts with a header, the code behind it."""
    head = header(*tags)
    body = head + CODE
    virtual = at if virtual is None else virtual
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    file = (2, 62, 1, virtual + len(head), 64, 0, 0, 64, 56, 1, 64, 0, 0)
    size = len(body)
    segment = (1, 5, 120, virtual, at, size, size, 4096)
    return (
        ident
        + struct.pack("<HHIQQQIHHHHHH", *file)
        + struct.pack("<IIQQQQQQ", *segment)
        + body
    )


def plan_of(data: bytes, append: str = "") -> BootPlan:
    plan = detect.detect(data, BootRequest(MEMORY, append))
    assert plan.name == "multiboot 2"
    return plan


def start_of(plan: BootPlan) -> ProtectedEntry:
    assert isinstance(plan.entry, ProtectedEntry)
    return plan.entry


def told(plan: BootPlan) -> dict[int, bytes]:
    """The tags that a kernel is told, by type."""
    at = start_of(plan).ebx
    assert at % 8 == 0
    (info,) = [blob.data for blob in plan.blobs if blob.gpa == at]
    total, zero = struct.unpack_from("<II", info)
    assert (total, zero) == (len(info), 0)
    found, at = {}, 8
    while at < total:
        kind, size = struct.unpack_from("<II", info, at)
        found[kind] = info[at + 8 : at + size]
        at += -(-size // 8) * 8
    assert list(found)[-1] == 0
    return found


def test_a_kernel_by_addresses_is_loaded_and_entered() -> None:
    data = by_addresses(bss_end=0x10_1000)
    plan = plan_of(data, "a b")
    assert plan.blobs[0].gpa == 0x10_0000
    assert plan.blobs[0].data == data.ljust(0x1000, b"\0")
    start = start_of(plan)
    assert (start.eip, start.eax, start.cs, start.ds) == (
        *(0x10_0000, 0x36D76289),
        *(0x08, 0x10),
    )
    assert told(plan)[1] == b"a b\0"
    assert 21 not in told(plan)


def test_a_load_address_of_all_ones_is_the_beginning_of_the_file() -> None:
    places = tag(2, 0x10_0010, 0xFFFF_FFFF, 0, 0)
    data = bytes(16) + header(places, tag(3, 0x10_0010))
    assert plan_of(data).blobs[0].gpa == 0x10_0000


def test_an_elf64_kernel_starts_at_its_entry_or_where_the_tag_says() -> None:
    high = elf(virtual=0xFFFF_FFFF_8020_0000)
    assert start_of(plan_of(high)).eip == 0x20_0000 + len(header())
    assert start_of(plan_of(elf(tag(3, 0x20_0001)))).eip == 0x20_0001
    with pytest.raises(ImageError, match="entry 0x300000 is not in it"):
        plan_of(elf(tag(3, 0x30_0000)))


def test_a_relocatable_kernel_stays_where_it_is_linked_to_if_it_may() -> None:
    plan = plan_of(elf(tag(10, 0x20_0000, 0xFFFF_FFFF, 0x20_0000, 2)))
    assert plan.blobs[0].gpa == 0x20_0000
    assert told(plan)[21] == struct.pack("<I", 0x20_0000)


@pytest.mark.parametrize("linked", [0x20_1000, 0xC000_0000, 0x9_0000])
def test_a_relocatable_kernel_goes_where_it_may_be(linked: int) -> None:
    data = elf(tag(10, 0x20_0001, 0x5F_FFFF, 0x20_0000, 0), at=linked)
    plan = plan_of(data)
    assert plan.blobs[0].gpa == 0x40_0000
    assert start_of(plan).eip == 0x40_0000 + len(header(tag(10, 0, 0, 0, 0)))
    assert told(plan)[21] == struct.pack("<I", 0x40_0000)


def test_a_relocatable_kernel_without_a_place_is_refused() -> None:
    with pytest.raises(ImageError, match="no place between 0x300000 and 0x300008"):
        plan_of(elf(tag(10, 0x30_0000, 0x30_0007, 8, 0)))


def test_more_than_fits_in_low_memory_is_told_above_the_kernel() -> None:
    modules = tuple(Module(b"m", "x" * 4000) for _ in range(8))
    plan = detect.detect(by_addresses(), BootRequest(MEMORY, modules=modules))
    assert start_of(plan).ebx >= 0x10_1000
    assert told(plan)[3][8:] == b"x" * 4000 + b"\0"


def test_the_header_is_found_up_to_32_kib_and_only_when_aligned() -> None:
    one = header()
    assert wants.find(bytes(32768 - 24) + one) == 32744
    assert wants.find(bytes(32768 - 8) + one) is None
    assert wants.find(bytes(4) + one) is None
    assert wants.find(one[:12] + b"\1\1\1\1") is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (header(architecture=4), "for architecture 4"),
        (header(), "gives no addresses, and the file is not ELF"),
        (header(tag(2, 0, 0, 0, 0)), "no entry point"),
        (header(tag(2, 0, 0), tag(3, 0)), "tag 2 of the multiboot 2 header is damaged"),
        (elf(tag(1, 6, 22)), "requires information 22"),
        (elf(tag(4, 1)), "requires a framebuffer"),
        (elf(tag(4)), "tag 4 of the multiboot 2 header is damaged"),
        (elf(tag(7)), "requires feature 7"),
        (elf(tag(11)), "requires feature 11"),
        (elf(struct.pack("<HHI", 6, 0, 7)), "tag 6 of .* is damaged"),
        (elf(struct.pack("<HHI", 6, 0, 999)), "tag 6 of .* is damaged"),
        (by_addresses(load=0x9_7000), "covers the loader's tables"),
        (by_addresses(bss_end=0x80_0001), "only 0x800000 bytes"),
    ],
)
def test_kernels_that_cannot_be_started_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        plan_of(data)


def test_a_header_that_does_not_end_is_refused() -> None:
    size = 16 + 8
    checksum = -(0xE85250D6 + size) & 0xFFFF_FFFF
    data = struct.pack("<4I", 0xE85250D6, 0, size, checksum) + tag(6)
    with pytest.raises(ImageError, match="does not end"):
        plan_of(data)


def test_optional_tags_are_nobodys_business() -> None:
    optional = [tag(kind, flags=1) for kind in (7, 8, 9, 11, 999)]
    framebuffer = tag(5, 1024, 768, 32)
    text = tag(4, 3)
    informed = tag(1, 1, 4, 6, 9, 12, 14, 15, 21)
    unknown = tag(1, 99, flags=1)
    assert plan_of(elf(*optional, framebuffer, text, informed)).blobs
    assert plan_of(elf(unknown, tag(8, 0), tag(9, 0))).blobs


SEEDS = (
    by_addresses(bss_end=0x10_1000),
    elf(tag(10, 0x20_0000, 0x7F_FFFF, 0x1000, 2), tag(1, 6), tag(6)),
    elf(tag(3, 0x20_0000), tag(4, 3), tag(5, 0, 0, 0)),
)


@given(
    seed=st.sampled_from(SEEDS),
    changes=mutated_images.changes(240),
    cut=mutated_images.cuts(240),
    sizes=mutated_images.MODULES,
)
@settings(max_examples=400, deadline=None)
def test_a_mutated_image_starts_or_is_refused_and_stays_in_memory(
    seed: bytes, changes: list[tuple[int, bytes]], cut: int | None, sizes: list[int]
) -> None:
    mutated_images.check(seed, changes, cut, sizes, MEMORY)


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_noise_as_tags_is_refused_or_loaded(noise: bytes) -> None:
    size = 16 + len(noise)
    checksum = -(0xE85250D6 + size) & 0xFFFF_FFFF
    data = struct.pack("<4I", 0xE85250D6, 0, size, checksum) + noise
    with contextlib.suppress(ImageError):
        assert plan_of(data).blobs
