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
EXTENDED_AT: Final = 0x1E0
"""alt_mem_k: KiB from 1 MiB on, for kernels that do not look at the table."""


@dataclass(frozen=True, slots=True)
class SetupHeader:
    """What a bzImage says of itself."""

    protocol: int
    """Version, 0x020F is 2.15."""
    setup_bytes: int
    """Of the file, before the protected-mode kernel."""
    bits: int
    """64 with the 64-bit entry, else 32."""
    place: int
    """Guest-physical address that it wants."""
    alignment: int
    """Of the address that it may have instead, a power of two; 0 where it may not."""
    needed: int
    """Bytes of RAM from there on, until it has found its memory; 0 where the file does
    not say."""
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
    kernel = data[header.setup_bytes :]
    needed = max(header.needed, len(kernel))
    place = _place(header, needed, ram.below(request.memory))
    initrd = _initrd(request, header, place + needed)
    left = beside.left(request, (Blob(place, kernel),))
    parameters = _parameters(data, request, initrd, left.rsdp)
    blobs = (
        Blob(place, kernel),
        *((initrd,) if initrd else ()),
        Blob(BOOT_PARAMETERS, parameters),
        _line(request.append, header),
        *_tables(header),
        *left.blobs,
    )
    return BootPlan("Linux", blobs, _entry(header, place), settles=left.settles)


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
    _check_size(data, protocol, setup)
    return _header(data, protocol, setup)


def _check_size(data: bytes, protocol: int, setup: int) -> None:
    """Raise `ImageError` when the file ends before its kernel; more may follow."""
    size = 1
    if protocol >= 0x204:
        # syssize counts the last 16 bytes when there is a part of them.
        size = max(size, struct.unpack_from("<I", data, 0x1F4)[0] * 16 - 15)
    if protocol >= 0x208:
        size = max(size, sum(struct.unpack_from("<II", data, 0x248)))
    if setup + size > len(data):
        raise ImageError(
            f"the Linux kernel is cut off: it has {len(data)} bytes of at least "
            f"{setup + size} that its header names"
        )


def _header(data: bytes, protocol: int, setup: int) -> SetupHeader:
    place, alignment, needed, bits = USUAL, 0, 0, 32
    if protocol >= 0x205 and data[0x234]:
        (alignment,) = struct.unpack_from("<I", data, 0x230)
        if not alignment or alignment & (alignment - 1):
            raise ImageError(f"the Linux kernel has an alignment of {alignment:#x}")
    if protocol >= 0x20A:
        prefers, needed = struct.unpack_from("<QI", data, 0x258)
        place = prefers or USUAL
    if protocol >= 0x20C and data[0x236] & KERNEL_64:
        bits = 64
    (line,) = struct.unpack_from("<I", data, 0x238)
    (last,) = struct.unpack_from("<I", data, 0x22C)
    return SetupHeader(
        protocol,
        setup,
        bits,
        place,
        alignment,
        needed,
        line if protocol >= 0x206 else OLD_LINE,
        last if protocol >= 0x203 else OLD_INITRD,
    )


def _place(header: SetupHeader, needed: int, room: int) -> int:
    """Return where the kernel goes: where it wants, or else as low as it may."""
    place = header.place
    if header.alignment and not USUAL <= place <= room - needed:
        place = -(-USUAL // header.alignment) * header.alignment
    if place < USUAL:
        raise ImageError(f"the Linux kernel wants to be at {place:#x}, below 1 MiB")
    if place + needed > room:
        raise ImageError(
            f"the Linux kernel needs {place:#x} to {place + needed:#x}, but there are "
            f"only {room:#x} bytes of memory below 4 GiB"
        )
    return place


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
    # Behind its end there is code in the file, and something else in the parameters.
    header_end = min(0x202 + data[0x201], HEADER_END)
    out[HEADER_AT:header_end] = data[HEADER_AT:header_end]
    out[: len(SCREEN)] = SCREEN
    out[0x210] = OTHER_LOADER
    struct.pack_into("<H", out, 0x1FA, 0xFFFF)  # vid_mode: normal
    struct.pack_into("<I", out, 0x228, tables.COMMAND_LINE)
    at, size = (initrd.gpa, len(initrd.data)) if initrd else (0, 0)
    struct.pack_into("<II", out, 0x218, at, size)
    struct.pack_into("<Q", out, RSDP_AT, rsdp)
    extended = max(ram.below(request.memory) - memory_map.EXTENDED, 0)
    struct.pack_into("<I", out, EXTENDED_AT, extended >> 10)
    entries = memory_map.entries(request.memory)
    out[ENTRIES_AT] = len(entries)
    for index, entry in enumerate(entries):
        struct.pack_into("<QQI", out, TABLE_AT + 20 * index, *entry)
    return bytes(out)


def _tables(header: SetupHeader) -> tuple[Blob, ...]:
    gdt = Blob(tables.GDT, struct.pack("<4Q", 0, 0, CODE[header.bits], DATA))
    return (gdt, tables.identity_map()) if header.bits == 64 else (gdt,)


def _entry(header: SetupHeader, place: int) -> LongEntry | ProtectedEntry:
    where = tables.GDT, 4 * 8 - 1, SELECTOR_CODE, SELECTOR_DATA
    if header.bits == 32:
        return ProtectedEntry(place, 0, 0, *where, esi=BOOT_PARAMETERS)
    return LongEntry(
        place + ENTRY_64,
        tables.PAGE_TABLES,
        *where,
        rdi=0,
        rsi=BOOT_PARAMETERS,
        rsp=tables.STACK_TOP,
    )
