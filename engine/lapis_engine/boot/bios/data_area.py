"""The data area of a BIOS at 0x400, its extension and an empty screen.

Source: IBM PS/2 and PC BIOS Interface Technical Reference, "BIOS Data Area". Times of
time-outs, disks and the modes of other adapters are 0.
"""

from __future__ import annotations

import struct
from typing import Final

from lapis_engine.boot.image import Blob
from lapis_engine.boot.memory_map import EBDA, VIDEO

BASE: Final = 0x400
AREA_BYTES: Final = 0x100
SCREEN: Final = 0xB_8000
COLUMNS: Final = 80
ROWS: Final = 25
BLANK: Final = struct.pack("<H", 0x0720)
"""A space in light grey on black."""

PORTS: Final = (0x3F8, 0x2F8)
"""Serial ports."""
EQUIPMENT: Final = 2 << 9 | 1 << 5 | 1 << 2 | 1 << 1
"""Two serial ports, 80 columns in colour, a mouse, a numeric coprocessor."""
MODE: Final = 3
PAGE_BYTES: Final = 0x1000
"""Of the screen."""
CURSOR_SHAPE: Final = 0x0607
"""First and last line."""
CRTC: Final = 0x3D4
KEYS: Final = 0x1E
KEYS_END: Final = 0x3E
"""Where in the segment the keys are that wait, and where they end."""
CHARACTER_LINES: Final = 16
LONG_KEYBOARD: Final = 0x10
"""One of 101 or 102 keys."""


def blobs() -> tuple[Blob, ...]:
    """Return the area, its extension of 1 KiB below the video memory, the screen."""
    extension = bytes(((VIDEO - EBDA) >> 10,)).ljust(VIDEO - EBDA, b"\0")
    return (
        Blob(BASE, _data()),
        Blob(EBDA, extension),
        Blob(SCREEN, BLANK * (COLUMNS * ROWS)),
    )


def _data() -> bytes:
    out = bytearray(AREA_BYTES)
    for offset, layout, values in (
        (0x00, "<HH", PORTS),
        (0x0E, "<H", (EBDA >> 4,)),
        (0x10, "<H", (EQUIPMENT,)),
        (0x13, "<H", (EBDA >> 10,)),
        (0x1A, "<HH", (KEYS, KEYS)),
        (0x49, "<BHH", (MODE, COLUMNS, PAGE_BYTES)),
        (0x60, "<H", (CURSOR_SHAPE,)),
        (0x63, "<H", (CRTC,)),
        (0x80, "<HH", (KEYS, KEYS_END)),
        (0x84, "<BH", (ROWS - 1, CHARACTER_LINES)),
        (0x96, "<B", (LONG_KEYBOARD,)),
    ):
        struct.pack_into(layout, out, offset, *values)
    return bytes(out)
