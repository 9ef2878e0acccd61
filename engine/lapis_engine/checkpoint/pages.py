"""Memory in checkpoints: pages of 4 KiB, shared by those that agree on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.memory.physical import PAGE

if TYPE_CHECKING:
    from lapis_engine.memory.physical import PhysicalMemory, Region

ZERO = bytes(PAGE)


@dataclass(frozen=True, slots=True)
class Pages:
    """The contents of all RAM and ROM."""

    regions: tuple[tuple[bytes, ...], ...]
    """Pages of each region of `PhysicalMemory.regions`, ascending."""


def take(memory: PhysicalMemory, base: Pages | None) -> Pages:
    """Return what is in `memory`, sharing with `base` every page that is as it was."""
    if base is None:
        blank = [(ZERO,) * (region.size // PAGE) for region in memory.regions]
        base = Pages(tuple(blank))
    pairs = zip(memory.regions, base.regions, strict=True)
    return Pages(tuple(_taken(region, pages) for region, pages in pairs))


def _taken(region: Region, base: tuple[bytes, ...]) -> tuple[bytes, ...]:
    moved = _moved(region, base)
    if not moved:
        return base
    pages = list(base)
    for index, page in moved:
        pages[index] = ZERO if page == ZERO else page
    return tuple(pages)


def _moved(region: Region, pages: tuple[bytes, ...]) -> list[tuple[int, bytes]]:
    """Return (index, present contents) of every page that is not as in `pages`."""
    host = region.host
    return [
        (index, host[index * PAGE : (index + 1) * PAGE])
        for index, page in enumerate(pages)
        if host[index * PAGE : (index + 1) * PAGE] != page
    ]


def put(memory: PhysicalMemory, pages: Pages) -> None:
    """Make `memory` what it was when `pages` were taken."""
    for region, wanted in zip(memory.regions, pages.regions, strict=True):
        for index, _ in _moved(region, wanted):
            memory.write(region.gpa + index * PAGE, wanted[index], force=True)


def changed(pages: Pages, base: Pages) -> int:
    """Return how many bytes `pages` hold that `base` does not."""
    count = 0
    for mine, other in zip(pages.regions, base.regions, strict=True):
        if mine is not other:
            count += sum(a is not b for a, b in zip(mine, other, strict=True))
    return count * PAGE
