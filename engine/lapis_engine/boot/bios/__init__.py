"""What a BIOS leaves in memory and devices, for kernels that start without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.boot.bios import acpi, data_area, mp_table, places, vectors
from lapis_engine.boot.bios.area import Area

if TYPE_CHECKING:
    from lapis_engine.boot.image import Blob
    from lapis_engine.boot.request import BootRequest


@dataclass(frozen=True, slots=True)
class Left:
    """What is there before the kernel's first instruction."""

    blobs: tuple[Blob, ...] = ()
    settles: tuple[tuple[int, int], ...] = ()
    """(port, byte) of each OUT that a BIOS made to program the devices."""
    rsdp: int = 0
    """Guest-physical address of the ACPI root pointer; 0 without tables."""


TIMER: Final = ((0x43, 0x34), (0x40, 0x00), (0x40, 0x00))
"""Channel 0 of the 8254 counts from 65536, mode 2. Other devices have left their reset
by themselves where there is no firmware (`lapis_plugins.builtin.pc`)."""


def left(request: BootRequest) -> Left:
    """Return what a BIOS leaves on the machine of `request`."""
    area = Area()
    acpi.put(area, request.cpus)
    mp_table.put(area, request.cpus)
    vectors.put(area, request.memory)
    blobs = vectors.table(), *data_area.blobs(), area.blob()
    return Left(blobs, TIMER, places.RSDP)
