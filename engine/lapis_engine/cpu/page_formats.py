"""What paging structures look like in each paging mode.

Tables of facts for `paging`, which does the walking.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from lapis_engine.units import PAGE

MAXPHYADDR: Final = 40
"""Width of a physical address in bits; what the processor underneath has."""

# Paging-structure entries (SDM Vol. 3A "4-Level Paging", "PAE Paging", "32-Bit
# Paging"): P 0, R/W 1, U/S 2, A 5, D 6, PS 7, XD 63.
PRESENT: Final = 1 << 0
WRITABLE: Final = 1 << 1
USER: Final = 1 << 2
ACCESSED: Final = 1 << 5
DIRTY: Final = 1 << 6
LARGE: Final = 1 << 7
NX: Final = 1 << 63
ADDRESS: Final = (1 << MAXPHYADDR) - PAGE
"""Bits MAXPHYADDR-1:12 of an entry."""
ALL_RIGHTS: Final = WRITABLE | USER | NX
"""Rights as they are and-ed over the levels; NX inverted, so that 1 allows a fetch."""


class Level(NamedTuple):
    """How one level of the paging structures reads a linear address and its entry."""

    shift: int
    """Lowest bit of the linear address that indexes it."""
    large: bool
    """PS ends the walk here."""
    reserved: int
    """Bits that must be 0."""
    reserved_large: int
    """The same when PS ends the walk."""
    rights: bool = True
    """R/W, U/S, XD and A exist (not in a PAE PDPTE)."""


class Format(NamedTuple):
    """The paging structures of one paging mode."""

    size: int
    """Bytes of an entry."""
    index_mask: int
    """Mask of a table index."""
    root: int
    """Bits of CR3 that address the first table."""
    levels: tuple[Level, ...]


@cache
def format_of(pae: bool, long: bool, pse: bool, nxe: bool) -> Format:  # noqa: FBT001
    """Return the format under CR4.PAE, EFER.LMA, CR4.PSE and EFER.NXE."""
    if not pae:
        # PSE-36: bits 20:13 of a 4-MByte page's entry are 39:32 of the address.
        levels = (Level(22, pse, 0, 1 << 21), Level(12, False, 0, 0))  # noqa: FBT003
        return Format(4, 0x3FF, 0xFFFF_F000, levels)
    high = ((1 << 52) - (1 << MAXPHYADDR)) | (0 if nxe else NX)
    if not long:
        high |= 0x7FF0_0000_0000_0000
    pt = Level(12, large=False, reserved=high, reserved_large=0)
    pd = Level(21, large=True, reserved=high, reserved_large=high | 0x1F_E000)
    if not long:
        # Differs from the SDM: bits 8:5 and 2:1 of a PDPTE are ignored, as they are in
        # the processor underneath, which does not check them on MOV to CR3 either.
        pdpte = Level(30, False, high | NX, 0, rights=False)  # noqa: FBT003
        return Format(8, 0x1FF, 0xFFFF_FFE0, (pdpte, pd, pt))
    pdpt = Level(30, large=True, reserved=high, reserved_large=high | 0x3FFF_E000)
    pml4 = Level(39, large=False, reserved=high | LARGE, reserved_large=0)
    return Format(8, 0x1FF, ADDRESS, (pml4, pdpt, pd, pt))


def page_address(entry: int, shift: int, size: int, linear: int) -> int:
    """Return the gpa of `linear` in the page of 2 to the power `shift` bytes."""
    offset = (1 << shift) - 1
    base = entry & ADDRESS & ~offset
    if size == 4 and shift == 22:
        base |= (entry & 0x1F_E000) << 19
    return base | (linear & offset)
