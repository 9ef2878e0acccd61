"""PVH kernels: the note in an ELF file, and files that lie about it."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.boot import detect
from lapis_engine.boot.image import ProtectedEntry
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.errors import ImageError

MEMORY = 8 << 20
CODE = b"\xf4\xeb\xfd"


def note(owner: bytes, kind: int, descriptor: bytes, align: int = 4) -> bytes:
    head = struct.pack("<III", len(owner), len(descriptor), kind) + owner
    head += bytes(-len(head) % align)
    return head + descriptor + bytes(-len(descriptor) % align)


XEN = note(b"Xen\0", 18, struct.pack("<Q", 0x10_0001))


def vmlinux(notes: bytes = XEN, align: int = 4) -> bytes:
    """An ELF64 with a segment at 1 MiB, linked high, and one of notes."""
    code_at = 64 + 2 * 56
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0x10_0000, 64, 0, 0, 64, 56, 2, 64, 0, 0
    )
    size, notes_at = len(CODE), code_at + len(CODE)
    load = struct.pack(
        "<IIQQQQQQ", 1, 5, code_at, 0xFFFF_FFFF_8010_0000, 0x10_0000, size, size, 4096
    )
    noted = struct.pack(
        "<IIQQQQQQ", 4, 4, notes_at, 0, 0, len(notes), len(notes), align
    )
    return ident + header + load + noted + CODE + notes


def elf32(notes: bytes) -> bytes:
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, 0x10_0000, 52, 0, 0, 52, 32, 2, 40, 0, 0
    )
    load = struct.pack("<8I", 1, 116, 0x10_0000, 0x10_0000, 3, 3, 5, 4096)
    noted = struct.pack("<8I", 4, 119, 0, 0, len(notes), len(notes), 4, 4)
    return ident + header + load + noted + CODE + notes


def entry_of(data: bytes) -> ProtectedEntry:
    plan = detect.detect(data, BootRequest(MEMORY))
    assert plan.name == "PVH"
    assert isinstance(plan.entry, ProtectedEntry)
    return plan.entry


def test_the_note_says_where_a_kernel_starts_in_32_bit_mode() -> None:
    entry = entry_of(vmlinux())
    assert (entry.eip, entry.eax, entry.ebx) == (0x10_0001, 0, 0x9_7000)
    behind = note(b"GNU\0", 3, b"12345") + note(b"Xen\0", 6, b"linux\0") + XEN
    assert entry_of(vmlinux(behind)).eip == 0x10_0001
    assert entry_of(elf32(note(b"Xen\0", 18, struct.pack("<I", 0x10_0002)))).eip == (
        0x10_0002
    )


def test_notes_may_be_aligned_to_8() -> None:
    notes = note(b"GNU\0", 5, b"1234", 8) + note(
        b"Xen\0", 18, struct.pack("<Q", 0x10_0002), 8
    )
    assert entry_of(vmlinux(notes, 8)).eip == 0x10_0002


@pytest.mark.parametrize(
    "notes",
    [b"", note(b"Xen\0", 17, bytes(8)), note(b"GNU\0", 18, bytes(8)), XEN[:-1]],
)
def test_without_the_note_it_is_a_kernel_in_long_mode(notes: bytes) -> None:
    assert detect.detect(vmlinux(notes), BootRequest(MEMORY)).name == "ELF64"


def test_an_entry_outside_the_kernel_is_refused() -> None:
    for at in (0x10_0003, 0x0F_FFFF, 1 << 63):
        notes = note(b"Xen\0", 18, struct.pack("<Q", at))
        with pytest.raises(ImageError, match="lies in no loaded segment"):
            detect.detect(vmlinux(notes), BootRequest(MEMORY))


def test_an_initrd_is_the_first_module() -> None:
    request = BootRequest(MEMORY, initrd=b"disk!", modules=(Module(b"more"),))
    plan = detect.detect(vmlinux(), request)
    (info,) = [blob.data for blob in plan.blobs if blob.gpa == 0x9_7000]
    magic, version, flags, count, listed = struct.unpack_from("<4IQ", info)
    assert (magic, version, flags, count) == (0x336EC578, 1, 0, 2)
    (modules,) = [blob.data for blob in plan.blobs if blob.gpa == listed]
    (first, size, _, zero), (_, second, *_) = struct.iter_unpack("<4Q", modules)
    assert (size, second, zero) == (5, 4, 0)
    (data,) = [blob.data for blob in plan.blobs if blob.gpa == first]
    assert data == b"disk!"


CHANGE = st.tuples(st.integers(0, 210), st.binary(min_size=1, max_size=4))


@given(
    st.lists(CHANGE, max_size=5),
    st.one_of(st.none(), st.integers(0, 220)),
    st.binary(max_size=40),
)
@settings(max_examples=400, deadline=None)
def test_a_mutated_kernel_starts_or_is_refused(
    changes: list[tuple[int, bytes]], cut: int | None, noise: bytes
) -> None:
    data = bytearray(vmlinux(note(b"GNU\0", 3, b"12345") + XEN + noise))
    for at, value in changes:
        data[at : at + len(value)] = value
    try:
        request = BootRequest(MEMORY, modules=(Module(noise),))
        plan = detect.detect(bytes(data[:cut]), request)
    except ImageError:
        return
    blobs = sorted(plan.blobs, key=lambda blob: blob.gpa)
    assert all(blob.end <= MEMORY for blob in blobs)
    assert all(a.end <= b.gpa for a, b in itertools.pairwise(blobs))
