"""Linux kernels (bzImage), by the 64-bit or the 32-bit boot protocol.

Source: Linux `Documentation/x86/boot.rst`, "The Linux/x86 Boot Protocol". The setup
code is not run: the boot parameters say what it would have found out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine import ram
from lapis_engine.bits import bit
from lapis_engine.boot import beside, memory_map, tables
from lapis_engine.boot.image import Blob, BootPlan, LongEntry, ProtectedEntry
from lapis_engine.boot.request import without_modules
from lapis_engine.errors import ImageError
from lapis_engine.units import PAGE, SECTOR

if TYPE_CHECKING:
    from lapis_engine.boot.request import BootRequest

SIGNATURE_AT: Final = 0x202
SIGNATURE: Final = b"HdrS"
HEADER_AT: Final = 0x1F1
"""First byte of the setup header, in the file and in the boot parameters."""
HEADER_END: Final = 0x268
"""End of the newest header that is read here (protocol 2.15)."""
OLDEST: Final = 0x202
"""Protocol 2.02, the first with a command line by pointer."""
BOOT_PARAMETERS: Final = tables.INFORMATION

LOADED_HIGH: Final = bit(0)
"""loadflags: the kernel goes to 1 MiB."""
KERNEL_64: Final = bit(0)
"""xloadflags: it has the 64-bit entry, 0x200 behind its first byte."""
ENTRY_64: Final = 0x200
OTHER_LOADER: Final = 0xFF
"""type_of_loader: none of those that have a number."""
USUAL: Final = 0x10_0000
"""Where a kernel goes that prefers nothing."""
OLD_LINE: Final = 255
"""Characters of a command line before protocol 2.06."""
OLD_INITRD: Final = 0x37FF_FFFF
"""Highest address of an initrd before protocol 2.03."""

SELECTOR_CODE: Final = 0x10
"""__BOOT_CS."""
SELECTOR_DATA: Final = 0x18
"""__BOOT_DS."""
CODE: Final = {32: 0x00CF_9B00_0000_FFFF, 64: 0x00AF_9B00_0000_FFFF}
DATA: Final = 0x00CF_9300_0000_FFFF

SCREEN: Final = struct.pack("<BBHHBBHHHBBH", 0, 0, 0, 0, 3, 80, 0, 3, 0, 25, 1, 16)
"""screen_info: a VGA in text mode 3, 80 columns, 25 rows of 16 lines."""
RSDP_AT: Final = 0x70
ENTRIES_AT: Final = 0x1E8
"""e820_entries; the table itself is at 0x2D0."""
TABLE_AT: Final = 0x2D0


@dataclass(frozen=True, slots=True)
class SetupHeader:
    """What a bzImage says of itself."""

    protocol: int
    """Version, 0x020F is 2.15."""
    setup_bytes: int
    """Of the file, before the protected-mode kernel."""
    kernel_bytes: int
    bits: int
    """64 with the 64-bit entry, else 32."""
    place: int
    """Guest-physical address that it wants."""
    needed: int
    """Bytes of RAM from there on, until it has found its memory."""
    most_line: int
    """Characters of the command line."""
    initrd_last: int
    """Highest address of an initrd."""


def takes(data: bytes) -> bool:
    """Tell whether `data` is a bzImage."""
    return data[SIGNATURE_AT : SIGNATURE_AT + 4] == SIGNATURE


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start the bzImage `data`; raise `ImageError`."""
    without_modules(request, "a Linux kernel")
    tables.check_memory(request.memory)
    header = read(data)
    kernel = data[header.setup_bytes : header.setup_bytes + header.kernel_bytes]
    room = ram.below(request.memory)
    end = header.place + max(header.needed, len(kernel))
    if end > room:
        raise ImageError(
            f"the Linux kernel needs {header.place:#x} to {end:#x}, but there are only "
            f"{room:#x} bytes of memory below 4 GiB"
        )
    initrd = _initrd(request, header, end)
    left = beside.left(request, (Blob(header.place, kernel),))
    parameters = _parameters(data, request, initrd, left.rsdp)
    blobs = (
        Blob(header.place, kernel),
        *((initrd,) if initrd else ()),
        Blob(BOOT_PARAMETERS, parameters),
        _line(request.append, header),
        *_tables(header),
        *left.blobs,
    )
    return BootPlan("Linux", blobs, _entry(header), settles=left.settles)


def read(data: bytes) -> SetupHeader:
    """Read the setup header; raise `ImageError` for a damaged one."""
    if len(data) < HEADER_END:
        raise ImageError("the Linux kernel ends within its header")
    (protocol,) = struct.unpack_from("<H", data, 0x206)
    if protocol < OLDEST:
        raise ImageError(
            f"the Linux kernel has boot protocol {protocol >> 8}.{protocol & 0xFF:02}; "
            f"2.02 is the oldest that is loaded"
        )
    if not data[0x211] & LOADED_HIGH:
        raise ImageError("the Linux kernel is a zImage, which loads below 1 MiB")
    setup = ((data[HEADER_AT] or 4) + 1) * SECTOR
    (paragraphs,) = struct.unpack_from("<I", data, 0x1F4)
    size = paragraphs * 16 if protocol >= 0x204 else len(data) - setup
    if size <= 0 or setup + size > len(data):
        raise ImageError(
            f"the Linux kernel is cut off: it has {len(data)} bytes of "
            f"{setup + size} that its header names"
        )
    return _header(data, protocol, setup, size)


def _header(data: bytes, protocol: int, setup: int, size: int) -> SetupHeader:
    place, needed, bits = USUAL, size, 32
    if protocol >= 0x20A:
        prefers, needed = struct.unpack_from("<QI", data, 0x258)
        place = prefers if data[0x234] or prefers else USUAL
    if protocol >= 0x20C and data[0x236] & KERNEL_64:
        bits = 64
    (line,) = struct.unpack_from("<I", data, 0x238)
    (last,) = struct.unpack_from("<I", data, 0x22C)
    if not USUAL <= place < ram.HOLE:
        raise ImageError(f"the Linux kernel wants to be at {place:#x}")
    return SetupHeader(
        protocol,
        setup,
        size,
        bits,
        place,
        needed,
        line if protocol >= 0x206 else OLD_LINE,
        last if protocol >= 0x203 else OLD_INITRD,
    )


def _initrd(request: BootRequest, header: SetupHeader, kernel_end: int) -> Blob | None:
    """Put the initial RAM disk as high as it may be."""
    if request.initrd is None:
        return None
    end = min(ram.below(request.memory), header.initrd_last + 1)
    at = (end - len(request.initrd)) // PAGE * PAGE
    if at < kernel_end:
        raise ImageError(
            f"the initrd of {len(request.initrd)} bytes does not fit between the "
            f"kernel's end at {kernel_end:#x} and {end:#x}"
        )
    return Blob(at, request.initrd)


def _line(text: str, header: SetupHeader) -> Blob:
    size = len(text.encode())
    if size > header.most_line:
        raise ImageError(
            f"the command line has {size} bytes and this Linux kernel takes "
            f"{header.most_line}"
        )
    return tables.command_line(text)


def _parameters(
    data: bytes, request: BootRequest, initrd: Blob | None, rsdp: int
) -> bytes:
    """Return the boot parameters ("zero page") with the header in them."""
    out = bytearray(PAGE)
    header_end = min(0x202 + data[0x201], HEADER_END)
    out[HEADER_AT:header_end] = data[HEADER_AT:header_end]
    out[: len(SCREEN)] = SCREEN
    out[0x210] = OTHER_LOADER
    struct.pack_into("<H", out, 0x1FA, 0xFFFF)  # vid_mode: normal
    struct.pack_into("<I", out, 0x228, tables.COMMAND_LINE)
    at, size = (initrd.gpa, len(initrd.data)) if initrd else (0, 0)
    struct.pack_into("<II", out, 0x218, at, size)
    struct.pack_into("<Q", out, RSDP_AT, rsdp)
    entries = memory_map.entries(request.memory)
    out[ENTRIES_AT] = len(entries)
    for index, entry in enumerate(entries):
        struct.pack_into("<QQI", out, TABLE_AT + 20 * index, *entry)
    return bytes(out)


def _tables(header: SetupHeader) -> tuple[Blob, ...]:
    gdt = Blob(tables.GDT, struct.pack("<4Q", 0, 0, CODE[header.bits], DATA))
    return (gdt, tables.identity_map()) if header.bits == 64 else (gdt,)


def _entry(header: SetupHeader) -> LongEntry | ProtectedEntry:
    where = tables.GDT, 4 * 8 - 1, SELECTOR_CODE, SELECTOR_DATA
    if header.bits == 32:
        return ProtectedEntry(header.place, 0, 0, *where, esi=BOOT_PARAMETERS)
    return LongEntry(
        header.place + ENTRY_64,
        tables.PAGE_TABLES,
        *where,
        rdi=0,
        rsi=BOOT_PARAMETERS,
        rsp=tables.STACK_TOP,
    )
