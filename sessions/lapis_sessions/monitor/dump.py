"""IA32_KERNEL_GS_BASE of every processor, by the notes of QEMU's `dump-guest-memory`.

It is what of the MSRs QEMU tells beside `info registers`. Memory has other ways: of it
one page is in the dump.

Source: QEMU `target/i386/arch_dump.c`, `QEMUCPUState`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine.units import MIB, PAGE
from lapis_sessions import regular
from lapis_sessions.monitor.channel import MonitorError, RefusedError
from lapis_sessions.regular import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lapis_sessions.monitor.channel import Channel

LARGEST: Final = 4 * MIB
ELF64: Final = b"\x7fELF\x02\x01"
HEADER: Final = struct.Struct("<32xQ14xHH")
"""e_phoff, e_phentsize, e_phnum."""
SEGMENT: Final = struct.Struct("<I4xQ16xQ")
"""p_type, p_offset, p_filesz."""
NOTE_SEGMENT: Final = 4
NOTE: Final = struct.Struct("<III")
"""Bytes of the name, bytes of what follows it, type."""
OWNER: Final = b"QEMU\0\0\0\0"
STATE: Final = struct.Struct("<II128xQ8x280xQ")
"""Version, size; RIP; KERNEL_GS_BASE, behind ten segments and CR0 to CR4."""
VERSION: Final = 1


def kernel_gs_bases(
    channel: Channel, folder: Path, first: int, rips: Sequence[int]
) -> tuple[int, ...] | None:
    """Return the MSR of each processor; None where QEMU has no such notes.

    `first` is an address of RAM, `rips` are where the processors are. Raises
    `MonitorError` for notes that are of others.
    """
    file = folder / "dump"
    try:
        channel.command(
            "dump-guest-memory",
            paging=False,
            protocol=f"file:{file}",
            begin=first,
            length=PAGE,
        )
        data = regular.read(str(file), LARGEST, "a dump that QEMU wrote")
    except (RefusedError, FileError):
        return None
    finally:
        file.unlink(missing_ok=True)
    if not data.startswith(ELF64):  # the BSP is not in long mode
        return None
    try:
        found = list(_states(data))
    except (struct.error, OverflowError):  # a place that there is not
        found = []
    if [rip for rip, _ in found] != list(rips):
        raise MonitorError(
            f"dump-guest-memory has {len(found)} processors, or others than `info "
            f"registers`"
        )
    return tuple(base for _, base in found)


def _states(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield RIP and KERNEL_GS_BASE of each note; raises `struct.error`."""
    for note, at, size in _notes(data):
        if note != OWNER or size < STATE.size:
            continue
        version, length, rip, base = STATE.unpack_from(data, at)
        if version == VERSION and length == STATE.size:
            yield rip, base


def _notes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and bytes of each note."""
    table, step, count = HEADER.unpack_from(data)
    for number in range(count):
        kind, at, size = SEGMENT.unpack_from(data, table + number * step)
        end = min(at + size, len(data))
        while kind == NOTE_SEGMENT and at + NOTE.size <= end:
            name, length, _ = NOTE.unpack_from(data, at)
            start = at + NOTE.size + _aligned(name)
            yield data[at + NOTE.size : start], start, length
            at = start + _aligned(length)


def _aligned(size: int) -> int:
    return size + 3 & ~3
