"""Files that one may hand over as an image by mistake, and what they are."""

from __future__ import annotations

import struct
from typing import Final

SIGNATURES: Final = (
    (0, b"\xfd7zXZ\0", "compressed with xz; decompress it first"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it first"),
    (0, b"BZh", "compressed with bzip2; decompress it first"),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4; decompress it first"),
    (0, b"\x02\x21\x4c\x18", "compressed with lz4; decompress it first"),
    (0, b"\x89LZO\0", "compressed with lzop; decompress it first"),
    (0, b"\x5d\0\0", "compressed with lzma; decompress it first"),
    (0, b"PK\x03\x04", "a zip archive; a kernel out of it is expected"),
    (0, b"!<arch>\n", "an archive or a Debian package; a kernel out of it is expected"),
    (0, b"070701", "a cpio archive, which is the initrd of a Linux kernel"),
    (0, b"\x27\x05\x19\x56", "a U-Boot image; the kernel out of it is expected"),
    (0, b"QFI\xfb", "a disk of QEMU's own format; a raw one is given as a disk"),
    (0x38, b"ARM\x64", "a Linux kernel for 64-bit ARM, not for x86"),
    (0x30, b"RISCV\0\0\0", "a Linux kernel for RISC-V, not for x86"),
    (0x24, b"\x18\x28\x6f\x01", "a Linux kernel for 32-bit ARM, not for x86"),
    (0x101, b"ustar", "a tar archive; a kernel out of it is expected"),
    (0x8001, b"CD001", "a CD image (ISO 9660); a kernel out of it is expected"),
)
"""Offset, bytes there, and what such a file is."""
EFI: Final = (
    "a program for EFI, which is started by firmware; a Linux or multiboot kernel, or "
    "the firmware itself, is expected"
)
EFI_ZBOOT: Final = "a compressed Linux kernel for EFI, of another machine as a rule"
PE_POINTER: Final = 0x3C
"""Where the MS-DOS stub has the offset of the PE header."""


def named(data: bytes) -> str | None:
    """Return what `data` is, when it is a file of a known kind that is no image."""
    for offset, signature, what in SIGNATURES:
        if data[offset : offset + len(signature)] == signature:
            return what
    if data[:2] == b"MZ" and len(data) >= PE_POINTER + 4:
        (at,) = struct.unpack_from("<I", data, PE_POINTER)
        if data[at : at + 4] == b"PE\0\0":
            return EFI_ZBOOT if data[4:8] == b"zimg" else EFI
    return None
