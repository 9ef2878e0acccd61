"""The interrupt table at 0 and the services that it leads to, with what they know.

The services are 16-bit code (`services.asm`), assembled for their place; they begin
with the vectors that they are for.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine import ram
from lapis_engine.boot import memory_map
from lapis_engine.boot.bios import places
from lapis_engine.boot.bios.services import SERVICES
from lapis_engine.boot.image import Blob
from lapis_engine.boot.memory_map import EXTENDED

if TYPE_CHECKING:
    from lapis_engine.boot.bios.area import Area

SEGMENT: Final = places.FIRST >> 4
VECTORS: Final = 256
ALL_OTHERS: Final = 0xFFFF
"""In place of a vector."""
SIXTEEN_MIB: Final = 16 << 20
MOST_EXTENDED: Final = 0xFC00
"""KiB that service 88h tells at most, 63 MiB."""
MOST_ENTRIES: Final = 8
"""Of the memory map, before the tables begin."""


def table() -> Blob:
    """Return the interrupt table: offset and segment of each vector's service."""
    found = dict(_services())
    offsets = [found.get(n, found[ALL_OTHERS]) for n in range(VECTORS)]
    return Blob(0, b"".join(struct.pack("<HH", at, SEGMENT) for at in offsets))


def _services() -> list[tuple[int, int]]:
    """Return (vector, offset) of the services."""
    (count,) = struct.unpack_from("<H", SERVICES)
    return list(struct.iter_unpack("<HH", SERVICES[2 : 2 + 4 * count]))


def put(area: Area, memory: int) -> None:
    """Put the services, and what they know of `memory` bytes of RAM."""
    area.put(places.SERVICES_AT, SERVICES)
    entries = memory_map.entries(memory)
    assert len(entries) <= MOST_ENTRIES
    area.put(
        places.MEMORY,
        struct.pack("<4H", *_sizes(ram.below(memory)), len(entries))
        + b"".join(struct.pack("<QQI", *entry) for entry in entries),
    )


def _sizes(below: int) -> tuple[int, int, int]:
    """Return KiB from 1 MiB on by both services, and blocks of 64 KiB from 16 MiB."""
    extended = max(below - EXTENDED, 0) >> 10
    return (
        min(extended, MOST_EXTENDED),
        min(extended, (SIXTEEN_MIB - EXTENDED) >> 10),
        max(below - SIXTEEN_MIB, 0) >> 16,
    )
