"""Compressed images, and files that are none: gzip is opened, the rest is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.boot import compressed, detect, foreign
from lapis_engine.boot.request import BootRequest
from lapis_engine.errors import ImageError

MEMORY = 8 << 20
CODE = b"\xf4\xeb\xfd"
KERNEL = (
    struct.pack("<3I", 0x1BADB002, 0x1_0000, -(0x1BADB002 + 0x1_0000) & 0xFFFF_FFFF)
    + struct.pack("<5I", 0x10_0000, 0x10_0000, 0, 0, 0x10_0020)
    + CODE
)
REQUEST = BootRequest(MEMORY)


def test_a_gzip_kernel_is_what_is_inside() -> None:
    plan = detect.detect(gzip.compress(KERNEL), REQUEST)
    assert plan == detect.detect(KERNEL, REQUEST)
    flat = detect.detect(gzip.compress(CODE), REQUEST, as_flat=True)
    assert flat.blobs[0].data == CODE


def test_what_follows_the_compressed_kernel_is_left_alone() -> None:
    assert compressed.expanded(gzip.compress(KERNEL) + b"signature") == KERNEL


def test_the_loader_of_a_gzip_kernel_is_known_before_it_is_loaded() -> None:
    found = detect.loader_of(gzip.compress(KERNEL), detect.LOADERS)
    assert found is not None
    assert found.name == "multiboot"
    assert detect.loader_of(gzip.compress(KERNEL)[:-9], detect.LOADERS) is None
    assert detect.loader_of(CODE, detect.LOADERS) is None


def test_damaged_and_cut_off_gzip_files_are_refused() -> None:
    data = gzip.compress(KERNEL)
    with pytest.raises(ImageError, match="gzip file is cut off"):
        detect.detect(data[:-1], REQUEST)
    with pytest.raises(ImageError, match="gzip file is cut off"):
        detect.detect(data[:10], REQUEST)
    damaged = data[:-5] + bytes((data[-5] ^ 1,)) + data[-4:]  # in the CRC
    with pytest.raises(ImageError, match="gzip file is damaged"):
        detect.detect(damaged, REQUEST)


def test_no_more_than_256_mib_come_out_of_a_gzip_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compressed.LARGEST == 256 << 20
    monkeypatch.setattr(compressed, "LARGEST", 1 << 20)
    assert len(compressed.expanded(gzip.compress(bytes(1 << 20)))) == 1 << 20
    with pytest.raises(ImageError, match="more than 1 MiB inside"):
        compressed.expanded(gzip.compress(bytes((1 << 20) + 1)))


@given(st.binary(max_size=200), st.integers(0, 200), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_gzip_file_is_its_content_or_an_image_error(
    content: bytes, at: int, flip: int
) -> None:
    data = bytearray(gzip.compress(content))
    data[at % len(data)] ^= flip
    try:
        found = compressed.expanded(bytes(data))
    except ImageError:
        return
    assert found in (content, bytes(data))


def efi(stub: bytes = bytes(62)) -> bytes:
    return (b"MZ" + stub)[:60] + struct.pack("<I", 64) + b"PE\0\0" + bytes(100)


def at(offset: int, signature: bytes) -> bytes:
    return bytes(offset) + signature + bytes(64)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (lzma.compress(KERNEL), "compressed with xz"),
        (lzma.compress(KERNEL, lzma.FORMAT_ALONE), "compressed with lzma"),
        (bz2.compress(KERNEL), "compressed with bzip2"),
        (b"\x28\xb5\x2f\xfd\x04\x58", "compressed with zstd"),
        (b"\x04\x22\x4d\x18\x64\x40", "compressed with lz4"),
        (b"\x02\x21\x4c\x18", "compressed with lz4"),
        (b"\x89LZO\0\r\n\x1a\n", "compressed with lzop"),
        (at(32769, b"CD001\1\0"), "a CD image"),
        (efi(), "a program for EFI"),
        (efi(b"\0\0zimg" + bytes(60)), "Linux kernel for EFI"),
        (at(0x38, b"ARM\x64"), "for 64-bit ARM, not for x86"),
        (at(0x30, b"RISCV\0\0\0"), "for RISC-V, not for x86"),
        (at(0x24, b"\x18\x28\x6f\x01"), "for 32-bit ARM, not for x86"),
        (b"070701" + bytes(200), "the initrd of a Linux kernel"),
        (b"QFI\xfb\0\0\0\3", "QEMU's own format"),
        (gzip.compress(b"070701" + bytes(200)), "the initrd of a Linux kernel"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, why: str) -> None:
    for as_flat in (False, True):
        with pytest.raises(ImageError, match=f"the image is .*{why}"):
            detect.detect(data, REQUEST, as_flat=as_flat)


@given(st.binary(max_size=100), st.sampled_from([b"", b"MZ", b"MZ" + bytes(58)]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_have_a_name_or_none(data: bytes, prefix: bytes) -> None:
    what = foreign.named(prefix + data)
    assert what is None or what


def test_a_linux_kernel_that_is_a_program_for_efi_too_stays_a_linux_kernel() -> None:
    both = bytearray(efi().ljust(0x400, b"\0"))
    both[0x202:0x206] = b"HdrS"
    found = detect.loader_of(bytes(both), detect.LOADERS)
    assert found is not None
    assert found.name == "Linux"
