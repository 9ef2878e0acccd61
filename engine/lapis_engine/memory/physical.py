"""RAM and ROM by guest-physical address, shared with the processor without a copy.

MMIO is not here: an address without RAM or ROM is a hole, and what a hole means is
decided by the vmm. Where a chipset lays ROM over RAM (`shadow`), both are here, and
what is read is the one that is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lapis_engine.errors import ConfigError, UnmappedError
from lapis_engine.memory.backing import Backing

# A compiled record looks up the classes of its fields when it is made.
from lapis_engine.shadow import Shadow  # noqa: TC001
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterable


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


@dataclass(frozen=True, slots=True)
class Covered:
    """Such a stretch: its RAM, its ROM if there is any, and how it is seen."""

    ram: Region
    rom: Region | None
    at_present: Shadow

    @property
    def seen(self) -> Region | None:
        """What is read there, as ROM where writes do not get to it."""
        if not self.at_present.reads_ram:
            return self.rom
        if self.at_present.writes_ram:
            return self.ram
        return replace(self.ram, rom=True)


class PhysicalMemory:
    """All RAM and ROM of a machine, regions ascending by address."""

    def __init__(self) -> None:
        """Start with nothing mapped."""
        self.regions: list[Region] = []
        """All of them, RAM before the ROM over it."""
        self._seen: list[Region] = []
        """What is read, the largest first: most accesses are to that."""
        self._covered: dict[int, Covered] = {}
        """By the address that they begin at."""
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
        self._look_anew()
        return region

    def cover(self, shadow: Shadow, rom: bytes | None) -> None:
        """Map RAM with `rom` over it, or with nothing that can be read there."""
        ram = self.add(shadow.first, shadow.size, "RAM")
        over = None
        if rom is not None:
            backing = Backing(shadow.size)
            backing.view[: len(rom)] = rom
            end = shadow.first + shadow.size
            over = Region(shadow.first, shadow.size, True, "ROM", backing, end)  # noqa: FBT003
            self.regions.insert(self.regions.index(ram) + 1, over)
        self._covered[shadow.first] = Covered(ram, over, shadow)
        self._look_anew()

    def show(
        self, shadows: Iterable[Shadow]
    ) -> list[tuple[Region | None, Region | None]]:
        """See what is covered as said; return what was seen and is, of each change."""
        changed = []
        for shadow in shadows:
            before = self._covered[shadow.first]
            if shadow != before.at_present:
                after = replace(before, at_present=shadow)
                self._covered[shadow.first] = after
                changed.append((before.seen, after.seen))
        if changed:
            self._look_anew()
        return changed

    def _look_anew(self) -> None:
        covered = {id(each.ram) for each in self._covered.values()}
        covered |= {id(each.rom) for each in self._covered.values()}
        seen = [each for each in self.regions if id(each) not in covered]
        seen += [each.seen for each in self._covered.values() if each.seen is not None]
        self._seen = sorted(seen, key=lambda region: -region.size)

    @property
    def seen(self) -> list[Region]:
        """What is read at present, ascending by address."""
        return sorted(self._seen, key=lambda region: region.gpa)

    def can_change(self, region: Region) -> bool:
        """Tell whether something else may be seen there at another time."""
        return region.gpa in self._covered

    def region(self, gpa: int) -> Region | None:
        """Return the region that is read at `gpa`, or None for a hole."""
        for region in self._seen:
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

    def place(self, gpa: int, data: bytes) -> None:
        """Store what is there from the start, in RAM that ROM may cover, or in ROM.

        Raises `UnmappedError` as `write` does.
        """
        covered = [each.at_present for each in self._covered.values()]
        self.show(replace(it, reads_ram=True, writes_ram=True) for it in covered)
        try:
            self.write(gpa, data, force=True)
        finally:
            self.show(covered)

    def write_beneath(self, gpa: int, data: bytes) -> bool:
        """Store `data` in RAM that ROM covers for reads; tell whether it does."""
        for each in self._covered.values():
            at = gpa - each.ram.gpa
            if at >= 0 and at + len(data) <= each.ram.size:
                if each.at_present.writes_ram:
                    each.ram.host[at : at + len(data)] = data
                    self._written(gpa, len(data))
                return each.at_present.writes_ram
        return False

    def restore(self, region: Region, at: int, data: bytes) -> None:
        """Store `data` at offset `at` of a region, whatever is seen there."""
        region.host[at : at + len(data)] = data
        self._written(region.gpa + at, len(data))

    def clear(self, region: Region, at: int, size: int) -> None:
        """Make whole pages of a region zero, ROM as well, and free of cost."""
        region.backing.clear(at, size)
        self._written(region.gpa + at, size)

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
