"""The debug console's one port (QEMU `hw/char/debugcon.c`)."""

from __future__ import annotations

from typing import Final

from lapis_engine.devices.device import Range

DATA: Final = 0x402
"""Write: one character. Read: `READBACK`."""

PORTS: Final = (Range(DATA, 1),)

READBACK: Final = 0xE9
"""What a read answers, by which firmware knows that the console is there."""
