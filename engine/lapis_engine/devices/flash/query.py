"""What the flash says of itself in query mode.

Source: JEDEC JESD68 "Common Flash Interface (CFI)"; the numbers are those of QEMU's
`pflash_cfi01` of one byte's width.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Final

from lapis_engine.devices.flash import regs

FIRST: Final = 0x10
"""Offset of the identification string; before it everything is 0."""
SEEN: Final = 0x100
"""Bytes after which the structure is seen again."""
INTEL: Final = 0x0001
"""Command set."""
EXTENDED: Final = 0x31
"""Offset of the table of the command set."""


@cache
def table(size: int) -> bytes:
    """Return the query structure of a flash of `size` bytes, from offset 0."""
    identification = struct.pack("<3sHHHH", b"QRY", INTEL, EXTENDED, 0, 0)
    # 4.5 to 5.5 V and no programming voltage; typical and longest times as powers of 2.
    system = bytes((0x45, 0x55, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0))
    log2_size, log2_buffer = (size - 1).bit_length(), regs.BUFFER.bit_length() - 1
    regions = struct.pack("<BHH", 1, size // regs.BLOCK - 1, regs.BLOCK // 256)
    geometry = struct.pack("<BHH", log2_size, 0, log2_buffer) + regions
    extended = b"PRI10" + bytes(9) + b"\x01\x00"
    return bytes(FIRST) + identification + system + geometry + extended
