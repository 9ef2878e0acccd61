"""RAM and ROM by guest-physical address, shared with the processor without a copy.

MMIO is not here: an address without RAM or ROM is a hole, and what a hole means is
decided by the vmm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.errors import ConfigError, UnmappedError
from lapis_engine.memory.backing import Backing
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Region:
    """A run of whole pages backed by host memory."""

    gpa: int
    size: int
    rom: bool
    name: str
    backing: Backing
    end: int
    """First guest-physical address after it."""

    @property
    def host(self) -> mmap.mmap:
        """Its bytes; to look at one that nobody touched may make it cost memory."""
        return self.backing.view

    def read(self, gpa: int, size: int) -> bytes:
        """Return `size` bytes that lie inside."""
        at = gpa - self.gpa
        return self.host[at : at + size]


class PhysicalMemory:
    """All RAM and ROM of a machine, regions ascending by address."""

    def __init__(self) -> None:
        """Start with nothing mapped."""
        self.regions: list[Region] = []
        self.on_write: Callable[[int, int], None] | None = None
        """Told (gpa, size) of each write from outside the processor, which must
        forget what it has translated from there."""

    def add(self, gpa: int, size: int, name: str, *, rom: bool = False) -> Region:
        """Map `size` zero bytes at `gpa`; raise `ConfigError` on a bad range."""
        if gpa % PAGE or size % PAGE or size <= 0:
            raise ConfigError(f"{name} at {gpa:#x}, {size:#x} bytes: not whole pages")
        for other in self.regions:
            if gpa < other.end and other.gpa < gpa + size:
                raise ConfigError(
                    f"{name} at {gpa:#x}, {size:#x} bytes, overlaps {other.name} at "
                    f"{other.gpa:#x}"
                )
        try:
            backing = Backing(size)
        except (OSError, MemoryError) as error:
            why = getattr(error, "strerror", None) or "it has none left"
            raise ConfigError(
                f"{name}: the system gives no {size >> 10} KiB of memory: {why}"
            ) from None
        region = Region(gpa, size, rom, name, backing, gpa + size)
        self.regions.append(region)
        self.regions.sort(key=lambda r: r.gpa)
        return region

    def region(self, gpa: int) -> Region | None:
        """Return the region that holds `gpa`, or None for a hole."""
        for region in self.regions:
            if region.gpa <= gpa < region.end:
                return region
        return None

    def read(self, gpa: int, size: int) -> bytes:
        """Return `size` bytes; raise `UnmappedError` where there is a hole."""
        region = self.region(gpa)
        if region is not None and gpa + size <= region.end:
            at = gpa - region.gpa
            return region.host[at : at + size]
        if region is None or size < 0:
            raise UnmappedError(gpa, size)
        head = region.end - gpa
        return self.read(gpa, head) + self.read(region.end, size - head)

    def peek(self, gpa: int, size: int) -> bytes:
        """Return up to `size` bytes without an error; fewer where a region ends."""
        region = self.region(gpa)
        if region is None:
            return b""
        return self.read(gpa, min(size, region.end - gpa))

    def write(self, gpa: int, data: bytes, *, force: bool = False) -> None:
        """Store `data` in RAM, and in ROM only with `force`.

        Raises `UnmappedError` when a byte of it has nowhere to go; nothing is
        written then.
        """
        for region, at, piece in self._pieces(gpa, data, force=force):
            region.host[at : at + len(piece)] = piece
        self._written(gpa, len(data))

    def clear(self, gpa: int, size: int) -> None:
        """Make whole pages of one region zero, ROM as well, and free of cost."""
        region = self.region(gpa)
        assert region is not None, f"{gpa:#x} is a hole"
        region.backing.clear(gpa - region.gpa, size)
        self._written(gpa, size)

    def close(self) -> None:
        """Give all of it back; no processor may run on it any more."""
        self.on_write = None
        for region in self.regions:
            region.backing.close()

    def _written(self, gpa: int, size: int) -> None:
        if self.on_write is not None:
            self.on_write(gpa, size)

    def _pieces(
        self, gpa: int, data: bytes, *, force: bool
    ) -> list[tuple[Region, int, bytes]]:
        pieces = []
        while data:
            region = self.region(gpa)
            if region is None:
                raise UnmappedError(gpa, len(data))
            if region.rom and not force:
                raise UnmappedError(gpa, len(data), f"{region.name} is read-only")
            piece = data[: region.end - gpa]
            pieces.append((region, gpa - region.gpa, piece))
            gpa, data = gpa + len(piece), data[len(piece) :]
        return pieces
