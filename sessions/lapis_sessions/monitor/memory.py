"""Memory of a paused QEMU: it writes a piece to a file of ours, which is read and gone.

The files are in a folder that nobody else can enter, a piece at a time, so that no more
of the disk is taken than that. Pages of zeros are not kept.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lapis_engine.boot import machine_image
from lapis_engine.units import MIB
from lapis_sessions import guests, regular
from lapis_sessions.monitor.channel import MonitorError, RefusedError
from lapis_sessions.regular import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_engine.boot.machine_image import Piece
    from lapis_sessions.monitor.channel import Channel
    from lapis_sessions.monitor.memory_map import Layout, Stretch

PART: Final = 16 * MIB
"""Bytes that QEMU writes at once."""
COPIES: Final = 3
"""How often a byte of RAM is held: in the image, in its plan, and as RAM."""
MEMORY_INFO: Final = Path("/proc/meminfo")


def available() -> int | None:
    """Return the bytes of memory that can be had, or None where nobody tells."""
    with suppress(OSError, ValueError):
        for line in MEMORY_INFO.read_text("ascii").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return int(rest.split()[0]) << 10
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def check_room(layout: Layout, room: int | None) -> None:
    """Raise `MonitorError` for more RAM than there is room for."""
    if room is not None and layout.told > room:
        raise MonitorError(
            f"the machine has {layout.told >> 20:,} MiB of RAM, and {room >> 20:,} MiB "
            f"are available here"
        )


def taken(
    channel: Channel, layout: Layout, room: int | None, folder: Path
) -> tuple[list[Piece], list[Piece]]:
    """Return RAM without its zeros, and the ROMs, packed; raise `MonitorError`.

    `folder` is where QEMU may write, and nobody else may look.
    """
    ram = list(_bounded(_runs(channel, folder, layout.ram), room))
    roms = [_rom(channel, folder, each) for each in layout.roms]
    return ram, roms


def _bounded(pieces: Iterable[Piece], room: int | None) -> Iterator[Piece]:
    """Yield pieces as long as there is room for what becomes of them."""
    held = size = 0
    for first, length, packed in pieces:
        held += length
        size += len(packed)
        if room is not None and held * COPIES > room:
            raise MonitorError(
                f"of the RAM up to {first:#x} {held >> 20:,} MiB are not zero, and for "
                f"that {room >> 20:,} MiB are too few here"
            )
        if size > guests.MAX_KERNEL:
            raise MonitorError(
                f"of the RAM up to {first:#x} {held >> 20:,} MiB are not zero: "
                f"more than {guests.MAX_KERNEL >> 20} MiB when it is packed"
            )
        yield first, length, packed


def _runs(
    channel: Channel, folder: Path, stretches: Iterable[Stretch]
) -> Iterator[Piece]:
    for first, data in _parts(channel, folder, stretches):
        yield from machine_image.runs(first, data)


def _rom(channel: Channel, folder: Path, rom: Stretch) -> Piece:
    data = b"".join(data for _, data in _parts(channel, folder, [rom]))
    return rom.first, rom.size, machine_image.packed(data)


def _parts(
    channel: Channel, folder: Path, stretches: Iterable[Stretch]
) -> Iterator[tuple[int, bytes]]:
    """Yield (guest-physical address, bytes) of each part that QEMU has written."""
    for each in stretches:
        for first in range(each.first, each.end, PART):
            size = min(PART, each.end - first)
            file = folder / f"{first:x}"
            yield first, _part(channel, file, first, size)


def _part(channel: Channel, file: Path, first: int, size: int) -> bytes:
    try:
        channel.command("pmemsave", val=first, size=size, filename=str(file))
    except RefusedError as error:
        raise MonitorError(
            f"{error}; QEMU writes its memory to a folder of this program's, so both "
            f"must run on one machine and as one user"
        ) from None
    try:
        data = regular.read(str(file), size, "memory that QEMU wrote")
    except FileError as error:
        raise MonitorError(
            f"{error}; QEMU must run on this machine, and see its files"
        ) from None
    finally:
        file.unlink(missing_ok=True)
    if len(data) != size:
        raise MonitorError(
            f"QEMU wrote {len(data)} bytes of memory from {first:#x}, and {size} were "
            f"asked for"
        )
    return data
