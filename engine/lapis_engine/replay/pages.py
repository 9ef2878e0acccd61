"""Memory in checkpoints: pages of 4 KiB, shared by those that agree on them.

Pages come in blocks, which are shared as a whole where nothing in them changed. Finding
what changed is comparing all of it: 64 MiB of untouched memory take 4 ms, and of used
memory 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.units import PAGE

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from lapis_engine.memory.physical import PhysicalMemory

Block = tuple[bytes, ...]
"""The contents of pages in a row."""
MANY = 64
"""Pages of a block; the last one of a region may have fewer."""
ZERO = bytes(PAGE)
BLANK: Block = (ZERO,) * MANY
BLANK_BYTES = bytes(MANY * PAGE)


@dataclass(frozen=True, slots=True)
class Pages:
    """The contents of all RAM and ROM."""

    regions: tuple[tuple[Block, ...], ...]
    """Blocks of each region of `PhysicalMemory.regions`, ascending."""


def take(memory: PhysicalMemory, base: Pages | None) -> Pages:
    """Return what is in `memory`, sharing with `base` all that is as it was."""
    if base is None:
        base = Pages(tuple(_blank(region.size // PAGE) for region in memory.regions))
    return Pages(
        tuple(
            _taken(region.host, blocks)
            for region, blocks in zip(memory.regions, base.regions, strict=True)
        )
    )


def _blank(pages: int) -> tuple[Block, ...]:
    rest = pages % MANY
    return (BLANK,) * (pages // MANY) + ((BLANK[:rest],) if rest else ())


def _taken(host: mmap.mmap, base: tuple[Block, ...]) -> tuple[Block, ...]:
    blocks = list(base)
    last = -1
    for number, index, page in _moved(host, base):
        if number != last:
            pages, last = list(base[number]), number
        pages[index] = ZERO if page == ZERO else page
        blocks[number] = tuple(pages)
    return base if last < 0 else tuple(blocks)


def _moved(
    host: mmap.mmap, blocks: tuple[Block, ...]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield (block, index in it, present contents) of every page that is not as kept.

    What is yielded may be written back before the next is asked for.
    """
    size = len(BLANK_BYTES)
    for number, block in enumerate(blocks):
        at = number * size
        if block is BLANK and host[at : at + size] == BLANK_BYTES:
            continue
        for index, page in enumerate(block):
            now = host[at : at + PAGE]
            if now != page:
                yield number, index, now
            at += PAGE


def put(memory: PhysicalMemory, pages: Pages) -> None:
    """Make `memory` what it was when `pages` were taken."""
    for region, blocks in zip(memory.regions, pages.regions, strict=True):
        for number, index, _ in _moved(region.host, blocks):
            gpa = region.gpa + (number * MANY + index) * PAGE
            memory.write(gpa, blocks[number][index], force=True)
