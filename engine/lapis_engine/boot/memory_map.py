"""Where RAM is, as a BIOS tells it by INT 15h, AX=E820h.

Source: ACPI Specification 6.4, "System Address Map Interfaces".
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lapis_engine import ram

EBDA: Final = 0x9_FC00
"""The last KiB of base memory is the BIOS's own."""
VIDEO: Final = 0xA_0000
"""End of base memory."""
ROM: Final = 0xF_0000
EXTENDED: Final = 0x10_0000
USABLE: Final = 1
RESERVED: Final = 2


class Stretch(NamedTuple):
    """A stretch of memory."""

    first: int
    size: int
    """Bytes."""
    kind: int


def entries(memory: int) -> list[Stretch]:
    """Return the map, ascending."""
    found = [
        Stretch(0, EBDA, USABLE),
        Stretch(EBDA, VIDEO - EBDA, RESERVED),
        Stretch(ROM, EXTENDED - ROM, RESERVED),
    ]
    if memory > EXTENDED:
        found.append(Stretch(EXTENDED, ram.below(memory) - EXTENDED, USABLE))
    if ram.above(memory):
        found.append(Stretch(ram.HIGH, ram.above(memory), USABLE))
    return found


def lower_and_upper(memory: int) -> tuple[int, int]:
    """Return the KiB usable from address 0, and from 1 MiB to the first hole."""
    return EBDA >> 10, max(ram.below(memory) - EXTENDED, 0) >> 10
