"""Commands and status of the flash.

Source: Intel StrataFlash Memory (J3) data sheet, "Command Set" and "Status Register".
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit

BLOCK: Final = 0x1000
"""Bytes that are erased together."""
BUFFER: Final = 256
"""Bytes of the write buffer."""
ERASED: Final = 0xFF
"""What a byte of an erased block is."""

READ_ARRAY: Final = 0xFF
"""So does what is no command: drivers probe with the 0xF0 of another command set."""
READ_ID: Final = 0x90
QUERY: Final = 0x98
READ_STATUS: Final = 0x70
CLEAR_STATUS: Final = 0x50
PROGRAM: Final = 0x40
"""The next write is the byte, at its address."""
PROGRAM_TOO: Final = 0x10
BUFFERED: Final = 0xE8
"""The next write is the number of bytes less one, then come these, then CONFIRM."""
ERASE: Final = 0x20
"""The next write is CONFIRM, at an address in the block."""
LOCK: Final = 0x60
"""The next write is CONFIRM, which unlocks all blocks, or LOCK_BLOCK."""
CONFIRM: Final = 0xD0
LOCK_BLOCK: Final = 0x01

READY: Final = bit(7)
ERASE_ERROR: Final = bit(5)
PROGRAM_ERROR: Final = bit(4)
SEQUENCE_ERROR: Final = ERASE_ERROR | PROGRAM_ERROR
"""Both at once: the command was not followed by what has to."""

MANUFACTURER: Final = 0x89
DEVICE: Final = 0x18
"""A 28F128J3; how large it is, the query says."""
UNLOCKED: Final = 0
ID: Final = (MANUFACTURER, DEVICE, UNLOCKED)
"""By address within a block, in READ_ID; what follows is 0."""
