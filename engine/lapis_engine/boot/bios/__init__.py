"""What a BIOS leaves in memory and devices, for kernels that start without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.boot.bios import acpi, places
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


def left(request: BootRequest) -> Left:
    """Return what a BIOS leaves on the machine of `request`."""
    area = Area()
    acpi.put(area, request.cpus)
    return Left((area.blob(),), rsdp=places.RSDP)
