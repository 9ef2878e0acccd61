"""Memory in checkpoints: pages of 4 KiB, shared by those that agree on them.

Pages come in blocks, which are shared as a whole where nothing in them changed. Finding
what changed is comparing all that was ever touched: 64 MiB take 10 ms, and what nobody
touched takes next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from lapis_engine.memory.physical import PhysicalMemory, Region

Block = tuple[bytes, ...]
"""The contents of pages in a row."""
MANY: Final = 64
"""Pages of a block; the last one of a region may have fewer."""
ZERO: Final = bytes(PAGE)
BLANK: Final[Block] = (ZERO,) * MANY
SPAN: Final = MANY * PAGE
"""Bytes of a block."""
BLANK_BYTES: Final = bytes(SPAN)
NONE: Final[AbstractSet[int]] = frozenset()
ALL: Final[AbstractSet[int]] = frozenset(range(MANY))
"""Pages of a block that may hold more than zeros."""


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
            _taken(region, blocks)
            for region, blocks in zip(memory.regions, base.regions, strict=True)
        )
    )


def _blank(pages: int) -> tuple[Block, ...]:
    rest = pages % MANY
    return (BLANK,) * (pages // MANY) + ((BLANK[:rest],) if rest else ())


def _taken(region: Region, base: tuple[Block, ...]) -> tuple[Block, ...]:
    blocks = list(base)
    last = -1
    for number, index, page in _moved(region, base):
        if number != last:
            pages, last = list(base[number]), number
        pages[index] = ZERO if page == ZERO else page
        blocks[number] = tuple(pages)
    return base if last < 0 else tuple(blocks)


def _moved(
    region: Region, blocks: tuple[Block, ...]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield (block, index in it, present contents) of every page that is not as kept.

    What is yielded may be written back before the next is asked for.
    """
    host, touched = region.host, _touched(region)
    for number, block in enumerate(blocks):
        there = touched.get(number, NONE)
        at = number * SPAN
        if block is BLANK and (
            not there or (there is ALL and host[at : at + SPAN] == BLANK_BYTES)
        ):
            continue
        for index, page in enumerate(block):
            now = host[at : at + PAGE] if index in there else ZERO
            if now != page:
                yield number, index, now
            at += PAGE


def _touched(region: Region) -> Mapping[int, AbstractSet[int]]:
    """Return which pages of which blocks may hold more than zeros."""
    found: dict[int, AbstractSet[int]] = {}
    for first, end in region.backing.touched():
        at = first
        while at < end:
            number, stop = at // SPAN, min(at - at % SPAN + SPAN, end)
            if stop - at == SPAN:
                found[number] = ALL
            else:
                pages = range(at % SPAN // PAGE, MANY - (-stop % SPAN) // PAGE)
                found[number] = found.get(number, NONE) | frozenset(pages)
            at = stop
    return found


def put(memory: PhysicalMemory, pages: Pages) -> None:
    """Make `memory` what it was when `pages` were taken.

    A block that was blank then is one again, and costs nothing.
    """
    for region, blocks in zip(memory.regions, pages.regions, strict=True):
        for number, there in _touched(region).items():
            if there is ALL and blocks[number] is BLANK:
                memory.clear(region, number * SPAN, SPAN)
        for number, index, _ in _moved(region, blocks):
            at = number * SPAN + index * PAGE
            memory.restore(region, at, blocks[number][index])
